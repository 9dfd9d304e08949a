//! `POST /tool/test`: build a branch's tip and run it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::Result;
use super::extract::{Authenticated, Json};
use super::invoke::{Input, InvocationResult, InvocationResults, checked_inputs};
use super::parameters::variable_values;
use super::versions::{check_commit_branch, check_project_path};
use crate::app::App;
use crate::auth::permission;
use crate::domain::tool_test as domain;
use crate::model::EnvVarName;
use crate::vault::SecretString;

/// What is to be tested, and with what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestTool {
    /// They run side by side.
    #[schema(min_items = 1, max_items = 10)]
    inputs: Vec<Input>,
    /// The branch whose tip is tested.
    #[schema(min_length = 1, max_length = 1024, examples("main"))]
    commit_branch: String,
    /// The project's folder.
    #[schema(pattern = r"^[-\w\d_/]+$", max_length = 1024, examples("tools/weather_report"))]
    project_path: String,
    /// The tool's variables, by name.
    #[serde(default)]
    #[schema(schema_with = variable_values)]
    required_envvars: BTreeMap<EnvVarName, SecretString>,
    /// The tool's secret variables, by name.
    #[serde(default)]
    #[schema(schema_with = variable_values)]
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
        (status = 200, description = "The tool ran.", body = InvocationResults),
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
) -> Result<axum::Json<InvocationResults>> {
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
    let results = results.into_iter().map(|result| InvocationResult::new(result.status, result.duration_ms));
    Ok(axum::Json(InvocationResults { invocation_results: results.collect() }))
}
