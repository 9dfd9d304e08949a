//! A folder, and what came to lie in it.

use std::path::Path;

/// What a folder holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How many files, in all folders below it.
    pub files: usize,
    /// How many bytes they have together.
    pub bytes: u64,
}

/// Looks at everything below a folder.
///
/// # Panics
///
/// Something is neither a file nor a folder.
pub fn look(folder: &Path) -> Found {
    let mut found = Found::default();
    for entry in fs_err::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            let Found { files, bytes } = look(&entry.path());
            found.files += files;
            found.bytes += bytes;
        } else {
            assert!(kind.is_file(), "{} is no file", entry.path().display());
            found.files += 1;
            found.bytes += entry.metadata().unwrap().len();
        }
    }
    found
}
