//! `/v1/{organization}/tool/git/{git_path}`: the Git smart HTTP protocol. The bytes are git's; here are the headers.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use tokio_util::io::{ReaderStream, StreamReader};

use crate::api::error::ApiError;
use crate::api::extract::{Authenticated, GitPath};
use crate::api::parameters::Bytes;
use crate::app::App;
use crate::auth::permission;
use crate::error::Error;
use crate::git::{Answer, Service};

/// The size of a chunk of the answer, that of a pipe on Linux.
const CHUNK_BYTES: usize = 64 << 10;

/// What the repository has and can do, for Git's clients: `GET info/refs?service=…`.
#[utoipa::path(
    get,
    path = "/v1/{organization}/tool/git/{*git_path}",
    operation_id = "advertise_refs",
    tag = "repository",
    params(
        ("git_path" = String, Path, pattern = "^info/refs$", example = "info/refs"),
        ("service" = String, Query, pattern = "^git-(upload|receive)-pack$", example = "git-upload-pack"),
        ("git-protocol" = Option<String>, Header, description = "The protocol's version, such as `version=2`."),
    ),
    responses(
        (status = 200, description = "The advertisement, as Git's smart HTTP protocol has it.", content(
            (inline(Bytes) = "application/x-git-upload-pack-advertisement"),
            (inline(Bytes) = "application/x-git-receive-pack-advertisement"),
        )),
        (status = 400, description = "The query names no service."),
    ),
    extensions(("x-permission" = json!(permission::ACCESS_REPO))),
)]
pub async fn get(
    State(app): State<Arc<App>>,
    caller: Authenticated,
    GitPath(path): GitPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let repository = app.git_repository(&caller.0)?;
    if path != "info/refs" {
        return Err(unknown(&path).into());
    }
    let query = query.unwrap_or_default();
    let service = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("service="))
        .and_then(Service::parse)
        .ok_or_else(no_service)?;
    let answer = repository.advertise(service, protocol(&headers)).await?;
    Ok(streamed(answer, format!("application/x-{}-advertisement", service.name())))
}

/// A fetch and a push, for Git's clients: `POST git-upload-pack` and `POST git-receive-pack`.
///
/// The body may be compressed with gzip and is never held whole in memory. A push that breaks a rule of the server is
/// refused for each ref, within Git's protocol.
#[utoipa::path(
    post,
    path = "/v1/{organization}/tool/git/{*git_path}",
    operation_id = "exchange_packs",
    tag = "repository",
    params(
        ("git_path" = String, Path, pattern = "^git-(upload|receive)-pack$", example = "git-upload-pack"),
        ("git-protocol" = Option<String>, Header, description = "The protocol's version, such as `version=2`."),
    ),
    request_body(description = "A request of Git's smart HTTP protocol.", content(
        (inline(Bytes) = "application/x-git-upload-pack-request"),
        (inline(Bytes) = "application/x-git-receive-pack-request"),
    )),
    responses(
        (status = 200, description = "The result, as Git's smart HTTP protocol has it.", content(
            (inline(Bytes) = "application/x-git-upload-pack-result"),
            (inline(Bytes) = "application/x-git-receive-pack-result"),
        )),
        (status = 400, description = "The content type is not that of the service."),
    ),
    extensions(("x-permission" = json!(permission::ACCESS_REPO))),
)]
pub async fn post(
    State(app): State<Arc<App>>,
    caller: Authenticated,
    GitPath(path): GitPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let repository = app.git_repository(&caller.0)?;
    let service = Service::parse(&path).ok_or_else(|| unknown(&path))?;
    let expected = format!("application/x-{}-request", service.name());
    if headers.get(header::CONTENT_TYPE).is_none_or(|content_type| content_type.as_bytes() != expected.as_bytes()) {
        return Err(Error::BadRequest(format!("the content type must be {expected}")).into());
    }
    let body = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let answer = repository.rpc(service, protocol(&headers), body).await?;
    Ok(streamed(answer, format!("application/x-{}-result", service.name())))
}

fn protocol(headers: &HeaderMap) -> Option<&str> {
    headers.get("git-protocol").and_then(|value| value.to_str().ok())
}

fn streamed(answer: Answer, content_type: String) -> Response {
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache".to_owned())];
    (headers, Body::from_stream(ReaderStream::with_capacity(answer, CHUNK_BYTES))).into_response()
}

fn unknown(path: &str) -> Error {
    Error::NotFound(format!("Git asks for no `{path}`: the URL of the remote ends with /tool/git"))
}

/// Git before 1.6.6 asks without a service, for a repository of plain files.
fn no_service() -> Error {
    Error::BadRequest("the query must have service=git-upload-pack or service=git-receive-pack".to_owned())
}
