//! The starter project, for authors.

use std::sync::LazyLock;

use bytes::Bytes;

use crate::app::App;
use crate::auth::{Attributes, Caller, permission};
use crate::error::Result;

impl App {
    /// The starter project as a compressed archive: the same bytes from every run of one version of this program.
    pub fn scaffold_archive(&self, caller: &Caller) -> Result<Bytes> {
        static ARCHIVE: LazyLock<Result<Bytes, std::io::Error>> =
            LazyLock::new(|| sdk::scaffold::archive().map(Bytes::from));
        caller.require(permission::ACCESS_REPO, &Attributes::new())?;
        ARCHIVE
            .as_ref()
            .map(Bytes::clone)
            .map_err(|error| anyhow::anyhow!("failed to pack the scaffold: {error}").into())
    }
}
