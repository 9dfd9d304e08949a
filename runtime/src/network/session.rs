//! The network of one invocation.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sdk::egress::Egress;
use sdk::sandbox::{Network, Refusal, Target, TargetHost};
use tokio::io::DuplexStream;
use tokio::task::JoinSet;

use super::gateway::Gateway;
use super::pool::Key;
use super::route::{Route, Server};
use super::usage::{Meter, NetworkUse};
use super::{dial, http, raw};

/// What lies between the guest and the host, in each direction.
const BUFFER_BYTES: usize = 64 << 10;

/// The network of one invocation. What it has begun ends with it.
pub struct Session {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
}

/// What the connections of an invocation share.
pub struct Shared {
    pub gateway: Arc<Gateway>,
    pub meter: Meter,
    tenant: Arc<str>,
    egress: Egress,
    /// What was asked for and checked. A second question gets the same answer, however DNS may have changed.
    addresses: Mutex<HashMap<TargetHost, Vec<IpAddr>>>,
}

impl Session {
    pub fn new(gateway: &Arc<Gateway>, tenant: &Arc<str>, egress: Egress) -> Self {
        let meter = Meter::new(gateway.settings.limits);
        let shared = Shared {
            gateway: Arc::clone(gateway),
            meter,
            tenant: Arc::clone(tenant),
            egress,
            addresses: Mutex::default(),
        };
        Self { shared: Arc::new(shared), tasks: Mutex::default() }
    }

    /// What was used so far.
    pub fn used(&self) -> NetworkUse {
        self.shared.meter.read()
    }
}

#[async_trait]
impl Network for Session {
    async fn resolve(&self, name: &str) -> Result<(), Refusal> {
        if !self.shared.egress.names(name) {
            self.shared.deny(name);
            return Err(Refusal::Denied);
        }
        match self.shared.addresses(&TargetHost::Name(name.to_owned())).await {
            // It is a name that may be asked for; the connection says that its address may not be connected to.
            Ok(_) | Err(Refusal::Denied) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    async fn connect(&self, target: Target) -> Result<DuplexStream, Refusal> {
        let shared = &self.shared;
        let (host, port) = (host_text(&target.host), target.port);
        let is_tcp = shared.egress.allows_tcp(&host, port);
        if !is_tcp && !shared.egress.allows_http(&host, port) {
            shared.deny(&format!("{host}:{port}"));
            return Err(Refusal::Denied);
        }
        shared.meter.connection().map_err(|_exhausted| Refusal::TooMany)?;
        let addresses = shared.addresses(&target.host).await.inspect_err(|refusal| {
            if *refusal == Refusal::Denied {
                shared.deny(&format!("{host}:{port}"));
            }
        })?;
        let (near, far) = tokio::io::duplex(BUFFER_BYTES);
        let settings = &shared.gateway.settings;
        if is_tcp {
            let server = dial::connect(&addresses, port, settings).await?;
            self.spawn(raw::serve(Arc::clone(shared), host, far, server));
            return Ok(near);
        }
        let key = |is_tls| Key { tenant: Arc::clone(&shared.tenant), host: host.clone(), port, is_tls };
        let waiting = [true, false].into_iter().find_map(|is_tls| {
            Some(Server::Waiting { is_tls, connection: shared.gateway.pool.take(&key(is_tls), settings)? })
        });
        // A guest learns from this very call whether anybody listens, unless it is known already.
        let server = match waiting {
            Some(waiting) => waiting,
            None => Server::Reached(dial::connect(&addresses, port, settings).await?),
        };
        let route =
            Route { shared: Arc::clone(shared), host: host.clone(), port, addresses, keys: [key(false), key(true)] };
        self.spawn(http::serve(route, far, server));
        Ok(near)
    }
}

impl Session {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

impl Shared {
    async fn addresses(&self, host: &TargetHost) -> Result<Vec<IpAddr>, Refusal> {
        let known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner).get(host).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let found = dial::addresses(host, &self.gateway.settings).await?;
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone(), found.clone());
        Ok(found)
    }

    fn deny(&self, host: &str) {
        self.meter.denied(host);
    }
}

fn host_text(host: &TargetHost) -> String {
    match host {
        TargetHost::Name(name) => name.clone(),
        TargetHost::Address(address) => address.to_canonical().to_string(),
    }
}
