//! `/tool/`: create, list, change and delete tools, change their variables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::error::Result;
use super::extract::{Authenticated, Json, ToolPath};
use super::page::Query;
use super::parameters;
use crate::app::App;
use crate::auth::permission;
use crate::domain::tools::{NewTool, TagFilter, ToolChanges, ToolFilter};
use crate::domain::variables::VariableChanges;
use crate::model::{self, EnvVarName, ToolId, ToolName};
use crate::store::Order;
use crate::vault::SecretString;

/// The largest page.
const MAX_LIMIT: usize = 20;
/// The page when none is asked for.
const DEFAULT_LIMIT: usize = 10;

/// A new tool.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTool {
    name: ToolName,
    /// Not blank. White space around it is dropped.
    #[schema(pattern = "\\S", examples("Says what the weather will be."))]
    description: String,
    /// At most 20.
    #[serde(default)]
    #[schema(schema_with = tags_schema)]
    tags: BTreeMap<String, Option<String>>,
}

/// Tags as a request has them.
fn tags_schema() -> ObjectBuilder {
    let text = || ObjectBuilder::new().pattern(Some("^[\\w\\s]+$"));
    let value = text().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
    ObjectBuilder::new()
        .property_names(Some(text().schema_type(Type::String).build()))
        .additional_properties(Some(Schema::from(value)))
        .max_properties(Some(20))
        .default(Some(json!({})))
        .examples([json!({"team": "forecasts", "beta": null})])
}

/// Tags as a change has them.
fn changed_tags_schema() -> ObjectBuilder {
    tags_schema().schema_type(SchemaType::from_iter([Type::Object, Type::Null])).default(None)
}

/// What was made.
#[derive(Serialize, ToSchema)]
pub struct CreatedTool {
    id: ToolId,
}

/// Create a tool.
#[utoipa::path(
    post,
    path = "/v1/{organization}/tool/",
    operation_id = "create_tool",
    tag = "tools",
    request_body = CreateTool,
    responses(
        (status = 201, description = "The tool is made.", body = CreatedTool),
        (status = 400, description = "The name is longer than 64 characters."),
        (status = 409, description = "A tool that is not deprecated has the name."),
    ),
    extensions(("x-permission" = json!(permission::CREATE_TOOL))),
)]
pub async fn create(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Json(body): Json<CreateTool>,
) -> Result<(StatusCode, axum::Json<CreatedTool>)> {
    let new = NewTool { name: body.name, description: body.description, tags: body.tags };
    let id = app.create_tool(&caller, new).await?;
    Ok((StatusCode::CREATED, axum::Json(CreatedTool { id })))
}

/// A page of tools.
#[derive(Serialize, ToSchema)]
pub struct ToolList {
    tools: Vec<Tool>,
    /// Whether there is another page.
    has_more: bool,
    /// Gives the next page, if there is one.
    #[schema(required)]
    continuation_token: Option<usize>,
    /// On the first page only.
    #[schema(required)]
    filter_values: Option<ToolFilterValues>,
}

/// What tools can be filtered by.
#[derive(Serialize, ToSchema)]
struct ToolFilterValues {
    /// Every tag of the tools that the filter lets pass, as `key:value`.
    #[schema(examples(json!(["team:forecasts", "beta:"])))]
    tags: BTreeSet<String>,
}

/// The query of a list of tools.
struct ToolQuery;

impl IntoParams for ToolQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let tag = parameters::text().pattern(Some("^[^:]*:")).examples(["team:forecasts", "team:*", "beta:"]);
        vec![
            parameters::many_unique("id", "One of these tools.", ToolId::schema()),
            parameters::flag("deprecated", "Only tools that are deprecated, or only those that are not."),
            parameters::many("tag", "With one of these tags: `key:value`, `key:*` or, without a value, `key:`.", tag),
            parameters::sort_by(&["name", "deprecated"]),
            parameters::limit(DEFAULT_LIMIT, MAX_LIMIT),
            parameters::continuation_token(0),
        ]
    }
}

