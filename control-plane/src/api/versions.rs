//! `/tool/{tool_id}/version`: publish, list, deprecate.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::error::Result;
use super::extract::{Authenticated, Json, ToolPath, VersionsPath};
use super::page::Query;
use super::parameters::{self, VersionConstraint};
use super::publish_events;
use crate::app::App;
use crate::auth::permission;
use crate::domain::publish::Publish;
use crate::domain::resolve::Constraint;
use crate::domain::versions::VersionFilter;
use crate::error::Error;
use crate::model::versions::Bump;
use crate::model::{self, EnvVarName, OrgId, ToolId, UserId, UserRef, Version, VersionId};
use crate::store::Order;

/// The largest page, and the one when none is asked for.
const MAX_LIMIT: usize = 50;

/// What is to be published.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishVersion {
    /// The project's folder within the repository.
    #[schema(pattern = "^[-\\w\\d_/]+$", max_length = 1024, examples("tools/weather_report"))]
    project_path: String,
    bump_type: Bump,
    /// The branch whose tip is published.
    #[serde(default = "main_branch")]
    #[schema(default = main_branch, min_length = 1, max_length = 1024)]
    commit_branch: String,
}

fn main_branch() -> String {
    "main".to_owned()
}

/// The longest folder's path, and the longest branch's name, in bytes: no file system takes longer ones.
const MAX_PLACE_BYTES: usize = 1024;

/// What was published.
#[derive(Serialize, ToSchema)]
pub struct PublishedVersion {
    /// `major.minor.patch`
    #[schema(pattern = r"^\d+\.\d+\.\d+$", examples("1.0.0"))]
    new_version: String,
}

/// Publish a version.
///
/// It can be invoked the moment this answers. The first version is published as `major` and is 1.0.0. Who sends
/// `Accept: text/event-stream` is told the steps as they happen and at the end the result, as events.
#[utoipa::path(
    post,
    path = "/v1/{organization}/tool/{tool_id}/version",
    operation_id = "publish_version",
    tag = "versions",
    params(("tool_id" = inline(ToolId), Path, description = "The tool.")),
    request_body = PublishVersion,
    responses(
        (status = 200, description = "The steps, and at the end `result` or `error`.", body = String,
            content_type = "text/event-stream"),
        (status = 201, description = "The version is published.", body = PublishedVersion),
        (status = 400, description = "The commit is an ancestor of the one that was published last, a required \
                                      variable is missing or of another secrecy, the first version is not `major`, \
                                      or the build failed: `detail` says where and what to change."),
        (status = 404, description = "The tool, the branch or the project's folder does not exist."),
        (status = 409, description = "Another publish or delete of the tool is running."),
    ),
    extensions(("x-permission" = json!(permission::MODIFY_TOOL))),
)]
pub async fn publish(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    ToolPath(id): ToolPath,
    headers: HeaderMap,
    Json(body): Json<PublishVersion>,
) -> Result<Response> {
    check_project_path(&body.project_path)?;
    check_commit_branch(&body.commit_branch)?;
    let request = Publish { project_path: body.project_path, bump: body.bump_type, commit_branch: body.commit_branch };
    let publishing = app.publish(&caller, id, request)?;
    if publish_events::wanted(&headers) {
        return Ok(publish_events::stream(publishing));
    }
    let new_version = publishing.ended().await?.to_string();
    Ok((StatusCode::CREATED, axum::Json(PublishedVersion { new_version })).into_response())
}

/// The contract's `^[-\w\d_/]+$`.
pub(super) fn check_project_path(text: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/');
    if text.is_empty() || text.len() > MAX_PLACE_BYTES || !text.chars().all(fits) {
        let message = format!(
            "project_path is a folder of the repository, made of letters, digits, -, _ and /, of at most \
             {MAX_PLACE_BYTES} bytes"
        );
        return Err(Error::invalid(["body", "project_path"], "string_pattern_mismatch", message));
    }
    Ok(())
}

