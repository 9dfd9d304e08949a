//! End-to-end tests of Toolplane. They are in `tests/it`; the tools that they publish are in `tools`, one for each
//! behaviour and named after it. [`parsers`] is what both they and `fuzz` hold parsers to.

pub mod parsers;
