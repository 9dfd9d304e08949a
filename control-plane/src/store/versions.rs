//! Versions. A version's number is never given twice, so a row is never removed; which ones are active has an index,
//! since every invocation asks for them and a version's row may be large.

use jiff::Timestamp;
use sled::transaction::{ConflictableTransactionResult, TransactionalTree, abort};
use sled::{IVec, Transactional};

use super::{Store, decided, rows};
use crate::error::{Error, Result};
use crate::model::{OrgId, ToolId, ToolVersion, UserRef, Version};

/// A row that is to take the place of another.
pub(super) struct Replacement {
    key: IVec,
    old: IVec,
    new: Vec<u8>,
}

impl Store {
    /// Adds a version. `Error::Conflict` when its number is taken, or when its tool was deprecated meanwhile or is gone;
    /// `Error::BadRequest` when the tool lacks a variable that it requires.
    pub async fn insert_version(&self, org: &OrgId, version: &ToolVersion) -> Result<()> {
        let (id, number) = (version.tool_id, version.version);
        let tool_key = rows::key(org, &[id.as_bytes()]);
        let key = version_key(org, id, number);
        let mut blobs = Vec::new();
        let row = rows::encode(version, &mut blobs)?;
        self.check_writable()?;
        self.put_blobs(blobs).await?;

        loop {
            let unusable = || Error::Conflict(format!("tool `{id}` was deprecated while its version was published"));
            let (tool_row, tool) = self.tool_row(&tool_key, id).map_err(|error| match error {
                Error::NotFound(_) => unusable(),
                other => other,
            })?;
            if tool.deprecated {
                return Err(unusable());
            }
            if let Some(name) = version.missing_variable(&tool) {
                return Err(Error::BadRequest(format!(
                    "variable {name} was taken off the tool while its version was published: insert it and publish again"
                )));
            }
            let _turn = self.writers.read().await;
            let trees = (&self.tools, &self.versions, &self.active_versions, &self.version_counts);
            let outcome = trees.transaction(|(tools, versions, active, counts)| {
                if tools.get(&tool_key)?.as_ref() != Some(&tool_row) {
                    return Ok(false);
                }
                if versions.insert(key.as_slice(), row.as_slice())?.is_some() {
                    return abort(Error::Conflict(format!(
                        "version {number} of tool `{id}` was published meanwhile: publish again for the next number"
                    )));
                }
                active.insert(key.as_slice(), rows::MARK)?;
                let count = counts.get(&tool_key)?;
                let count = rows::decode_count(count.as_deref(), &self.blobs).or_else(abort)?;
                counts.insert(tool_key.as_slice(), rows::encode_count(count + 1).or_else(abort)?)?;
                Ok(true)
            });
            if decided(outcome)? {
                return self.flush().await;
            }
        }
    }

    /// The version, if there is one of that number; a deprecated one too.
    pub fn get_version(&self, org: &OrgId, tool: ToolId, version: Version) -> Result<Option<ToolVersion>> {
        self.read(&self.versions, &version_key(org, tool, version))
    }

    /// All versions of a tool, by number; deprecated ones too.
    pub fn list_versions(&self, org: &OrgId, tool: ToolId) -> Result<Vec<ToolVersion>> {
        self.list(&self.versions, &rows::key(org, &[tool.as_bytes()]))
    }

    /// The numbers of a tool's versions that are not deprecated, in order. It reads no version's row.
    pub fn active_versions(&self, org: &OrgId, tool: ToolId) -> Result<Vec<Version>> {
        let prefix = rows::key(org, &[tool.as_bytes()]);
        self.active_versions.scan_prefix(&prefix).keys().map(|key| Ok(number_of(&key?[prefix.len()..]))).collect()
    }

    /// How many versions a tool has ever had.
    pub fn count_versions(&self, org: &OrgId, tool: ToolId) -> Result<u64> {
        let count = self.version_counts.get(rows::key(org, &[tool.as_bytes()]))?;
        rows::decode_count(count.as_deref(), &self.blobs)
    }

