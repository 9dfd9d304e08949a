//! HTTP/1.1 with a guest on one side and a server on the other.
//!
//! HTTP/1.1 on both: a guest's library sees a server's answer as it is, with its own headers and reason, and nothing has
//! to be translated. Every request is read whole and written anew, so what two parsers could understand differently never
//! reaches a server.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::handshake::{self, Agreed, Beginning};
use super::mask::Masked;
use super::peek::Peeked;
use super::pool::{Connection, RequestBody};
use super::route::{HEAD_BYTES, MOST_HEADERS, Route, Server, is_host};
use super::usage::Exhausted;

type ResponseBody = BoxBody<Bytes, anyhow::Error>;

/// Serves a guest's connection until either side ends it.
pub async fn serve(route: Route, mut guest: DuplexStream, server: Server) {
    let mut read = BytesMut::new();
    let Ok(beginning) = handshake::beginning(&mut guest, &mut read).await else { return route.give_back(server) };
    let first = match beginning {
        Beginning::Plain => route.open_plain(server).await.ok(),
        Beginning::Tls(question) => {
            let opened = route.open_tls(&question, server).await;
            // The guest speaks HTTP/1.1 here, whatever the host speaks with the server.
            let alpn = question.alpn.iter().map(String::as_str).find(|name| *name == "http/1.1");
            let agreed = opened.as_ref().map(|connection| connection.agreed.as_deref());
            let agreed = match agreed {
                Ok(agreed) => Ok(agreed.cloned().unwrap_or_else(Agreed::default)),
                Err(failed) => Err(failed),
            };
            let sent = guest.write_all(&handshake::answer(agreed.as_ref().map_err(|failed| *failed), alpn)).await;
            match (opened, sent) {
                (Ok(connection), Ok(())) => Some((connection, true)),
                _ => return,
            }
        }
    };
    let Some((first, is_tls)) = first else { return };
    let exchange = Exchange { route, is_tls, next: Mutex::new(Next::Open(first)) };
    let service = service_fn(|request| exchange.forward(request));
    let served = hyper::server::conn::http1::Builder::new()
        .preserve_header_case(true)
        .max_headers(MOST_HEADERS)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(Peeked::new(read, guest)), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "A tool's connection ended early");
    }
}

/// The requests of one guest's connection, one after the other.
struct Exchange {
    route: Route,
    is_tls: bool,
    /// What the next request goes over.
    next: Mutex<Next>,
}

enum Next {
    /// A connection that was opened and not used yet.
    Open(Connection),
    /// The one of the request before, once its answer has been read to the end.
    Returning(JoinHandle<Option<Connection>>),
    None,
}

impl Exchange {
    /// An error ends the guest's connection without an answer, as a server's end would.
    async fn forward(&self, request: Request<Incoming>) -> anyhow::Result<Response<ResponseBody>> {
        if let Some(refusal) = self.refusal(&request) {
            return Ok(refusal);
        }
        let shared = &self.route.shared;
        if let Err(exhausted) = shared.meter.request().and_then(|()| shared.meter.received(0)) {
            return Ok(exceeded(exhausted));
        }
        let (mut parts, body) = request.into_parts();
        remove_hop_by_hop(&mut parts.headers);
        parts.version = Version::HTTP_11;
        let Route { host, port, .. } = &self.route;
        if let Err(reason) = shared.bound.put(&mut parts, host, *port, self.is_tls) {
            return Ok(refused(StatusCode::MISDIRECTED_REQUEST, reason));
        }
        // What may be said twice (RFC 9110, section 9.2.2), and can be.
        let again = (parts.method.is_idempotent() && body.is_end_stream()).then(|| parts.clone());
        let meter = Arc::clone(shared);
        let body = body.map_err(anyhow::Error::from).map_frame(move |frame| frame);
        let body = counted(body, move |bytes| meter.meter.sent(bytes).map_err(Into::into));
        let next = std::mem::replace(&mut *self.next.lock().await, Next::None);
        let connection = match next.connection().await {
            Some(connection) => connection,
            None => self.route.open(self.is_tls).await?,
        };
        let sent = self.send(Request::from_parts(parts, body), again, connection).await;
        let (response, mut connection) = match (sent, shared.meter.sent(0)) {
            (Ok(sent), _) => sent,
            // It was broken off here, and not by the server.
            (Err(_), Err(exhausted)) => return Ok(exceeded(exhausted)),
            (Err(error), Ok(())) => return Err(error),
        };
        connection.has_waited = true;
        let limit = shared.gateway.settings.idle_timeout;
        let returning = tokio::spawn(async move {
            let ready = tokio::time::timeout(limit, connection.sender.ready()).await;
            matches!(ready, Ok(Ok(()))).then_some(connection)
        });
        *self.next.lock().await = Next::Returning(returning);
        let (mut parts, body) = response.into_parts();
        remove_hop_by_hop(&mut parts.headers);
        let meter = Arc::clone(shared);
        let body =
            counted(body.map_err(anyhow::Error::from), move |bytes| meter.meter.received(bytes).map_err(Into::into));
        let Some(mask) = shared.bound.mask(host, *port) else { return Ok(Response::from_parts(parts, body)) };
        if parts.headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            let message = "the answer is packed though it was asked not to be, and may hold a bound secret".to_owned();
            return Ok(refused(StatusCode::BAD_GATEWAY, message));
        }
        mask.hide_in(&mut parts.headers);
        Ok(Response::from_parts(parts, Masked::new(body, mask).boxed()))
    }

    /// Sends a request; once more over a new connection, when the one that was there turns out to be closed and the
    /// server has not seen the request, or may see it twice.
    async fn send(
        &self,
        request: Request<RequestBody>,
        again: Option<Parts>,
        mut connection: Connection,
    ) -> anyhow::Result<(Response<Incoming>, Connection)> {
        let mut error = match connection.sender.try_send_request(request).await {
            Ok(response) => return Ok((response, connection)),
            Err(error) => error,
        };
        let repeated = match error.take_message() {
            Some(unsent) => Some(unsent),
            None if connection.has_waited => again.map(|parts| Request::from_parts(parts, nothing())),
            None => None,
        };
        let Some(request) = repeated else { return Err(error.into_error().into()) };
        let mut connection = self.route.dial(self.is_tls).await?;
        let response = connection.sender.send_request(request).await?;
        Ok((response, connection))
    }

    /// What must not be forwarded, in words for the author.
    fn refusal(&self, request: &Request<Incoming>) -> Option<Response<ResponseBody>> {
        let Route { host, port, .. } = &self.route;
        let refuse = |status, message: String| Some(refused(status, message));
        if request.method() == Method::CONNECT || request.uri().authority().is_some() {
            return refuse(
                StatusCode::MISDIRECTED_REQUEST,
                "a tool cannot use a proxy: connect to the host itself".to_owned(),
            );
        }
        if request.headers().contains_key(header::UPGRADE) {
            return refuse(
                StatusCode::NOT_IMPLEMENTED,
                "connections cannot be upgraded, to WebSocket or anything else".to_owned(),
            );
        }
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let named = hosts.next().and_then(|value| value.to_str().ok());
        if hosts.next().is_some() || !named.is_some_and(|named| is_host(named, host, *port, self.is_tls)) {
            let named = named.map_or_else(|| "not given once".to_owned(), |named| format!("`{named}`"));
            let message = format!(
                "the request's Host is {named} and the connection is to {host}:{port}: both have to name the same host"
            );
            return refuse(StatusCode::MISDIRECTED_REQUEST, message);
        }
        None
    }
}

