//! Where a command finds the service's settings and data.

use std::path::PathBuf;

use anyhow::{Result, bail};
use control_plane::config::Config;

/// The arguments that every command has that works on a data folder.
#[derive(clap::Args)]
pub struct Settings {
    /// A file of settings; `config.default.toml` in the source is the manual.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Settings {
    /// The settings, with the data folder that was named.
    pub fn load(&self) -> Result<Config> {
        let config = Config::load(self.config.as_deref())?;
        Ok(match &self.data {
            Some(data) => config.with_data(data.clone()),
            None => config,
        })
    }

    /// The same for commands that make no data folder.
    pub fn load_with_data(&self) -> Result<Config> {
        let config = self.load()?;
        if !config.data.is_dir() {
            bail!("there is no data folder {}: name another with --data", config.data.display());
        }
        Ok(config)
    }
}
