//! What one repository may ask of the machine.

use std::time::Duration;

use crate::config;

/// The bounds of every Git operation. `config.default.toml` has them, in its table `[git]`.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest pack that a push may send, in bytes as sent, that is compressed.
    pub max_pack_bytes: u64,
    /// The longest that one fetch or push may take, the transfer included. A command that takes longer is ended.
    pub command_timeout: Duration,
    /// The longest that a client may neither send nor take anything.
    pub stall_timeout: Duration,
    /// How many operations may run at once, in all organizations.
    pub concurrent: usize,
    /// How many operations may run at once in one organization.
    pub concurrent_per_organization: usize,
    /// What one git process may hold in memory, mapped files aside.
    pub memory_bytes: u64,
    /// How many references one push may change.
    pub max_commands: usize,
    /// How many references a repository may have.
    pub max_refs: usize,
    /// The largest request of a fetch, decompressed.
    pub max_fetch_request_bytes: u64,
    /// How many packs may pile up before they are combined.
    pub maintenance_packs: usize,
    /// The longest that one maintenance may take.
    pub maintenance_timeout: Duration,
    /// How long an object is kept that nothing refers to.
    pub prune_after_h: u64,
    /// How long after one search for such objects the next one may come.
    pub prune_every: Duration,
}

impl From<&config::Git> for Limits {
    fn from(settings: &config::Git) -> Self {
        Self {
            max_pack_bytes: settings.max_pack_mib << 20,
            command_timeout: Duration::from_secs(settings.command_timeout_s),
            stall_timeout: Duration::from_secs(settings.stall_timeout_s),
            concurrent: settings.concurrent,
            concurrent_per_organization: settings.concurrent_per_organization,
            memory_bytes: settings.memory_mib << 20,
            max_commands: settings.max_commands,
            max_refs: settings.max_refs,
            max_fetch_request_bytes: settings.max_fetch_request_kib << 10,
            maintenance_packs: settings.maintenance_packs,
            maintenance_timeout: Duration::from_secs(settings.maintenance_timeout_s),
            prune_after_h: settings.prune_after_h,
            prune_every: Duration::from_secs(settings.prune_every_h.saturating_mul(3600)),
        }
    }
}
