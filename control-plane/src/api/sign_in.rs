//! `POST /user/signin_with_api_key`: an API key for a token.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::Result;
use super::extract::Organization;
use crate::app::App;
use crate::model::{ApiKeyId, UserId};
use crate::vault::SecretString;

/// A fresh token.
#[derive(Serialize, ToSchema)]
pub struct SignedIn {
    /// The token, a JWT.
    id_token: String,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    expires_at: jiff::Timestamp,
}

/// Trade an API key for a token.
///
/// Whatever is wrong, the answer is the same and takes the same time.
#[utoipa::path(
    post,
    path = "/v1/{organization}/user/signin_with_api_key",
    operation_id = "sign_in_with_api_key",
    tag = "users",
    params(
        ("x-api-key" = String, Header, description = "The API key."),
        ("x-api-key-id" = inline(ApiKeyId), Header, description = "The key's id."),
        ("x-user-id" = inline(UserId), Header, description = "The user to sign in."),
    ),
    responses(
        (status = 200, description = "Signed in.", body = SignedIn),
        (status = 401, description = "The key is unknown, wrong or expired, or does not sign in that user."),
    ),
    security(()),
)]
pub async fn create(
    State(app): State<Arc<App>>,
    Organization(org): Organization,
    headers: HeaderMap,
) -> Result<axum::Json<SignedIn>> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let key: SecretString = header("x-api-key").into();
    let signed_in = app.sign_in(&org, &header("x-api-key-id"), &key, &header("x-user-id")).await?;
    Ok(axum::Json(SignedIn { id_token: signed_in.id_token.expose().to_owned(), expires_at: signed_in.expires_at }))
}
