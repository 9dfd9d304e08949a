//! The header `Idempotency-Key`.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::error::ApiError;
use crate::error::Error;
use crate::model;

/// The key under which the client may send the request again, if it gave one.
pub struct IdempotencyKey(pub Option<model::IdempotencyKey>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let invalid = |message: String| Error::invalid(["header", "idempotency-key"], "idempotency_key", message);
        let mut given = parts.headers.get_all("idempotency-key").iter();
        let Some(key) = given.next() else { return Ok(Self(None)) };
        if given.next().is_some() {
            return Err(invalid("a request has one Idempotency-Key: send it once".to_owned()).into());
        }
        // What is no visible ASCII is refused as the empty key is.
        let key = model::IdempotencyKey::parse(key.to_str().unwrap_or_default());
        Ok(Self(Some(key.map_err(|error| invalid(error.to_string()))?)))
    }
}
