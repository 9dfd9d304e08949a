//! `App`: everything that a request can reach.

use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use runtime::engine::{Options, Runtime};
use sdk::base::Base;
use sdk::snapshot::Snapshotter;
use tokio::sync::{RwLock, Semaphore};

use crate::auth::tokens::Tokens;
use crate::config::Config;
use crate::domain::availability::Availability;
use crate::domain::builds;
use crate::domain::claims::Claims;
use crate::domain::idempotency::Scope;
use crate::domain::loaded::LoadedTools;
use crate::domain::rate_limits::RateLimits;
use crate::domain::search::{self, Indexing};
use crate::git::{self, Repositories};
use crate::metrics::Metrics;
use crate::search::Search;
use crate::store::{self, Store};
use crate::vault::Vault;

/// The open service.
pub struct App {
    /// All settings.
    pub config: Config,
    /// Rows and blobs.
    pub store: Store,
    /// Seals and opens the values of variables.
    pub vault: Vault,
    /// Finds invocations by words.
    pub search: Search,
    /// Wakes the thread that keeps `search` up with `store`.
    pub indexing: Indexing,
    /// The organizations' Git repositories.
    pub repositories: Repositories,
    /// Signs and verifies tokens.
    pub tokens: Tokens,
    /// Runs tools.
    pub runtime: Runtime,
    /// Tools that are ready in memory.
    pub loaded: LoadedTools,
    /// Which tools are being published or deleted.
    pub claims: Claims,
    /// The idempotency keys whose first request is running.
    pub running_keys: Claims<Scope>,
    /// How often who has called what.
    pub rate_limits: RateLimits,
    /// Whether requests are taken now.
    pub availability: Availability,
    /// How many builds may start now.
    pub builds: Semaphore,
    /// Held for reading by who makes or uses builds, and for writing by who removes them.
    pub using_builds: RwLock<()>,
    /// How many builds may come: those that run, and those that wait.
    pub build_places: Semaphore,
    /// How many requests may read repositories now.
    pub readers: Arc<Semaphore>,
    /// How many large files may be sent now.
    pub streams: Arc<Semaphore>,
    /// What Prometheus scrapes.
    pub metrics: Metrics,
    snapshotter: OnceLock<Snapshotter>,
}

impl App {
    /// Opens the data folder, and makes it where there is none. It blocks.
    pub fn open(config: Config) -> Result<Arc<Self>> {
        let data = &config.data;
        let store = Store::open(data, store::Options { reserve_free_bytes: config.store.reserve_mib << 20 })?;
        builds::clear_stages(data)?;
        let options = Options {
            max_concurrent: config.invoke.concurrent,
            max_memory_bytes: config.invoke.memory_mib << 20,
            network: config.network.settings()?,
            ..Options::new(&config.cache)
        };
        let max_text_bytes = config.search.indexed_kib << 10;
        let belongs = |org: &_, reached| search::belongs(&store, org, reached);
        let (indexing, woken) = Indexing::new();
        let app = Arc::new(Self {
            search: Search::open(&data.join("search"), max_text_bytes, belongs)?,
            indexing,
            vault: Vault::open(&data.join("keys/vault.key"))?,
            repositories: Repositories::open(data.join("repositories"), git::Limits::from(&config.git))?,
            tokens: Tokens::open(&config.auth, &data.join("keys/token.key"))?,
            runtime: Runtime::new(options)?,
            loaded: LoadedTools::new(config.invoke.loaded_tools),
            claims: Claims::default(),
            running_keys: Claims::default(),
            rate_limits: RateLimits::new(config.rate_limits.counters),
            availability: Availability::default(),
            builds: Semaphore::new(config.build.concurrent),
            using_builds: RwLock::new(()),
            build_places: Semaphore::new(
                config.build.concurrent.saturating_add(config.build.waiting).min(Semaphore::MAX_PERMITS),
            ),
            readers: Arc::new(Semaphore::new(config.browse.concurrent)),
            streams: Arc::new(Semaphore::new(config.browse.concurrent_streams)),
            metrics: Metrics::new()?,
            snapshotter: OnceLock::new(),
            store,
            config,
        });
        search::start_indexing(&app, woken)?;
        Ok(app)
    }

    /// Makes or opens the Python base, so that the first publish does not have to.
    pub async fn prepare(self: &Arc<Self>) -> Result<()> {
        let app = Arc::clone(self);
        let prepared = tokio::task::spawn_blocking(move || app.snapshotter().map(drop)).await;
        prepared.context("failed to prepare the Python base")?
    }

    /// What builds tools. It blocks: the first call makes the base where this installation has none.
    pub(crate) fn snapshotter(&self) -> Result<&Snapshotter> {
        if let Some(snapshotter) = self.snapshotter.get() {
            return Ok(snapshotter);
        }
        let snapshotter = Snapshotter::new(Base::find_or_make(&self.config.cache)?)?;
        Ok(self.snapshotter.get_or_init(|| snapshotter))
    }
}
