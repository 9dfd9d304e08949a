//! The bytes that `fuzz` has found worth keeping, tried on the parsers that they are for.

use std::collections::BTreeSet;

use tests::parsers::{TARGETS, try_bytes};

use crate::programs;

/// More files of one parser, or larger ones, belong to nobody's repository.
const MOST_FILES: usize = 60;
const MOST_BYTES: u64 = 64 << 10;

#[test]
fn parsers_keep_their_promises_for_all_that_was_ever_found() {
    let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let fuzz = programs::workspace().join("fuzz");
    let listed = |folder: &str| -> BTreeSet<String> {
        let entries = fs_err::read_dir(fuzz.join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.into_string().unwrap().trim_end_matches(".rs").to_owned()).collect()
    };
    assert_eq!(listed("fuzz_targets"), names, "each parser has a target");
    assert_eq!(listed("corpus"), names, "each parser has a corpus");
    for name in names {
        let files: Vec<_> = fs_err::read_dir(fuzz.join("corpus").join(&name)).unwrap().map(Result::unwrap).collect();
        assert!((1..=MOST_FILES).contains(&files.len()), "{name} has {} files", files.len());
        for file in files {
            assert!(file.metadata().unwrap().len() <= MOST_BYTES, "{} is too large", file.path().display());
            // A panic does not say which file it was.
            let bytes = fs_err::read(file.path()).unwrap();
            let tried = std::panic::catch_unwind(|| try_bytes(&name, &bytes));
            assert!(tried.is_ok(), "{} breaks a promise", file.path().display());
        }
    }
}
