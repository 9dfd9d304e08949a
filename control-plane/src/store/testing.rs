//! What the tests of the store begin with.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

use super::{Options, Store};
use crate::model::{OrgId, Tool, ToolId, ToolName, ToolVersion, UserId, UserRef, Version, VersionId};

/// A store that writes whatever the disk holds.
pub(super) const OPTIONS: Options = Options { reserve_free_bytes: 0 };

pub(super) fn open_in(folder: &Path) -> Store {
    Store::open(folder, OPTIONS).unwrap()
}

pub(super) fn acme() -> OrgId {
    OrgId::parse("acme").unwrap()
}

pub(super) fn other_org() -> OrgId {
    OrgId::parse("acme-2").unwrap()
}

pub(super) fn someone() -> UserRef {
    UserRef { org_id: acme(), user_id: UserId::new() }
}

pub(super) fn tool(name: &str) -> Tool {
    Tool {
        id: ToolId::new(),
        org_id: acme(),
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        name: ToolName::parse(name).unwrap(),
        description: "says what the weather is".to_owned(),
        deprecated: false,
        tags: BTreeMap::new(),
        envvars: BTreeMap::new(),
        creator: someone(),
        updated_by: someone(),
    }
}

pub(super) fn version(tool_id: ToolId, text: &str) -> ToolVersion {
    ToolVersion {
        id: VersionId::new(),
        org_id: acme(),
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        tool_id,
        version: Version::parse(text).unwrap(),
        required_envvars: Vec::new(),
        required_secret_envvars: Vec::new(),
        // Large, as real ones may be.
        input_schema: serde_json::json!({"description": "long ".repeat(2000)}),
        tool_commit_hash: "c0".repeat(20),
        tree_hash: "7e".repeat(20),
        project_directory: "weather".to_owned(),
        build_key: "b0".repeat(32),
        component_sha256: "5a".repeat(32),
        component_size_bytes: 19_600_000,
        build_number: 1,
        creator: someone(),
        updated_by: someone(),
        deprecated: false,
    }
}