/// List tools.
///
/// Those that the caller may neither invoke nor modify nor delete are left out.
#[utoipa::path(
    get,
    path = "/v1/{organization}/tool/",
    operation_id = "list_tools",
    tag = "tools",
    params(ToolQuery),
    responses((status = 200, description = "The tools.", body = ToolList)),
    extensions(("x-permission" = json!(null))),
)]
pub async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Result<axum::Json<ToolList>> {
    let page = query.page(DEFAULT_LIMIT, MAX_LIMIT)?;
    let sort = query.sort(|field| match field {
        "name" => Some(SortField::Name),
        "deprecated" => Some(SortField::Deprecated),
        _ => None,
    })?;
    let filter = ToolFilter {
        ids: query.parsed("id", ToolId::parse)?,
        deprecated: query.flag("deprecated")?,
        tags: query.parsed("tag", tag_filter)?,
    };
    let tools = app.list_tools(&caller, &filter)?;
    let tags = tools.passing().flat_map(|tool| &tool.tags).map(tag_text).collect();
    let (tools, continuation_token) = tools.page(page.token, page.limit, |a, b| compare(a, b, &sort))?;
    Ok(axum::Json(ToolList {
        tools: tools.into_iter().map(Tool::from).collect(),
        has_more: continuation_token.is_some(),
        continuation_token,
        filter_values: page.is_first().then_some(ToolFilterValues { tags }),
    }))
}

/// Changes of a tool. What is null or left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTool {
    /// Not blank. White space around it is dropped.
    #[serde(default)]
    #[schema(pattern = "\\S")]
    description: Option<String>,
    /// All the tags that the tool is to have, at most 20.
    #[serde(default)]
    #[schema(schema_with = changed_tags_schema)]
    tags: Option<BTreeMap<String, Option<String>>>,
}

