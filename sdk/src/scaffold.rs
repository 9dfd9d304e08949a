//! The starter project: a whole tool that checks, tests and publishes as it is.

use include_dir::{Dir, include_dir};

static FILES: Dir = include_dir!("$CARGO_MANIFEST_DIR/scaffold");

/// The starter project's files.
pub fn files() -> &'static Dir<'static> {
    &FILES
}
