//! `StoreError`: a fault of the store, for the log. To callers it is an internal error.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::rows;
use crate::error::Error;

/// What the store failed to do. The chain of sources says why.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// sled failed. After most of its errors it refuses everything until it is opened again.
    #[error("failed to use the storage engine; if a file of it is damaged, put that back, or restore a backup")]
    Engine(#[source] sled::Error),
    /// The file system failed.
    #[error("failed to {operation}")]
    File {
        /// What was tried.
        operation: &'static str,
        /// What the system said; it names the path.
        source: io::Error,
    },
    /// A change was made and may be lost when the power goes.
    #[error("failed to make changes durable")]
    NotDurable(#[source] Arc<io::Error>),
    /// A row, or a blob that belongs to one, does not read as what it should be.
    #[error("failed to read a stored {kind}")]
    Row {
        /// The type that was expected.
        kind: &'static str,
        /// Where it broke.
        source: serde_json::Error,
    },
    /// A row was written in a format that this program does not know.
    #[error("failed to read a stored {kind} of format {found}: this program knows format {}", rows::FORMAT)]
    RowFormat {
        /// The type that was expected.
        kind: &'static str,
        /// The row's first byte.
        found: u8,
    },
    /// The rows cannot be read at all.
    #[error("failed to read the rows in {}: a file there is damaged, so put it back, or restore a backup", folder.display())]
    Unreadable {
        /// Where they are.
        folder: PathBuf,
        /// What sled says of it.
        source: sled::Error,
    },
    /// A blob holds something else than what it was put with.
    #[error("failed to read blob {sha256}: it is damaged, so restore it from a backup")]
    BlobDamaged {
        /// The blob's name.
        sha256: String,
    },
    /// A row names content that is not there.
    #[error("failed to find blob {sha256}")]
    BlobMissing {
        /// The blob's name.
        sha256: String,
    },
}

impl StoreError {
    /// A fault of the file system while doing `operation`, a fragment fit for "failed to …".
    pub(super) fn file(operation: &'static str, source: io::Error) -> Self {
        Self::File { operation, source }
    }
}

impl From<StoreError> for Error {
    fn from(fault: StoreError) -> Self {
        Self::Internal(anyhow::Error::new(fault))
    }
}

impl From<sled::Error> for Error {
    fn from(fault: sled::Error) -> Self {
        StoreError::Engine(fault).into()
    }
}
