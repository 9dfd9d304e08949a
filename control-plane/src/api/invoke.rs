//! `POST /tool/{tool_id}/version/{version}/invoke`: run a version.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::AppendHeaders;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::Result;
use super::extract::{Authenticated, Json, ToolPath, VersionPath};
use super::idempotency::IdempotencyKey;
use crate::app::App;
use crate::domain::invoke as domain;
use crate::error::{Error, InvalidField};
use crate::model::{Invocation, InvocationSource, InvocationStatus, Mode};
use crate::vault::SecretString;

/// The most inputs of one request.
const MAX_INPUTS: usize = 10;
/// The most variables of one kind.
const MAX_VARIABLES: usize = 20;

/// What is to be run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvokeVersion {
    inputs: Vec<Input>,
    #[serde(default)]
    invocation_source: Option<InvocationSource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    input_parameters: serde_json::Map<String, Value>,
    invocation_mode: Mode,
    #[serde(default)]
    nonsensitive_user_variables: BTreeMap<String, String>,
    #[serde(default)]
    sensitive_user_variables: BTreeMap<String, SecretString>,
}

/// What came of one input.
#[derive(Serialize)]
pub struct InvocationResult {
    #[serde(flatten)]
    status: Status,
    duration_ms: f64,
}

/// An invocation's status as clients see it.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Status {
    /// The tool returned.
    Succeeded {
        /// Always true.
        succeeded: bool,
        /// What it returned.
        output: String,
    },
    /// The tool raised, or was stopped.
    Failed {
        /// Always false.
        succeeded: bool,
        /// The exception's message.
        exception_message: String,
        /// The exception's type.
        exception_type: String,
        /// The author's own frames.
        exception_stack_trace: Vec<String>,
    },
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

impl From<Invocation> for InvocationResult {
    fn from(invocation: Invocation) -> Self {
        Self { status: invocation.invocation_status.into(), duration_ms: invocation.duration_ms }
    }
}

/// Runs a version.
pub async fn invoke(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    ToolPath(id): ToolPath,
    VersionPath(version): VersionPath,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    Json(body): Json<InvokeVersion>,
) -> Result<(AppendHeaders<[(&'static str, String); 1]>, axum::Json<Value>)> {
    if body.inputs.is_empty() || body.inputs.len() > MAX_INPUTS {
        let message = format!("there must be from 1 to {MAX_INPUTS} inputs, and there are {}", body.inputs.len());
        let kind = if body.inputs.is_empty() { "too_short" } else { "too_long" };
        return Err(Error::invalid(&["body", "inputs"], kind, message).into());
    }
    let problems: Vec<_> = body.inputs.iter().enumerate().flat_map(|(index, input)| input.problems(index)).collect();
    if !problems.is_empty() {
        return Err(Error::Invalid(problems).into());
    }
    let inputs = body.inputs.into_iter().map(domain::Input::from).collect();
    let request = domain::Invoke { version, inputs, source: body.invocation_source, idempotency_key };
    let invoked = app.invoke(&caller, id, request).await?;
    let results: Vec<_> = invoked.invocations.into_iter().map(InvocationResult::from).collect();
    let header = AppendHeaders([("x-tool-version", invoked.version.to_string())]);
    Ok((header, axum::Json(json!({"invocation_results": results}))))
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
