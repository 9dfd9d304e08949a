//! `control-plane restore`: a data folder out of a backup.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use control_plane::domain::{backup, verify};
use control_plane::store::Mode;

use super::settings::Settings;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  control-plane restore /backups/today --data /var/lib/toolplane

The data folder has to be empty or not there. Everything in it is verified, which takes as long as reading it; the search
index is made again by the first server that uses it.")]
pub struct Arguments {
    /// The backup.
    folder: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

pub async fn execute(arguments: Arguments) -> Result<()> {
    let config = arguments.settings.load()?;
    let (folder, data) = (arguments.folder, config.data.clone());
    let restored = tokio::task::spawn_blocking(move || backup::restore(&folder, &data)).await;
    let manifest = restored.context("failed to restore")?.map_err(|error| anyhow!(error))?;
    let findings = verify::verify(&config, Mode::Look).await.map_err(|error| anyhow!(error))?;
    findings.problems.iter().for_each(|problem| println!("{problem}"));
    if !findings.is_good() {
        bail!("the backup is damaged: see what was printed. The data folder holds what could be read of it");
    }
    println!(
        "{}: {} rows and {} repositories, as they were at {}",
        config.data.display(),
        manifest.rows,
        manifest.repositories,
        manifest.made_at,
    );
    Ok(())
}
