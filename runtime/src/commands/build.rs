//! `runtime build`: a project becomes one file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runtime::{Error, builds};
use sdk::dependencies::Settings;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runtime build\n  runtime build weather -o weather.wasm")]
pub struct Arguments {
    /// The project's folder.
    #[arg(default_value = ".", value_name = "PROJECT")]
    project: PathBuf,
    /// Where the built file goes; by default `tool.wasm` in the current folder.
    #[arg(short, long, default_value = "tool.wasm", value_name = "FILE")]
    output: PathBuf,
}

impl Arguments {
    pub fn project(&self) -> &Path {
        &self.project
    }
}

pub fn execute(arguments: Arguments, cache: &Path, settings: &Settings) -> Result<ExitCode, Error> {
    let built = builds::build(cache, &arguments.project, settings)?;
    fs_err::copy(&built, &arguments.output).map_err(|source| Error::internal("write the built file", source))?;
    println!("{}", arguments.output.display());
    Ok(ExitCode::SUCCESS)
}