/// What no branch is called is for the repository to say, which answers 404.
pub(super) fn check_commit_branch(text: &str) -> Result<(), Error> {
    if text.is_empty() || text.len() > MAX_PLACE_BYTES {
        let message = format!("commit_branch is the name of a branch, of at most {MAX_PLACE_BYTES} bytes");
        return Err(Error::invalid(["body", "commit_branch"], "string_pattern_mismatch", message));
    }
    Ok(())
}

/// A page of versions.
#[derive(Serialize, ToSchema)]
pub struct ToolVersionList {
    tool_versions: Vec<ToolVersion>,
    /// Whether there is another page.
    has_more: bool,
    /// Gives the next page, if there is one.
    #[schema(required)]
    continuation_token: Option<usize>,
    /// On the first page only.
    #[schema(required)]
    filter_values: Option<ToolVersionFilterValues>,
}

/// What versions can be filtered by.
#[derive(Serialize, ToSchema)]
struct ToolVersionFilterValues {
    /// Everybody who published one of the versions that the filter lets pass.
    creators: Vec<VersionUser>,
}

/// The query of a list of versions.
struct VersionQuery;

impl IntoParams for VersionQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let creator = parameters::text().pattern(Some("^[a-z0-9][a-z0-9-]{0,62},[a-f0-9]{24}$"));
        vec![
            parameters::flag("deprecated", "Only versions that are deprecated, or only those that are not."),
            parameters::one("versions", "Only versions that match this constraint.", VersionConstraint::schema()),
            parameters::many("creator", "Published by one of these users: `org_id,user_id`.", creator),
            parameters::sort_by(&["created_at", "version.major", "version.minor", "version.patch", "deprecated"]),
            parameters::limit(MAX_LIMIT, MAX_LIMIT),
            parameters::continuation_token(0),
        ]
    }
}

/// List a tool's versions.
#[utoipa::path(
    get,
    path = "/v1/{organization}/tool/{tool_id}/version",
    operation_id = "list_versions",
    tag = "versions",
    params(("tool_id" = inline(ToolId), Path, description = "The tool."), VersionQuery),
    responses(
        (status = 200, description = "The versions.", body = ToolVersionList),
        (status = 404, description = "The tool does not exist."),
    ),
    extensions(("x-permission" = json!([permission::INVOKE_TOOL, permission::MODIFY_TOOL, permission::DELETE_TOOL]))),
)]
pub async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    ToolPath(id): ToolPath,
    query: Query,
) -> Result<axum::Json<ToolVersionList>> {
    let page = query.page(MAX_LIMIT, MAX_LIMIT)?;
    let sort = query.sort(|field| match field {
        "created_at" => Some(SortField::CreatedAt),
        "version.major" => Some(SortField::Major),
        "version.minor" => Some(SortField::Minor),
        "version.patch" => Some(SortField::Patch),
        "deprecated" => Some(SortField::Deprecated),
        _ => None,
    })?;
    let constraint = query.one("versions").map(|text| Constraint::parse(text, ["query", "versions"])).transpose()?;
    let filter = VersionFilter {
        deprecated: query.flag("deprecated")?,
        constraint,
        creators: query.parsed("creator", creator)?,
    };
    let versions = app.list_versions(&caller, id, &filter)?;
    let creators: BTreeSet<_> = versions.passing().map(|version| version.creator.clone()).collect();
    let (versions, continuation_token) = versions.page(page.token, page.limit, |a, b| compare(a, b, &sort))?;
    let creators = || creators.into_iter().map(VersionUser::from).collect::<Vec<_>>();
    Ok(axum::Json(ToolVersionList {
        tool_versions: versions.into_iter().map(ToolVersion::from).collect(),
        has_more: continuation_token.is_some(),
        continuation_token,
        filter_values: page.is_first().then(|| ToolVersionFilterValues { creators: creators() }),
    }))
}

