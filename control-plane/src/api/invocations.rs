//! `/tool/invocation`: what is on record.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::error::Result;
use super::extract::{Authenticated, InvocationPath};
use super::invoke::Status;
use super::page::Query;
use super::parameters::{self, VersionConstraint};
use crate::app::App;
use crate::auth::permission;
use crate::domain::invocations::{InvocationFilter, Slice};
use crate::domain::resolve::Constraint;
use crate::error::{Error, Step};
use crate::model::{self, InvocationId, InvocationSource, OrgId, SourceType, ToolId, Version};
use crate::search::{Against, Kinds, SearchQuery};
use crate::store::SortField;

/// The largest page, and the one when none is asked for.
const MAX_LIMIT: usize = 100;

/// A page of invocations.
#[derive(Serialize, ToSchema)]
pub struct ToolInvocationList {
    tool_invocations: Vec<ToolInvocation>,
    /// Whether there is another page.
    has_more: bool,
    /// Gives the next page, if there is one.
    #[schema(required)]
    continuation_token: Option<u64>,
}

/// The query of a list of invocations.
struct InvocationQuery;

impl IntoParams for InvocationQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let versions = "Of a version that matches: as many constraints as `tool_id`, entry by entry.";
        let sort_by = [
            "created_at",
            "version.major",
            "version.minor",
            "version.patch",
            "tool_id",
            "invocation_source.type",
            "invocation_status.succeeded",
        ];
        let own = [
            parameters::many("version", versions, VersionConstraint::schema()),
            parameters::sort_by(&sort_by),
            parameters::limit(MAX_LIMIT, MAX_LIMIT),
            parameters::continuation_token(0),
        ];
        filter_parameters().into_iter().chain(own).collect()
    }
}

/// The filters that lists and searches share.
fn filter_parameters() -> [Parameter; 5] {
    let runs = "Of one of these runs of simulations.";
    let types = parameters::one_of(&["regular-conversation", "simulation-conversation"]);
    [
        parameters::many_unique("tool_id", "Of one of these tools.", ToolId::schema()),
        parameters::many_unique("conversation_id", "Of one of these conversations.", parameters::text()),
        parameters::many_unique("simulation_unit_test_set_run_id", runs, parameters::text()),
        parameters::many("invocation_source_type", "Of one of these kinds.", types),
        parameters::many("succeeded", "Only invocations that succeeded, or only those that failed.", bool::schema()),
    ]
}

/// List invocations, the newest first unless another order is asked for.
///
/// A caller with one of the two permissions sees only that kind.
#[utoipa::path(
    get,
    path = "/v1/{organization}/tool/invocation",
    operation_id = "list_invocations",
    tag = "invocations",
    params(InvocationQuery),
    responses(
        (status = 200, description = "The invocations.", body = ToolInvocationList),
        (status = 400, description = "There are not as many `version` as `tool_id`."),
    ),
    extensions(("x-permission" = json!([permission::READ_CONVERSATIONS, permission::READ_SIMULATIONS]))),
)]
pub async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Result<axum::Json<ToolInvocationList>> {
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
    let mut filter = filter(&query)?;
    add_constraints(&mut filter, &query)?;
    let slice = Slice { continuation_token: page.token as u64, limit: page.limit };
    let listed = tokio::task::spawn_blocking(move || app.list_invocations(&caller, &filter, &sort, &slice)).await;
    let (invocations, next_token) = listed.map_err(|error| Error::internal(error, "list invocations"))??;
    Ok(axum::Json(ToolInvocationList {
        tool_invocations: invocations.into_iter().map(ToolInvocation::from).collect(),
        has_more: next_token.is_some(),
        continuation_token: next_token,
    }))
}

/// Invocations that were found.
#[derive(Serialize, ToSchema)]
pub struct FoundToolInvocations {
    /// At most 100, the best match first.
    #[schema(max_items = 100)]
    tool_invocations: Vec<ToolInvocation>,
}

/// The query of a search.
struct InvocationSearchQuery;

impl IntoParams for InvocationSearchQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let fields = [
            "invocation_status.exception_message",
            "invocation_status.exception_type",
            "invocation_status.exception_stack_trace",
            "invocation_status.output",
        ];
        let words = "Words, also with typos and as prefixes; of an exception's type, whole words. In quotation marks, a \
                     phrase.";
        let own = [
            parameters::required("query", words, parameters::text().examples(["timeout"])),
            parameters::many("query_against", "Where to look; everywhere by default.", parameters::one_of(&fields)),
        ];
        own.into_iter().chain(filter_parameters()).collect()
    }
}

