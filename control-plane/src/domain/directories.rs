//! Folders: list.

use crate::app::App;
use crate::auth::Caller;
use crate::domain::browsing::Committers;
use crate::error::Result;
use crate::git::directories::{Directory, LastCommits};

impl App {
    /// The entries of a folder, and who pushed the commits that changed them last.
    pub async fn list_directory(
        &self,
        caller: &Caller,
        reference: String,
        path: Vec<u8>,
        last_commits: LastCommits,
    ) -> Result<(Directory, Committers)> {
        let directory = self.browse(caller, move |reader| reader.directory(&reference, &path, last_commits)).await?;
        let commits = directory.entries.iter().filter_map(|entry| entry.last_commit.as_ref());
        let committers = self.committers(&caller.org, commits.map(|commit| &commit.id))?;
        Ok((directory, committers))
    }
}
