//! `control-plane worker`: the process that tools run in.

use anyhow::Result;
use control_plane::config::LogFormat;

#[derive(clap::Args)]
pub struct Arguments {
    /// What the log looks like.
    #[arg(long, value_enum, default_value = "pretty")]
    pub log_format: LogFormat,
}

pub fn execute() -> Result<()> {
    runtime::worker::run()
}
