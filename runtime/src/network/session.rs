//! The network of one invocation.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sdk::egress::Egress;
use sdk::sandbox::{Network, Refusal, Target, TargetHost};
use tokio::io::DuplexStream;
use tokio::task::JoinSet;

use super::bound::BoundSecrets;
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
    pub bound: BoundSecrets,
    /// What was asked for and checked. A second question gets the same answer, however DNS may have changed.
    addresses: Mutex<HashMap<TargetHost, Vec<IpAddr>>>,
}

impl Session {
    pub fn new(gateway: &Arc<Gateway>, tenant: &Arc<str>, egress: Egress, bound: BoundSecrets) -> Self {
        let meter = Meter::new(gateway.settings.limits);
        let shared = Shared {
            gateway: Arc::clone(gateway),
            meter,
            tenant: Arc::clone(tenant),
            egress,
            bound,
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sdk::egress::Pattern;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::resolver::Resolver;
    use super::super::settings::NetworkSettings;
    use super::*;

    /// What the operator lets tools reach, and what is behind his own walls.
    const PUBLIC: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
    const INTERNAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

    /// A server on one port of both addresses, which counts connections to each.
    struct Servers {
        port: u16,
        public: Arc<AtomicUsize>,
        internal: Arc<AtomicUsize>,
    }

    impl Servers {
        async fn start() -> Self {
            let first = TcpListener::bind((PUBLIC, 0)).await.unwrap();
            let port = first.local_addr().unwrap().port();
            let second = TcpListener::bind(SocketAddr::from((INTERNAL, port))).await.unwrap();
            let [public, internal] = [first, second].map(|listener| {
                let came = Arc::new(AtomicUsize::new(0));
                let counted = Arc::clone(&came);
                tokio::spawn(async move {
                    while let Ok((mut connection, _)) = listener.accept().await {
                        counted.fetch_add(1, Ordering::SeqCst);
                        tokio::spawn(async move {
                            let mut read = [0; 1024];
                            while connection.read(&mut read).await.is_ok_and(|count| count > 0) {
                                connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await.unwrap();
                            }
                        });
                    }
                });
                came
            });
            Self { port, public, internal }
        }

        fn came(&self) -> [usize; 2] {
            [&self.public, &self.internal].map(|count| count.load(Ordering::SeqCst))
        }

        /// Connects and says something, so that the connection is one that was used.
        async fn speak(&self, session: &Session) -> Result<(), Refusal> {
            let target = Target { host: TargetHost::Name("api.test".to_owned()), port: self.port };
            let mut connection = session.connect(target).await?;
            let request = format!("GET / HTTP/1.1\r\nHost: api.test:{}\r\nConnection: close\r\n\r\n", self.port);
            connection.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with("hi"), "{answer}");
            Ok(())
        }
    }

    fn gateway(answers: impl Fn(usize) -> Vec<IpAddr> + Send + Sync + 'static) -> Arc<Gateway> {
        let asked = AtomicUsize::new(0);
        let resolver = Resolver::new(move |name: &str| match name {
            "api.test" => Ok(answers(asked.fetch_add(1, Ordering::SeqCst))),
            _ => Err(io::ErrorKind::NotFound.into()),
        });
        let allow_networks = vec!["127.0.0.2/32".parse().unwrap()];
        Arc::new(Gateway::new(NetworkSettings { resolver, allow_networks, ..NetworkSettings::default() }))
    }

    fn session(gateway: &Arc<Gateway>, port: u16) -> Session {
        let allow = vec![Pattern::parse(&format!("api.test:{port}")).unwrap()];
        Session::new(gateway, &Arc::from("acme"), Egress { allow, ..Egress::default() }, BoundSecrets::default())
    }

    #[tokio::test]
    async fn a_name_that_comes_to_mean_another_address_is_judged_again_or_keeps_the_one_that_was() {
        let servers = Servers::start().await;
        let gateway = gateway(|asked| vec![if asked == 0 { PUBLIC } else { INTERNAL }.into()]);
        let first = session(&gateway, servers.port);
        // The guest asks, and then connects, three times: whatever DNS says by now, it is the address that was judged.
        first.resolve("api.test").await.unwrap();
        for _ in 0..3 {
            servers.speak(&first).await.unwrap();
        }
        assert!(servers.came()[0] > 0);
        // The next invocation asks anew. That a connection to the former address waits in the pool changes nothing.
        let second = session(&gateway, servers.port);
        assert_eq!(servers.speak(&second).await, Err(Refusal::Denied));
        assert_eq!(second.used().denied, 1);
        assert_eq!(servers.came()[1], 0, "the internal server was reached");
    }

    #[tokio::test]
    async fn of_several_addresses_only_those_are_used_that_may_be() {
        let servers = Servers::start().await;
        let gateway = gateway(|_| vec![INTERNAL.into(), INTERNAL.to_ipv6_mapped().into(), PUBLIC.into()]);
        servers.speak(&session(&gateway, servers.port)).await.unwrap();
        assert_eq!(servers.came(), [1, 0]);
    }
}
