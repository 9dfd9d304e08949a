//! `runtime check`: everything that is wrong with a project, each with file, line and what to do.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runtime::{Error, builds};
use sdk::dependencies::Settings;
use serde_json::json;

use super::exit;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runtime check\n  runtime check weather --json")]
pub struct Arguments {
    /// The project's folder.
    #[arg(default_value = ".", value_name = "PROJECT")]
    project: PathBuf,
    /// Print the problems as JSON, an empty list where there are none.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub fn project(&self) -> &Path {
        &self.project
    }
}

pub fn execute(arguments: Arguments, cache: &Path, settings: &Settings) -> Result<ExitCode, Error> {
    match builds::build(cache, &arguments.project, settings) {
        Err(Error::Build(sdk::Error::Refused(problems))) if arguments.json => {
            println!("{:#}", json!(problems));
            return Ok(ExitCode::from(exit::REFUSED));
        }
        built => built?,
    };
    if arguments.json {
        println!("[]");
    }
    eprintln!("no problems found");
    Ok(ExitCode::SUCCESS)
}
