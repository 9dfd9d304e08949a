//! Invocations: written once, and found by id, by tool, by conversation and by simulation run.

use std::ops::Bound;

use sha2::{Digest, Sha256};
use sled::Transactional;
use sled::transaction::abort;

use super::idempotency::FirstResultRows;
use super::invocation_row::InvocationRow;
use super::{ScopeKey, Store, rows};
use crate::error::{Error, Result};
use crate::model::{FirstResult, Invocation, InvocationId, InvocationSource, OrgId, ToolId};

/// Which invocations of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Index {
    /// All of them.
    All,
    /// Those of a tool, whatever the version.
    Tool(ToolId),
    /// Those of a conversation with a person, by the conversation's id.
    Conversation(String),
    /// Those of a simulation, by the id of the run of its set of tests.
    SimulationRun(String),
}

/// In which order; an id sorts by the time at which it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By ascending id.
    OldestFirst,
    /// By descending id.
    NewestFirst,
}

/// The ids of invocations, read from the index as they are asked for. One that is recorded meanwhile may be among them.
pub struct InvocationIds {
    entries: sled::Iter,
    order: Order,
}

impl Iterator for InvocationIds {
    type Item = Result<InvocationId>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = match self.order {
            Order::OldestFirst => self.entries.next(),
            Order::NewestFirst => self.entries.next_back(),
        };
        Some(entry?.map_err(Error::from).and_then(|(key, _)| id_of(&key)))
    }
}

impl Store {
    /// Records invocations, all of them or none, and in every index. `Error::Conflict` when one is on record already.
    pub async fn record_invocations(&self, org: &OrgId, invocations: &[Invocation]) -> Result<()> {
        self.record_once(org, invocations, None).await
    }

    /// The same, and with them, where they are the first result of an idempotency key, that they are: `Error::Conflict`
    /// when the key has another.
    pub async fn record_once(
        &self,
        org: &OrgId,
        invocations: &[Invocation],
        first_result: Option<(&ScopeKey, &FirstResult)>,
    ) -> Result<()> {
        self.check_writable()?;
        let first_result = first_result.map(|first| FirstResultRows::new(org, first)).transpose()?;
        let mut blobs = Vec::new();
        let mut recorded = Vec::with_capacity(invocations.len());
        for invocation in invocations {
            let row = rows::encode(&InvocationRow::new(invocation, &mut blobs)?, &mut blobs)?;
            recorded.push((Keys::new(org, invocation), row));
        }
        self.put_blobs(blobs).await?;

        let trees = (
            &self.invocations,
            &self.invocations_by_tool,
            &self.invocations_by_conversation,
            &self.invocations_by_simulation_run,
            &self.idempotency_keys,
            &self.idempotency_expiries,
        );
        let outcome = trees.transaction(|(all, by_tool, by_conversation, by_simulation_run, scopes, expiries)| {
            if let Some(rows) = &first_result {
                rows.insert(self, scopes, expiries)?;
            }
            for (keys, row) in &recorded {
                if all.insert(keys.all.as_slice(), row.as_slice())?.is_some() {
                    return abort(Error::Conflict("an invocation of that id is on record already".to_owned()));
                }
                by_tool.insert(keys.tool.as_slice(), rows::MARK)?;
                if let Some(key) = &keys.conversation {
                    by_conversation.insert(key.as_slice(), rows::MARK)?;
                }
                if let Some(key) = &keys.simulation_run {
                    by_simulation_run.insert(key.as_slice(), rows::MARK)?;
                }
            }
            Ok(())
        });
        self.durable(outcome).await
    }

    /// The invocation, if there is one of that id, with its inputs, output and logs.
    pub fn get_invocation(&self, org: &OrgId, id: InvocationId) -> Result<Option<Invocation>> {
        let row: Option<InvocationRow> = self.read(&self.invocations, &rows::key(org, &[id.as_bytes()]))?;
        row.map(|row| row.load(&self.blobs)).transpose()
    }

