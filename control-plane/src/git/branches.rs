//! Branches and their tips.

use gix::bstr::ByteSlice;

use super::commits::Commit;
use super::paths::shown;
use super::reader::Reader;
use crate::error::{Error, Result};

/// What the full names of branches begin with.
const PREFIX: &str = "refs/heads/";

/// A branch.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// Its name without `refs/heads/`.
    pub name: String,
    /// The commit that it leads to.
    pub tip: Commit,
}

impl Reader {
    /// So many branches in the order of their names, after having left out others; and whether there are more.
    pub fn branches(&self, skip: usize, limit: usize) -> Result<(Vec<Branch>, bool)> {
        let mut names = self.reference_names(PREFIX)?;
        names.sort_unstable();
        let has_more = names.len() > skip.saturating_add(limit);
        let mut branches = Vec::new();
        for name in names.into_iter().skip(skip).take(limit) {
            // One that a push deletes at this moment is not there any more.
            let Some(tip) = self.reference(name.as_bstr())? else { continue };
            let name = name.strip_prefix(PREFIX.as_bytes()).unwrap_or(&name);
            branches.push(Branch { name: shown(name.into()), tip: self.describe(tip)? });
        }
        Ok((branches, has_more))
    }

    /// A branch by its name.
    pub fn branch(&self, name: &str) -> Result<Branch> {
        let tip = self.reference(format!("{PREFIX}{name}"))?;
        let tip = tip.ok_or_else(|| Error::NotFound(format!("branch `{name}` does not exist: push it first")))?;
        Ok(Branch { name: name.to_owned(), tip: self.describe(tip)? })
    }
}
