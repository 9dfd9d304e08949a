//! One call of one version, as it stays on record.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// On whose behalf an invocation ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SourceFields")]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum InvocationSource {
    /// A conversation with a person.
    RegularConversation {
        /// The user that the conversation is with.
        user_id: UserId,
        /// The conversation.
        #[serde(default)]
        conversation_id: Option<String>,
        /// The interaction within it.
        #[serde(default)]
        interaction_id: Option<String>,
        /// Where in the conversation's state machine.
        #[serde(default)]
        invocation_metadata: Option<InvocationMetadata>,
    },
    /// A run of a simulation.
    SimulationConversation {
        /// The run of a set of tests.
        #[serde(default)]
        simulation_unit_test_set_run_id: Option<String>,
        /// The test.
        #[serde(default)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "MetadataFields")]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum InvocationMetadata {
    /// While going from one state to another.
    StateTransition {
        /// The state machine's id and version.
        current_state_machine_and_version: (String, i64),
        /// The state.
        state_name: String,
        /// Counted from 1.
        state_transition_index: i64,
        /// The round of tool calls.
        tool_call_round_index: i64,
    },
    /// While answering the user.
    EngageUser {
        /// The state machine's id and version.
        current_state_machine_and_version: (String, i64),
        /// The round of tool calls.
        tool_call_round_index: i64,
    },
    /// In a state that does nothing but call a tool.
    ToolCallState {
        /// The state machine's id and version.
        current_state_machine_and_version: (String, i64),
        /// The state.
        state_name: String,
    },
}

/// How the tool is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// For real.
    Regular,
    /// In a simulation: the tool's stand-in runs, where it has one.
    ConversationSimulation,
}