    /// The ids of the invocations in an index that come after one of them in that order, or of all.
    pub fn invocation_ids(
        &self,
        org: &OrgId,
        index: &Index,
        order: Order,
        after: Option<InvocationId>,
    ) -> InvocationIds {
        let tree = match index {
            Index::All => &self.invocations,
            Index::Tool(_) => &self.invocations_by_tool,
            Index::Conversation(_) => &self.invocations_by_conversation,
            Index::SimulationRun(_) => &self.invocations_by_simulation_run,
        };
        let first = Bound::Included(index_key(org, index, &[0; 12]));
        let last = Bound::Included(index_key(org, index, &[u8::MAX; 12]));
        let after = after.map(|id| Bound::Excluded(index_key(org, index, id.as_bytes())));
        let range = match order {
            Order::OldestFirst => (after.unwrap_or(first), last),
            Order::NewestFirst => (first, after.unwrap_or(last)),
        };
        InvocationIds { entries: tree.range::<Vec<u8>, _>(range), order }
    }
}

/// The keys of one invocation.
struct Keys {
    all: Vec<u8>,
    tool: Vec<u8>,
    conversation: Option<Vec<u8>>,
    simulation_run: Option<Vec<u8>>,
}

impl Keys {
    fn new(org: &OrgId, invocation: &Invocation) -> Self {
        let key = |index: Index| index_key(org, &index, invocation.id.as_bytes());
        let (conversation, simulation_run) = match &invocation.invocation_source {
            InvocationSource::RegularConversation { conversation_id, .. } => (conversation_id.clone(), None),
            InvocationSource::SimulationConversation { simulation_unit_test_set_run_id, .. } => {
                (None, simulation_unit_test_set_run_id.clone())
            }
        };
        Self {
            all: key(Index::All),
            tool: key(Index::Tool(invocation.tool_id)),
            conversation: conversation.map(|id| key(Index::Conversation(id))),
            simulation_run: simulation_run.map(|id| key(Index::SimulationRun(id))),
        }
    }
}

fn index_key(org: &OrgId, index: &Index, id: &[u8; 12]) -> Vec<u8> {
    match index {
        Index::All => rows::key(org, &[id]),
        Index::Tool(tool) => rows::key(org, &[tool.as_bytes(), id]),
        // Others chose these ids: their hashes are all of one length, and short.
        Index::Conversation(other) | Index::SimulationRun(other) => {
            rows::key(org, &[Sha256::digest(other).as_slice(), id])
        }
    }
}

