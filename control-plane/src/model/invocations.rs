//! One call of one version, as it stays on record.

use std::num::NonZeroU64;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, ArrayItems, ObjectBuilder, Schema, Type};

use super::sources::{MetadataFields, SourceFields};
use super::{InvocationId, OrgId, ToolId, UserId, Version};

/// An invocation as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invocation {
    /// The invocation's id.
    pub id: InvocationId,
    /// The organization that owns it.
    pub org_id: OrgId,
    /// When it began.
    pub created_at: Timestamp,
    /// What came of it.
    pub invocation_status: InvocationStatus,
    /// On whose behalf it ran.
    pub invocation_source: InvocationSource,
    /// Wall clock from the call of the tool to its result.
    pub duration_ms: f64,
    /// The tool.
    pub tool_id: ToolId,
    /// The version that ran.
    pub tool_version: Version,
    /// The input parameters.
    pub inputs: Value,
    /// What the tool printed, cut at a limit and said so.
    pub logs: String,
}

/// What came of an invocation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum InvocationStatus {
    /// The tool returned.
    Succeeded {
        /// What it returned, as text.
        output: String,
    },
    /// The tool raised, or was stopped.
    Failed {
        /// The exception's message.
        exception_message: String,
        /// The exception's type.
        exception_type: String,
        /// The author's own frames.
        exception_stack_trace: Vec<String>,
    },
}

impl InvocationStatus {
    /// Whether the tool returned.
    pub fn has_succeeded(&self) -> bool {
        matches!(self, Self::Succeeded { .. })
    }
}

/// The two kinds of invocations, in the order of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceType {
    /// `regular-conversation`
    RegularConversation,
    /// `simulation-conversation`
    SimulationConversation,
}

impl InvocationSource {
    /// The kind.
    pub fn source_type(&self) -> SourceType {
        match self {
            Self::RegularConversation { .. } => SourceType::RegularConversation,
            Self::SimulationConversation { .. } => SourceType::SimulationConversation,
        }
    }

    /// The ids and names that the client chose, each with the way to it.
    pub fn texts(&self) -> Vec<(Vec<&'static str>, &str)> {
        let (ids, metadata) = match self {
            Self::RegularConversation { conversation_id, interaction_id, invocation_metadata, .. } => {
                ([("conversation_id", conversation_id), ("interaction_id", interaction_id)], invocation_metadata)
            }
            Self::SimulationConversation {
                simulation_unit_test_set_run_id: run,
                unit_test_id,
                invocation_metadata,
                ..
            } => ([("simulation_unit_test_set_run_id", run), ("unit_test_id", unit_test_id)], invocation_metadata),
        };
        let ids = ids.into_iter().filter_map(|(name, id)| Some((vec![name], id.as_deref()?)));
        ids.chain(metadata.iter().flat_map(InvocationMetadata::texts)).collect()
    }

    /// The conversation with a person, where there is one.
    pub fn conversation_id(&self) -> Option<&str> {
        match self {
            Self::RegularConversation { conversation_id, .. } => conversation_id.as_deref(),
            Self::SimulationConversation { .. } => None,
        }
    }

    /// The run of a set of simulations, where there is one.
    pub fn simulation_run_id(&self) -> Option<&str> {
        match self {
            Self::RegularConversation { .. } => None,
            Self::SimulationConversation { simulation_unit_test_set_run_id, .. } => {
                simulation_unit_test_set_run_id.as_deref()
            }
        }
    }
}

/// The longest id or name in an [`InvocationSource`], in characters: all of them stand in one row of the store, and
/// nobody's ids are longer. The document says it, too.
pub const MAX_SOURCE_TEXT_CHARACTERS: usize = 512;

/// On whose behalf an invocation ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "SourceFields")]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum InvocationSource {
    /// A conversation with a person.
    RegularConversation {
        /// The user that the conversation is with.
        user_id: UserId,
        /// The conversation.
        #[serde(default)]
        #[schema(max_length = 512)]
        conversation_id: Option<String>,
        /// The interaction within it.
        #[serde(default)]
        #[schema(max_length = 512)]
        interaction_id: Option<String>,
        /// Where in the conversation's state machine.
        #[serde(default)]
        invocation_metadata: Option<InvocationMetadata>,
    },
    /// A run of a simulation.
    SimulationConversation {
        /// The run of a set of tests.
        #[serde(default)]
        #[schema(max_length = 512)]
        simulation_unit_test_set_run_id: Option<String>,
        /// The test.
        #[serde(default)]
        #[schema(max_length = 512)]
        unit_test_id: Option<String>,
        /// Which repetition of the test.
        #[serde(default)]
        run_index: Option<i64>,
        /// Where in the conversation's state machine.
        #[serde(default)]
        invocation_metadata: Option<InvocationMetadata>,
    },
}

/// Where in a conversation's state machine a tool was called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "MetadataFields")]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum InvocationMetadata {
    /// While going from one state to another.
    StateTransition {
        /// The state machine's id and version.
        #[schema(schema_with = state_machine_and_version)]
        current_state_machine_and_version: (String, i64),
        /// The state.
        #[schema(max_length = 512)]
        state_name: String,
        /// Counted from 1.
        #[schema(value_type = u64, minimum = 1)]
        state_transition_index: NonZeroU64,
        /// The round of tool calls.
        tool_call_round_index: i64,
    },
    /// While answering the user.
    EngageUser {
        /// The state machine's id and version.
        #[schema(schema_with = state_machine_and_version)]
        current_state_machine_and_version: (String, i64),
        /// The round of tool calls.
        tool_call_round_index: i64,
    },
    /// In a state that does nothing but call a tool.
    ToolCallState {
        /// The state machine's id and version.
        #[schema(schema_with = state_machine_and_version)]
        current_state_machine_and_version: (String, i64),
        /// The state.
        #[schema(max_length = 512)]
        state_name: String,
    },
}

impl InvocationMetadata {
    fn texts(&self) -> Vec<(Vec<&'static str>, &str)> {
        let (machine, state) = match self {
            Self::StateTransition { current_state_machine_and_version: (machine, _), state_name, .. }
            | Self::ToolCallState { current_state_machine_and_version: (machine, _), state_name } => {
                (machine, Some(state_name))
            }
            Self::EngageUser { current_state_machine_and_version: (machine, _), .. } => (machine, None),
        };
        let at = |name, text| (vec!["invocation_metadata", name], text);
        let state = state.map(|state| at("state_name", state.as_str()));
        std::iter::once(at("current_state_machine_and_version", machine.as_str())).chain(state).collect()
    }
}

/// An id and a number, no more and no less.
fn state_machine_and_version() -> Array {
    let entry = |kind: Type| ObjectBuilder::new().schema_type(kind);
    let id = entry(Type::String).max_length(Some(MAX_SOURCE_TEXT_CHARACTERS));
    ArrayBuilder::new()
        .items(ArrayItems::False)
        .prefix_items([Schema::from(id), Schema::from(entry(Type::Integer))])
        .min_items(Some(2))
        .description(Some("The state machine's id and version."))
        .build()
}

/// How the tool is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = InvocationMode)]
pub enum Mode {
    /// For real.
    Regular,
    /// In a simulation: the tool's stand-in runs, where it has one.
    ConversationSimulation,
}
