//! Tools, and which of them has a name.
//!
//! A change that depends on what is stored is prepared outside of a transaction, since it may have to write blobs, and
//! made in one that starts over when what it was prepared from has changed meanwhile.

use anyhow::anyhow;
use jiff::Timestamp;
use sled::transaction::{ConflictableTransactionResult, abort};
use sled::{IVec, Transactional};

use super::versions::replace_all;
use super::{Store, decided, rows};
use crate::error::{Error, Result};
use crate::model::{OrgId, Tool, ToolId, UserRef};

impl Store {
    /// Adds a tool. `Error::Conflict` when a tool that is not deprecated has its name.
    pub async fn create_tool(&self, org: &OrgId, tool: &Tool) -> Result<()> {
        self.check_writable()?;
        let mut blobs = Vec::new();
        let key = rows::key(org, &[tool.id.as_bytes()]);
        let row = rows::encode(tool, &mut blobs)?;
        let name_key = rows::key(org, &[tool.name.as_str().as_bytes()]);
        let name_row = rows::encode(&tool.id, &mut blobs)?;
        self.put_blobs(blobs).await?;

        let _turn = self.writers.read().await;
        let outcome = (&self.tools, &self.tool_names).transaction(|(tools, names)| {
            if names.insert(name_key.as_slice(), name_row.as_slice())?.is_some() {
                let name = &tool.name;
                return abort(Error::Conflict(format!(
                    "there is a tool `{name}` already: choose another name, or deprecate that tool first"
                )));
            }
            tools.insert(key.as_slice(), row.as_slice())?;
            Ok(())
        });
        self.durable(outcome).await
    }

    /// The tool, if there is one of that id; a deprecated one too.
    pub fn get_tool(&self, org: &OrgId, id: ToolId) -> Result<Option<Tool>> {
        self.read(&self.tools, &rows::key(org, &[id.as_bytes()]))
    }

    /// All tools, by id, which is by age; deprecated ones too.
    pub fn list_tools(&self, org: &OrgId) -> Result<Vec<Tool>> {
        self.list(&self.tools, &rows::key(org, &[]))
    }

    /// Changes a tool and gives what it has become. `change` runs again when another change or a new version of the tool
    /// came first, each time on the tool as it is then, so what it finds about the tool's versions holds; its error ends
    /// the matter. It must leave the id, the name and the deprecation alone.
    pub async fn update_tool<F>(&self, org: &OrgId, id: ToolId, mut change: F) -> Result<Tool>
    where
        F: FnMut(&mut Tool) -> Result<()>,
    {
        let key = rows::key(org, &[id.as_bytes()]);
        loop {
            self.check_writable()?;
            // It shows a version that is published from here on.
            let count = self.version_counts.get(&key)?;
            let (old, before) = self.tool_row(&key, id)?;
            let mut tool = before.clone();
            change(&mut tool)?;
            if (tool.id, &tool.name, tool.deprecated) != (before.id, &before.name, before.deprecated) {
                return Err(anyhow!("a change of tool {id} touched its id, its name or its deprecation").into());
            }
            let mut blobs = Vec::new();
            let row = rows::encode(&tool, &mut blobs)?;
            self.put_blobs(blobs).await?;

            let _turn = self.writers.read().await;
            let outcome = (&self.tools, &self.version_counts).transaction(
                |(tools, counts)| -> ConflictableTransactionResult<bool, Error> {
                    if tools.get(&key)?.as_ref() != Some(&old) || counts.get(&key)? != count {
                        return Ok(false);
                    }
                    tools.insert(key.as_slice(), row.as_slice())?;
                    Ok(true)
                },
            );
            if self.durable(outcome).await? {
                return Ok(tool);
            }
        }
    }

    /// Deprecates a tool with all its versions, and gives up its name. One that is deprecated stays as it is.
    /// `Error::NotFound` when there is none of that id.
    pub async fn deprecate_tool(&self, org: &OrgId, id: ToolId, by: &UserRef, at: Timestamp) -> Result<()> {
        let key = rows::key(org, &[id.as_bytes()]);
        loop {
            self.check_writable()?;
            let (old, mut tool) = self.tool_row(&key, id)?;
            if tool.deprecated {
                // Who deprecated it may still be waiting for that to be durable.
                return self.flush().await;
            }
            tool.deprecated = true;
            tool.updated_by = by.clone();
            tool.updated_at = at;
            let mut blobs = Vec::new();
            let row = rows::encode(&tool, &mut blobs)?;
            let name_key = rows::key(org, &[tool.name.as_str().as_bytes()]);
            let versions = self.version_rows(org, id)?;
            let found = versions.len() as u64;
            let replacements = self.deprecations(versions, by, at, &mut blobs)?;
            self.put_blobs(blobs).await?;

            let _turn = self.writers.read().await;
            let trees = (&self.tools, &self.tool_names, &self.versions, &self.active_versions, &self.version_counts);
            let outcome = trees.transaction(|(tools, names, versions, active, counts)| {
                // The count shows a version that was published since they were listed.
                let count = counts.get(&key)?;
                let count = rows::decode_count(count.as_deref(), &self.blobs).or_else(abort)?;
                if count != found || tools.get(&key)?.as_ref() != Some(&old) {
                    return Ok(false);
                }
                if !replace_all(versions, active, &replacements)? {
                    return Ok(false);
                }
                tools.insert(key.as_slice(), row.as_slice())?;
                names.remove(name_key.as_slice())?;
                Ok(true)
            });
            if decided(outcome)? {
                return self.flush().await;
            }
        }
    }

