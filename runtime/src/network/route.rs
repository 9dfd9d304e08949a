//! Connections to the server that a guest's connection is for: of the pool, or new.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::Uri;
use hyper_util::rt::TokioIo;
use sdk::sandbox::Refusal;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::handshake::{Agreed, Failed, FailedKind, Question};
use super::pool::{Connection, Key, RequestBody};
use super::session::Shared;
use super::{dial, tls};

/// The most headers of one message. Servers commonly take 100.
pub const MOST_HEADERS: usize = 128;

/// The longest head of one message.
pub const HEAD_BYTES: usize = 256 << 10;

/// Where the requests of one guest's connection go.
pub struct Route {
    pub shared: Arc<Shared>,
    pub host: String,
    pub port: u16,
    /// They were checked.
    pub addresses: Vec<IpAddr>,
    /// For plain text and for TLS.
    pub keys: [Key; 2],
}

/// What was there when the guest connected.
pub enum Server {
    /// Whether it speaks TLS is the guest's to say.
    Reached(TcpStream),
    /// One of the pool, taken at once: two guests must not count on the same.
    Waiting { is_tls: bool, connection: Connection },
}

impl Route {
    /// One of the pool, or a new one.
    pub async fn open(&self, is_tls: bool) -> anyhow::Result<Connection> {
        let gateway = &self.shared.gateway;
        match gateway.pool.take(self.key(is_tls), &gateway.settings) {
            Some(connection) => Ok(connection),
            None => self.dial(is_tls).await,
        }
    }

    /// A new one.
    pub async fn dial(&self, is_tls: bool) -> anyhow::Result<Connection> {
        let dialed = dial::connect(&self.addresses, self.port, &self.shared.gateway.settings).await;
        let server = dialed.map_err(|refusal| anyhow::anyhow!("the server could not be reached: {refusal:?}"))?;
        if is_tls {
            self.secure(server).await.map_err(|failed| anyhow::anyhow!("{}", failed.message))
        } else {
            start(server, None).await
        }
    }

    /// For a guest that asks for no TLS.
    pub async fn open_plain(&self, server: Server) -> anyhow::Result<(Connection, bool)> {
        let connection = match server {
            Server::Reached(server) => start(server, None).await?,
            Server::Waiting { is_tls: false, connection } => connection,
            Server::Waiting { .. } => {
                self.give_back(server);
                self.open(false).await?
            }
        };
        Ok((connection, false))
    }

    /// For a guest that does.
    pub async fn open_tls(&self, question: &Question, server: Server) -> Result<Connection, Failed> {
        if let Some(name) = &question.server_name
            && !is_host(name, &self.host, self.port, true)
        {
            self.give_back(server);
            let message = format!("TLS for {name:.253} was asked for on a connection to {}", self.host);
            return Err(Failed::new(FailedKind::Denied, message));
        }
        let gateway = &self.shared.gateway;
        let server = match server {
            Server::Waiting { is_tls: true, connection } => return Ok(connection),
            // One may have come back meanwhile, and it has shaken hands.
            Server::Reached(server) => match gateway.pool.take(self.key(true), &gateway.settings) {
                Some(connection) => return Ok(connection),
                None => server,
            },
            Server::Waiting { .. } => {
                self.give_back(server);
                dial::connect(&self.addresses, self.port, &gateway.settings).await.map_err(unreached)?
            }
        };
        self.secure(server).await
    }

    /// The guest has no use for it.
    pub fn give_back(&self, server: Server) {
        if let Server::Waiting { is_tls, connection } = server {
            let gateway = &self.shared.gateway;
            gateway.pool.put(self.key(is_tls).clone(), connection, &gateway.settings);
        }
    }

    async fn secure(&self, server: TcpStream) -> Result<Connection, Failed> {
        let gateway = &self.shared.gateway;
        let connector = gateway.connector().map_err(|error| Failed::new(FailedKind::Protocol, error.to_string()))?;
        let (stream, agreed) = tls::shake_hands(connector, &self.host, server, &gateway.settings).await?;
        let started = start(stream, Some(Arc::new(agreed))).await;
        started.map_err(|error| Failed::new(FailedKind::Protocol, error.to_string()))
    }

    /// Where a connection is kept.
    pub fn key(&self, is_tls: bool) -> &Key {
        &self.keys[usize::from(is_tls)]
    }
}

/// Speaks HTTP with a server.
pub(super) async fn start(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    agreed: Option<Arc<Agreed>>,
) -> anyhow::Result<Connection> {
    let (sender, connection) = hyper::client::conn::http1::Builder::new()
        .preserve_header_case(true)
        .max_headers(MOST_HEADERS)
        .max_buf_size(HEAD_BYTES)
        .handshake::<_, RequestBody>(TokioIo::new(stream))
        .await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "A connection to a server ended early");
        }
    });
    Ok(Connection { sender, agreed, has_waited: false })
}

/// Whether `host[:port]`, as a client writes it, is this host.
pub fn is_host(text: &str, host: &str, port: u16, is_tls: bool) -> bool {
    let Ok(uri) = Uri::builder().authority(text).scheme("http").path_and_query("/").build() else { return false };
    let Some(authority) = uri.authority().filter(|authority| !authority.as_str().contains('@')) else { return false };
    let default = if is_tls { 443 } else { 80 };
    let own = authority.host().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    own.eq_ignore_ascii_case(host) && authority.port_u16().map_or(port == default || text == own, |own| own == port)
}

fn unreached(refusal: Refusal) -> Failed {
    let (kind, message) = match refusal {
        Refusal::Refused => (FailedKind::Refused, "Connection refused"),
        Refusal::TimedOut => (FailedKind::Timeout, "the connection timed out"),
        _ => (FailedKind::Unreachable, "No route to host"),
    };
    Failed::new(kind, message)
}
