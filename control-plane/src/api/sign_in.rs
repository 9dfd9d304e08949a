//! `POST /user/signin_with_api_key`: an API key for a token.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::Result;
use super::extract::Organization;
use crate::app::App;
use crate::error::{Error, InvalidField};
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
        ("x-api-key" = String, Header, pattern = "^[!-~]+$", description = "The API key."),
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
    check(&headers)?;
    let key: SecretString = header("x-api-key").into();
    let signed_in = app.sign_in(&org, &header("x-api-key-id"), &key, &header("x-user-id")).await?;
    Ok(axum::Json(SignedIn { id_token: signed_in.id_token.expose().to_owned(), expires_at: signed_in.expires_at }))
}

/// Refuses headers that are no credentials at all, which is not the same as wrong ones and says nothing about any.
fn check(headers: &HeaderMap) -> Result<(), Error> {
    let rules = [
        Rule { header: "x-api-key", fits: is_visible_ascii, text: "it is the API key" },
        Rule { header: "x-api-key-id", fits: |text| ApiKeyId::parse(text).is_ok(), text: "it is the API key's id" },
        Rule { header: "x-user-id", fits: |text| UserId::parse(text).is_ok(), text: "it is the user's id" },
    ];
    let problems: Vec<_> = rules.iter().filter_map(|rule| rule.problem(headers)).collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
}

fn is_visible_ascii(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

struct Rule {
    header: &'static str,
    fits: fn(&str) -> bool,
    text: &'static str,
}

impl Rule {
    fn problem(&self, headers: &HeaderMap) -> Option<InvalidField> {
        let Self { header, fits, text } = self;
        let loc = vec!["header".into(), (*header).into()];
        match headers.get(*header) {
            None => Some(InvalidField::new(loc, "missing", format!("the header {header} is missing: {text}"))),
            Some(value) if value.to_str().is_ok_and(fits) => None,
            Some(_) => {
                Some(InvalidField::new(loc, "string_pattern_mismatch", format!("{header} is not valid: {text}")))
            }
        }
    }
}
