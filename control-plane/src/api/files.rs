//! `/tool/repo/file`: the files of the organization's repository, some as JSON, or one as it is.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::io::ReaderStream;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::error::{ApiError, Result};
use super::extract::{self, Authenticated};
use super::page::Query;
use super::parameters::{self, DEFAULT_REFERENCE};
use super::ranges::{Wanted, wanted};
use super::repository_path::RepositoryPath;
use crate::app::App;
use crate::auth::permission;
use crate::domain::files::FileView;
use crate::error::Error;
use crate::git::files::{Part, is_binary};

/// The most files of one request.
const MAX_FILES: usize = 5;

/// The size of a chunk of a file that is streamed, that of a pipe on Linux.
const CHUNK_BYTES: usize = 64 << 10;

/// Which files are asked for.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadFiles {
    /// A branch, a tag or a commit's 40 digits.
    #[serde(default = "main_branch")]
    #[schema(default = main_branch)]
    r#ref: String,
    #[schema(min_items = 1, max_items = 5)]
    file_paths: Vec<String>,
}

fn main_branch() -> String {
    DEFAULT_REFERENCE.to_owned()
}

/// Files, in the order in which they were asked for.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Files {
    files: Vec<File>,
}

/// A file. A symbolic link is a file whose content is the path that it leads to.
#[derive(Serialize, utoipa::ToSchema)]
struct File {
    path: String,
    /// As it was asked for.
    r#ref: String,
    commit_sha: String,
    object_sha: String,
    /// In bytes.
    size: u64,
    /// Whether it is something else than UTF-8 text. Of a file above 1 MiB its beginning says so.
    is_binary: bool,
    /// Null above 1 MiB.
    #[schema(required)]
    content: Option<String>,
    /// How the content is written; null without content.
    #[schema(required)]
    encoding: Option<Encoding>,
}

/// How a file's content is written.
#[derive(Serialize, utoipa::ToSchema)]
enum Encoding {
    /// As it is.
    #[serde(rename = "utf-8")]
    Utf8,
    /// RFC 4648, with padding.
    #[serde(rename = "base64")]
    Base64,
}

/// The query of files, for a request without a body.
struct FilesQuery;

impl IntoParams for FilesQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "The same as in the body, for a request that has none: 1 to 5 paths; the key repeats.";
        vec![parameters::reference(), parameters::many("file_paths", description, parameters::repository_text())]
    }
}

/// Gets the content of some files.
#[utoipa::path(
    get,
    path = "/v1/{organization}/tool/repo/file",
    operation_id = "read_files",
    tag = "repository",
    params(FilesQuery),
    request_body(content = ReadFiles, description = "Which files; the query may say so instead"),
    responses(
        (status = 200, description = "The files", body = Files),
        (status = 404, description = "The organization, the `ref` or a file does not exist"),
    ),
    extensions(("x-permission" = json!(permission::ACCESS_REPO))),
)]
pub async fn read(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    wanted: ReadFiles,
) -> Result<Json<Files>> {
    let views = app.read_files(&caller, wanted.r#ref.clone(), wanted.file_paths).await?;
    Ok(Json(Files { files: views.into_iter().map(|view| File::new(view, &wanted.r#ref)).collect() }))
}

/// The query of a file.
struct ReferenceQuery;

impl IntoParams for ReferenceQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameters::reference()]
    }
}

/// Gets a file as it is.
#[utoipa::path(
    get,
    path = "/v1/{organization}/tool/repo/file/{*file_path}",
    operation_id = "download_file",
    tag = "repository",
    params(
        ("file_path" = String, Path, description = "The file's path, escaped"),
        ReferenceQuery,
        ("If-None-Match" = Option<String>, Header, nullable = false, pattern = "^[!-~]([ -~]*[!-~])?$",
            description = "An `ETag` of an earlier answer"),
        ("If-Range" = Option<String>, Header, nullable = false, pattern = "^[!-~]([ -~]*[!-~])?$",
            description = "An `ETag` of an earlier answer"),
        ("Range" = Option<String>, Header, nullable = false, pattern = "^[!-~]([ -~]*[!-~])?$", example = "bytes=0-99",
            description = "One range of bytes"),
    ),
    responses(
        (status = 200, description = "The file's bytes, of the type that its name or its content says", content_type = "*/*"),
        (status = 206, description = "A range of the file's bytes", content_type = "*/*"),
        (status = 304, description = "The client has the file already"),
        (status = 404, description = "The organization, the `ref` or the file does not exist"),
        (status = 416, description = "The file has no such range"),
    ),
    extensions(("x-permission" = json!(permission::ACCESS_REPO))),
)]
pub async fn download(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    RepositoryPath(path): RepositoryPath,
    query: Query,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    let reference = query.one("ref").unwrap_or(DEFAULT_REFERENCE).to_owned();
    let view = app.read_file(&caller, reference, path).await?;
    let (size_bytes, tag) = (view.file.size_bytes, format!("\"{}\"", view.file.object));
    let whole = Part { start: 0, length: size_bytes };
    let (status, part) = match wanted(&headers, &tag, size_bytes) {
        Wanted::Whole => (StatusCode::OK, whole),
        Wanted::Range(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::NotModified => {
            let headers = [(header::ETAG, tag), (header::CACHE_CONTROL, CACHE_CONTROL.to_owned())];
            return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
        }
        Wanted::Unsatisfiable => {
            let detail = format!("the file has {size_bytes} bytes, and none in the range that was asked for");
            let headers = [(header::CONTENT_RANGE, format!("bytes */{size_bytes}")), (header::ETAG, tag)];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers, Json(json!({"detail": detail}))).into_response());
        }
    };
    let mut answer = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, content_type(&view))
        .header(header::CONTENT_LENGTH, part.length)
        .header(header::ETAG, tag)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CACHE_CONTROL, CACHE_CONTROL)
        // Somebody may open it in a browser, and whoever wrote it chose what it is.
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    if status == StatusCode::PARTIAL_CONTENT {
        let last = part.start + part.length - 1;
        answer = answer.header(header::CONTENT_RANGE, format!("bytes {}-{last}/{size_bytes}", part.start));
    }
    let body = match &view.file.content {
        _ if method == Method::HEAD => Body::empty(),
        Some(content) => Body::from(cut(content, part)),
        None => {
            let stream = app.stream_file(&caller, &view.file, part).await?;
            Body::from_stream(ReaderStream::with_capacity(stream, CHUNK_BYTES))
        }
    };
    Ok(answer.body(body).map_err(|error| Error::internal(error, "answer with a file"))?)
}

