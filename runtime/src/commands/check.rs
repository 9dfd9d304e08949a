//! `runtime check`: everything that is wrong with a project, each with file, line and what to do.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runtime::{Error, builds};

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runtime check\n  runtime check weather")]
pub struct Arguments {
    /// The project's folder.
    #[arg(default_value = ".", value_name = "PROJECT")]
    project: PathBuf,
}

pub fn execute(arguments: Arguments, cache: &Path) -> Result<ExitCode, Error> {
    builds::build(cache, &arguments.project)?;
    eprintln!("no problems found");
    Ok(ExitCode::SUCCESS)
}
