//! What operators call.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::error::Result;
use crate::app::App;

/// `GET /metrics`: Prometheus' text format.
pub async fn metrics(State(app): State<Arc<App>>) -> Result<impl IntoResponse> {
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.text()?))
}

/// `GET /healthz`: the process answers.
pub async fn health() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: requests can be carried out.
pub async fn ready(State(app): State<Arc<App>>) -> Result<&'static str> {
    app.check_available()?;
    app.store.check_writable()?;
    Ok("ready\n")
}