/// Deprecate every version that a constraint matches.
#[utoipa::path(
    delete,
    path = "/v1/{organization}/tool/{tool_id}/version/{versions}",
    operation_id = "deprecate_versions",
    tag = "versions",
    params(
        ("tool_id" = inline(ToolId), Path, description = "The tool."),
        ("versions" = inline(VersionConstraint), Path, description = "Which versions."),
    ),
    responses(
        (status = 204, description = "They are deprecated."),
        (status = 404, description = "The tool does not exist."),
    ),
    extensions(("x-permission" = json!(permission::MODIFY_TOOL))),
)]
pub async fn deprecate(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    ToolPath(id): ToolPath,
    VersionsPath(versions): VersionsPath,
) -> Result<StatusCode> {
    let constraint = Constraint::parse(&versions, ["path", "versions"])?;
    app.deprecate_versions(&caller, id, &constraint).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A version as clients see it.
#[derive(Serialize, ToSchema)]
struct ToolVersion {
    id: VersionId,
    org_id: OrgId,
    #[schema(value_type = String, format = DateTime)]
    created_at: jiff::Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: jiff::Timestamp,
    tool_id: ToolId,
    version: Version,
    /// Variables that an invocation needs.
    required_envvars: Vec<EnvVarName>,
    /// Secret variables that an invocation needs.
    required_secret_envvars: Vec<EnvVarName>,
    /// JSON Schema 2020-12 of the input.
    #[schema(value_type = Object)]
    input_schema: Value,
    /// The commit that was published.
    tool_commit_hash: String,
    /// The scaffold that was given out when it was published: the first 40 digits of the SHA-256 of
    /// `amigo_tool_scaffold.tar.gz`. Of versions that were published before it was recorded, the published commit.
    amigo_scaffold_commit_hash: String,
    /// The folder within the repository.
    project_directory: String,
    /// The build's number.
    lambda_version: u64,
    creator: VersionUser,
    updated_by: VersionUser,
    /// A deprecated version never takes part in resolution.
    deprecated: bool,
}

/// A user as versions name it. Tools name it otherwise; both are the contract's.
#[derive(Serialize, ToSchema)]
struct VersionUser {
    user_id: UserId,
    user_org_id: OrgId,
}

impl From<UserRef> for VersionUser {
    fn from(user: UserRef) -> Self {
        Self { user_id: user.user_id, user_org_id: user.org_id }
    }
}

impl From<model::ToolVersion> for ToolVersion {
    fn from(version: model::ToolVersion) -> Self {
        Self {
            id: version.id,
            org_id: version.org_id,
            created_at: version.created_at,
            updated_at: version.updated_at,
            tool_id: version.tool_id,
            version: version.version,
            required_envvars: version.required_envvars,
            required_secret_envvars: version.required_secret_envvars,
            input_schema: version.input_schema,
            amigo_scaffold_commit_hash: version.scaffold_hash.unwrap_or_else(|| version.tool_commit_hash.clone()),
            tool_commit_hash: version.tool_commit_hash,
            project_directory: version.project_directory,
            lambda_version: version.build_number,
            creator: version.creator.into(),
            updated_by: version.updated_by.into(),
            deprecated: version.deprecated,
        }
    }
}

#[derive(Clone, Copy)]
enum SortField {
    CreatedAt,
    Major,
    Minor,
    Patch,
    Deprecated,
}

fn compare(a: &model::ToolVersion, b: &model::ToolVersion, sort: &[(SortField, Order)]) -> std::cmp::Ordering {
    let by_field = sort.iter().map(|(field, order)| {
        let ordering = match field {
            SortField::CreatedAt => a.created_at.cmp(&b.created_at),
            SortField::Major => a.version.major.cmp(&b.version.major),
            SortField::Minor => a.version.minor.cmp(&b.version.minor),
            SortField::Patch => a.version.patch.cmp(&b.version.patch),
            SortField::Deprecated => a.deprecated.cmp(&b.deprecated),
        };
        if *order == Order::NewestFirst { ordering.reverse() } else { ordering }
    });
    by_field.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
}

/// `org_id,user_id`
fn creator(text: &str) -> std::result::Result<UserRef, String> {
    let (org_id, user_id) = text.split_once(',').ok_or("write it as org_id,user_id")?;
    let org_id = OrgId::parse(org_id).map_err(|error| error.to_string())?;
    let user_id = UserId::parse(user_id).map_err(|error| error.to_string())?;
    Ok(UserRef { org_id, user_id })
}
