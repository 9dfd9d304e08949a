//! A guest's connection to a server whose other end is at hand, for whoever tries out bytes on it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use sdk::egress::{Egress, Pattern};
use sdk::sandbox::{Network, Target, TargetHost};
use tokio::io::DuplexStream;

use super::bound::BoundSecrets;
use super::gateway::Gateway;
use super::pool::Key;
use super::resolver::Resolver;
use super::route;
use super::session::Session;
use super::settings::NetworkSettings;
use crate::invoke::Hidden;

/// The host that the guest may connect to.
pub const HOST: &str = "api.test";

/// Where nobody listens: a second connection is refused.
const NOWHERE: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 254);
const PORT: u16 = 1;

/// A guest's end. What serves it ends with it.
pub struct Guest {
    /// What the guest reads and writes.
    pub stream: DuplexStream,
    /// What it has in the place of a secret that is bound to the host.
    pub placeholder: String,
    _session: Session,
}

/// Connects a guest to a server.
pub async fn connect(is_tls: bool, secret: &str, server: DuplexStream) -> anyhow::Result<Guest> {
    let pattern = Pattern::parse(&format!("{HOST}:{PORT}")).map_err(anyhow::Error::msg)?;
    let mut env = BTreeMap::from([("KEY".to_owned(), Hidden::from(secret.to_owned()))]);
    let bound = BoundSecrets::take(&BTreeMap::from([("KEY".to_owned(), vec![pattern.clone()])]), &mut env);
    let placeholder = env.get("KEY").map(|value| value.expose().to_owned()).unwrap_or_default();
    let settings = NetworkSettings {
        resolver: Resolver::new(|_| Ok(vec![IpAddr::from(NOWHERE)])),
        allow_networks: vec![ipnet::IpNet::from(IpAddr::from(NOWHERE))],
        ..NetworkSettings::default()
    };
    let gateway = Arc::new(Gateway::new(settings));
    let tenant = Arc::from("acme");
    let key = Key { tenant: Arc::clone(&tenant), host: HOST.to_owned(), port: PORT, is_tls };
    // It waits in the pool, as one that was used before.
    gateway.pool.put(key, route::start(server, None).await?, &gateway.settings);
    let session = Session::new(&gateway, &tenant, Egress { allow: vec![pattern], ..Egress::default() }, bound);
    let connected = session.connect(Target { host: TargetHost::Name(HOST.to_owned()), port: PORT }).await;
    let stream = connected.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
    Ok(Guest { stream, placeholder, _session: session })
}
