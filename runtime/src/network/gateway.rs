//! What all invocations share of the network.

use std::sync::OnceLock;

use tokio_rustls::TlsConnector;

use super::pool::Pool;
use super::settings::NetworkSettings;
use super::tls;
use crate::error::Error;

/// The pool, the authorities to trust, and the settings.
pub struct Gateway {
    pub settings: NetworkSettings,
    pub pool: Pool,
    connector: OnceLock<TlsConnector>,
}

impl Gateway {
    pub fn new(settings: NetworkSettings) -> Self {
        Self { settings, pool: Pool::default(), connector: OnceLock::new() }
    }

    /// Reads the authorities when the first tool asks for TLS: most local runs never do.
    pub fn connector(&self) -> Result<&TlsConnector, Error> {
        if let Some(connector) = self.connector.get() {
            return Ok(connector);
        }
        let connector = tls::connector(&self.settings)?;
        Ok(self.connector.get_or_init(|| connector))
    }
}
