//! Settings of the network.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::resolver::Resolver;

/// Settings of the network that all tools share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NetworkSettings {
    /// Certificate authorities to trust beside the system's, as PEM files.
    pub ca_files: Vec<PathBuf>,
    /// Networks that are not public and that tools may connect to all the same.
    #[serde(serialize_with = "written", deserialize_with = "read")]
    pub allow_networks: Vec<IpNet>,
    /// Addresses of names, before DNS is asked, as in a hosts file. The names still have to be allowed.
    pub hosts: BTreeMap<String, IpAddr>,
    /// Who is asked for the addresses of all other names.
    #[serde(skip)]
    pub resolver: Resolver,
    /// How long a connection, or a TLS handshake, may take.
    pub connect_timeout: Duration,
    /// How long a connection is kept for the next request to the same host.
    pub idle_timeout: Duration,
    /// How many of them are kept for one host.
    pub idle_per_host: usize,
    /// How many of them are kept in all.
    pub idle_total: usize,
    /// What one invocation may use.
    pub limits: NetworkLimits,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            ca_files: Vec::new(),
            allow_networks: Vec::new(),
            hosts: BTreeMap::new(),
            resolver: Resolver::default(),
            connect_timeout: Duration::from_secs(10),
            // Servers commonly close after 60 s or more; a connection that the server has closed costs a new one.
            idle_timeout: Duration::from_secs(50),
            idle_per_host: 8,
            idle_total: 256,
            limits: NetworkLimits::default(),
        }
    }
}

/// What one invocation may use of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkLimits {
    /// Connections over its whole life.
    pub connections: u64,
    /// HTTP requests.
    pub requests: u64,
    /// Bytes of bodies and raw connections, from the tool.
    pub sent_bytes: u64,
    /// Bytes of bodies and raw connections, to the tool.
    pub received_bytes: u64,
}

impl Default for NetworkLimits {
    fn default() -> Self {
        Self { connections: 128, requests: 1000, sent_bytes: 64 << 20, received_bytes: 256 << 20 }
    }
}

fn written<S: Serializer>(networks: &[IpNet], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(networks.iter().map(ToString::to_string))
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(de::Error::custom)).collect()
}
