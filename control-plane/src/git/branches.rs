//! Branches and their tips.

use super::commits::Commit;
use super::paths::shown;
use super::reader::Reader;
use crate::error::{Error, Result};

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
        let unreadable = |error| Error::internal(error, "list branches");
        let references = self.repository.references().map_err(unreadable)?;
        let mut tips = Vec::new();
        for reference in references.local_branches().map_err(unreadable)? {
            let reference = reference.map_err(unreadable)?;
            // Nobody can push a symbolic one.
            if let Some(tip) = reference.try_id() {
                tips.push((reference.name().shorten().to_owned(), tip.detach()));
            }
        }
        tips.sort_unstable();
        let has_more = tips.len() > skip.saturating_add(limit);
        let page = tips.into_iter().skip(skip).take(limit);
        let branches = page.map(|(name, tip)| Ok(Branch { name: shown(name.as_ref()), tip: self.describe(tip)? }));
        Ok((branches.collect::<Result<_>>()?, has_more))
    }

    /// A branch by its name.
    pub fn branch(&self, name: &str) -> Result<Branch> {
        let tip = self.reference(&format!("refs/heads/{name}"))?;
        let tip = tip.ok_or_else(|| Error::NotFound(format!("branch `{name}` does not exist: push it first")))?;
        Ok(Branch { name: name.to_owned(), tip: self.describe(tip)? })
    }
}
