//! `control-plane verify`: whether a data folder is whole.

use anyhow::{Result, anyhow, bail};
use control_plane::domain::verify;
use control_plane::store::Mode;

use super::settings::Settings;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  control-plane verify --data /var/lib/toolplane
  control-plane verify --data /var/lib/toolplane --rebuild

It reads every row, every blob and every Git object, so it takes as long as that; run it while no server uses the folder.
Problems are printed a line each, and then it ends with 1. --rebuild makes again what follows from records (the names of
tools, the lists of active versions, counts, expiries, columns of lists), and removes blobs that no record names. The search
index is checked and made again by the service itself. What --rebuild cannot make again comes back with `control-plane restore`.")]
pub struct Arguments {
    #[command(flatten)]
    settings: Settings,
    /// Make again what follows from records.
    #[arg(long)]
    rebuild: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub async fn execute(arguments: Arguments) -> Result<()> {
    let config = arguments.settings.load_with_data()?;
    let mode = if arguments.rebuild { Mode::Rebuild } else { Mode::Look };
    let findings = verify::verify(&config, mode).await.map_err(|error| anyhow!(error))?;
    if arguments.json {
        println!("{}", serde_json::to_string(&findings)?);
    } else {
        findings.problems.iter().for_each(|problem| println!("{problem}"));
        println!(
            "{} rows, {} blobs of {} MB ({} unused), {} repositories; {} made again",
            findings.rows,
            findings.blobs,
            findings.blob_bytes / 1_000_000,
            findings.unused_blobs,
            findings.repositories,
            findings.mended,
        );
    }
    let problems = findings.problems.len() as u64 + findings.unnamed_problems;
    if problems > 0 {
        bail!("{problems} problems in {}: see what was printed", config.data.display());
    }
    Ok(())
}
