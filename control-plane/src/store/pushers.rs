//! Who pushed a commit: what a commit's own text says of its committer proves nothing.

use anyhow::Context;

use super::{Store, rows};
use crate::error::Result;
use crate::model::{OrgId, UserRef};

impl Store {
    /// Keeps who pushed commits, each named by its 40 digits. Of a commit that is known already, the first one counts.
    pub async fn put_pusher(&self, org: &OrgId, commits: Vec<String>, user: &UserRef) -> Result<()> {
        self.check_writable()?;
        // It is never large.
        let row = rows::encode(user, &mut Vec::new())?;
        let (tree, org) = (self.pushers.clone(), org.clone());
        // Each row says all by itself, so there is nothing to keep together. There may be thousands.
        let write = move || {
            commits.iter().try_for_each(|commit| {
                let key = rows::key(&org, &[commit.as_bytes()]);
                tree.compare_and_swap(key, None::<&[u8]>, Some(row.as_slice())).map(drop)
            })
        };
        let _turn = self.writers.read().await;
        tokio::task::spawn_blocking(write).await.context("failed to keep who pushed commits")??;
        self.flush().await
    }

    /// Who pushed a commit first. None when that was nobody known.
    pub fn get_pusher(&self, org: &OrgId, commit: &str) -> Result<Option<UserRef>> {
        self.read(&self.pushers, &rows::key(org, &[commit.as_bytes()]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{acme, open_in, other_org, someone};

    #[tokio::test]
    async fn the_first_who_pushed_a_commit_counts_in_that_organization() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let (ada, bob) = (someone(), someone());
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        store.put_pusher(&acme(), vec![one.clone()], &ada).await.unwrap();
        store.put_pusher(&acme(), vec![two.clone(), one.clone()], &bob).await.unwrap();
        assert_eq!(store.get_pusher(&acme(), &one).unwrap(), Some(ada));
        assert_eq!(store.get_pusher(&acme(), &two).unwrap(), Some(bob));
        assert_eq!(store.get_pusher(&other_org(), &one).unwrap(), None);
    }
}
