//! Tools, versions, builds, and what follows from them.

use std::collections::HashMap;

use super::super::{Build, rows, versions};
use super::{Look, agree};
use crate::error::Result;
use crate::model::{Tool, ToolVersion};

impl Look<'_> {
    pub(super) fn tools(&mut self) -> Result<()> {
        let store = self.store;
        let mut names = HashMap::new();
        let mut counts: HashMap<Vec<u8>, u64> = HashMap::new();
        self.rows("tools", &store.tools, |_, org, key, tool: Tool| {
            counts.insert(rows::key(org, &[key]), 0);
            if !tool.deprecated {
                let row = rows::encode(&tool.id, &mut Vec::new()).map_err(|error| error.to_string())?;
                let other = names.insert(rows::key(org, &[tool.name.as_str().as_bytes()]), row);
                agree(other.is_none(), "another tool that is not deprecated has its name")?;
            }
            agree(key == tool.id.as_bytes() && tool.org_id == *org, "its key is another tool's")
        })?;
        self.index("tool_names", &store.tool_names, names)?;

        let mut active = HashMap::new();
        self.rows("versions", &store.versions, |look, org, key, version: ToolVersion| {
            if !version.deprecated {
                active.insert(rows::key(org, &[key]), rows::MARK.to_vec());
            }
            let tool_key = rows::key(org, &[version.tool_id.as_bytes()]);
            match counts.get_mut(&tool_key) {
                Some(count) => *count += 1,
                None => return Err("its tool does not exist".to_owned()),
            }
            let expected = versions::version_key(org, version.tool_id, version.version);
            agree(expected == rows::key(org, &[key]) && version.org_id == *org, "its key is another version's")?;
            look.name_blob(&version.component_sha256);
            agree(store.blobs.contains(&version.component_sha256), "its component is not among the blobs")
        })?;
        self.index("active_versions", &store.active_versions, active)?;
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        let counts = counts.map(|(key, count)| Ok((key, rows::encode_count(count)?))).collect::<Result<_>>()?;
        self.index("version_counts", &store.version_counts, counts)?;

        self.rows("builds", &store.builds, |look, _, _, build: Build| {
            look.name_blob(&build.component_sha256);
            agree(store.blobs.contains(&build.component_sha256), "its component is not among the blobs")
        })?;
        self.rows("locks", &store.locks, |_, _, _, _: String| Ok(()))
    }
}
