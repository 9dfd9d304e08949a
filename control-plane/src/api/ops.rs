//! What operators call.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::error::Result;
use crate::app::App;
use crate::error::Error;

/// The metrics, in Prometheus' text format.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "get_metrics",
    tag = "operations",
    responses((status = 200, description = "The metrics.", body = String)),
)]
pub async fn metrics(State(app): State<Arc<App>>) -> Result<impl IntoResponse> {
    let measured = tokio::task::spawn_blocking(move || app.metrics_text()).await;
    let text = measured.map_err(|error| Error::internal(error, "measure"))??;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

/// Whether the process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "get_health",
    tag = "operations",
    responses((status = 200, description = "It does.", body = String, example = json!("ok\n"))),
)]
pub async fn health() -> &'static str {
    "ok\n"
}

/// Whether requests can be carried out.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "get_readiness",
    tag = "operations",
    responses(
        (status = 200, description = "They can.", body = String, example = json!("ready\n")),
        (status = 503, description = "The service is starting, draining or unable to write."),
    ),
)]
pub async fn ready(State(app): State<Arc<App>>) -> Result<&'static str> {
    app.check_available()?;
    app.store.check_writable()?;
    Ok("ready\n")
}
