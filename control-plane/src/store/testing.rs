//! What the tests of the store begin with.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{Span, Timestamp};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::json;

use super::{Listing, Options, Store};
use crate::failpoint::Failpoint;
use crate::model::{
    Invocation, InvocationId, InvocationSource, InvocationStatus, OrgId, Tool, ToolId, ToolName, ToolVersion, UserId,
    UserRef, Version, VersionId,
};

/// A store that writes whatever the disk holds.
pub(super) const OPTIONS: Options = Options { reserve_free_bytes: 0, flushes: None, failpoint: Failpoint::NONE };

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
        scaffold_hash: None,
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

pub(super) fn conversation(id: &str) -> InvocationSource {
    InvocationSource::RegularConversation {
        user_id: UserId::new(),
        conversation_id: Some(id.to_owned()),
        interaction_id: None,
        invocation_metadata: None,
    }
}

pub(super) fn simulation_run(id: &str) -> InvocationSource {
    InvocationSource::SimulationConversation {
        simulation_unit_test_set_run_id: Some(id.to_owned()),
        unit_test_id: None,
        run_index: None,
        invocation_metadata: None,
    }
}

pub(super) fn invocation(tool_id: ToolId, source: InvocationSource, text_bytes: usize) -> Invocation {
    let text = "x".repeat(text_bytes);
    Invocation {
        id: InvocationId::new(),
        org_id: acme(),
        created_at: Timestamp::UNIX_EPOCH,
        invocation_status: InvocationStatus::Succeeded { output: text.clone() },
        invocation_source: source,
        duration_ms: 1.5,
        tool_id,
        tool_version: Version::FIRST,
        inputs: json!({"city": text}),
        logs: text,
    }
}

/// A list of all, in the order of their ids.
pub(super) const EVERYTHING: Listing = Listing {
    wants: &|_| true,
    conversation_ids: &[],
    simulation_run_ids: &[],
    sort: &[],
    after: None,
    limit: usize::MAX / 4,
};

pub(super) fn ids(store: &Store, listing: &Listing) -> Vec<InvocationId> {
    let page = store.list_invocations(&acme(), listing).unwrap();
    page.invocations.iter().map(|invocation| invocation.id).collect()
}

/// Records that differ in everything that lists look at, with many ties.
pub(super) fn assorted(random: &mut StdRng, count: usize) -> Vec<Invocation> {
    let tools: Vec<_> = (0..3).map(|_| ToolId::new()).collect();
    let one = |random: &mut StdRng| {
        let mut source = match random.random_range(0..4) {
            0 => simulation_run(["a", "b"].choose(random).unwrap()),
            _ => conversation(["a", "b", "c"].choose(random).unwrap()),
        };
        if let InvocationSource::RegularConversation { conversation_id, .. } = &mut source
            && random.random_bool(0.3)
        {
            *conversation_id = None;
        }
        let mut made = invocation(*tools.choose(random).unwrap(), source, 1);
        let mut number = || random.random_range(1..3);
        made.tool_version = Version { major: number(), minor: number(), patch: number() };
        made.created_at = Timestamp::UNIX_EPOCH + Span::new().nanoseconds(random.random_range(-20..20));
        if random.random_bool(0.3) {
            made.invocation_status = InvocationStatus::Failed {
                exception_message: "m".to_owned(),
                exception_type: "ValueError".to_owned(),
                exception_stack_trace: Vec::new(),
            };
        }
        made
    };
    (0..count).map(|_| one(random)).collect()
}
