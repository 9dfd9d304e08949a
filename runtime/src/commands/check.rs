//! `runtime check`: everything that is wrong with a project, each with file, line and what to do.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runtime::{Error, builds};
use sdk::dependencies::Settings;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runtime check\n  runtime check weather")]
pub struct Arguments {
    /// The project's folder.
    #[arg(default_value = ".", value_name = "PROJECT")]
    project: PathBuf,
}

pub fn execute(arguments: Arguments, cache: &Path, settings: &Settings) -> Result<ExitCode, Error> {
    builds::build(cache, &arguments.project, settings)?;
    eprintln!("no problems found");
    Ok(ExitCode::SUCCESS)
}
