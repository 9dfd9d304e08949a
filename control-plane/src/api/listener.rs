//! Where the service listens, and whether it speaks TLS there.

use std::io;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::tls::Tls;
use crate::config::Config;

/// An address that is listened on.
pub struct Listener {
    pub(super) tcp: TcpListener,
    tls: Option<Tls>,
}

impl From<TcpListener> for Listener {
    /// Without TLS.
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None }
    }
}

impl Listener {
    /// Listens on the address that the settings name, and reads the certificate, if they name one.
    pub async fn bind(config: &Config) -> Result<Self> {
        let tls = Tls::open(&config.tls)?;
        let address = config.listen;
        let tcp = TcpListener::bind(address).await.with_context(|| format!("failed to listen on {address}"))?;
        Ok(Self { tcp, tls })
    }

    /// The address, with the port that the system chose.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// The same as a URL.
    pub fn url(&self) -> io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.local_addr()?))
    }

    /// The certificate, where there is one.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.tls.as_ref().map(Tls::acceptor)
    }
}
