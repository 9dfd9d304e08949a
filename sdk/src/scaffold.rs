//! The starter project: a whole tool that checks, tests and publishes as it is.

use std::io;

use flate2::Compression;
use flate2::write::GzEncoder;
use include_dir::{Dir, File, include_dir};

/// The folder that the archive unpacks into.
pub const FOLDER: &str = "amigo_tool_scaffold";

/// 2026-01-01T00:00:00Z, in seconds: archives of equal files are equal, whenever they are made.
const MODIFIED_AT: u64 = 1_767_225_600;

static FILES: Dir = include_dir!("$CARGO_MANIFEST_DIR/scaffold");

/// The starter project's files.
pub fn files() -> &'static Dir<'static> {
    &FILES
}

/// The starter project as a tar, compressed with gzip. Everything in it is in the folder [`FOLDER`].
pub fn archive() -> io::Result<Vec<u8>> {
    let mut files = Vec::new();
    collect(&FILES, &mut files);
    files.sort_unstable_by_key(|file| file.path());
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for file in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(file.contents().len() as u64);
        header.set_mode(0o644);
        header.set_mtime(MODIFIED_AT);
        let path = std::path::Path::new(FOLDER).join(file.path());
        archive.append_data(&mut header, path, file.contents())?;
    }
    archive.into_inner()?.finish()
}

/// All files but those that a run of the tests leaves.
fn collect<'a>(folder: &'a Dir<'a>, files: &mut Vec<&'a File<'a>>) {
    let is_left = |path: &std::path::Path| {
        path.file_name().is_some_and(|name| name == "__pycache__" || name.to_string_lossy().starts_with('.'))
    };
    files.extend(folder.files().filter(|file| !is_left(file.path())));
    for folder in folder.dirs().filter(|folder| !is_left(folder.path())) {
        collect(folder, files);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_always_the_same() {
        assert_eq!(archive().unwrap(), archive().unwrap());
    }
}
