//! The configuration: one struct, read once. `config.default.toml` is its manual, and this file the only reader of the
//! environment.

mod layers;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use runtime::network::{NetworkLimits, NetworkSettings};
use sdk::dependencies::Settings;
use sdk::dependencies::pins::Pin;
use sdk::dependencies::settings::{self, IndexUrl, Limits};
use sdk::dependencies::wheel_index::WheelIndex;
use serde::Deserialize;

use crate::failpoint::Failpoint;
use crate::model::OrgId;
use crate::vault::SecretString;
use layers::Layers;

/// Every setting with its default and a comment.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// All settings. `config.default.toml` says what each means, in which unit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents every field, and is what a reader of settings opens")]
pub struct Config {
    pub data: PathBuf,
    pub cache: PathBuf,
    pub listen: SocketAddr,
    pub shutdown_timeout_s: u64,
    pub store: Store,
    pub http: Http,
    pub tls: Tls,
    pub rate_limits: RateLimits,
    pub git: Git,
    pub tool: Tool,
    pub browse: Browse,
    pub build: Build,
    pub packages: Packages,
    pub invoke: Invoke,
    pub sandbox: Sandbox,
    pub vault: Vault,
    pub search: Search,
    pub metrics: Metrics,
    pub log: Log,
    pub tracing: Tracing,
    pub testing: Testing,
    pub network: Network,
    pub auth: Auth,
    pub access: Access,
}

macro_rules! table {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(missing_docs, reason = "config.default.toml documents every field")]
        pub struct $name { $(pub $field: $type),+ }
    };
}

table! {
    /// `[store]`
    Store { reserve_mib: u64, keep_invocations_d: u64, collect_every_h: u64 }
}
table! {
    /// `[http]`
    Http {
        max_body_kib: usize,
        max_head_kib: usize,
        max_json_depth: usize,
        head_timeout_s: u64,
        body_timeout_s: u64,
        max_connections: usize,
        max_streams: u32,
        maintenance: bool,
    }
}
table! {
    /// `[tls]`
    Tls { certificate: Option<PathBuf>, key: Option<PathBuf> }
}
table! {
    /// `[rate_limits]`
    RateLimits {
        reads_per_minute: u32,
        writes_per_minute: u32,
        publishes_per_minute: u32,
        sign_ins_per_minute: u32,
        sign_ins_of_address_per_minute: u32,
        git_per_minute: u32,
        tests_per_minute: u32,
        invokes_per_minute: u32,
        counters: usize,
    }
}
table! {
    /// `[git]`
    Git {
        max_pack_mib: u64,
        command_timeout_s: u64,
        stall_timeout_s: u64,
        concurrent: usize,
        concurrent_per_organization: usize,
        memory_mib: u64,
        max_commands: usize,
        max_refs: usize,
        max_fetch_request_kib: u64,
        maintenance_packs: usize,
        maintenance_timeout_s: u64,
        prune_after_h: u64,
        prune_every_h: u64,
    }
}
table! {
    /// `[tool]`
    Tool {
        max_description_kib: usize,
        max_tag_length: usize,
        max_variables: usize,
        max_variable_kib: usize,
        max_active_versions: usize,
    }
}
table! {
    /// `[browse]`
    Browse {
        concurrent: usize,
        concurrent_streams: usize,
        wall_clock_s: u64,
        max_commits: usize,
        max_entries: usize,
        max_changed_files: usize,
        max_compared_kib: u64,
        max_message_kib: usize,
        max_recorded_commits: usize,
    }
}
table! {
    /// `[build]`
    Build {
        max_files: u64,
        max_project_mib: u64,
        wall_clock_s: u64,
        memory_mib: usize,
        tmp_mib: usize,
        tmp_files: usize,
        concurrent: usize,
        waiting: usize,
        waiting_per_organization: usize,
        keep_unpublished_h: u64,
        max_component_mib: u64,
    }
}
table! {
    /// `[packages]`
    Packages {
        index_url: Option<IndexUrl>,
        extra_index_urls: Vec<IndexUrl>,
        pins: Vec<Pin>,
        find_links: Option<PathBuf>,
        wheel_indexes: Vec<PathBuf>,
        offline: bool,
        private_addresses: bool,
        resolve_s: u64,
        fetch_s: u64,
        max_packages: usize,
        max_wheel_mib: u64,
        max_total_mib: u64,
        max_unpacked_mib: u64,
        max_wheel_files: usize,
        max_libraries: usize,
    }
}
table! {
    /// `[invoke]`
    Invoke {
        wall_clock_s: u64,
        memory_mib: usize,
        log_kib: usize,
        output_kib: usize,
        tmp_mib: usize,
        tmp_files: usize,
        open_files: usize,
        concurrent: u32,
        concurrent_per_organization: usize,
        concurrent_per_tool: usize,
        waiting: usize,
        waiting_per_organization: usize,
        processors: usize,
        total_memory_mib: u64,
        keep_resident_mib: usize,
        loaded_tools: usize,
        schema_steps: u64,
        schema_mismatches: usize,
        idempotency_key_lifetime_s: u64,
    }
}
table! {
    /// `[vault]`
    Vault { key_file: Option<PathBuf>, former_key_files: Vec<PathBuf> }
}
table! {
    /// `[sandbox]`
    Sandbox { allow_swap: bool, worker: Option<PathBuf>, patience_s: u64 }
}
table! {
    /// `[search]`
    Search { indexed_kib: usize }
}
table! {
    /// `[metrics]`
    Metrics { max_tools: usize }
}
table! {
    /// `[log]`
    Log { format: LogFormat, requests: LoggedRequests }
}
table! {
    /// `[tracing]`
    Tracing { otlp_endpoint: Option<String>, waiting_spans: usize }
}
table! {
    /// `[testing]`
    Testing { stop_at: Failpoint }
}
table! {
    /// `[network]`
    Network {
        ca_files: Vec<PathBuf>,
        allow_networks: Vec<String>,
        hosts: BTreeMap<String, IpAddr>,
        connect_timeout_s: u64,
        idle_timeout_s: u64,
        idle_per_host: usize,
        idle_total: usize,
        max_connections: u64,
        max_requests: u64,
        max_sent_mib: u64,
        max_received_mib: u64,
    }
}

