//! Builds by what went into them, so that publishing an unchanged tree builds nothing; and locks of trees without one.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sled::transaction::ConflictableTransactionResult;

use super::{Store, rows};
use crate::error::{Error, Result};
use crate::model::OrgId;

/// What a build made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// The component's name among the blobs.
    pub component_sha256: String,
    /// The component's size.
    pub component_size_bytes: u64,
    /// What the tool says of itself: its name, its description, its input schema.
    pub description: Value,
}

impl Store {
    /// The build of a key, if there was one.
    pub fn get_build(&self, org: &OrgId, build_key: &str) -> Result<Option<Build>> {
        self.read(&self.builds, &rows::key(org, &[build_key.as_bytes()]))
    }

    /// Keeps a build. One that is there is replaced: equal keys mean builds that are worth the same.
    pub async fn put_build(&self, org: &OrgId, build_key: &str, build: &Build) -> Result<()> {
        self.check_writable()?;
        let mut blobs = Vec::new();
        let key = rows::key(org, &[build_key.as_bytes()]);
        let row = rows::encode(build, &mut blobs)?;
        self.put_blobs(blobs).await?;

        let outcome = self.builds.transaction(|builds| -> ConflictableTransactionResult<(), Error> {
            builds.insert(key.as_slice(), row.as_slice())?;
            Ok(())
        });
        self.durable(outcome).await
    }

    /// The lock that was made of a tree without one, when it was first built.
    pub fn get_lock(&self, org: &OrgId, tree: &str) -> Result<Option<String>> {
        self.read(&self.locks, &rows::key(org, &[tree.as_bytes()]))
    }

    /// Keeps the lock of a tree, so that it installs the same packages whenever it is built.
    pub async fn put_lock(&self, org: &OrgId, tree: &str, lock: &str) -> Result<()> {
        self.check_writable()?;
        let mut blobs = Vec::new();
        let key = rows::key(org, &[tree.as_bytes()]);
        let row = rows::encode(&lock, &mut blobs)?;
        self.put_blobs(blobs).await?;

        let outcome = self.locks.transaction(|locks| -> ConflictableTransactionResult<(), Error> {
            locks.insert(key.as_slice(), row.as_slice())?;
            Ok(())
        });
        self.durable(outcome).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{acme, open_in, other_org};
    use super::*;

    #[tokio::test]
    async fn a_build_is_found_by_its_key_in_its_organization_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let description = serde_json::json!({"name": "weather", "description": "long ".repeat(2000)});
        let build = Build { component_sha256: "ab".repeat(32), component_size_bytes: 19_600_000, description };
        store.put_build(&acme(), "key", &build).await.unwrap();
        assert_eq!(store.get_build(&acme(), "key").unwrap(), Some(build));
        assert_eq!(store.get_build(&other_org(), "key").unwrap(), None);

        let lock = "lock-version = \"1.0\"\n".repeat(1000);
        store.put_lock(&acme(), "tree", &lock).await.unwrap();
        assert_eq!(store.get_lock(&acme(), "tree").unwrap(), Some(lock));
        assert_eq!(store.get_lock(&other_org(), "tree").unwrap(), None);
    }
}