impl Next {
    async fn connection(self) -> Option<Connection> {
        match self {
            Self::Open(connection) => Some(connection),
            Self::Returning(task) => task.await.ok().flatten(),
            Self::None => None,
        }
    }
}

impl Drop for Exchange {
    /// The connection can serve somebody else. A guest ends its invocation without a farewell to its own, so this is not
    /// the end of a function.
    fn drop(&mut self) {
        let next = std::mem::replace(self.next.get_mut(), Next::None);
        let (key, gateway) = (self.route.key(self.is_tls).clone(), Arc::clone(&self.route.shared.gateway));
        let Ok(executor) = tokio::runtime::Handle::try_current() else { return };
        executor.spawn(async move {
            if let Some(connection) = next.connection().await {
                gateway.pool.put(key, connection, &gateway.settings);
            }
        });
    }
}

/// What concerns one connection only (RFC 9110, section 7.6.1).
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let always =
        [header::CONNECTION, header::PROXY_AUTHORIZATION, header::TE, header::TRANSFER_ENCODING, header::UPGRADE];
    // The host is no matter of one connection, whoever says so: a request without it would be for anybody.
    for name in named.iter().filter(|name| *name != header::HOST).chain(&always) {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}

/// Hands the size of each piece to a counter, whose error ends the body.
fn counted<B>(
    body: B,
    count: impl Fn(usize) -> anyhow::Result<()> + Send + Sync + 'static,
) -> BoxBody<Bytes, anyhow::Error>
where
    B: hyper::body::Body<Data = Bytes, Error = anyhow::Error> + Send + Sync + 'static,
{
    Counted { body: Box::pin(body), count: Box::new(count) }.boxed()
}

struct Counted<B> {
    body: std::pin::Pin<Box<B>>,
    count: Box<dyn Fn(usize) -> anyhow::Result<()> + Send + Sync>,
}

impl<B: hyper::body::Body<Data = Bytes, Error = anyhow::Error>> hyper::body::Body for Counted<B> {
    type Data = Bytes;
    type Error = anyhow::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context,
    ) -> std::task::Poll<Option<anyhow::Result<hyper::body::Frame<Bytes>>>> {
        let polled = self.body.as_mut().poll_frame(context);
        polled.map(|frame| {
            let frame = frame?;
            Some(frame.and_then(|frame| {
                (self.count)(frame.data_ref().map_or(0, Bytes::len))?;
                Ok(frame)
            }))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

fn nothing() -> RequestBody {
    Empty::new().map_err(|never| match never {}).boxed()
}

fn exceeded(exhausted: Exhausted) -> Response<ResponseBody> {
    refused(StatusCode::TOO_MANY_REQUESTS, exhausted.to_string())
}

fn refused(status: StatusCode, message: String) -> Response<ResponseBody> {
    let body = Full::new(Bytes::from(format!("toolplane: {message}\n"))).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_one_connection_is_left_out_and_the_host_stays() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "api.test"),
            ("connection", "x-own, Host"),
            ("x-own", "1"),
            ("te", "trailers"),
            ("keep-alive", "timeout=5"),
            ("accept", "*/*"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        remove_hop_by_hop(&mut headers);
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "host"]);
    }
}
