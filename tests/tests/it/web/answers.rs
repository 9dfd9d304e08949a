//! What the web servers answer, by path. Any other path is answered with what was asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How many bytes `/chunked` answers, in pieces of [`PIECE_BYTES`].
pub const CHUNKED_BYTES: usize = 50 * PIECE_BYTES;
const PIECE_BYTES: usize = 20_000;

pub type Answer = BoxBody<Bytes, Infallible>;

pub async fn respond(request: Request<Incoming>) -> Response<Answer> {
    let (parts, body) = request.into_parts();
    let response = Response::builder();
    let response = match parts.uri.path() {
        "/redirect" => response.status(302).header("Location", "/echo").header("Set-Cookie", "a=b").body(whole("")),
        // The method and the body stay what they are.
        "/moved" => {
            let _read = body.collect().await;
            response.status(308).header("Location", "/echo").body(whole(""))
        }
        "/elsewhere" => response.status(302).header("Location", "http://other.test/").body(whole("")),
        "/cookies" => {
            response.header("Set-Cookie", "first=1; Path=/").header("Set-Cookie", "second=2; Path=/; HttpOnly").body(
                whole(json!({"cookie": parts.headers.get("cookie").and_then(|value| value.to_str().ok())}).to_string()),
            )
        }
        "/gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(echo(&parts, body).await.to_string().as_bytes()).unwrap();
            response
                .header("Content-Type", "application/json")
                .header("Content-Encoding", "gzip")
                .body(whole(encoder.finish().unwrap()))
        }
        "/chunked" => response.body(Pieces::new(CHUNKED_BYTES / PIECE_BYTES, Last::Ends).boxed()),
        // A beginning, and no end: whoever reads has to stop waiting by himself.
        "/slow" => response.body(Pieces::new(1, Last::Waits).boxed()),
        "/never" => std::future::pending().await,
        "/form" => {
            response.header("Content-Type", "application/json").body(whole(form(&parts, body).await.to_string()))
        }
        // What has come, for who must not be told.
        "/digest" => {
            let digest = |text: &str| hex::encode(Sha256::digest(text));
            let query = parts.uri.query().unwrap_or_default();
            let seen = json!({"authorization": digest(&text(&parts, "authorization")), "query": digest(query)});
            response.header("Content-Type", "application/json").body(whole(seen.to_string()))
        }
        // What has come, in a form that says it all the same.
        "/hex" => {
            let seen = json!({"authorization": hex::encode(text(&parts, "authorization"))});
            response.header("Content-Type", "application/json").body(whole(seen.to_string()))
        }
        "/teapot" => response.status(418).body(whole("short and stout")),
        path if path.starts_with("/bucket/") => response
            .header("ETag", "\"0\"")
            .header("x-amz-version-id", text(&parts, "x-amz-decoded-content-length"))
            // What answers an upload has no body; one that is no XML counts as an error.
            .body(whole(match (parts.method.as_str(), size(body).await) {
                ("PUT", _) => String::new(),
                (_, bytes) => format!("{bytes} bytes"),
            })),
        "/v1/customers" if text(&parts, "authorization") == "Bearer sk_wrong" => response
            .status(401)
            .header("Content-Type", "application/json")
            .body(whole(json!({"error": {"type": "invalid_request_error", "message": "no such key"}}).to_string())),
        "/v1/customers" => {
            let form = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
            let customer = json!({"id": "cus_1", "object": "customer", "description": form});
            response.header("Content-Type", "application/json").body(whole(customer.to_string()))
        }
        _ => response.header("Content-Type", "application/json").body(whole(echo(&parts, body).await.to_string())),
    };
    response.unwrap()
}

async fn echo(parts: &Parts, body: Incoming) -> Value {
    let headers: serde_json::Map<_, _> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), json!(String::from_utf8_lossy(value.as_bytes()))))
        .collect();
    let query = parts.uri.query().unwrap_or_default();
    json!({
        "method": parts.method.as_str(),
        "path": parts.uri.path(),
        "query": query,
        "headers": headers,
        "size": size(body).await,
    })
}

/// The parts of a multipart form: what each says of itself, and its size.
async fn form(parts: &Parts, body: Incoming) -> Value {
    let kind = text(parts, "content-type");
    let boundary = kind.split_once("boundary=").expect("it is a form").1.trim_matches('"');
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8_lossy(&body);
    let fields: Vec<_> = body
        .split(&format!("--{boundary}"))
        .filter_map(|part| part.strip_prefix("\r\n")?.strip_suffix("\r\n")?.split_once("\r\n\r\n"))
        .map(|(head, content)| {
            let disposition = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"));
            json!([disposition.unwrap_or_default().split_once(": ").map(|(_, value)| value), content.len()])
        })
        .collect();
    json!(fields)
}

fn text(parts: &Parts, header: &str) -> String {
    parts.headers.get(header).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

async fn size(body: Incoming) -> usize {
    body.collect().await.map_or(0, |body| body.to_bytes().len())
}

fn whole(content: impl Into<Bytes>) -> Answer {
    Full::new(content.into()).boxed()
}

/// A body whose length nobody knows beforehand.
struct Pieces {
    left: VecDeque<Bytes>,
    last: Last,
}

#[derive(PartialEq, Eq)]
enum Last {
    Ends,
    Waits,
}

impl Pieces {
    fn new(count: usize, last: Last) -> Self {
        Self { left: vec![Bytes::from(vec![b'z'; PIECE_BYTES]); count].into(), last }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _context: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.left.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None if self.last == Last::Waits => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}