impl Network {
    /// The same in the words of the runtime.
    pub fn settings(&self) -> Result<NetworkSettings> {
        let network = |text: &String| {
            text.parse()
                .with_context(|| format!("[network] allow_networks: `{text}` is no network such as 10.1.0.0/16"))
        };
        Ok(NetworkSettings {
            ca_files: self.ca_files.clone(),
            allow_networks: self.allow_networks.iter().map(network).collect::<Result<_>>()?,
            hosts: self.hosts.iter().map(|(name, address)| (name.to_ascii_lowercase(), *address)).collect(),
            connect_timeout: Duration::from_secs(self.connect_timeout_s),
            idle_timeout: Duration::from_secs(self.idle_timeout_s),
            idle_per_host: self.idle_per_host,
            idle_total: self.idle_total,
            limits: NetworkLimits {
                connections: self.max_connections,
                requests: self.max_requests,
                sent_bytes: self.max_sent_mib << 20,
                received_bytes: self.max_received_mib << 20,
            },
            ..NetworkSettings::default()
        })
    }
}

table! {
    /// `[auth]`
    Auth {
        token_lifetime_s: i64,
        clock_leeway_s: u64,
        keys: Vec<TokenKey>,
        issuers: Vec<Issuer>,
        jwks_refetch_interval_s: u64,
        jwks_max_age_s: u64,
        jwks_timeout_s: u64,
        jwks_max_kib: usize,
    }
}
table! {
    /// `[[auth.keys]]`
    TokenKey { id: String, algorithm: TokenAlgorithm, file: Option<PathBuf>, value: Option<SecretString> }
}
table! {
    /// `[[auth.issuers]]`
    Issuer {
        issuer: String,
        audience: String,
        organizations: Vec<OrgId>,
        user_claim: String,
        jwks_file: Option<PathBuf>,
        jwks_url: Option<String>,
    }
}
table! {
    /// `[access]`
    Access {
        max_users: usize,
        max_roles: usize,
        max_grants: usize,
        max_conditions: usize,
        max_condition_values: usize,
    }
}

/// What the log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// A JSON object a line.
    Json,
}

impl LogFormat {
    /// As it stands in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
        }
    }
}

/// Which requests have a line of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoggedRequests {
    /// None.
    None,
    /// Those that failed by our own fault.
    Failed,
    /// All.
    All,
}

/// The algorithm of a key of `[[auth.keys]]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum TokenAlgorithm {
    /// HMAC with SHA-256: who verifies can sign.
    HS256,
    /// Ed25519: who verifies needs the public key alone.
    EdDSA,
}

