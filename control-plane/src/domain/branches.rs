//! Branches: list, get.

use crate::app::App;
use crate::auth::Caller;
use crate::domain::browsing::Committers;
use crate::error::Result;
use crate::git::branches::Branch;

impl App {
    /// So many branches by name, after having left out others; whether there are more; and who pushed their tips.
    pub async fn list_branches(
        &self,
        caller: &Caller,
        skip: usize,
        limit: usize,
    ) -> Result<(Vec<Branch>, bool, Committers)> {
        let (branches, has_more) = self.browse(caller, move |reader| reader.branches(skip, limit)).await?;
        let committers = self.committers(&caller.org, branches.iter().map(|branch| &branch.tip.id))?;
        Ok((branches, has_more, committers))
    }

    /// A branch, and who pushed its tip.
    pub async fn get_branch(&self, caller: &Caller, name: String) -> Result<(Branch, Committers)> {
        let branch = self.browse(caller, move |reader| reader.branch(&name)).await?;
        let committers = self.committers(&caller.org, std::iter::once(&branch.tip.id))?;
        Ok((branch, committers))
    }
}
