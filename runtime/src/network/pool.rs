//! Connections that wait for the next request to the same host, of the same tenant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::client::conn::http1::SendRequest;

use super::handshake::Agreed;
use super::settings::NetworkSettings;

/// The body of a request on its way out.
pub type RequestBody = BoxBody<Bytes, anyhow::Error>;

/// What a connection can be used for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Whose tools may use it. A connection may be signed in at the other end.
    pub tenant: Arc<str>,
    /// The host, in lower case.
    pub host: String,
    pub port: u16,
    pub is_tls: bool,
}

/// A connection to a server.
pub struct Connection {
    pub sender: SendRequest<RequestBody>,
    /// What TLS was agreed upon.
    pub agreed: Option<Arc<Agreed>>,
    /// Whether it has waited for this request: the server may have closed it, which is not known before it is used.
    pub has_waited: bool,
}

/// Connections that nobody uses now.
#[derive(Default)]
pub struct Pool {
    idle: Mutex<HashMap<Key, Vec<(Connection, Instant)>>>,
}

impl Pool {
    /// Takes the one that was used last, which is the least likely to have been closed by the server.
    pub fn take(&self, key: &Key, settings: &NetworkSettings) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle.get_mut(key)?;
        waiting.retain(|(connection, since)| is_usable(connection, *since, settings));
        let taken = waiting.pop();
        if waiting.is_empty() {
            idle.remove(key);
        }
        taken.map(|(connection, _)| connection)
    }

    /// Keeps one for the next. It is closed instead when there are enough.
    pub fn put(&self, key: Key, mut connection: Connection, settings: &NetworkSettings) {
        connection.has_waited = true;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = idle.values().map(Vec::len).sum();
        if total >= settings.idle_total {
            idle.retain(|_, waiting| {
                waiting.retain(|(connection, since)| is_usable(connection, *since, settings));
                !waiting.is_empty()
            });
        }
        let has_room = idle.values().map(Vec::len).sum::<usize>() < settings.idle_total;
        let waiting = idle.entry(key).or_default();
        if has_room && waiting.len() < settings.idle_per_host {
            waiting.push((connection, Instant::now()));
        }
    }
}

fn is_usable(connection: &Connection, since: Instant, settings: &NetworkSettings) -> bool {
    !connection.sender.is_closed() && since.elapsed() < settings.idle_timeout
}
