//! `POST /tool/{tool_id}/version/{version}/invoke`: run a version.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::AppendHeaders;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::Result;
use super::extract::{Authenticated, Json, ToolPath, VersionPath};
use crate::app::App;
use crate::domain::invoke as domain;
use crate::error::Error;
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
pub(super) struct Input {
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

/// Runs a version.
pub async fn invoke(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    ToolPath(id): ToolPath,
    VersionPath(version): VersionPath,
    Json(body): Json<InvokeVersion>,
) -> Result<(AppendHeaders<[(&'static str, String); 1]>, axum::Json<Value>)> {
    let inputs = checked_inputs(body.inputs)?;
    let request = domain::Invoke { version, inputs, source: body.invocation_source };
    let invoked = app.invoke(&caller, id, request).await?;
    let results: Vec<_> = invoked.invocations.into_iter().map(InvocationResult::from).collect();
    let header = AppendHeaders([("x-tool-version", invoked.version.to_string())]);
    Ok((header, axum::Json(json!({"invocation_results": results}))))
}

/// The inputs, where there are as many as there may be and each is as it has to be.
pub(super) fn checked_inputs(inputs: Vec<Input>) -> Result<Vec<domain::Input>, Error> {
    if inputs.is_empty() || inputs.len() > MAX_INPUTS {
        let message = format!("there must be from 1 to {MAX_INPUTS} inputs");
        return Err(Error::invalid(&["body", "inputs"], "too_long", message));
    }
    inputs.into_iter().enumerate().map(|(index, input)| input.checked(index)).collect()
}

impl Input {
    fn checked(self, index: usize) -> Result<domain::Input, Error> {
        let index = index.to_string();
        let kinds = [
            ("nonsensitive_user_variables", self.nonsensitive_user_variables.keys().collect::<Vec<_>>()),
            ("sensitive_user_variables", self.sensitive_user_variables.keys().collect()),
        ];
        for (field, names) in kinds {
            let loc = ["body", "inputs", &index, field];
            if names.len() > MAX_VARIABLES {
                return Err(Error::invalid(&loc, "too_long", format!("there are at most {MAX_VARIABLES} variables")));
            }
            if let Some(name) = names.into_iter().find(|name| !is_variable_name(name)) {
                let message = format!("variable name `{name}` must match ^[a-z_][a-z0-9_]+$");
                return Err(Error::invalid(&loc, "string_pattern_mismatch", message));
            }
        }
        Ok(domain::Input {
            parameters: Value::Object(self.input_parameters),
            mode: self.invocation_mode,
            nonsensitive_user_variables: self.nonsensitive_user_variables,
            sensitive_user_variables: self.sensitive_user_variables,
        })
    }
}

fn is_variable_name(text: &str) -> bool {
    text.len() >= 2
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
}