/// Search invocations, the best match first.
///
/// A caller with one of the two permissions finds only that kind.
#[utoipa::path(
    get,
    path = "/v1/{organization}/tool/invocation/search",
    operation_id = "search_invocations",
    tag = "invocations",
    params(InvocationSearchQuery),
    responses((status = 200, description = "The invocations.", body = FoundToolInvocations)),
    extensions(("x-permission" = json!([permission::READ_CONVERSATIONS, permission::READ_SIMULATIONS]))),
)]
pub async fn search(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Result<axum::Json<FoundToolInvocations>> {
    let against = query.parsed("query_against", |text| match text {
        "invocation_status.exception_message" => Ok(Against::ExceptionMessage),
        "invocation_status.exception_type" => Ok(Against::ExceptionType),
        "invocation_status.exception_stack_trace" => Ok(Against::ExceptionStackTrace),
        "invocation_status.output" => Ok(Against::Output),
        _ => Err(format!("`{text}` is no field to search")),
    })?;
    let text = query.one("query").unwrap_or_default();
    let parsed = SearchQuery::parse(text, &against);
    let mut search = parsed.map_err(|error| Error::invalid(["query", "query"], "value_error", error))?;
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
    Ok(axum::Json(FoundToolInvocations { tool_invocations: found.into_iter().map(ToolInvocation::from).collect() }))
}

/// An invocation with what the tool printed.
#[derive(Serialize, ToSchema)]
pub struct ToolInvocationWithLogs {
    #[serde(flatten)]
    invocation: ToolInvocation,
    /// What the tool printed, cut at a limit and said so.
    logs: String,
}

/// Look at one invocation, with what the tool printed.
#[utoipa::path(
    get,
    path = "/v1/{organization}/tool/invocation/{invocation_id}",
    operation_id = "get_invocation",
    tag = "invocations",
    params(("invocation_id" = inline(InvocationId), Path, description = "The invocation.")),
    responses(
        (status = 200, description = "The invocation.", body = ToolInvocationWithLogs),
        (status = 404, description = "The invocation does not exist, or is of a kind that the caller may not see."),
    ),
    extensions(("x-permission" = json!([permission::READ_CONVERSATIONS, permission::READ_SIMULATIONS]))),
)]
pub async fn get(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    InvocationPath(id): InvocationPath,
) -> Result<axum::Json<ToolInvocationWithLogs>> {
    let mut invocation = app.invocation(&caller, id)?;
    let logs = std::mem::take(&mut invocation.logs);
    Ok(axum::Json(ToolInvocationWithLogs { invocation: invocation.into(), logs }))
}

fn filter(query: &Query) -> Result<InvocationFilter, Error> {
    let tools = query.parsed("tool_id", ToolId::parse)?;
    let texts = |key: &str| query.many(key).into_iter().map(str::to_owned).collect();
    Ok(InvocationFilter {
        tools: tools.into_iter().map(|tool| (tool, None)).collect(),
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

/// What lists alone can be filtered by: a version for each tool.
fn add_constraints(filter: &mut InvocationFilter, query: &Query) -> Result<(), Error> {
    let constraints = query.many("version");
    if !constraints.is_empty() && constraints.len() != filter.tools.len() {
        let message = "there must be as many `version` as `tool_id`: they belong together, entry by entry";
        return Err(Error::BadRequest(message.to_owned()));
    }
    for (index, ((_, constraint), text)) in filter.tools.iter_mut().zip(constraints).enumerate() {
        let place = [Step::from("query"), Step::from("version"), Step::from(index)];
        *constraint = Some(Constraint::parse(text, place)?);
    }
    Ok(())
}

/// An invocation as clients see it.
#[derive(Serialize, ToSchema)]
struct ToolInvocation {
    id: InvocationId,
    org_id: OrgId,
    #[schema(value_type = String, format = DateTime)]
    created_at: jiff::Timestamp,
    /// A record never changes, so it is when it was made.
    #[schema(value_type = String, format = DateTime)]
    updated_at: jiff::Timestamp,
    invocation_status: Status,
    invocation_source: InvocationSource,
    /// Wall clock from the call of the tool to its result.
    #[schema(minimum = 0)]
    duration_ms: f64,
    tool_id: ToolId,
    tool_version: Version,
    /// The input parameters.
    #[schema(value_type = Object)]
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
