#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tests::parsers::try_bytes("wheel", bytes));
