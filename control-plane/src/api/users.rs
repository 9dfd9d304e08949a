//! `/user/`: make, look at, change and delete users.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::error::Result;
use super::extract::{Authenticated, Json, UserPath};
use super::page::Query;
use super::parameters;
use crate::app::App;
use crate::auth::permission;
use crate::domain::users::{NewUser, UserChange, UserFilter};
use crate::error::Error;
use crate::model::{self, OrgId, RoleName, UserId, UserRef};

/// The largest page.
const MAX_LIMIT: usize = 100;
/// The page when none is asked for.
const DEFAULT_LIMIT: usize = 50;

/// A new user, or a user of another organization who is let in as a guest.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// What to call it: 1 to 128 characters that can be printed.
    #[serde(default)]
    #[schema(max_length = 128, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")]
    name: Option<String>,
    /// Its role in this organization.
    role_name: RoleName,
    /// Of a guest: the organization that it belongs to.
    #[serde(default)]
    user_org_id: Option<OrgId>,
    /// Of a guest: its id there. Others get one.
    #[serde(default)]
    user_id: Option<UserId>,
}

/// Changes of a user. What is null stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    /// What to call it: 1 to 128 characters that can be printed.
    #[serde(default)]
    #[schema(max_length = 128, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")]
    name: Option<String>,
    /// Its role in this organization.
    #[serde(default)]
    role_name: Option<RoleName>,
}

/// A user.
#[derive(Serialize, ToSchema)]
pub struct User {
    id: UserId,
    /// The organization that it belongs to; of a guest, another one.
    user_org_id: OrgId,
    #[schema(required)]
    name: Option<String>,
    role_name: RoleName,
    #[schema(value_type = String, format = DateTime)]
    created_at: jiff::Timestamp,
}

/// A page of users.
#[derive(Serialize, ToSchema)]
pub struct Users {
    users: Vec<User>,
    has_more: bool,
    #[schema(required)]
    continuation_token: Option<usize>,
}

/// Makes a user, or lets one of another organization in.
///
/// A user of another organization comes with its `user_org_id` and `user_id`. It signs in there, sends `X-ORG-ID` with
/// that organization's id here, and has the rights of the role that it is given here.
#[utoipa::path(
    post,
    path = "/v1/{organization}/user/",
    operation_id = "create_user",
    tag = "users",
    request_body = CreateUser,
    responses(
        (status = 201, description = "Made.", body = User),
        (status = 400, description = "The organization has as many users as it may have."),
        (status = 403, description = "`User:CreateUser` is missing, or the role has more rights than the caller."),
        (status = 409, description = "The guest is there already."),
    ),
    extensions(("x-permission" = json!(permission::CREATE_USER))),
)]
pub async fn create(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Json(body): Json<CreateUser>,
) -> Result<(StatusCode, axum::Json<User>)> {
    let guest = match (body.user_org_id, body.user_id) {
        (None, None) => None,
        (Some(org_id), Some(user_id)) => Some(UserRef { org_id, user_id }),
        (Some(_), None) => return Err(Error::invalid(["body", "user_id"], "missing", "a guest needs its id").into()),
        (None, Some(_)) => {
            let message = "user_id is for guests, with user_org_id: a user of your own gets an id";
            return Err(Error::invalid(["body", "user_id"], "value_error", message).into());
        }
    };
    let new = NewUser { name: body.name, role_name: body.role_name, guest };
    let user = app.create_user(&caller, new).await?;
    Ok((StatusCode::CREATED, axum::Json(User::new(user, &caller.org))))
}

/// The query of a list of users.
struct UserQuery;

impl IntoParams for UserQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            parameters::many_unique("id", "One of these.", UserId::schema()),
            parameters::many("role_name", "Of one of these roles.", RoleName::schema()),
            parameters::sort_by(&["created_at", "name", "role_name", "user_org_id"]),
            parameters::limit(DEFAULT_LIMIT, MAX_LIMIT),
            parameters::continuation_token(0),
        ]
    }
}

