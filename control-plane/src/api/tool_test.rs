//! `POST /tool/test`: build a branch's tip and run it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Result;
use super::extract::{Authenticated, Json};
use super::invoke::{Input, InvocationResult, checked_inputs};
use super::versions::{check_commit_branch, check_project_path};
use crate::app::App;
use crate::auth::permission;
use crate::domain::tool_test as domain;
use crate::model::EnvVarName;
use crate::vault::SecretString;

/// What is to be tested, and with what.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestTool {
    /// From 1 to 10, as those of an invocation.
    #[schema(
        value_type = Vec<Object>,
        min_items = 1,
        max_items = 10,
        examples(json!([{"input_parameters": {}, "invocation_mode": "regular"}]))
    )]
    inputs: Vec<Input>,
    /// The branch whose tip is tested.
    commit_branch: String,
    /// The project's folder.
    #[schema(pattern = r"^[-\w\d_/]+$")]
    project_path: String,
    /// The tool's variables, by name.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    required_envvars: BTreeMap<EnvVarName, SecretString>,
    /// The tool's secret variables, by name.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    required_secret_envvars: BTreeMap<EnvVarName, SecretString>,
}

/// Test the tip of a branch: it is built and run, published nowhere and recorded nowhere.
#[utoipa::path(
    post,
    path = "/v1/{organization}/tool/test",
    operation_id = "test_tool",
    tag = "tools",
    request_body = TestTool,
    responses(
        (status = 200, description = "One result for each input, in order, as those of an invocation."),
        (status = 400, description = "A variable is given as both kinds or is missing, an input does not conform, or \
                                      the build failed: `detail` says where and what to change."),
        (status = 404, description = "The branch or the project's folder does not exist."),
    ),
    extensions(("x-permission" = json!(permission::MODIFY_TOOL))),
)]
pub async fn run(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Json(body): Json<TestTool>,
) -> Result<axum::Json<Value>> {
    check_project_path(&body.project_path)?;
    check_commit_branch(&body.commit_branch)?;
    let request = domain::ToolTest {
        inputs: checked_inputs(body.inputs)?,
        commit_branch: body.commit_branch,
        project_path: body.project_path,
        envvars: body.required_envvars,
        secret_envvars: body.required_secret_envvars,
    };
    let results = app.test_tool(&caller, request).await?;
    let results: Vec<_> =
        results.into_iter().map(|result| InvocationResult::new(result.status, result.duration_ms)).collect();
    Ok(axum::Json(json!({"invocation_results": results})))
}
