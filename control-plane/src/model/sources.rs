//! How an invocation's source reads: the fields of every kind side by side, so that an error knows the field that it is
//! about, and then only those that belong to the kind.

use std::num::NonZeroU64;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::Invalid;
use super::UserId;
use super::invocations::{InvocationMetadata, InvocationSource};

/// A field that may be there: `Some(None)` is a null.
type Given<T> = Option<Option<T>>;

/// An [`InvocationSource`] as it comes in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceFields {
    #[serde(rename = "type")]
    kind: SourceKind,
    #[serde(default, deserialize_with = "given")]
    user_id: Given<UserId>,
    #[serde(default, deserialize_with = "given")]
    conversation_id: Given<String>,
    #[serde(default, deserialize_with = "given")]
    interaction_id: Given<String>,
    #[serde(default, deserialize_with = "given")]
    simulation_unit_test_set_run_id: Given<String>,
    #[serde(default, deserialize_with = "given")]
    unit_test_id: Given<String>,
    #[serde(default, deserialize_with = "given")]
    run_index: Given<i64>,
    #[serde(default)]
    invocation_metadata: Option<InvocationMetadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SourceKind {
    RegularConversation,
    SimulationConversation,
}

impl TryFrom<SourceFields> for InvocationSource {
    type Error = Invalid;

    fn try_from(fields: SourceFields) -> Result<Self, Invalid> {
        let invocation_metadata = fields.invocation_metadata;
        match fields.kind {
            SourceKind::RegularConversation => {
                let kind = "regular-conversation";
                absent("simulation_unit_test_set_run_id", &fields.simulation_unit_test_set_run_id, kind)?;
                absent("unit_test_id", &fields.unit_test_id, kind)?;
                absent("run_index", &fields.run_index, kind)?;
                Ok(Self::RegularConversation {
                    user_id: fields.user_id.flatten().ok_or_else(|| missing("user_id"))?,
                    conversation_id: fields.conversation_id.flatten(),
                    interaction_id: fields.interaction_id.flatten(),
                    invocation_metadata,
                })
            }
            SourceKind::SimulationConversation => {
                let kind = "simulation-conversation";
                absent("user_id", &fields.user_id, kind)?;
                absent("conversation_id", &fields.conversation_id, kind)?;
                absent("interaction_id", &fields.interaction_id, kind)?;
                Ok(Self::SimulationConversation {
                    simulation_unit_test_set_run_id: fields.simulation_unit_test_set_run_id.flatten(),
                    unit_test_id: fields.unit_test_id.flatten(),
                    run_index: fields.run_index.flatten(),
                    invocation_metadata,
                })
            }
        }
    }
}

/// An [`InvocationMetadata`] as it comes in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MetadataFields {
    #[serde(rename = "type")]
    kind: MetadataKind,
    current_state_machine_and_version: (String, i64),
    #[serde(default, deserialize_with = "given")]
    state_name: Given<String>,
    #[serde(default, deserialize_with = "counted")]
    state_transition_index: Given<NonZeroU64>,
    #[serde(default, deserialize_with = "given")]
    tool_call_round_index: Given<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum MetadataKind {
    StateTransition,
    EngageUser,
    ToolCallState,
}

impl TryFrom<MetadataFields> for InvocationMetadata {
    type Error = Invalid;

    fn try_from(fields: MetadataFields) -> Result<Self, Invalid> {
        let MetadataFields { kind, current_state_machine_and_version, state_name, .. } = fields;
        let (transition, round) = (fields.state_transition_index, fields.tool_call_round_index);
        match kind {
            MetadataKind::StateTransition => Ok(Self::StateTransition {
                current_state_machine_and_version,
                state_name: state_name.flatten().ok_or_else(|| missing("state_name"))?,
                state_transition_index: transition.flatten().ok_or_else(|| missing("state_transition_index"))?,
                tool_call_round_index: round.flatten().ok_or_else(|| missing("tool_call_round_index"))?,
            }),
            MetadataKind::EngageUser => {
                absent("state_name", &state_name, "engage-user")?;
                absent("state_transition_index", &transition, "engage-user")?;
                Ok(Self::EngageUser {
                    current_state_machine_and_version,
                    tool_call_round_index: round.flatten().ok_or_else(|| missing("tool_call_round_index"))?,
                })
            }
            MetadataKind::ToolCallState => {
                absent("state_transition_index", &transition, "tool-call-state")?;
                absent("tool_call_round_index", &round, "tool-call-state")?;
                Ok(Self::ToolCallState {
                    current_state_machine_and_version,
                    state_name: state_name.flatten().ok_or_else(|| missing("state_name"))?,
                })
            }
        }
    }
}

fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Given<T>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A number that counts from 1. It is judged here, where its place is known.
fn counted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Given<NonZeroU64>, D::Error> {
    let number = Option::<i64>::deserialize(deserializer)?;
    let counted = |number: i64| {
        let counted = u64::try_from(number).ok().and_then(NonZeroU64::new);
        counted.ok_or_else(|| D::Error::custom(format!("it counts from 1 and is {number}")))
    };
    Ok(Some(number.map(counted).transpose()?))
}

// Both speak as serde does of a field that is missing or unknown, since they are read by the same eyes.

fn missing(field: &str) -> Invalid {
    Invalid(format!("missing field `{field}`"))
}

fn absent<T>(field: &str, value: &Given<T>, kind: &str) -> Result<(), Invalid> {
    match value {
        None => Ok(()),
        Some(_) => Err(Invalid(format!("unknown field `{field}` of `{kind}`"))),
    }
}