/// Lists users, guests included.
#[utoipa::path(
    get,
    path = "/v1/{organization}/user/",
    operation_id = "list_users",
    tag = "users",
    params(UserQuery),
    responses(
        (status = 200, description = "A page of users.", body = Users),
    ),
    extensions(("x-permission" = json!(permission::GET_USER))),
)]
pub async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Result<axum::Json<Users>> {
    let page = query.page(DEFAULT_LIMIT, MAX_LIMIT)?;
    let sort = query.sort(|field| match field {
        "created_at" => Some(SortField::CreatedAt),
        "name" => Some(SortField::Name),
        "role_name" => Some(SortField::RoleName),
        "user_org_id" => Some(SortField::UserOrgId),
        _ => None,
    })?;
    let filter =
        UserFilter { ids: query.parsed("id", UserId::parse)?, roles: query.parsed("role_name", RoleName::parse)? };
    let users = app.list_users(&caller, &filter)?;
    let (users, continuation_token) = app.bookmarks.page(&caller.org, users, page.token, page.limit, |a, b| {
        super::page::compare(a, b, &sort, |a, b, field| by_field(a, b, field, &caller.org))
    })?;
    let users = users.into_iter().map(|user| User::new(user, &caller.org)).collect();
    Ok(axum::Json(Users { users, has_more: continuation_token.is_some(), continuation_token }))
}

/// One user.
#[utoipa::path(
    get,
    path = "/v1/{organization}/user/{user_id}",
    operation_id = "get_user",
    tag = "users",
    params(("user_id" = inline(UserId), Path, description = "The user's id.")),
    responses(
        (status = 200, description = "The user.", body = User),
        (status = 404, description = "There is no such user."),
    ),
    extensions(("x-permission" = json!(permission::GET_USER))),
)]
pub async fn get(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    UserPath(id): UserPath,
) -> Result<axum::Json<User>> {
    let user = app.user(&caller, id)?;
    Ok(axum::Json(User::new(user, &caller.org)))
}

/// Changes a user's name and role. Another role holds from the user's next request on.
#[utoipa::path(
    post,
    path = "/v1/{organization}/user/{user_id}",
    operation_id = "update_user",
    tag = "users",
    params(("user_id" = inline(UserId), Path, description = "The user's id.")),
    request_body = UpdateUser,
    responses(
        (status = 204, description = "Changed."),
        (status = 403, description = "`User:ModifyUser` is missing, or the role has more rights than the caller."),
        (status = 404, description = "There is no such user."),
        (status = 409, description = "It is the last administrator."),
    ),
    extensions(("x-permission" = json!(permission::MODIFY_USER))),
)]
pub async fn update(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    UserPath(id): UserPath,
    Json(body): Json<UpdateUser>,
) -> Result<StatusCode> {
    app.update_user(&caller, id, UserChange { name: body.name, role_name: body.role_name }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a user. Its tokens end with it.
#[utoipa::path(
    delete,
    path = "/v1/{organization}/user/{user_id}",
    operation_id = "delete_user",
    tag = "users",
    params(("user_id" = inline(UserId), Path, description = "The user's id.")),
    responses(
        (status = 204, description = "Deleted."),
        (status = 404, description = "There is no such user."),
        (status = 409, description = "It is the last administrator."),
    ),
    extensions(("x-permission" = json!(permission::DELETE_USER))),
)]
pub async fn delete(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    UserPath(id): UserPath,
) -> Result<StatusCode> {
    app.delete_user(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Clone, Copy)]
enum SortField {
    CreatedAt,
    Name,
    RoleName,
    UserOrgId,
}

fn by_field(a: &model::User, b: &model::User, field: SortField, org: &OrgId) -> Ordering {
    match field {
        SortField::CreatedAt => a.created_at.cmp(&b.created_at),
        SortField::Name => a.name.cmp(&b.name),
        SortField::RoleName => a.role_name.cmp(&b.role_name),
        SortField::UserOrgId => a.home.as_ref().unwrap_or(org).cmp(b.home.as_ref().unwrap_or(org)),
    }
}

impl User {
    fn new(user: model::User, org: &OrgId) -> Self {
        Self {
            id: user.id,
            user_org_id: user.home.unwrap_or_else(|| org.clone()),
            name: user.name,
            role_name: user.role_name,
            created_at: user.created_at,
        }
    }
}
