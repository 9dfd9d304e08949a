//! The control plane: an organization's repositories, tools, versions, secrets and invocations, over HTTP.
//!
//! In reading order: [`model`] (the nouns), [`error`], [`config`], [`app`] (all that a request can reach), [`api`] (HTTP
//! to domain calls, the only place that knows HTTP), [`domain`] (`impl App`, a file per resource; `publish` and
//! `invoke` are its heart), [`auth`], [`store`], [`git`], [`search`], [`vault`], [`metrics`].
//!
//! Arrows point one way: `api → domain → {store, git, search, vault, runtime, sdk} → model`.
//!
//! ```no_run
//! use control_plane::config::Config;
//!
//! # async fn example() -> anyhow::Result<()> {
//! let config = Config::load(None)?;
//! let listener = control_plane::api::Listener::bind(&config).await?;
//! let app = control_plane::open(config, &listener).await?;
//! app.prepare().await?;
//! let shutdown = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
//! control_plane::serve(app, listener, shutdown).await
//! # }
//! ```

pub mod api;
pub mod app;
pub mod auth;
pub mod config;
pub mod domain;
pub mod error;
pub mod failpoint;
mod files;
pub mod git;
mod locks;
pub mod metrics;
pub mod model;
pub mod search;
pub mod spans;
pub mod store;
pub mod vault;

use std::future::Future;
use std::sync::Arc;

use anyhow::Context;

use api::Listener;
use app::App;
use config::Config;

/// What one thread allocates for a request, another frees. The system's allocator takes a tenth of a request's processor
/// time for that, this one a third of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Opens the service. Whoever asks meanwhile, which after a crash may be a while, is told that it is starting.
pub async fn open(config: Config, listener: &Listener) -> anyhow::Result<Arc<App>> {
    let settings = config.http.clone();
    let opened = tokio::task::spawn_blocking(|| {
        let app = App::open(config)?;
        app.worker.start().context("failed to start the process that tools run in")?;
        Ok(app)
    });
    api::serve_starting(&settings, listener, opened).await.context("failed to open the data folder")?
}

/// Serves until `shutdown` completes, then lets requests in flight finish within the configured time, and ends the
/// maintenance of repositories.
pub async fn serve(
    app: Arc<App>,
    listener: impl Into<Listener>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let _control = api::control::Control::start(&app)?;
    let served = api::serve(Arc::clone(&app), listener.into(), shutdown).await;
    app.repositories.stop_maintenance().await;
    served
}
