//! Connections: how many there are, how slow they may be, and how they end when the service does.
//!
//! `axum::serve` has no limit for any of that. A connection that was accepted has to send the head of a request within
//! a time, each further one too, and idling is the same as sending nothing; bodies have their own time, see `json`.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::gate::Peer;
use super::listener::Listener;
use crate::app::App;
use crate::config;

/// How long to wait when the system has no more descriptors, before it is asked again.
const EXHAUSTED_FOR: Duration = Duration::from_secs(1);

/// How often what has expired is forgotten. What has is never answered, so this is about space alone.
const SWEPT_EVERY: Duration = Duration::from_secs(600);

/// Waits for the service to be opened, and tells whoever comes meanwhile that it is starting.
pub(crate) async fn serve_starting<T>(
    settings: &config::Http,
    listener: &Listener,
    opened: impl Future<Output = T>,
) -> T {
    let server = Server::new(super::starting_router(), settings);
    let (stop, stopping) = watch::channel(false);
    let mut opened = pin!(opened);
    loop {
        tokio::select! {
            opened = &mut opened => {
                stop.send_replace(true);
                return opened;
            }
            accepted = server.accept(listener) => {
                let mut stopping = stopping.clone();
                let stopped = async move { stopping.wait_for(|stopping| *stopping).await.map_or((), drop) };
                tokio::spawn(server.clone().connection(accepted, stopped));
            }
        }
    }
}

/// Serves until `shutdown` completes. Then connections that carry out a request may end within the configured time,
/// idle ones are closed, and whoever comes anew learns that the service is shutting down.
pub(crate) async fn serve(
    app: Arc<App>,
    listener: Listener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let server = Server::new(super::router(Arc::clone(&app)), &app.config.http);
    let (stop, stopping) = watch::channel(false);
    let mut shutdown = pin!(shutdown);
    let mut connections = JoinSet::new();
    let mut sweeps = tokio::time::interval(SWEPT_EVERY);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = server.accept(&listener) => {
                let mut stopping = stopping.clone();
                let stopped = async move { stopping.wait_for(|stopping| *stopping).await.map_or((), drop) };
                connections.spawn(server.clone().connection(accepted, stopped));
            }
            Some(_) = connections.join_next() => {}
            _ = sweeps.tick() => drop(tokio::spawn(sweep(Arc::clone(&app)))),
        }
    }
    tracing::info!(connections = connections.len(), "Shutting down: no more requests are taken");
    app.stop_taking_requests();
    stop.send_replace(true);
    let mut patience = pin!(tokio::time::sleep(app.config.shutdown_timeout()));
    let mut late = JoinSet::new();
    loop {
        tokio::select! {
            ended = connections.join_next() => if ended.is_none() { break },
            () = &mut patience => {
                tracing::warn!("Requests in flight did not end in time and were dropped");
                break;
            }
            accepted = server.accept(&listener) => {
                late.spawn(server.clone().connection(accepted, std::future::pending()));
            }
            Some(_) = late.join_next() => {}
        }
    }
    Ok(())
}

async fn sweep(app: Arc<App>) {
    app.sweep_idempotency_keys().await;
    app.collect_builds().await;
    app.remove_what_is_old().await;
}

#[derive(Clone)]
struct Server {
    router: Router,
    builder: Builder<TokioExecutor>,
    head_timeout: Duration,
    slots: Arc<Semaphore>,
}

struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    /// What shakes hands, where TLS is spoken.
    acceptor: Option<TlsAcceptor>,
    slot: OwnedSemaphorePermit,
}

impl Server {
    fn new(router: Router, settings: &config::Http) -> Self {
        let slots = Arc::new(Semaphore::new(settings.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        let head_timeout = Duration::from_secs(settings.head_timeout_s);
        Self { router, builder: builder(settings), head_timeout, slots }
    }

    /// The next connection, once there is a place for it.
    async fn accept(&self, listener: &Listener) -> Accepted {
        loop {
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else {
                // Nobody closes the semaphore.
                return std::future::pending().await;
            };
            match listener.tcp.accept().await {
                Ok((stream, peer)) => return Accepted { stream, peer, acceptor: listener.acceptor(), slot },
                // The other side was gone before it was accepted.
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "Could not accept a connection");
                    tokio::time::sleep(EXHAUSTED_FOR).await;
                }
            }
        }
    }

    /// Serves one connection to its end. Once `stopped` completes it ends with the request that it carries out.
    async fn connection(self, accepted: Accepted, stopped: impl Future<Output = ()>) {
        let Accepted { stream, peer, acceptor, slot: _slot } = accepted;
        // An answer is a few hundred bytes, and a caller waits for it: it must not wait for more to send along.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "Could not turn off delayed sending");
        }
        let Some(acceptor) = acceptor else { return self.requests(stream, peer, stopped).await };
        match tokio::time::timeout(self.head_timeout, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => self.requests(stream, peer, stopped).await,
            Ok(Err(error)) => tracing::debug!(%error, "A TLS handshake failed"),
            Err(_elapsed) => tracing::debug!("A TLS handshake did not end in time"),
        }
    }

    /// Serves the requests of one connection.
    async fn requests(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
        stopped: impl Future<Output = ()>,
    ) {
        let has_begun = AtomicBool::new(false);
        let service = service_fn(|mut request: Request<Incoming>| {
            has_begun.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(Peer(peer.ip()));
            self.router.clone().oneshot(request)
        });
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(stream), service));
        let mut stopped = pin!(stopped);
        // hyper has no time limit for telling HTTP/1 from HTTP/2, nor for the first request of the latter.
        let mut first_head = pin!(tokio::time::sleep(self.head_timeout));
        let (mut is_told, mut is_timed) = (false, true);
        loop {
            tokio::select! {
                served = connection.as_mut() => {
                    if let Err(error) = served {
                        tracing::debug!(%error, "A connection failed");
                    }
                    break;
                }
                () = stopped.as_mut(), if !is_told => {
                    connection.as_mut().graceful_shutdown();
                    is_told = true;
                }
                () = first_head.as_mut(), if is_timed => {
                    if !has_begun.load(Ordering::Relaxed) {
                        break;
                    }
                    is_timed = false;
                }
            }
        }
    }
}

fn builder(settings: &config::Http) -> Builder<TokioExecutor> {
    let timeout = Duration::from_secs(settings.head_timeout_s);
    let head_bytes = (settings.max_head_kib << 10).max(8 << 10);
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(timeout).max_buf_size(head_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(timeout)
        .keep_alive_timeout(timeout)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(settings.max_streams);
    builder
}

fn is_of_the_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
