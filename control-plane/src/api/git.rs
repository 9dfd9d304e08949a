//! `/v1/{organization}/tool/git/{git_path}`: the Git smart HTTP protocol. The bytes are git's; here are the headers.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use serde::Deserialize;
use tokio_util::io::{ReaderStream, StreamReader};

use crate::api::error::ApiError;
use crate::api::extract::Authenticated;
use crate::app::App;
use crate::error::Error;
use crate::git::push_commands::PushCommands;
use crate::git::{Answer, Service};

/// The size of a chunk of the answer, that of a pipe on Linux.
const CHUNK_BYTES: usize = 64 << 10;

/// The part of the path that belongs to Git.
#[derive(Debug, Deserialize)]
pub struct GitPath {
    git_path: String,
}

/// `GET info/refs?service=…`: what the repository has and can do.
pub async fn get(
    State(app): State<Arc<App>>,
    caller: Authenticated,
    Path(path): Path<GitPath>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let repository = app.git_repository(&caller.0)?;
    if path.git_path != "info/refs" {
        return Err(unknown(&path).into());
    }
    let query = query.unwrap_or_default();
    let service = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("service="))
        .and_then(Service::parse)
        .ok_or_else(no_service)?;
    let answer = repository.advertise(service, protocol(&headers)).await?;
    Ok(streamed(chunks(answer), format!("application/x-{}-advertisement", service.name())))
}

/// `POST git-upload-pack` and `POST git-receive-pack`: a fetch and a push.
pub async fn post(
    State(app): State<Arc<App>>,
    caller: Authenticated,
    Path(path): Path<GitPath>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let repository = app.git_repository(&caller.0)?;
    let service = Service::parse(&path.git_path).ok_or_else(|| unknown(&path))?;
    let expected = format!("application/x-{}-request", service.name());
    if headers.get(header::CONTENT_TYPE).is_none_or(|content_type| content_type.as_bytes() != expected.as_bytes()) {
        return Err(Error::BadRequest(format!("the content type must be {expected}")).into());
    }
    let body = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let content_type = format!("application/x-{}-result", service.name());
    if service == Service::UploadPack {
        let answer = repository.rpc(service, protocol(&headers), body).await?;
        return Ok(streamed(chunks(answer), content_type));
    }
    let commands = PushCommands::new();
    let answer = repository.rpc(service, protocol(&headers), commands.watch(body)).await?;
    // A client takes a push for done when the answer ends, and by then it is known who pushed.
    let ended = futures::stream::once(async move { app.record_push(&caller.0, commands.get()).await });
    Ok(streamed(chunks(answer).chain(ended.filter_map(|()| async { None })), content_type))
}

fn protocol(headers: &HeaderMap) -> Option<&str> {
    headers.get("git-protocol").and_then(|value| value.to_str().ok())
}

fn chunks(answer: Answer) -> ReaderStream<Answer> {
    ReaderStream::with_capacity(answer, CHUNK_BYTES)
}

fn streamed(answer: impl Stream<Item = io::Result<Bytes>> + Send + 'static, content_type: String) -> Response {
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache".to_owned())];
    (headers, Body::from_stream(answer)).into_response()
}

fn unknown(path: &GitPath) -> Error {
    Error::NotFound(format!("Git asks for no `{}`: the URL of the remote ends with /tool/git", path.git_path))
}

/// Git before 1.6.6 asks without a service, for a repository of plain files.
fn no_service() -> Error {
    Error::BadRequest("the query must have service=git-upload-pack or service=git-receive-pack".to_owned())
}