    /// Deprecates versions, all of them or none. Those that are deprecated stay as they are. `Error::NotFound` when one
    /// is not there.
    pub async fn deprecate_versions(
        &self,
        org: &OrgId,
        tool: ToolId,
        versions: &[Version],
        by: &UserRef,
        at: Timestamp,
    ) -> Result<()> {
        loop {
            self.check_writable()?;
            let mut found = Vec::new();
            for version in versions {
                let key = version_key(org, tool, *version);
                let row = self.versions.get(&key)?;
                let missing = || Error::NotFound(format!("tool `{tool}` has no version {version}"));
                found.push((IVec::from(key), row.ok_or_else(missing)?));
            }
            let mut blobs = Vec::new();
            let replacements = self.deprecations(found, by, at, &mut blobs)?;
            self.put_blobs(blobs).await?;

            let _turn = self.writers.read().await;
            let outcome = (&self.versions, &self.active_versions)
                .transaction(|(versions, active)| replace_all(versions, active, &replacements));
            if decided(outcome)? {
                return self.flush().await;
            }
        }
    }

    /// The keys and rows of all versions of a tool.
    pub(super) fn version_rows(&self, org: &OrgId, tool: ToolId) -> Result<Vec<(IVec, IVec)>> {
        let rows = self.versions.scan_prefix(rows::key(org, &[tool.as_bytes()]));
        Ok(rows.collect::<sled::Result<_>>()?)
    }

    /// What is to take the place of these rows so that their versions are deprecated.
    pub(super) fn deprecations(
        &self,
        versions: Vec<(IVec, IVec)>,
        by: &UserRef,
        at: Timestamp,
        blobs: &mut Vec<Vec<u8>>,
    ) -> Result<Vec<Replacement>> {
        let mut replacements = Vec::new();
        for (key, old) in versions {
            let mut version: ToolVersion = rows::decode(&old, &self.blobs)?;
            if version.deprecated {
                continue;
            }
            version.deprecated = true;
            version.updated_by = by.clone();
            version.updated_at = at;
            let new = rows::encode(&version, blobs)?;
            replacements.push(Replacement { key, old, new });
        }
        Ok(replacements)
    }
}

/// Replaces all the rows, and takes their versions off the active ones. False, and nothing is done, when one of them is
/// no longer what it was.
pub(super) fn replace_all(
    versions: &TransactionalTree,
    active: &TransactionalTree,
    replacements: &[Replacement],
) -> ConflictableTransactionResult<bool, Error> {
    for Replacement { key, old, .. } in replacements {
        if versions.get(key)?.as_ref() != Some(old) {
            return Ok(false);
        }
    }
    for Replacement { key, new, .. } in replacements {
        versions.insert(key, new.as_slice())?;
        active.remove(key)?;
    }
    Ok(true)
}

/// Big endian, so that keys sort as the numbers do.
pub(super) fn version_key(org: &OrgId, tool: ToolId, version: Version) -> Vec<u8> {
    let Version { major, minor, patch } = version;
    rows::key(org, &[tool.as_bytes(), &major.to_be_bytes(), &minor.to_be_bytes(), &patch.to_be_bytes()])
}

