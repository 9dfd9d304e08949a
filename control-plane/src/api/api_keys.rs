//! `/organization/api_key/`: make, list and delete API keys.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use super::error::Result;
use super::extract::{ApiKeyPath, Authenticated, Json};
use super::page::Query;
use super::parameters;
use crate::app::App;
use crate::auth::permission;
use crate::domain::api_keys::NewApiKey;
use crate::model::{self, ApiKeyId, RoleName};

/// The largest page, and the one when none is asked for.
const MAX_LIMIT: usize = 50;

/// A new API key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// What to call it: 1 to 128 characters that can be printed.
    #[serde(default)]
    #[schema(max_length = 128, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")]
    name: Option<String>,
    /// How long it is valid, as ISO 8601 writes it, from 1 to 90 days.
    #[schema(examples("P30D"))]
    duration: String,
    /// It signs in only users with no more rights than this role.
    role_name: RoleName,
}

/// A new API key, shown once.
#[derive(Serialize, ToSchema)]
pub struct CreatedApiKey {
    api_key_id: ApiKeyId,
    /// The key itself. It is stored only as a hash.
    api_key: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: jiff::Timestamp,
}

/// An API key without the key itself.
#[derive(Serialize, ToSchema)]
pub struct ApiKey {
    api_key_id: ApiKeyId,
    #[schema(required)]
    name: Option<String>,
    role_name: RoleName,
    #[schema(value_type = String, format = DateTime)]
    created_at: jiff::Timestamp,
    /// From then on it signs in nobody.
    #[schema(value_type = String, format = DateTime)]
    expires_at: jiff::Timestamp,
}

/// A page of API keys.
#[derive(Serialize, ToSchema)]
pub struct ApiKeys {
    api_keys: Vec<ApiKey>,
    has_more: bool,
    #[schema(required)]
    continuation_token: Option<usize>,
}

/// Makes an API key.
///
/// The key is shown in this answer and never again. At most 20 keys of an organization may be valid at a time; those
/// that have expired do not count, and are forgotten when the next one is made.
#[utoipa::path(
    post,
    path = "/v1/{organization}/organization/api_key/",
    operation_id = "create_api_key",
    tag = "api-keys",
    request_body = CreateApiKey,
    responses(
        (status = 201, description = "Made.", body = CreatedApiKey),
        (status = 400, description = "The organization has 20 keys."),
        (status = 403, description = "`Organization:CreateAPIKey` is missing, or the role has more rights than the caller."),
    ),
    extensions(("x-permission" = json!(permission::CREATE_API_KEY))),
)]
pub async fn create(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Json(body): Json<CreateApiKey>,
) -> Result<(StatusCode, axum::Json<CreatedApiKey>)> {
    let new = NewApiKey { name: body.name, duration: body.duration, role_name: body.role_name };
    let (row, key) = app.create_api_key(&caller, new).await?;
    let created = CreatedApiKey { api_key_id: row.id, api_key: key.expose().to_owned(), expires_at: row.expires_at };
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// The query of a list of API keys.
struct ApiKeyQuery;

impl IntoParams for ApiKeyQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            parameters::sort_by(&["created_at", "expires_at", "name", "role_name"]),
            parameters::limit(MAX_LIMIT, MAX_LIMIT),
            parameters::continuation_token(0),
        ]
    }
}

/// Lists API keys, without the keys themselves.
#[utoipa::path(
    get,
    path = "/v1/{organization}/organization/api_key/",
    operation_id = "list_api_keys",
    tag = "api-keys",
    params(ApiKeyQuery),
    responses(
        (status = 200, description = "A page of keys.", body = ApiKeys),
    ),
    extensions(("x-permission" = json!(permission::GET_API_KEY))),
)]
pub async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Result<axum::Json<ApiKeys>> {
    let page = query.page(MAX_LIMIT, MAX_LIMIT)?;
    let sort = query.sort(|field| match field {
        "created_at" => Some(SortField::CreatedAt),
        "expires_at" => Some(SortField::ExpiresAt),
        "name" => Some(SortField::Name),
        "role_name" => Some(SortField::RoleName),
        _ => None,
    })?;
    let api_keys = app.list_api_keys(&caller)?;
    let (api_keys, continuation_token) =
        app.bookmarks
            .page(&caller.org, api_keys, page.token, page.limit, |a, b| super::page::compare(a, b, &sort, by_field))?;
    let api_keys = api_keys.into_iter().map(ApiKey::from).collect();
    Ok(axum::Json(ApiKeys { api_keys, has_more: continuation_token.is_some(), continuation_token }))
}

/// Deletes an API key. Tokens that it was traded for last until they end.
#[utoipa::path(
    delete,
    path = "/v1/{organization}/organization/api_key/{api_key_id}/",
    operation_id = "delete_api_key",
    tag = "api-keys",
    params(("api_key_id" = inline(ApiKeyId), Path, description = "The key's id.")),
    responses(
        (status = 204, description = "Deleted."),
        (status = 404, description = "There is no such key."),
    ),
    extensions(("x-permission" = json!(permission::DELETE_API_KEY))),
)]
pub async fn delete(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    ApiKeyPath(id): ApiKeyPath,
) -> Result<StatusCode> {
    app.delete_api_key(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Clone, Copy)]
enum SortField {
    CreatedAt,
    ExpiresAt,
    Name,
    RoleName,
}

fn by_field(a: &model::ApiKey, b: &model::ApiKey, field: SortField) -> Ordering {
    match field {
        SortField::CreatedAt => a.created_at.cmp(&b.created_at),
        SortField::ExpiresAt => a.expires_at.cmp(&b.expires_at),
        SortField::Name => a.name.cmp(&b.name),
        SortField::RoleName => a.role_name.cmp(&b.role_name),
    }
}

impl From<model::ApiKey> for ApiKey {
    fn from(api_key: model::ApiKey) -> Self {
        Self {
            api_key_id: api_key.id,
            name: api_key.name,
            role_name: api_key.role_name,
            created_at: api_key.created_at,
            expires_at: api_key.expires_at,
        }
    }
}
