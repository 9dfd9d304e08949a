//! `POST /tool/{tool_id}/version/{version}/invoke`: run a version.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::AppendHeaders;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::error::Result;
use super::extract::{Authenticated, Json, ToolPath, VersionPath};
use super::idempotency::IdempotencyKey;
use super::parameters::VersionConstraint;
use crate::app::App;
use crate::auth::permission;
use crate::domain::invoke as domain;
use crate::error::{Error, InvalidField, Step};
use crate::model::invocations::MAX_SOURCE_TEXT_CHARACTERS;
use crate::model::{Invocation, InvocationSource, InvocationStatus, Mode, ToolId};
use crate::vault::SecretString;

/// The most inputs of one request.
const MAX_INPUTS: usize = 10;
/// The most variables of one kind.
const MAX_VARIABLES: usize = 20;

/// What is to be run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvokeVersion {
    /// They run side by side.
    #[schema(min_items = 1, max_items = 10)]
    inputs: Vec<Input>,
    /// On whose behalf. Without it the calling user's, with no conversation.
    #[serde(default)]
    invocation_source: Option<InvocationSource>,
}

/// One input of a tool.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// They have to conform to the version's `input_schema`.
    #[schema(value_type = Object)]
    input_parameters: serde_json::Map<String, Value>,
    invocation_mode: Mode,
    /// Variables of the conversation, at most 20.
    #[serde(default)]
    #[schema(schema_with = user_variables)]
    nonsensitive_user_variables: BTreeMap<String, String>,
    /// Variables of the conversation whose values are scrubbed from what the tool says, at most 20.
    #[serde(default)]
    #[schema(schema_with = user_variables)]
    sensitive_user_variables: BTreeMap<String, SecretString>,
}

/// Variables of a conversation.
fn user_variables() -> ObjectBuilder {
    let name = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[a-z_][a-z0-9_]+$"));
    ObjectBuilder::new()
        .property_names(Some(name.build()))
        .additional_properties(Some(Schema::from(ObjectBuilder::new().schema_type(Type::String))))
        .max_properties(Some(MAX_VARIABLES))
        .default(Some(json!({})))
        .examples([json!({"user_name": "Ada"})])
}

/// What came of one input.
#[derive(Serialize, ToSchema)]
pub struct InvocationResult {
    #[serde(flatten)]
    status: Status,
    /// Wall clock from the call of the tool to its result.
    #[schema(minimum = 0)]
    duration_ms: f64,
}

/// An invocation's status as clients see it.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = InvocationStatus)]
pub enum Status {
    /// The tool returned.
    #[schema(title = "Succeeded")]
    Succeeded {
        /// Always true.
        #[schema(schema_with = always_true)]
        succeeded: bool,
        /// What it returned.
        output: String,
    },
    /// The tool raised, or was stopped.
    #[schema(title = "Failed")]
    Failed {
        /// Always false.
        #[schema(schema_with = always_false)]
        succeeded: bool,
        /// The exception's message.
        exception_message: String,
        /// The exception's type. Where the tool was stopped it is `ToolTimeout`, `ToolOutOfMemory`,
        /// `ToolOutputTooLarge`, `ToolCrashed` or `EgressDenied`.
        exception_type: String,
        /// The author's own frames.
        exception_stack_trace: Vec<String>,
    },
}

fn always_true() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true]))
}

fn always_false() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([false]))
}

impl From<InvocationStatus> for Status {
    fn from(status: InvocationStatus) -> Self {
        match status {
            InvocationStatus::Succeeded { output } => Self::Succeeded { succeeded: true, output },
            InvocationStatus::Failed { exception_message, exception_type, exception_stack_trace } => {
                Self::Failed { succeeded: false, exception_message, exception_type, exception_stack_trace }
            }
        }
    }
}

impl InvocationResult {
    pub(super) fn new(status: InvocationStatus, duration_ms: f64) -> Self {
        Self { status: status.into(), duration_ms }
    }
}

impl From<Invocation> for InvocationResult {
    fn from(invocation: Invocation) -> Self {
        Self::new(invocation.invocation_status, invocation.duration_ms)
    }
}

/// What came of an invocation.
#[derive(Serialize, ToSchema)]
pub struct InvocationResults {
    /// One for each input, in order.
    pub(super) invocation_results: Vec<InvocationResult>,
}