    /// A tool and the bytes that it was read from.
    pub(super) fn tool_row(&self, key: &[u8], id: ToolId) -> Result<(IVec, Tool)> {
        let row = self.tools.get(key)?.ok_or_else(|| Error::NotFound(format!("there is no tool `{id}`")))?;
        let tool = rows::decode(&row, &self.blobs)?;
        Ok((row, tool))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{acme, open_in, other_org, someone, tool, version};
    use super::*;

    #[tokio::test]
    async fn a_name_is_one_tools_until_it_is_deprecated() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let first = tool("weather");
        store.create_tool(&acme(), &first).await.unwrap();
        let second = tool("weather");
        assert!(matches!(store.create_tool(&acme(), &second).await, Err(Error::Conflict(_))));
        assert!(store.get_tool(&acme(), second.id).unwrap().is_none());
        store.create_tool(&other_org(), &tool("weather")).await.unwrap();

        store.deprecate_tool(&acme(), first.id, &someone(), Timestamp::UNIX_EPOCH).await.unwrap();
        store.create_tool(&acme(), &second).await.unwrap();
        assert!(store.get_tool(&acme(), first.id).unwrap().unwrap().deprecated);
        // Once more does not take the name from the second.
        store.deprecate_tool(&acme(), first.id, &someone(), Timestamp::UNIX_EPOCH).await.unwrap();
        assert!(store.create_tool(&acme(), &tool("weather")).await.is_err());
        assert_eq!(store.list_tools(&acme()).unwrap().len(), 2);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_change_is_lost_to_another() {
        let folder = tempfile::tempdir().unwrap();
        let store = std::sync::Arc::new(open_in(folder.path()));
        let tool = tool("weather");
        let id = tool.id;
        store.create_tool(&acme(), &tool).await.unwrap();
        let changes: Vec<_> = (0..8)
            .map(|i| {
                let store = std::sync::Arc::clone(&store);
                tokio::spawn(async move {
                    let tag = |tool: &mut Tool| {
                        tool.tags.insert(format!("tag {i}"), None);
                        Ok(())
                    };
                    store.update_tool(&acme(), id, tag).await.unwrap();
                })
            })
            .collect();
        for change in changes {
            change.await.unwrap();
        }
        assert_eq!(store.get_tool(&acme(), id).unwrap().unwrap().tags.len(), 8);
    }

    #[tokio::test]
    async fn a_change_is_judged_again_when_a_version_comes_between() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let tool = tool("weather");
        store.create_tool(&acme(), &tool).await.unwrap();
        let mut seen = Vec::new();
        let change = |_: &mut Tool| {
            seen.push(store.list_versions(&acme(), tool.id).unwrap().len());
            if seen.len() == 1 {
                let published = async { store.insert_version(&acme(), &version(tool.id, "1.0.0")).await };
                futures::executor::block_on(published).unwrap();
            }
            Ok(())
        };
        store.update_tool(&acme(), tool.id, change).await.unwrap();
        assert_eq!(seen, [0, 1]);
    }

    #[tokio::test]
    async fn a_change_that_fails_or_renames_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let tool = tool("weather");
        store.create_tool(&acme(), &tool).await.unwrap();
        let fail = |tool: &mut Tool| {
            tool.description.clear();
            Err(Error::BadRequest("no".to_owned()))
        };
        assert!(matches!(store.update_tool(&acme(), tool.id, fail).await, Err(Error::BadRequest(_))));
        let rename = |tool: &mut Tool| {
            tool.name = crate::model::ToolName::parse("climate").unwrap();
            Ok(())
        };
        assert!(matches!(store.update_tool(&acme(), tool.id, rename).await, Err(Error::Internal(_))));
        assert_eq!(store.get_tool(&acme(), tool.id).unwrap().unwrap().description, tool.description);
        assert!(matches!(store.update_tool(&other_org(), tool.id, |_| Ok(())).await, Err(Error::NotFound(_))));
    }
}