impl Packages {
    /// The same in the words of the crate that installs packages. Where no index of wheels is named, it is the cache's.
    pub fn settings(&self, cache: &Path) -> Settings {
        let wheel_indexes = match &self.wheel_indexes[..] {
            [] => vec![WheelIndex::of_cache(cache)],
            folders => folders.iter().map(WheelIndex::new).collect(),
        };
        Settings {
            wheel_indexes,
            index_url: self.index_url.clone(),
            extra_index_urls: self.extra_index_urls.clone(),
            pins: self.pins.clone(),
            find_links: self.find_links.clone(),
            network: match (self.offline, self.private_addresses) {
                (true, _) => settings::Network::Off,
                (false, true) => settings::Network::Anywhere,
                (false, false) => settings::Network::PublicOnly,
            },
            limits: Limits {
                resolve_time: Duration::from_secs(self.resolve_s),
                fetch_time: Duration::from_secs(self.fetch_s),
                packages: self.max_packages,
                wheel_bytes: self.max_wheel_mib << 20,
                total_bytes: self.max_total_mib << 20,
                unpacked_bytes: self.max_unpacked_mib << 20,
                entries: self.max_wheel_files,
                libraries: self.max_libraries,
            },
        }
    }
}

impl Config {
    /// Reads the defaults, then the file where one is given, then what the environment overrides.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        Ok(layers(file)?.settle()?.resolved())
    }

    /// The same settings as TOML, without secrets, once they are known to be right. `flags` are laid over all else, each
    /// with the way to it.
    pub fn shown(file: Option<&Path>, flags: &[(&str, String)]) -> Result<String> {
        layers(file)?.settle()?;
        let mut layers = layers(file)?;
        for (way, value) in flags {
            layers.put(way, toml::Value::String(value.clone()), "the command line".to_owned());
        }
        layers.shown()
    }

    /// The defaults with a data folder of the caller's, on a port that the system chooses. For tests and the demo.
    pub fn for_folder(data: &Path) -> Result<Self> {
        let mut config = Self::load(None)?.with_data(data.to_owned());
        config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Ok(config)
    }

    /// The same settings with another data folder.
    pub fn with_data(mut self, data: PathBuf) -> Self {
        if self.cache == self.data.join("cache") {
            self.cache = PathBuf::new();
        }
        self.data = data;
        self.resolved()
    }

    /// The key that seals variables.
    pub fn vault_key_file(&self) -> PathBuf {
        self.vault.key_file.clone().unwrap_or_else(|| self.data.join("keys/vault.key"))
    }

    /// How long a shutdown waits for requests in flight.
    pub fn shutdown_timeout(&self) -> Duration {
        Duration::from_secs(self.shutdown_timeout_s)
    }

    fn resolved(mut self) -> Self {
        if self.cache.as_os_str().is_empty() {
            self.cache = self.data.join("cache");
        }
        self
    }
}

fn defaults() -> toml::Table {
    // A test reads the embedded text, so a fault in it never leaves the workshop.
    toml::from_str(DEFAULTS).unwrap_or_default()
}

fn layers(file: Option<&Path>) -> Result<Layers> {
    let layers = Layers::defaults();
    let layers = match file {
        Some(file) => layers.file(file)?,
        None => layers,
    };
    Ok(layers.environment(std::env::vars_os()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_whole() {
        let config: Config = defaults().try_into().unwrap();
        assert_eq!(config.listen.port(), 8080);
        assert_eq!(config.packages.settings(Path::new("cache")).limits, Limits::default());
    }

    #[test]
    fn what_is_made_for_a_folder_stays_in_it() {
        let config = Config::for_folder(Path::new("/there")).unwrap();
        let named = std::env::var_os("TOOLPLANE_CACHE").filter(|cache| !cache.is_empty()).map(PathBuf::from);
        assert_eq!(config.cache, named.unwrap_or_else(|| PathBuf::from("/there/cache")));
        let moved = Config::load(None).unwrap().with_data(PathBuf::from("/here"));
        assert!(!moved.cache.starts_with("data"), "{:?}", moved.cache);
    }

    #[test]
    fn an_index_s_credentials_are_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        fs_err::write(&file, "[packages]\nindex_url = \"https://ada:secret@index.example/simple\"\n").unwrap();
        let config = format!("{:?}", Config::load(Some(&file)).unwrap());
        assert!(config.contains("index.example") && !config.contains("secret"), "{config}");
    }

    #[test]
    fn a_file_overrides_what_it_names_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        fs_err::write(&file, "[invoke]\nwall_clock_s = 5\n").unwrap();
        let config = Config::load(Some(&file)).unwrap();
        assert_eq!((config.invoke.wall_clock_s, config.invoke.memory_mib), (5, 256));
    }

    #[test]
    fn an_error_says_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        fs_err::write(&file, "[[auth.keys]]\nid = \"a\"\nalgorithm = \"none\"\nvalue = \"hunter2\"\n").unwrap();
        let error = format!("{:#}", Config::load(Some(&file)).unwrap_err());
        assert!(error.contains("auth.keys[0].algorithm") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        fs_err::write(&file, "[invoke]\nwall_clock = 5\n").unwrap();
        let error = format!("{:#}", Config::load(Some(&file)).unwrap_err());
        assert!(error.contains("wall_clock"), "{error}");
    }
}