/// Every index's keys end with the invocation's id.
fn id_of(key: &[u8]) -> Result<InvocationId> {
    let id = &key[key.len().saturating_sub(12)..];
    InvocationId::parse(&hex::encode(id)).map_err(|e| Error::internal(e, "failed to read an invocation's id"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::super::testing::{acme, open_in, other_org};
    use super::*;
    use crate::model::{InvocationStatus, UserId, Version};

    fn conversation(id: &str) -> InvocationSource {
        InvocationSource::RegularConversation {
            user_id: UserId::new(),
            conversation_id: Some(id.to_owned()),
            interaction_id: None,
            invocation_metadata: None,
        }
    }

    fn simulation_run(id: &str) -> InvocationSource {
        InvocationSource::SimulationConversation {
            simulation_unit_test_set_run_id: Some(id.to_owned()),
            unit_test_id: None,
            run_index: None,
            invocation_metadata: None,
        }
    }

    fn invocation(tool_id: ToolId, source: InvocationSource, text_bytes: usize) -> Invocation {
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

    fn ids(store: &Store, index: &Index, order: Order, after: Option<InvocationId>) -> Vec<InvocationId> {
        store.invocation_ids(&acme(), index, order, after).collect::<Result<_>>().unwrap()
    }

    #[tokio::test]
    async fn an_invocation_comes_back_whole_at_every_size() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        // Inline; each value inline but the row too large; each value a blob.
        for text_bytes in [10, 3000, 100_000] {
            let mut invocation = invocation(ToolId::new(), conversation("c"), text_bytes);
            store.record_invocations(&acme(), std::slice::from_ref(&invocation)).await.unwrap();
            let read = store.get_invocation(&acme(), invocation.id).unwrap().unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&invocation).unwrap());
            assert!(store.get_invocation(&other_org(), invocation.id).unwrap().is_none());

            invocation.id = InvocationId::new();
            invocation.invocation_status = InvocationStatus::Failed {
                exception_message: "m".repeat(text_bytes),
                exception_type: "ValueError".to_owned(),
                exception_stack_trace: vec!["l".repeat(text_bytes); 2],
            };
            store.record_invocations(&acme(), std::slice::from_ref(&invocation)).await.unwrap();
            let read = store.get_invocation(&acme(), invocation.id).unwrap().unwrap();
            assert_eq!(read.invocation_status, invocation.invocation_status);
        }
    }

    #[tokio::test]
    async fn each_index_holds_its_own_in_both_orders() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let (tool, other_tool) = (ToolId::new(), ToolId::new());
        let invocations = [
            invocation(tool, conversation("a"), 1),
            invocation(other_tool, conversation("b"), 1),
            invocation(tool, simulation_run("a"), 1),
            invocation(tool, conversation("a"), 1),
        ];
        store.record_invocations(&acme(), &invocations).await.unwrap();
        let id = |i: usize| invocations[i].id;

        use Order::{NewestFirst, OldestFirst};
        assert_eq!(ids(&store, &Index::All, OldestFirst, None), [id(0), id(1), id(2), id(3)]);
        assert_eq!(ids(&store, &Index::All, NewestFirst, None), [id(3), id(2), id(1), id(0)]);
        assert_eq!(ids(&store, &Index::Tool(tool), NewestFirst, None), [id(3), id(2), id(0)]);
        assert_eq!(ids(&store, &Index::Tool(tool), NewestFirst, Some(id(2))), [id(0)]);
        assert_eq!(ids(&store, &Index::Tool(tool), OldestFirst, Some(id(0))), [id(2), id(3)]);
        assert_eq!(ids(&store, &Index::Conversation("a".to_owned()), OldestFirst, None), [id(0), id(3)]);
        assert_eq!(ids(&store, &Index::SimulationRun("a".to_owned()), OldestFirst, None), [id(2)]);
        assert!(ids(&store, &Index::Conversation("c".to_owned()), OldestFirst, None).is_empty());
        assert_eq!(store.invocation_ids(&other_org(), &Index::All, OldestFirst, None).count(), 0);
    }

    #[tokio::test]
    async fn what_is_on_record_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let first = invocation(ToolId::new(), conversation("a"), 1);
        store.record_invocations(&acme(), std::slice::from_ref(&first)).await.unwrap();
        let new = invocation(ToolId::new(), conversation("a"), 1);
        let refused = store.record_invocations(&acme(), &[new.clone(), first]).await;
        assert!(matches!(refused, Err(Error::Conflict(_))));
        assert!(store.get_invocation(&acme(), new.id).unwrap().is_none());
    }

    #[tokio::test]
    async fn no_row_is_so_large_that_sled_makes_a_file_of_its_page() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        for text_bytes in [1200, 1250, 1300, 5000] {
            let tool = ToolId::new();
            for _ in 0..10 {
                let batch: Vec<_> = (0..10).map(|_| invocation(tool, conversation("a"), text_bytes)).collect();
                store.record_invocations(&acme(), &batch).await.unwrap();
            }
        }
        let files = fs_err::read_dir(folder.path().join("store/blobs")).unwrap().count();
        assert_eq!(files, 0, "sled keeps large pages in files that it does not sync");
    }
}
