//! `/tool/`: create, list, change and delete tools, change their variables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::Result;
use super::extract::{Authenticated, Json, ToolPath};
use super::page::Query;
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
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateTool {
    name: ToolName,
    description: String,
    #[serde(default)]
    tags: BTreeMap<String, Option<String>>,
}

/// Creates a tool.
pub async fn create(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Json(body): Json<CreateTool>,
) -> Result<(StatusCode, axum::Json<Value>)> {
    let new = NewTool { name: body.name, description: body.description, tags: body.tags };
    let id = app.create_tool(&caller, new).await?;
    Ok((StatusCode::CREATED, axum::Json(json!({"id": id}))))
}

/// Lists tools.
pub async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Result<axum::Json<Value>> {
    let page = query.page(DEFAULT_LIMIT, MAX_LIMIT)?;
    let sort = query.sort(|field| match field {
        "name" => Some(SortField::Name),
        "deprecated" => Some(SortField::Deprecated),
        _ => None,
    })?;
    let filter = ToolFilter {
        ids: query.unique("id", ToolId::parse)?,
        deprecated: query.flag("deprecated")?,
        tags: query.parsed("tag", tag_filter)?,
    };
    let mut tools = app.list_tools(&caller, &filter)?;
    // The sort is stable and the list comes in the order of ids, so the id breaks the last tie.
    tools.sort_by(|a, b| compare(a, b, &sort));
    let tags: BTreeSet<_> = tools.iter().flat_map(|tool| &tool.tags).map(tag_text).collect();
    let (tools, has_more) = page.cut(tools);
    Ok(axum::Json(json!({
        "tools": tools.into_iter().map(Tool::from).collect::<Vec<_>>(),
        "has_more": has_more,
        "continuation_token": page.next_token(has_more),
        "filter_values": page.is_first().then(|| json!({"tags": tags})),
    })))
}

/// Changes of a tool. What is null or left out stays as it is.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTool {
    /// Not blank; it is stripped.
    #[serde(default)]
    description: Option<String>,
    /// All the tags that the tool is to have, at most 20.
    #[serde(default)]
    tags: Option<BTreeMap<String, Option<String>>>,
}

/// Change a tool.
#[utoipa::path(
    post,
    path = "/v1/{organization}/tool/{tool_id}",
    operation_id = "change_tool",
    tag = "tools",
    params(("tool_id" = String, Path, description = "The tool.")),
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
    params(("tool_id" = String, Path, description = "The tool.")),
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
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeVariables {
    #[serde(default)]
    inserts: Vec<InsertVariable>,
    #[serde(default)]
    updates: Vec<UpdateVariable>,
    #[serde(default)]
    deletes: Vec<DeleteVariable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InsertVariable {
    name: EnvVarName,
    value: SecretString,
    is_secret: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateVariable {
    name: EnvVarName,
    value: SecretString,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeleteVariable {
    name: EnvVarName,
}

/// Changes a tool's variables.
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
#[derive(Serialize)]
struct Tool {
    id: ToolId,
    org_id: model::OrgId,
    created_at: jiff::Timestamp,
    updated_at: jiff::Timestamp,
    name: ToolName,
    description: String,
    deprecated: bool,
    envvars: Vec<EnvVarName>,
    secret_envvars: Vec<EnvVarName>,
    tags: Vec<Tag>,
    creator: model::UserRef,
    updated_by: model::UserRef,
}

#[derive(Serialize)]
struct Tag {
    key: String,
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
