//! The service on an embedded store, on a port that the system chooses.

use std::future::Future;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use control_plane::app::App;
use control_plane::config::Config;
use control_plane::model::OrgId;
use control_plane::vault::SecretString;
use runtime::builds;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::step::step;

/// A service that is open and listens, and does not answer yet.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
}

/// What an operator hands to the first administrator of an organization.
pub struct Site {
    /// The server's address, such as `http://127.0.0.1:41003`.
    pub origin: String,
    /// The organization's id.
    pub organization: String,
    /// The administrator's user id.
    pub user_id: String,
    /// The id of the administrator's key.
    pub api_key_id: String,
    /// The key itself.
    pub api_key: SecretString,
}

impl Server {
    /// Opens the service with its data in a folder, and makes an organization.
    pub async fn start(data: &Path) -> anyhow::Result<(Self, Site)> {
        let app = step("open the service", open(data)).await?;
        step("prepare the Python base", prepare(&app)).await?;
        let made = step("make an organization", init_organization(&app)).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("failed to listen")?;
        let address = listener.local_addr().context("failed to learn the port")?;
        Ok((Self { app, listener }, Site { origin: format!("http://{address}"), ..made }))
    }

    /// Serves while `work` runs, and stops once it has ended, however it ended.
    pub async fn during<T>(self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            // The sender is dropped without a word: that is the signal.
            let _ = stopped.await;
        };
        let mut serving = tokio::spawn(control_plane::serve(self.app, self.listener, shutdown));
        let worked = tokio::select! {
            worked = work => worked,
            ended = &mut serving => {
                ended.context("the server panicked")?.context("the server failed")?;
                bail!("the server stopped by itself");
            }
        };
        drop(stop);
        let served = serving.await.context("the server panicked");
        // What went wrong first is what counts.
        let value = worked?;
        served?.context("the server failed to stop")?;
        Ok(value)
    }
}

async fn open(data: &Path) -> anyhow::Result<(Arc<App>, String)> {
    let mut config = Config::for_folder(data)?;
    if config.cache.starts_with(data) {
        // The folder goes with the demo, and the base would be made anew by each.
        config.cache = builds::users_cache();
    }
    let app = tokio::task::spawn_blocking(move || App::open(config)).await??;
    Ok((app, "opened the service with an embedded store in a temporary folder".to_owned()))
}

async fn prepare(app: &Arc<App>) -> anyhow::Result<((), String)> {
    app.prepare().await?;
    Ok(((), "prepared the Python base, once per installation".to_owned()))
}

async fn init_organization(app: &Arc<App>) -> anyhow::Result<(Site, String)> {
    let made = app.init_organization(&OrgId::parse("demo")?).await?;
    let site = Site {
        origin: String::new(),
        organization: made.organization_id.to_string(),
        user_id: made.user_id.to_string(),
        api_key_id: made.api_key_id.to_string(),
        api_key: made.api_key,
    };
    let told = format!("made the organization `{}`, its first administrator and a key", site.organization);
    Ok((site, told))
}
