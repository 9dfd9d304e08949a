//! `/v1/{organization}/tool/git/{git_path}`: the Git smart HTTP protocol. The bytes are git's; here are the headers.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use tokio_util::io::StreamReader;

use crate::api::error::ApiError;
use crate::api::extract::Authenticated;
use crate::api::parameters::Binary;
use crate::app::App;
use crate::auth::permission;
use crate::error::Error;
use crate::git::{Answer, Service};

/// The longest error that is shown to a user of Git; ours are a sentence.
const MAX_ERROR_BYTES: usize = 64 << 10;

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
            (inline(Binary) = "application/x-git-upload-pack-advertisement"),
            (inline(Binary) = "application/x-git-receive-pack-advertisement"),
        )),
        (status = 404, description = "Git's smart HTTP protocol has no such path, or no such service."),
    ),
    extensions(("x-permission" = json!(permission::ACCESS_REPO))),
)]
pub async fn get(
    State(app): State<Arc<App>>,
    caller: Authenticated,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    app.git_repository(&caller.0)?;
    if git_path(&uri) != "info/refs" {
        return Err(unknown(&uri).into());
    }
    let pairs = uri.query().unwrap_or_default().split('&');
    let service = pairs.filter_map(|pair| pair.strip_prefix("service=")).next();
    let service = service.and_then(Service::parse).ok_or_else(no_service)?;
    let answer = app.advertise(&caller.0, service, protocol(&headers)).await?;
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
        (inline(Binary) = "application/x-git-upload-pack-request"),
        (inline(Binary) = "application/x-git-receive-pack-request"),
    )),
    responses(
        (status = 200, description = "The result, as Git's smart HTTP protocol has it.", content(
            (inline(Binary) = "application/x-git-upload-pack-result"),
            (inline(Binary) = "application/x-git-receive-pack-result"),
        )),
        (status = 400, description = "The content type is not that of the service, or the body is compressed in a way that \
                                      the service does not know."),
    ),
    extensions(("x-permission" = json!(permission::ACCESS_REPO))),
)]
pub async fn post(
    State(app): State<Arc<App>>,
    caller: Authenticated,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    app.git_repository(&caller.0)?;
    let service = Service::parse(git_path(&uri)).ok_or_else(|| unknown(&uri))?;
    let expected = format!("application/x-{}-request", service.name());
    if headers.get(header::CONTENT_TYPE).is_none_or(|content_type| content_type.as_bytes() != expected.as_bytes()) {
        return Err(Error::BadRequest(format!("the content type must be {expected}")).into());
    }
    // One that is known is gone by now.
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding.as_bytes() != b"identity") {
        let message = "the body is compressed in a way that is not known here: send it as it is, or with gzip";
        return Err(Error::BadRequest(message.to_owned()).into());
    }
    let body = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let protocol = protocol(&headers);
    let answer = match service {
        Service::UploadPack => app.fetch(&caller.0, protocol, body).await?,
        Service::ReceivePack => app.push(&caller.0, protocol, body).await?,
    };
    Ok(streamed(answer, format!("application/x-{}-result", service.name())))
}

/// Gives errors to Git as text, which it shows to its user as `remote: …`. Of JSON it shows nothing.
pub async fn explain(request: Request, next: Next) -> Response {
    let agent = request.headers().get(header::USER_AGENT);
    let is_git = agent.is_some_and(|agent| agent.as_bytes().starts_with(b"git/"));
    let response = next.run(request).await;
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    if !is_git || !is_error {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, MAX_ERROR_BYTES).await.unwrap_or_default();
    let text = sentence(&body).unwrap_or_default();
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(text))
}

/// The `detail` of an error.
fn sentence(body: &Bytes) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(format!("error: {}\n", body.get("detail")?.as_str()?))
}

/// The part of the path that belongs to Git, as it was sent: what is encoded means nothing to Git, and must not mean
/// more to us.
fn git_path(uri: &Uri) -> &str {
    uri.path().split_once("/tool/git/").map_or("", |(_, path)| path)
}

fn protocol(headers: &HeaderMap) -> Option<&str> {
    headers.get("git-protocol").and_then(|value| value.to_str().ok())
}

fn streamed(answer: Answer, content_type: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache, max-age=0, must-revalidate".to_owned()),
        (header::PRAGMA, "no-cache".to_owned()),
    ];
    (headers, Body::from_stream(answer)).into_response()
}

fn unknown(uri: &Uri) -> Error {
    let path = git_path(uri);
    Error::NotFound(format!(
        "Git's smart HTTP protocol has no `{path}`, and no file of the repository is served: the URL of the remote \
         ends with /tool/git"
    ))
}

/// Git before 1.6.6 asks without a service, for a repository of plain files.
fn no_service() -> Error {
    Error::NotFound(
        "only Git's smart HTTP protocol is spoken here: the query must have service=git-upload-pack or \
         service=git-receive-pack"
            .to_owned(),
    )
}
