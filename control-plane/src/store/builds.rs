//! Builds by what went into them, so that publishing an unchanged tree builds nothing; and locks of trees without one.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sled::transaction::ConflictableTransactionResult;

use super::{Store, rows};
use crate::error::{Error, Result};
use crate::model::{OrgId, ToolVersion};

/// What a build made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// The component's name among the blobs.
    pub component_sha256: String,
    /// The component's size.
    pub component_size_bytes: u64,
    /// What the tool says of itself: its name, its description, its input schema.
    pub description: Value,
    /// When it was made.
    #[serde(default)]
    pub built_at: Timestamp,
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

        let _turn = self.writers.read().await;
        let outcome = self.builds.transaction(|builds| -> ConflictableTransactionResult<(), Error> {
            builds.insert(key.as_slice(), row.as_slice())?;
            Ok(())
        });
        self.durable(outcome).await
    }

    /// Removes the builds that were made before a moment and that no version names, with their components, and says how
    /// many there were. No build may be under way, nor anything that is done with one.
    pub async fn collect_builds(&self, made_before: Timestamp) -> Result<usize> {
        let mut named = HashSet::new();
        for row in self.versions.iter().values() {
            let version: ToolVersion = rows::decode(&row?, &self.blobs)?;
            named.insert(version.component_sha256);
        }
        let (mut old, mut kept) = (Vec::new(), HashSet::new());
        for row in self.builds.iter() {
            let (key, row) = row?;
            let build: Build = rows::decode(&row, &self.blobs)?;
            if named.contains(&build.component_sha256) {
                continue;
            }
            if build.built_at < made_before {
                old.push((key, build.component_sha256));
            } else {
                // Equal components are one blob, whatever they were built of and in which organization.
                kept.insert(build.component_sha256);
            }
        }
        if old.is_empty() {
            return Ok(0);
        }
        let turn = self.writers.read().await;
        for (key, _) in &old {
            self.builds.remove(key)?;
        }
        drop(turn);
        // The rows go for good first: one without its component would be a build that cannot be published.
        self.flush().await?;
        for (_, component_sha256) in &old {
            if !kept.contains(component_sha256) {
                self.blobs.remove(component_sha256)?;
            }
        }
        Ok(old.len())
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

        let _turn = self.writers.read().await;
        let outcome = self.locks.transaction(|locks| -> ConflictableTransactionResult<(), Error> {
            locks.insert(key.as_slice(), row.as_slice())?;
            Ok(())
        });
        self.durable(outcome).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{acme, open_in, other_org, tool, version};
    use super::*;

    #[tokio::test]
    async fn an_old_build_that_no_version_names_goes_with_its_component() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let [unnamed, named, shared] =
            [b"unnamed".as_slice(), b"named", b"shared"].map(|c| store.blobs().put(c).unwrap());
        let (old, new) = (Timestamp::UNIX_EPOCH, Timestamp::now());
        let puts = [
            (acme(), "unnamed", &unnamed, old),
            (acme(), "named", &named, old),
            (acme(), "fresh", &shared, new),
            (other_org(), "old, of the same bytes", &shared, old),
        ];
        for (org, key, component, built_at) in &puts {
            let description = serde_json::json!({});
            let component_sha256 = (*component).clone();
            let build = Build { component_sha256, component_size_bytes: 7, description, built_at: *built_at };
            store.put_build(org, key, &build).await.unwrap();
        }
        let tool = tool("weather");
        store.create_tool(&acme(), &tool).await.unwrap();
        let published = ToolVersion { component_sha256: named.clone(), ..version(tool.id, "1.0.0") };
        store.insert_version(&acme(), &published).await.unwrap();

        assert_eq!(store.collect_builds(old).await.unwrap(), 0, "nothing is older");
        assert_eq!(store.collect_builds(new).await.unwrap(), 2);
        let kept = puts.map(|(org, key, ..)| store.get_build(&org, key).unwrap().is_some());
        assert_eq!(kept, [false, true, true, false]);
        let there = [&unnamed, &named, &shared].map(|component| store.blobs().contains(component));
        assert_eq!(there, [false, true, true]);
        assert_eq!(store.collect_builds(new).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_build_is_found_by_its_key_in_its_organization_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let description = serde_json::json!({"name": "weather", "description": "long ".repeat(2000)});
        let component_sha256 = "ab".repeat(32);
        let built_at = Timestamp::UNIX_EPOCH;
        let build = Build { component_sha256, component_size_bytes: 19_600_000, description, built_at };
        store.put_build(&acme(), "key", &build).await.unwrap();
        assert_eq!(store.get_build(&acme(), "key").unwrap(), Some(build));
        assert_eq!(store.get_build(&other_org(), "key").unwrap(), None);

        let lock = "lock-version = \"1.0\"\n".repeat(1000);
        store.put_lock(&acme(), "tree", &lock).await.unwrap();
        assert_eq!(store.get_lock(&acme(), "tree").unwrap(), Some(lock));
        assert_eq!(store.get_lock(&other_org(), "tree").unwrap(), None);
    }
}
