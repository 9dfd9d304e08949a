//! The starter project, for authors.

use std::io;
use std::sync::LazyLock;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::auth::{Attributes, Caller, permission};
use crate::error::Result;

/// How many digits a commit's hash has, in the place of which versions name their scaffold.
const HASH_DIGITS: usize = 40;

static ARCHIVE: LazyLock<io::Result<Bytes>> = LazyLock::new(|| sdk::scaffold::archive().map(Bytes::from));

impl App {
    /// The starter project as a compressed archive: the same bytes from every run of one version of this program.
    pub fn scaffold_archive(&self, caller: &Caller) -> Result<Bytes> {
        caller.require(permission::ACCESS_REPO, &Attributes::new())?;
        archive()
    }
}

/// Which starter project this program gives out: the hash of its archive, cut to the length of a commit's.
pub(crate) fn hash() -> Result<String> {
    let mut hash = hex::encode(Sha256::digest(archive()?));
    hash.truncate(HASH_DIGITS);
    Ok(hash)
}

fn archive() -> Result<Bytes> {
    ARCHIVE.as_ref().map(Bytes::clone).map_err(|error| anyhow::anyhow!("failed to pack the scaffold: {error}").into())
}
