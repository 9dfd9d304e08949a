//! `/tool/amigo_tool_scaffold.tar.gz`: the starter project.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::error::Result;
use super::extract::Authenticated;
use crate::app::App;
use crate::auth::permission;

/// Gets the starter project, a tool that checks, tests and publishes as it is.
#[utoipa::path(
    get,
    path = "/v1/{organization}/tool/amigo_tool_scaffold.tar.gz",
    operation_id = "get_scaffold",
    tag = "repository",
    responses(
        (status = 200, description = "The project in one folder", content_type = "application/gzip"),
    ),
    extensions(("x-permission" = json!(permission::ACCESS_REPO))),
)]
pub async fn get(State(app): State<Arc<App>>, Authenticated(caller): Authenticated) -> Result<impl IntoResponse> {
    Ok(([(CONTENT_TYPE, "application/gzip")], app.scaffold_archive(&caller)?))
}