fn number_of(key: &[u8]) -> Version {
    let (numbers, _) = key.as_chunks::<8>();
    let number = |i: usize| numbers.get(i).map_or(0, |bytes| u64::from_be_bytes(*bytes));
    Version { major: number(0), minor: number(1), patch: number(2) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{acme, open_in, other_org, someone, tool, version};
    use super::*;
    use crate::model::{EnvVar, EnvVarName, Tool};

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    fn number(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[tokio::test]
    async fn versions_sort_by_number_and_deprecated_ones_are_not_active() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let tool = tool("weather");
        store.create_tool(&acme(), &tool).await.unwrap();
        for text in ["1.10.0", "1.0.0", "1.9.0", "256.0.0", "2.0.0"] {
            store.insert_version(&acme(), &version(tool.id, text)).await.unwrap();
        }
        let expected = ["1.0.0", "1.9.0", "1.10.0", "2.0.0", "256.0.0"].map(number);
        let listed = store.list_versions(&acme(), tool.id).unwrap();
        assert_eq!(listed.iter().map(|version| version.version).collect::<Vec<_>>(), expected);
        assert_eq!(store.active_versions(&acme(), tool.id).unwrap(), expected);
        assert_eq!(store.count_versions(&acme(), tool.id).unwrap(), 5);
        assert!(store.list_versions(&other_org(), tool.id).unwrap().is_empty());

        store.deprecate_versions(&acme(), tool.id, &expected[1..3], &someone(), AT).await.unwrap();
        assert_eq!(store.active_versions(&acme(), tool.id).unwrap(), ["1.0.0", "2.0.0", "256.0.0"].map(number));
        let deprecated = store.get_version(&acme(), tool.id, number("1.9.0")).unwrap().unwrap();
        assert!(deprecated.deprecated);
        assert_eq!(deprecated.input_schema, listed[1].input_schema);
    }

    #[tokio::test]
    async fn a_missing_version_keeps_the_others_from_being_deprecated() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let tool = tool("weather");
        store.create_tool(&acme(), &tool).await.unwrap();
        store.insert_version(&acme(), &version(tool.id, "1.0.0")).await.unwrap();
        let both = ["1.0.0", "1.0.1"].map(number);
        let refused = store.deprecate_versions(&acme(), tool.id, &both, &someone(), AT).await;
        assert!(matches!(refused, Err(Error::NotFound(_))));
        assert_eq!(store.active_versions(&acme(), tool.id).unwrap(), [number("1.0.0")]);
    }

    #[tokio::test]
    async fn a_number_is_given_once_and_a_deprecated_tool_gets_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let tool = tool("weather");
        let first = version(tool.id, "1.0.0");
        assert!(matches!(store.insert_version(&acme(), &first).await, Err(Error::Conflict(_))));
        store.create_tool(&acme(), &tool).await.unwrap();
        store.insert_version(&acme(), &first).await.unwrap();
        assert!(matches!(store.insert_version(&acme(), &first).await, Err(Error::Conflict(_))));

        store.deprecate_tool(&acme(), tool.id, &someone(), AT).await.unwrap();
        assert!(store.active_versions(&acme(), tool.id).unwrap().is_empty());
        assert!(store.list_versions(&acme(), tool.id).unwrap()[0].deprecated);
        let late = version(tool.id, "1.0.1");
        assert!(matches!(store.insert_version(&acme(), &late).await, Err(Error::Conflict(_))));
        assert_eq!(store.count_versions(&acme(), tool.id).unwrap(), 1);
    }

    #[tokio::test]
    async fn a_version_needs_its_variables_on_the_tool() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let tool = tool("weather");
        store.create_tool(&acme(), &tool).await.unwrap();
        let name = EnvVarName::parse("UNITS").unwrap();
        let first = ToolVersion { required_secret_envvars: vec![name.clone()], ..version(tool.id, "1.0.0") };
        for is_secret in [None, Some(false)] {
            let variable = is_secret.map(|is_secret| EnvVar { is_secret, sealed_value: String::new() });
            let insert = |tool: &mut Tool| {
                tool.envvars.extend(variable.clone().map(|variable| (name.clone(), variable)));
                Ok(())
            };
            store.update_tool(&acme(), tool.id, insert).await.unwrap();
            assert!(matches!(store.insert_version(&acme(), &first).await, Err(Error::BadRequest(_))));
        }
        assert!(store.active_versions(&acme(), tool.id).unwrap().is_empty());
        let plain = ToolVersion { required_envvars: vec![name], ..version(tool.id, "1.0.0") };
        store.insert_version(&acme(), &plain).await.unwrap();
    }
}
