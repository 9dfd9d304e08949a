//! What an invocation has used of the network.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::settings::NetworkLimits;

/// How many refusals are kept with their names. The rest is counted.
const MOST_DENIED_NAMES: usize = 16;

/// What an invocation has used of the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkUse {
    /// Connections that the tool opened.
    pub connections: u64,
    /// HTTP requests that were forwarded.
    pub requests: u64,
    /// Bytes of bodies and raw connections, from the tool.
    pub sent_bytes: u64,
    /// Bytes of bodies and raw connections, to the tool.
    pub received_bytes: u64,
    /// Connections that were refused.
    pub denied: u64,
    /// The first of them, as `host:port`.
    pub denied_hosts: Vec<String>,
}

/// Counts, and says when it is enough.
#[derive(Debug)]
pub struct Meter {
    limits: NetworkLimits,
    connections: AtomicU64,
    requests: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    denied: AtomicU64,
    denied_hosts: Mutex<Vec<String>>,
}

/// The limit that was reached, by its name in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the invocation has reached its limit of {limit} {what} (`{name}` of the service's configuration)")]
pub struct Exhausted {
    limit: u64,
    what: &'static str,
    name: &'static str,
}

impl Meter {
    pub fn new(limits: NetworkLimits) -> Self {
        let [connections, requests, sent, received, denied] = Default::default();
        Self { limits, connections, requests, sent, received, denied, denied_hosts: Mutex::default() }
    }

    pub fn connection(&self) -> Result<(), Exhausted> {
        add(&self.connections, 1, self.limits.connections, "connections", "network.max_connections")
    }

    pub fn request(&self) -> Result<(), Exhausted> {
        add(&self.requests, 1, self.limits.requests, "HTTP requests", "network.max_requests")
    }

    /// With 0: whether the limit was reached before.
    pub fn sent(&self, bytes: usize) -> Result<(), Exhausted> {
        add(&self.sent, bytes as u64, self.limits.sent_bytes, "bytes to servers", "network.max_sent_mib")
    }

    /// With 0: whether the limit was reached before.
    pub fn received(&self, bytes: usize) -> Result<(), Exhausted> {
        add(&self.received, bytes as u64, self.limits.received_bytes, "bytes from servers", "network.max_received_mib")
    }

    pub fn denied(&self, host: &str) {
        self.denied.fetch_add(1, Ordering::Relaxed);
        let mut hosts = self.denied_hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() < MOST_DENIED_NAMES {
            hosts.push(host.to_owned());
        }
    }

    pub fn read(&self) -> NetworkUse {
        let [connections, requests, sent_bytes, received_bytes, denied] =
            [&self.connections, &self.requests, &self.sent, &self.received, &self.denied]
                .map(|counter| counter.load(Ordering::Relaxed));
        let denied_hosts = self.denied_hosts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        NetworkUse { connections, requests, sent_bytes, received_bytes, denied, denied_hosts }
    }
}

fn add(counter: &AtomicU64, amount: u64, limit: u64, what: &'static str, name: &'static str) -> Result<(), Exhausted> {
    let before = counter.fetch_add(amount, Ordering::Relaxed);
    if before.saturating_add(amount) > limit { Err(Exhausted { limit, what, name }) } else { Ok(()) }
}
