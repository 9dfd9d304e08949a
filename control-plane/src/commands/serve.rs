//! `control-plane serve`: the API, until SIGTERM or Ctrl-C.

use std::io::Write;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use control_plane::config::{Config, LogFormat};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::settings::Settings;
use super::{open_files, swap};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  control-plane serve
  control-plane serve --data /var/lib/toolplane --listen 0.0.0.0:8080
  control-plane serve --config toolplane.toml

The first line on stdout is the address that is served. Logs go to stderr; RUST_LOG=debug shows more.")]
pub struct Arguments {
    #[command(flatten)]
    settings: Settings,
    /// The address to listen on; port 0 lets the system choose.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Print the settings that are in force, and end.
    #[arg(long)]
    print_config: bool,
}

impl Arguments {
    /// What the log is to look like.
    pub fn log_format(&self) -> Result<LogFormat> {
        Ok(self.settings.load()?.log.format)
    }
}

pub async fn execute(arguments: Arguments) -> Result<()> {
    let mut config = arguments.settings.load()?;
    if let Some(listen) = arguments.listen {
        config.listen = listen;
    }
    if arguments.print_config {
        let flags = [("data", config.data.display().to_string()), ("listen", config.listen.to_string())];
        print!("{}", Config::shown(arguments.settings.config.as_deref(), &flags)?);
        return Ok(());
    }
    swap::refuse(&config)?;
    open_files::allow(&config)?;
    let address = config.listen;
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let listener = TcpListener::bind(address).await.with_context(|| format!("failed to listen on {address}"))?;
    let app = control_plane::open(config, &listener).await?;
    println!("http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;

    // A publish that comes sooner waits for it; everything else is served meanwhile.
    let preparing = std::sync::Arc::clone(&app);
    tokio::spawn(async move {
        if let Err(error) = preparing.prepare().await {
            tracing::error!(error = format!("{error:#}"), "Could not make the Python base; publishing will fail");
        }
    });
    let resealing = std::sync::Arc::clone(&app);
    tokio::spawn(async move {
        if let Err(error) = resealing.reseal().await {
            let error = format!("{:#}", anyhow::Error::from(error));
            tracing::error!(
                error,
                "Could not seal all variables anew; keep the former keys, it is tried at the next start"
            );
        }
    });
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    control_plane::serve(app, listener, shutdown).await
}