/// What is at a path may change with every push, and only some may see it.
const CACHE_CONTROL: &str = "private, no-cache";

impl File {
    fn new(view: FileView, reference: &str) -> Self {
        let FileView { file, is_binary: head_is_binary } = view;
        let is_binary = file.content.as_deref().map_or(head_is_binary, is_binary);
        let (content, encoding) = match file.content {
            None => (None, None),
            Some(content) if is_binary => (Some(STANDARD.encode(content)), Some(Encoding::Base64)),
            Some(content) => (Some(String::from_utf8_lossy(&content).into_owned()), Some(Encoding::Utf8)),
        };
        Self {
            path: file.path,
            r#ref: reference.to_owned(),
            commit_sha: file.commit.to_string(),
            object_sha: file.object,
            size: file.size_bytes,
            is_binary,
            content,
            encoding,
        }
    }
}

/// By the name, and where that says nothing, by the content.
fn content_type(view: &FileView) -> String {
    let guess = mime_guess::from_path(&view.file.path).first();
    match guess {
        Some(guess) if guess.type_() == mime_guess::mime::TEXT && !view.is_binary => format!("{guess}; charset=utf-8"),
        Some(guess) => guess.to_string(),
        None if view.is_binary => mime_guess::mime::APPLICATION_OCTET_STREAM.to_string(),
        None => mime_guess::mime::TEXT_PLAIN_UTF_8.to_string(),
    }
}

fn cut(content: &[u8], part: Part) -> Vec<u8> {
    // A content that is held whole is far smaller than memory.
    let start = usize::try_from(part.start).unwrap_or(usize::MAX).min(content.len());
    let length = usize::try_from(part.length).unwrap_or(usize::MAX).min(content.len() - start);
    content[start..start + length].to_vec()
}

impl FromRequest<Arc<App>> for ReadFiles {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (mut parts, mut body) = request.into_parts();
        let query = Query::from_request_parts(&mut parts, app).await?;
        // Many programs that send a GET cannot send a body with it.
        let first = loop {
            match body.frame().await {
                Some(Ok(frame)) if frame.data_ref().is_none_or(|data| data.is_empty()) => {}
                frame => break frame,
            }
        };
        let (place, wanted) = match first {
            None => {
                let reference = query.one("ref").unwrap_or(DEFAULT_REFERENCE).to_owned();
                let file_paths = query.many("file_paths").into_iter().map(str::to_owned).collect();
                ("query", Self { r#ref: reference, file_paths })
            }
            Some(frame) => {
                let first = frame.map(|frame| frame.into_data().unwrap_or_default());
                let first = futures::stream::iter([first]);
                let rest = futures::StreamExt::chain(first, body.into_data_stream());
                let request = Request::from_parts(parts, Body::from_stream(rest));
                let extract::Json(wanted) = extract::Json::from_request(request, app).await?;
                ("body", wanted)
            }
        };
        let count = wanted.file_paths.len();
        if !(1..=MAX_FILES).contains(&count) {
            let kind = if count == 0 { "too_short" } else { "too_long" };
            let message = format!("file_paths must have 1 to {MAX_FILES} paths");
            return Err(Error::invalid(&[place, "file_paths"], kind, message).into());
        }
        Ok(wanted)
    }
}
