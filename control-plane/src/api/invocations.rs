//! `/tool/invocation`: what is on record.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};

use super::error::Result;
use super::extract::{Authenticated, InvocationPath};
use super::invoke::Status;
use super::page::Query;
use crate::app::App;
use crate::domain::invocations::{InvocationFilter, Slice};
use crate::domain::resolve::Constraint;
use crate::error::Error;
use crate::model::{self, InvocationId, InvocationSource, OrgId, SourceType, ToolId, Version};
use crate::search::{Against, Kinds, SearchQuery};
use crate::store::SortField;

/// The largest page, and the one when none is asked for.
const MAX_LIMIT: usize = 100;

/// Lists invocations, the newest first unless another order is asked for.
pub async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Result<axum::Json<Value>> {
    let page = query.page(MAX_LIMIT, MAX_LIMIT)?;
    let sort = query.sort(|field| match field {
        "created_at" => Some(SortField::CreatedAt),
        "version.major" => Some(SortField::VersionMajor),
        "version.minor" => Some(SortField::VersionMinor),
        "version.patch" => Some(SortField::VersionPatch),
        "tool_id" => Some(SortField::ToolId),
        "invocation_source.type" => Some(SortField::SourceType),
        "invocation_status.succeeded" => Some(SortField::Succeeded),
        _ => None,
    })?;
    let filter = filter(&query)?;
    let slice = Slice { continuation_token: page.skip as u64, limit: page.limit };
    let listed = tokio::task::spawn_blocking(move || app.list_invocations(&caller, &filter, &sort, &slice)).await;
    let (invocations, next_token) = listed.map_err(|error| Error::internal(error, "list invocations"))??;
    Ok(axum::Json(json!({
        "tool_invocations": invocations.into_iter().map(ToolInvocation::from).collect::<Vec<_>>(),
        "has_more": next_token.is_some(),
        "continuation_token": next_token,
    })))
}

/// Searches invocations, the best match first.
pub async fn search(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Result<axum::Json<Value>> {
    let against = query.parsed("query_against", |text| match text {
        "invocation_status.exception_message" => Ok(Against::ExceptionMessage),
        "invocation_status.exception_type" => Ok(Against::ExceptionType),
        "invocation_status.exception_stack_trace" => Ok(Against::ExceptionStackTrace),
        "invocation_status.output" => Ok(Against::Output),
        _ => Err(format!("`{text}` is no field to search")),
    })?;
    let text = query.one("query").unwrap_or_default();
    let parsed = SearchQuery::parse(text, &against);
    let mut search = parsed.map_err(|error| Error::invalid(&["query", "query"], "value_error", error))?;
    let filter = filter(&query)?;
    let wants = |kind| filter.source_types.is_empty() || filter.source_types.contains(&kind);
    search.kinds = Kinds {
        regular: wants(SourceType::RegularConversation),
        simulation: wants(SourceType::SimulationConversation),
    };
    search.tools = filter.tools.into_iter().map(|(tool, _)| tool).collect();
    search.conversation_ids = filter.conversation_ids;
    search.simulation_run_ids = filter.simulation_run_ids;
    search.succeeded = match (filter.succeeded.contains(&true), filter.succeeded.contains(&false)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    };
    let found = tokio::task::spawn_blocking(move || app.search_invocations(&caller, search)).await;
    let found = found.map_err(|error| Error::internal(error, "search invocations"))??;
    Ok(axum::Json(json!({"tool_invocations": found.into_iter().map(ToolInvocation::from).collect::<Vec<_>>()})))
}

/// One invocation, with what the tool printed.
pub async fn get(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    InvocationPath(id): InvocationPath,
) -> Result<axum::Json<Value>> {
    let invocation = app.invocation(&caller, id)?;
    let logs = invocation.logs.clone();
    let mut body = json!(ToolInvocation::from(invocation));
    body["logs"] = Value::String(logs);
    Ok(axum::Json(body))
}

fn filter(query: &Query) -> Result<InvocationFilter, Error> {
    let tools = query.parsed("tool_id", ToolId::parse)?;
    ["tool_id", "conversation_id", "simulation_unit_test_set_run_id"]
        .into_iter()
        .try_for_each(|key| query.check_unique(key))?;
    let constraints = query.many("version");
    if !constraints.is_empty() && constraints.len() != tools.len() {
        let message = "there must be as many `version` as `tool_id`: they belong together, entry by entry";
        return Err(Error::BadRequest(message.to_owned()));
    }
    let constraints = constraints.into_iter().map(|text| Constraint::parse(text, &["query", "version"]).map(Some));
    let mut constraints = constraints.collect::<Result<Vec<_>, Error>>()?;
    constraints.resize(tools.len(), None);
    let texts = |key: &str| query.many(key).into_iter().map(str::to_owned).collect();
    Ok(InvocationFilter {
        tools: tools.into_iter().zip(constraints).collect(),
        conversation_ids: texts("conversation_id"),
        simulation_run_ids: texts("simulation_unit_test_set_run_id"),
        source_types: query.parsed("invocation_source_type", |text| match text {
            "regular-conversation" => Ok(SourceType::RegularConversation),
            "simulation-conversation" => Ok(SourceType::SimulationConversation),
            _ => Err("it is `regular-conversation` or `simulation-conversation`"),
        })?,
        succeeded: query.parsed("succeeded", |text| match text {
            "true" | "True" | "1" => Ok(true),
            "false" | "False" | "0" => Ok(false),
            _ => Err("succeeded must be true or false"),
        })?,
    })
}

/// An invocation as clients see it.
#[derive(Serialize)]
struct ToolInvocation {
    id: InvocationId,
    org_id: OrgId,
    created_at: jiff::Timestamp,
    /// A record never changes, so it is when it was made.
    updated_at: jiff::Timestamp,
    invocation_status: Status,
    invocation_source: InvocationSource,
    duration_ms: f64,
    tool_id: ToolId,
    tool_version: Version,
    inputs: Value,
}

impl From<model::Invocation> for ToolInvocation {
    fn from(invocation: model::Invocation) -> Self {
        Self {
            id: invocation.id,
            org_id: invocation.org_id,
            created_at: invocation.created_at,
            updated_at: invocation.created_at,
            invocation_status: invocation.invocation_status.into(),
            invocation_source: invocation.invocation_source,
            duration_ms: invocation.duration_ms,
            tool_id: invocation.tool_id,
            tool_version: invocation.tool_version,
            inputs: invocation.inputs,
        }
    }
}
