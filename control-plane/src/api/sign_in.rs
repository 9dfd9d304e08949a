//! `POST /user/signin_with_api_key`: an API key for a token.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;

use super::error::Result;
use super::extract::Organization;
use crate::app::App;
use crate::vault::SecretString;

/// The answer.
#[derive(Serialize)]
pub struct SignedIn {
    id_token: String,
    expires_at: jiff::Timestamp,
}

/// Signs in.
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
