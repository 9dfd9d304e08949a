//! `Error` to status and body: the only place where an error has a status code.

use std::any::Any;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::error::{Error, InvalidField};

/// An error on its way out.
#[derive(Debug)]
pub struct ApiError(Error);

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// The body of every error but 422.
#[derive(Serialize, ToSchema)]
pub struct Problem {
    /// One sentence that says what is wrong and what to do.
    #[schema(examples("tool 69240f3a5c1d2e3f4a000001 does not exist"))]
    detail: String,
}

/// The body of a 422.
#[derive(Serialize, ToSchema)]
pub struct InvalidRequest {
    /// What is not valid, an entry for each field.
    detail: Vec<InvalidField>,
}

/// What handlers give.
pub type Result<T, E = ApiError> = std::result::Result<T, E>;

impl ApiError {
    /// The status, and what an answer's body says.
    pub fn described(&self) -> (StatusCode, Value) {
        let error = &self.0;
        let status = match error {
            Error::BadRequest(_) => StatusCode::BAD_REQUEST,
            Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Error::Forbidden { .. } | Error::Escalation { .. } => StatusCode::FORBIDDEN,
            Error::NotFound(_) => StatusCode::NOT_FOUND,
            Error::Conflict(_) | Error::InProgress => StatusCode::CONFLICT,
            Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Error::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Error::RateLimited { .. } | Error::Crowded { .. } => StatusCode::TOO_MANY_REQUESTS,
            Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if let Error::Internal(source) = error {
            tracing::error!(error = format!("{source:#}"), "Could not carry out a request");
        }
        let body = match error {
            Error::Invalid(fields) => json!(InvalidRequest { detail: fields.clone() }),
            error => json!(Problem { detail: error.to_string() }),
        };
        (status, body)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, body) = self.described();
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        match &self.0 {
            // Git asks for a password only where it sees the word Basic.
            Error::Unauthenticated(_) => {
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Basic realm=\"toolplane\", charset=\"UTF-8\", Bearer"),
                );
            }
            Error::RateLimited { retry_after_s } | Error::Crowded { retry_after_s, .. } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after_s));
            }
            Error::InProgress => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Error::Unavailable(_) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}

/// The answer for everything while the service is starting.
pub async fn starting() -> ApiError {
    Error::Unavailable("the service is starting: try again in a moment".to_owned()).into()
}

/// The answer for a path that nothing listens on.
pub async fn no_route() -> ApiError {
    Error::NotFound("there is no such path: see the API's documentation".to_owned()).into()
}

/// The answer for a method that a path does not have.
pub async fn no_method() -> Response {
    let detail = "this path does not have that method: see the API's documentation".to_owned();
    (StatusCode::METHOD_NOT_ALLOWED, Json(Problem { detail })).into_response()
}

/// The answer for a request that ran into a fault of our code.
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned();
    ApiError(Error::Internal(anyhow::anyhow!("panicked: {text}"))).into_response()
}
