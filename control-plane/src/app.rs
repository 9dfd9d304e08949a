//! `App`: everything that a request can reach.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use runtime::cache::{Cache, Unpacked};
use runtime::engine;
use runtime::recent::Recent;
use runtime::worker::{self, Worker};
use sdk::base::Base;
use sdk::libraries::Libraries;
use sdk::snapshot::{Snapshotter, Snapshotters};
use tokio::sync::{Mutex, RwLock, Semaphore};

use crate::auth::tokens::Tokens;
use crate::config::Config;
use crate::domain::admission::{self, Admission};
use crate::domain::availability::Availability;
use crate::domain::bookmarks::Bookmarks;
use crate::domain::builds;
use crate::domain::claims::Claims;
use crate::domain::idempotency::Scope;
use crate::domain::measures::{ToolLabels, WorkerTime};
use crate::domain::rate_limits::RateLimits;
use crate::domain::retention::Collected;
use crate::domain::search::{self, Indexing};
use crate::git::{self, Repositories};
use crate::metrics::Metrics;
use crate::search::Search;
use crate::spans::Spans;
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
    /// Built tools, unpacked.
    pub cache: Cache,
    /// Runs tools.
    pub worker: Worker,
    /// Tools that are ready to be invoked.
    pub loaded: Recent<Unpacked>,
    /// Which tools are being published or deleted.
    pub claims: Claims,
    /// The idempotency keys whose first request is running.
    pub running_keys: Claims<Scope>,
    /// Where pages of lists ended whose rows are removed.
    pub bookmarks: Bookmarks,
    /// How often who has called what.
    pub rate_limits: RateLimits,
    /// Whether requests are taken now.
    pub availability: Availability,
    /// Held for reading by who makes or uses builds, and for writing by who removes them.
    pub using_builds: RwLock<()>,
    /// Held by who removes records and files, and by who copies them.
    pub removing: Mutex<()>,
    /// When unused files were last looked for.
    pub collected: Collected,
    /// Which invocations may run now.
    pub invocations: Admission,
    /// Which builds may run now.
    pub builds: Admission,
    /// How many requests may read repositories now.
    pub readers: Arc<Semaphore>,
    /// How many large files may be sent now.
    pub streams: Arc<Semaphore>,
    /// Where spans of requests go.
    pub spans: Spans,
    /// What Prometheus scrapes.
    pub metrics: Metrics,
    /// Which tools are counted by themselves.
    pub tool_labels: ToolLabels,
    /// How far the worker's processor time was counted.
    pub worker_time: WorkerTime,
    /// What builds tools: each base that is in use, opened.
    pub(crate) snapshotters: Snapshotters,
}

/// Makes or opens the Python base of a cache. It blocks.
pub fn prepare_base(cache: &Path) -> Result<()> {
    Snapshotter::new(Base::find_or_make(cache, &Libraries::none())?)?;
    Ok(())
}

/// The process that tools run in is this very program, also where its file has been exchanged meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";

fn worker_options(config: &Config) -> Result<worker::Options> {
    let engine = engine::Options {
        max_concurrent: config.invoke.concurrent,
        max_memory_bytes: config.invoke.memory_mib << 20,
        keep_resident_bytes: config.invoke.keep_resident_mib << 20,
        network: config.network.settings()?,
        // Another process does not know what this one's paths begin at.
        ..engine::Options::new(std::path::absolute(&config.cache)?)
    };
    let engine = match config.invoke.processors {
        0 => engine,
        processors => engine::Options { processors, ..engine },
    };
    let program = config.sandbox.worker.clone().unwrap_or_else(|| THIS_PROGRAM.into());
    let format = ["--log-format", config.log.format.name()].map(str::to_owned);
    let arguments = std::iter::once("worker".to_owned()).chain(format).collect();
    let (loaded_tools, patience) = (config.invoke.loaded_tools, Duration::from_secs(config.sandbox.patience_s));
    Ok(worker::Options { program, arguments, engine, loaded_tools, patience })
}

impl App {
    /// Opens the data folder, and makes it where there is none. It blocks.
    pub fn open(config: Config) -> Result<Arc<Self>> {
        let data = &config.data;
        let metrics = Metrics::new()?;
        let options = store::Options {
            reserve_free_bytes: config.store.reserve_mib << 20,
            flushes: Some(metrics.store_flush.clone()),
            failpoint: config.testing.stop_at.clone(),
        };
        let store = Store::open(data, options)?;
        builds::clear_stages(data)?;
        let cache = Cache::open(&config.cache, true)?;
        let worker = Worker::new(worker_options(&config)?);
        let max_text_bytes = config.search.indexed_kib << 10;
        let belongs = |org: &_, reached| search::belongs(&store, org, reached);
        let (indexing, woken) = Indexing::new();
        let app = Arc::new(Self {
            search: Search::open(&data.join("search"), max_text_bytes, belongs)?,
            indexing,
            vault: Vault::open(&config.vault_key_file(), &config.vault.former_key_files)?,
            repositories: Repositories::open(data.join("repositories"), git::Limits::from(&config.git))?,
            tokens: Tokens::open(&config.auth, &data.join("keys/token.key"))?,
            cache,
            worker,
            loaded: Recent::new(config.invoke.loaded_tools),
            claims: Claims::default(),
            running_keys: Claims::default(),
            bookmarks: Bookmarks::default(),
            rate_limits: RateLimits::new(config.rate_limits.counters),
            availability: Availability::default(),
            using_builds: RwLock::new(()),
            removing: Mutex::new(()),
            collected: Collected::default(),
            invocations: Admission::new(admission::of_invocations(&config.invoke)?),
            builds: Admission::new(admission::of_builds(&config.build)),
            readers: Arc::new(Semaphore::new(config.browse.concurrent)),
            streams: Arc::new(Semaphore::new(config.browse.concurrent_streams)),
            spans: Spans::start(&config.tracing),
            metrics,
            tool_labels: ToolLabels::new(config.metrics.max_tools),
            worker_time: WorkerTime::default(),
            snapshotters: Snapshotters::new(),
            store,
            config,
        });
        search::start_indexing(&app, woken)?;
        Ok(app)
    }

    /// Makes or opens the Python base, so that the first publish does not have to.
    pub async fn prepare(self: &Arc<Self>) -> Result<()> {
        let app = Arc::clone(self);
        let prepared = tokio::task::spawn_blocking(move || app.prepare_building()).await;
        prepared.context("failed to prepare the Python base")?
    }

    /// Opens the base of tools without native packages. It blocks: the first call makes it where this installation has none.
    pub(crate) fn prepare_building(&self) -> Result<()> {
        let base = Base::find_or_make(&self.config.cache, &Libraries::none())?;
        Ok(self.snapshotters.of(&base).map(drop)?)
    }
}
