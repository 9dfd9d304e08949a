//! `/role/`: make, look at, replace and delete roles.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use super::error::Result;
use super::extract::{Authenticated, Json, RolePath};
use super::page::Query;
use super::parameters;
use crate::app::App;
use crate::auth::permission;
use crate::model::{self, Grant, RoleName};

/// The largest page.
const MAX_LIMIT: usize = 100;
/// The page when none is asked for.
const DEFAULT_LIMIT: usize = 50;

/// A new role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRole {
    /// Made of letters, digits, `_` and `-`; unique within the organization.
    name: RoleName,
    /// Deny wins; what no grant matches is denied.
    permission_grants: Vec<Grant>,
}

/// What a role is to grant from now on, in the place of what it did.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplaceRole {
    /// Deny wins; what no grant matches is denied.
    permission_grants: Vec<Grant>,
}

/// A role.
#[derive(Serialize, ToSchema)]
pub struct Role {
    name: RoleName,
    permission_grants: Vec<Grant>,
    /// Every organization has it, and it stays as it is.
    built_in: bool,
}

/// A page of roles.
#[derive(Serialize, ToSchema)]
pub struct Roles {
    roles: Vec<Role>,
    has_more: bool,
    #[schema(required)]
    continuation_token: Option<usize>,
}

/// Makes a role.
#[utoipa::path(
    post,
    path = "/v1/{organization}/role/",
    operation_id = "create_role",
    tag = "roles",
    request_body = CreateRole,
    responses(
        (status = 201, description = "Made.", body = Role),
        (status = 400, description = "The organization has as many roles as it may have."),
        (status = 403, description = "`Role:CreateRole` is missing, or the role has more rights than the caller."),
        (status = 409, description = "The name is taken."),
    ),
    extensions(("x-permission" = json!(permission::CREATE_ROLE))),
)]
pub async fn create(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Json(body): Json<CreateRole>,
) -> Result<(StatusCode, axum::Json<Role>)> {
    let role = model::Role { name: body.name, permission_grants: body.permission_grants };
    app.create_role(&caller, &role).await?;
    Ok((StatusCode::CREATED, axum::Json(role.into())))
}

/// The query of a list of roles.
struct RoleQuery;

impl IntoParams for RoleQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            parameters::sort_by(&["name", "built_in"]),
            parameters::limit(DEFAULT_LIMIT, MAX_LIMIT),
            parameters::continuation_token(0),
        ]
    }
}

/// Lists roles, the built-in ones included.
#[utoipa::path(
    get,
    path = "/v1/{organization}/role/",
    operation_id = "list_roles",
    tag = "roles",
    params(RoleQuery),
    responses(
        (status = 200, description = "A page of roles.", body = Roles),
    ),
    extensions(("x-permission" = json!(permission::GET_ROLE))),
)]
pub async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Result<axum::Json<Roles>> {
    let page = query.page(DEFAULT_LIMIT, MAX_LIMIT)?;
    let sort = query.sort(|field| match field {
        "name" => Some(SortField::Name),
        "built_in" => Some(SortField::BuiltIn),
        _ => None,
    })?;
    let roles = app.list_roles(&caller)?;
    let (roles, continuation_token) = app
        .bookmarks
        .page(&caller.org, roles, page.token, page.limit, |a, b| super::page::compare(a, b, &sort, by_field))?;
    let roles = roles.into_iter().map(Role::from).collect();
    Ok(axum::Json(Roles { roles, has_more: continuation_token.is_some(), continuation_token }))
}

/// One role.
#[utoipa::path(
    get,
    path = "/v1/{organization}/role/{role_name}",
    operation_id = "get_role",
    tag = "roles",
    params(("role_name" = inline(RoleName), Path, description = "The role's name.")),
    responses(
        (status = 200, description = "The role.", body = Role),
        (status = 404, description = "There is no such role."),
    ),
    extensions(("x-permission" = json!(permission::GET_ROLE))),
)]
pub async fn get(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    RolePath(name): RolePath,
) -> Result<axum::Json<Role>> {
    let role = app.role(&caller, &name)?;
    Ok(axum::Json(role.into()))
}

/// Replaces a role's grants. Those who have it have them from their next request on.
#[utoipa::path(
    post,
    path = "/v1/{organization}/role/{role_name}",
    operation_id = "replace_role",
    tag = "roles",
    params(("role_name" = inline(RoleName), Path, description = "The role's name.")),
    request_body = ReplaceRole,
    responses(
        (status = 204, description = "Replaced."),
        (status = 403, description = "`Role:ModifyRole` is missing, or the role would have more rights than the caller."),
        (status = 404, description = "There is no such role."),
        (status = 409, description = "It is built in."),
    ),
    extensions(("x-permission" = json!(permission::MODIFY_ROLE))),
)]
pub async fn replace(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    RolePath(name): RolePath,
    Json(body): Json<ReplaceRole>,
) -> Result<StatusCode> {
    let role = model::Role { name, permission_grants: body.permission_grants };
    app.replace_role(&caller, &role).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a role that no user and no valid API key has.
#[utoipa::path(
    delete,
    path = "/v1/{organization}/role/{role_name}",
    operation_id = "delete_role",
    tag = "roles",
    params(("role_name" = inline(RoleName), Path, description = "The role's name.")),
    responses(
        (status = 204, description = "Deleted."),
        (status = 404, description = "There is no such role."),
        (status = 409, description = "It is built in, or somebody has it."),
    ),
    extensions(("x-permission" = json!(permission::DELETE_ROLE))),
)]
pub async fn delete(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    RolePath(name): RolePath,
) -> Result<StatusCode> {
    app.delete_role(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Clone, Copy)]
enum SortField {
    Name,
    BuiltIn,
}

fn by_field(a: &model::Role, b: &model::Role, field: SortField) -> Ordering {
    match field {
        SortField::Name => a.name.cmp(&b.name),
        SortField::BuiltIn => a.name.is_built_in().cmp(&b.name.is_built_in()),
    }
}

impl From<model::Role> for Role {
    fn from(role: model::Role) -> Self {
        let built_in = role.name.is_built_in();
        Self { name: role.name, permission_grants: role.permission_grants, built_in }
    }
}