/// Invoke a version.
///
/// Each input runs in a sandbox of its own. A tool that raises is still 200. What is answered is on record.
#[utoipa::path(
    post,
    path = "/v1/{organization}/tool/{tool_id}/version/{version}/invoke",
    operation_id = "invoke_version",
    tag = "invocations",
    params(
        ("tool_id" = inline(ToolId), Path, description = "The tool."),
        ("version" = inline(VersionConstraint), Path, description = "The highest version that matches is invoked."),
        ("idempotency-key" = Option<String>, Header, nullable = false, min_length = 1, max_length = 255, pattern = "^[!-~]+$",
            description = "The same request under the same key is answered with its first result and runs nothing."),
    ),
    request_body = InvokeVersion,
    responses(
        (status = 200, description = "The tool ran.", body = InvocationResults,
            headers(("x-tool-version" = String, description = "The version that ran."))),
        (status = 400, description = "An input does not conform to the version's `input_schema`; nothing ran."),
        (status = 404, description = "The tool does not exist, or has no such version that is not deprecated."),
        (status = 409, description = "The first request of this `Idempotency-Key` is still running."),
    ),
    extensions(("x-permission" = json!(permission::INVOKE_TOOL))),
)]
pub async fn invoke(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    ToolPath(id): ToolPath,
    VersionPath(version): VersionPath,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    Json(body): Json<InvokeVersion>,
) -> Result<(AppendHeaders<[(&'static str, String); 1]>, axum::Json<InvocationResults>)> {
    let inputs = checked_inputs(body.inputs)?;
    body.invocation_source.as_ref().map_or(Ok(()), check_source)?;
    let request = domain::Invoke { version, inputs, source: body.invocation_source, idempotency_key };
    let invoked = app.invoke(&caller, id, request).await?;
    let invocation_results = invoked.invocations.into_iter().map(InvocationResult::from).collect();
    let header = AppendHeaders([("x-tool-version", invoked.version.to_string())]);
    Ok((header, axum::Json(InvocationResults { invocation_results })))
}

/// Every id and name of a source has to fit into its row.
fn check_source(source: &InvocationSource) -> Result<(), Error> {
    let is_long = |text: &str| text.chars().count() > MAX_SOURCE_TEXT_CHARACTERS;
    let too_long = source.texts().into_iter().filter(|(_, text)| is_long(text)).map(|(place, _)| {
        let loc = ["body", "invocation_source"].into_iter().chain(place).map(Step::from).collect();
        let message = format!("it is longer than {MAX_SOURCE_TEXT_CHARACTERS} characters: send a shorter id or name");
        InvalidField::new(loc, "string_too_long", message)
    });
    let too_long: Vec<_> = too_long.collect();
    if too_long.is_empty() { Ok(()) } else { Err(Error::Invalid(too_long)) }
}

/// The inputs, where there are as many as there may be and each is as it has to be.
pub(super) fn checked_inputs(inputs: Vec<Input>) -> Result<Vec<domain::Input>, Error> {
    if inputs.is_empty() || inputs.len() > MAX_INPUTS {
        let message = format!("there must be from 1 to {MAX_INPUTS} inputs, and there are {}", inputs.len());
        let kind = if inputs.is_empty() { "too_short" } else { "too_long" };
        return Err(Error::invalid(&["body", "inputs"], kind, message));
    }
    let problems: Vec<_> = inputs.iter().enumerate().flat_map(|(index, input)| input.problems(index)).collect();
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    Ok(inputs.into_iter().map(domain::Input::from).collect())
}

impl Input {
    /// What is wrong with the variables of the input at that place.
    fn problems(&self, index: usize) -> Vec<InvalidField> {
        let kinds = [
            ("nonsensitive_user_variables", self.nonsensitive_user_variables.keys().collect::<Vec<_>>()),
            ("sensitive_user_variables", self.sensitive_user_variables.keys().collect()),
        ];
        let mut problems = Vec::new();
        for (field, names) in kinds {
            let loc = || vec!["body".into(), "inputs".into(), index.into(), field.into()];
            if names.len() > MAX_VARIABLES {
                let message = format!("there may be {MAX_VARIABLES} variables, and there are {}", names.len());
                problems.push(InvalidField::new(loc(), "too_long", message));
                continue;
            }
            for name in names.into_iter().filter(|name| !is_variable_name(name)) {
                let message = "a variable's name must match ^[a-z_][a-z0-9_]+$";
                let loc = loc().into_iter().chain([name.as_str().into()]).collect();
                problems.push(InvalidField::new(loc, "string_pattern_mismatch", message));
            }
        }
        problems
    }
}

impl From<Input> for domain::Input {
    fn from(input: Input) -> Self {
        Self {
            parameters: Value::Object(input.input_parameters),
            mode: input.invocation_mode,
            nonsensitive_user_variables: input.nonsensitive_user_variables,
            sensitive_user_variables: input.sensitive_user_variables,
        }
    }
}

fn is_variable_name(text: &str) -> bool {
    text.len() >= 2
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
}
