//! Commits: list.

use crate::app::App;
use crate::auth::Caller;
use crate::domain::browsing::Committers;
use crate::error::Result;
use crate::git::commits::{CommitPage, CommitQuery};

impl App {
    /// A page of a commit's history, and who pushed what is on it.
    pub async fn list_commits(&self, caller: &Caller, query: CommitQuery) -> Result<(CommitPage, Committers)> {
        let page = self.browse(caller, move |reader| reader.commits(&query)).await?;
        let committers = self.committers(&caller.org, page.commits.iter().map(|(commit, _)| &commit.id))?;
        Ok((page, committers))
    }
}
