//! `control-plane backup`: a copy of a data folder, also while a server uses it.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use control_plane::api::control::{self, Answer, Request};
use control_plane::app::App;
use control_plane::config::Config;
use control_plane::domain::backup::Manifest;

use super::settings::Settings;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  control-plane backup /backups/today --data /var/lib/toolplane

A server that uses the data folder makes the backup itself and goes on serving; without one, this command does. What never
changes is a second name of the same file where both folders are in one file system: copy the backup to another disk. It
holds the keys of the data folder, so keep it as safe as those. A key that the settings name elsewhere is not in it.")]
pub struct Arguments {
    /// The folder to make it in: an empty one, or one that does not exist.
    folder: PathBuf,
    #[command(flatten)]
    settings: Settings,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub async fn execute(arguments: Arguments) -> Result<()> {
    let config = arguments.settings.load_with_data()?;
    // The server may have another working folder.
    let folder = std::path::absolute(&arguments.folder)?;
    let manifest = match control::ask(&config.data, &Request::BackUp(folder.clone())).await? {
        Some(Answer::BackedUp(manifest)) => manifest,
        Some(Answer::Failed(reasons)) => bail!("the server refused: {}", reasons.join(": ")),
        None => back_up(config, folder.clone()).await?,
    };
    if arguments.json {
        println!("{}", serde_json::to_string(&manifest)?);
    } else {
        let Manifest { rows, repositories, .. } = manifest;
        println!("{}: {rows} rows, {repositories} repositories", folder.display());
    }
    Ok(())
}

async fn back_up(config: Config, folder: PathBuf) -> Result<Manifest> {
    let app = tokio::task::spawn_blocking(|| App::open(config)).await.context("failed to open the data folder")??;
    app.back_up(folder).await.map_err(|error| anyhow!(error))
}
