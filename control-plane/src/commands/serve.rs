//! `control-plane serve`: the API, until SIGTERM or Ctrl-C.

use std::io::Write;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use control_plane::api::{Listener, Tls};
use control_plane::config::Config;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::settings::Settings;
use super::{open_files, swap};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  control-plane serve
  control-plane serve --data /var/lib/toolplane --listen 0.0.0.0:8080
  control-plane serve --config toolplane.toml

The first line on stdout is the address that is served. Logs go to stderr; RUST_LOG=debug shows more.
SIGHUP has the certificate read again.")]
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
    /// The settings, with what the flags name.
    pub fn load(&self) -> Result<Config> {
        let mut config = self.settings.load()?;
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        Ok(config)
    }
}

pub async fn execute(arguments: Arguments, config: Config) -> Result<()> {
    if arguments.print_config {
        let flags = [("data", config.data.display().to_string()), ("listen", config.listen.to_string())];
        print!("{}", Config::shown(arguments.settings.config.as_deref(), &flags)?);
        return Ok(());
    }
    swap::refuse(&config)?;
    open_files::allow(&config)?;
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let hangups = signal(SignalKind::hangup()).context("failed to listen for SIGHUP")?;
    let listener = Listener::bind(&config).await?;
    let app = control_plane::open(config, &listener).await?;
    println!("{}", listener.url()?);
    std::io::stdout().flush()?;
    tokio::spawn(reload(hangups, listener.tls().cloned()));

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

/// Reads the certificate again at each SIGHUP.
async fn reload(mut hangups: Signal, tls: Option<Tls>) {
    while hangups.recv().await.is_some() {
        let Some(tls) = &tls else {
            tracing::info!("SIGHUP: there is no certificate to read again; other settings need a restart");
            continue;
        };
        match tls.reload() {
            Ok(()) => tracing::info!("SIGHUP: the certificate and its key were read again"),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "SIGHUP: the certificate stays as it was");
            }
        }
    }
}
