//! How many files the process may have open: as many as the system lets it.

use anyhow::{Context, Result};
use control_plane::config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// No process of ours needs more. Where the system names no limit, programs that go through all of theirs would take
/// for ever: `git` inherits it.
const MOST: u64 = 1 << 20;

/// What the store, the search index, Git and the executor have open, generously.
const OWN: u64 = 1024;

/// Raises the process's limit as far as it may, and says so where the settings ask for more.
pub fn allow(config: &Config) -> Result<()> {
    let now = getrlimit(Resource::Nofile);
    let allowed = now.maximum.unwrap_or(MOST).min(MOST).max(now.current.unwrap_or(0));
    setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum: now.maximum })
        .with_context(|| format!("failed to allow {allowed} open files"))?;
    let needed = needed(config);
    if needed > allowed {
        tracing::warn!(
            allowed,
            needed,
            "The system allows fewer open files than the settings may need: raise the process's hard limit (ulimit -Hn), \
             or lower invoke.concurrent, invoke.open_files, network.max_connections or http.max_connections"
        );
    }
    Ok(())
}

/// The most that clients, invocations and Git may have open together.
fn needed(config: &Config) -> u64 {
    let (invoke, network) = (&config.invoke, &config.network);
    let each = network.max_connections.saturating_add(invoke.open_files as u64);
    [config.http.max_connections as u64, network.idle_total as u64, 8 * config.git.concurrent as u64, OWN]
        .into_iter()
        .fold(each.saturating_mul(u64::from(invoke.concurrent)), u64::saturating_add)
}
