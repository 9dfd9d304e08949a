//! The organizations' Git repositories, one bare repository each.
//!
//! [`fetch`] and [`push`] speak the wire protocol with the `git` program ([`program`], [`process`]); [`rules`] says what
//! may be pushed; [`maintenance`] keeps packs few; [`remains`] clears what a crash leaves; [`read`] and [`export`] read
//! objects with gix.
//! Browsing, which reads whatever was pushed, is bounded: [`reader`] bounds it, and [`revisions`], [`branches`],
//! [`commits`], [`directories`] and [`files`] are what can be asked for. [`pushes`] says which commits a push brought.

mod answer;
pub mod branches;
mod changes;
pub mod commits;
mod copy;
mod create;
pub mod directories;
pub mod export;
pub mod fetch;
pub mod files;
#[doc(hidden)]
pub mod fuzzing;
mod history;
mod last_commits;
mod limits;
pub mod maintenance;
mod packet;
mod paths;
mod process;
mod program;
pub mod push;
mod push_request;
pub mod pushes;
pub mod read;
pub mod reader;
mod remains;
mod report;
pub mod revisions;
mod rules;
mod service;
mod turns;
mod verify;

use std::path::PathBuf;
use std::sync::Arc;

pub use answer::Answer;
pub use export::ExportLimits;
pub use limits::Limits;
pub use push::RefUpdate;
pub use read::{CommitId, TreeId};
pub use reader::{ReadLimits, Reader};
pub use service::Service;

use self::program::Program;
use self::turns::{Lane, Lanes};
use crate::error::{Error, Result};
use crate::model::OrgId;

/// The folder of all repositories.
#[derive(Debug, Clone)]
pub struct Repositories {
    folder: PathBuf,
    program: Program,
    limits: Limits,
    lanes: Lanes,
}

/// One organization's repository: where it is, not that it exists.
#[derive(Debug, Clone)]
pub struct Repository {
    path: PathBuf,
    program: Program,
    limits: Limits,
    lane: Arc<Lane>,
}

impl Repositories {
    /// Opens the folder, which is made if it does not exist, finds the `git` program, and clears what a process that
    /// was killed has left. No other process may use the folder. Blocks.
    ///
    /// # Errors
    ///
    /// `git` is not installed or too old; the folder cannot be made.
    pub fn open(folder: PathBuf, limits: Limits) -> Result<Self> {
        let program = Program::find()?;
        // The path goes to a program, so it must hold whatever the working directory is.
        let folder = fs_err::create_dir_all(&folder)
            .and_then(|()| fs_err::canonicalize(&folder))
            .map_err(|error| Error::internal(error, "open the folder of repositories"))?;
        remains::clear_all(&folder)
            .map_err(|error| Error::internal(error, "clear what an earlier process left in the repositories"))?;
        Ok(Self { folder, program, lanes: Lanes::new(&limits), limits })
    }

    /// Makes the organization's repository, durably, unless it exists. Blocks.
    pub fn create(&self, organization: &OrgId) -> Result<()> {
        let path = self.repository(organization).path;
        if path.exists() {
            return Ok(());
        }
        create::make_repository(&self.folder, &path).map_err(|error| Error::internal(error, "make a repository"))
    }

    /// The organization's repository.
    pub fn repository(&self, organization: &OrgId) -> Repository {
        let path = self.folder.join(format!("{organization}.git"));
        let lane = self.lanes.of(organization);
        Repository { path, program: self.program.clone(), limits: self.limits, lane }
    }

    /// Ends maintenance and waits until it has ended. None begins after that.
    pub async fn stop_maintenance(&self) {
        self.lanes.stop_maintenance().await;
    }
}

impl Repository {
    /// The same, where a push may send no more than so many bytes.
    pub fn with_room(mut self, bytes: u64) -> Self {
        self.limits.max_pack_bytes = self.limits.max_pack_bytes.min(bytes);
        self
    }
}

#[cfg(test)]
pub(crate) mod fixture;