/// Change a tool.
#[utoipa::path(
    post,
    path = "/v1/{organization}/tool/{tool_id}",
    operation_id = "change_tool",
    tag = "tools",
    params(("tool_id" = inline(ToolId), Path, description = "The tool.")),
    request_body = ChangeTool,
    responses(
        (status = 204, description = "The tool is as it was asked for."),
        (status = 404, description = "The tool does not exist, or is deprecated."),
    ),
    extensions(("x-permission" = json!(permission::MODIFY_TOOL))),
)]
pub async fn change(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    ToolPath(id): ToolPath,
    Json(body): Json<ChangeTool>,
) -> Result<StatusCode> {
    app.change_tool(&caller, id, ToolChanges { description: body.description, tags: body.tags }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delete a tool: it and all its versions are deprecated, and its name is free again.
#[utoipa::path(
    delete,
    path = "/v1/{organization}/tool/{tool_id}",
    operation_id = "delete_tool",
    tag = "tools",
    params(("tool_id" = inline(ToolId), Path, description = "The tool.")),
    responses(
        (status = 204, description = "The tool and all its versions are deprecated."),
        (status = 404, description = "The tool does not exist, or is deprecated."),
        (status = 409, description = "Another publish or delete of the tool is running."),
    ),
    extensions(("x-permission" = json!(permission::DELETE_TOOL))),
)]
pub async fn delete(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    ToolPath(id): ToolPath,
) -> Result<StatusCode> {
    app.delete_tool(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes of a tool's variables.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeVariables {
    #[serde(default)]
    #[schema(default = json!([]))]
    inserts: Vec<InsertVariable>,
    #[serde(default)]
    #[schema(default = json!([]))]
    updates: Vec<UpdateVariable>,
    #[serde(default)]
    #[schema(default = json!([]))]
    deletes: Vec<DeleteVariable>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InsertVariable {
    name: EnvVarName,
    #[schema(value_type = String, format = Password, pattern = "^[^\\x00]*$")]
    value: SecretString,
    /// Whether its value is scrubbed from what the tool says.
    is_secret: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateVariable {
    name: EnvVarName,
    #[schema(value_type = String, format = Password, pattern = "^[^\\x00]*$")]
    value: SecretString,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeleteVariable {
    name: EnvVarName,
}

/// Change a tool's variables.
///
/// All of the changes, or none. Values are never answered by any operation.
#[utoipa::path(
    post,
    path = "/v1/{organization}/tool/{tool_id}/envvar",
    operation_id = "change_tool_variables",
    tag = "tools",
    params(("tool_id" = inline(ToolId), Path, description = "The tool.")),
    request_body = ChangeVariables,
    responses(
        (status = 204, description = "The variables are changed."),
        (status = 400, description = "A variable does not exist, or one to delete is required by a version that is \
                                      not deprecated."),
        (status = 404, description = "The tool does not exist."),
        (status = 409, description = "A variable to insert exists."),
    ),
    extensions(("x-permission" = json!(permission::MODIFY_TOOL))),
)]
pub async fn change_variables(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    ToolPath(id): ToolPath,
    Json(body): Json<ChangeVariables>,
) -> Result<StatusCode> {
    let changes = VariableChanges {
        inserts: body.inserts.into_iter().map(|insert| (insert.name, insert.value, insert.is_secret)).collect(),
        updates: body.updates.into_iter().map(|update| (update.name, update.value)).collect(),
        deletes: body.deletes.into_iter().map(|delete| delete.name).collect(),
    };
    app.change_variables(&caller, id, changes).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A tool as clients see it: names of variables, never their values.
#[derive(Serialize, ToSchema)]
struct Tool {
    id: ToolId,
    org_id: model::OrgId,
    #[schema(value_type = String, format = DateTime)]
    created_at: jiff::Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: jiff::Timestamp,
    name: ToolName,
    description: String,
    deprecated: bool,
    /// The names of the variables that are not secret.
    envvars: Vec<EnvVarName>,
    /// The names of the variables that are.
    secret_envvars: Vec<EnvVarName>,
    tags: Vec<Tag>,
    creator: model::UserRef,
    updated_by: model::UserRef,
}

#[derive(Serialize, ToSchema)]
struct Tag {
    key: String,
    #[schema(required)]
    value: Option<String>,
}

impl From<model::Tool> for Tool {
    fn from(tool: model::Tool) -> Self {
        let (secret, plain): (Vec<_>, Vec<_>) = tool.envvars.into_iter().partition(|(_, variable)| variable.is_secret);
        let names = |variables: Vec<(EnvVarName, model::EnvVar)>| variables.into_iter().map(|(name, _)| name).collect();
        Self {
            id: tool.id,
            org_id: tool.org_id,
            created_at: tool.created_at,
            updated_at: tool.updated_at,
            name: tool.name,
            description: tool.description,
            deprecated: tool.deprecated,
            envvars: names(plain),
            secret_envvars: names(secret),
            tags: tool.tags.into_iter().map(|(key, value)| Tag { key, value }).collect(),
            creator: tool.creator,
            updated_by: tool.updated_by,
        }
    }
}

#[derive(Clone, Copy)]
enum SortField {
    Name,
    Deprecated,
}

fn compare(a: &model::Tool, b: &model::Tool, sort: &[(SortField, Order)]) -> std::cmp::Ordering {
    let by_field = sort.iter().map(|(field, order)| {
        let ordering = match field {
            SortField::Name => a.name.cmp(&b.name),
            SortField::Deprecated => a.deprecated.cmp(&b.deprecated),
        };
        if *order == Order::NewestFirst { ordering.reverse() } else { ordering }
    });
    by_field.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
}

/// `key:value`, `key:*` for any value, `key:` for none.
fn tag_filter(text: &str) -> Result<TagFilter, &'static str> {
    let (key, value) = text.split_once(':').ok_or("write it as key:value, key:* or key:")?;
    let value = match value {
        "*" => None,
        "" => Some(None),
        value => Some(Some(value.to_owned())),
    };
    Ok(TagFilter { key: key.to_owned(), value })
}

fn tag_text((key, value): (&String, &Option<String>)) -> String {
    format!("{key}:{}", value.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_filter_has_three_forms() {
        let filter = |text| tag_filter(text).map(|filter| filter.value);
        assert_eq!(filter("team:core"), Ok(Some(Some("core".to_owned()))));
        assert_eq!(filter("team:*"), Ok(None));
        assert_eq!(filter("team:"), Ok(Some(None)));
        assert!(filter("team").is_err());
    }
}
