//! `control-plane prepare`: the Python base, before anybody waits for it.

use std::path::PathBuf;

use anyhow::Result;
use control_plane::app;
use control_plane::config::Config;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  TOOLPLANE_CACHE=/var/cache/toolplane control-plane prepare

It takes some twenty seconds, once for each version of the program and each cache; a server does it by itself otherwise.")]
pub struct Arguments {
    /// A file of settings.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub async fn execute(arguments: Arguments) -> Result<()> {
    let config = Config::load(arguments.config.as_deref())?;
    tokio::task::spawn_blocking(move || app::prepare_base(&config.cache)).await?
}
