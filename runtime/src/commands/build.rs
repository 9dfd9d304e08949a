//! `runtime build`: a project becomes one file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runtime::{Error, builds};
use sdk::Problem;
use sdk::dependencies::Settings;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runtime build\n  runtime build weather -o weather.tool")]
pub struct Arguments {
    /// The project's folder.
    #[arg(default_value = ".", value_name = "PROJECT")]
    project: PathBuf,
    /// Where the built file goes; by default `built.tool` in the current folder.
    #[arg(short, long, default_value = "built.tool", value_name = "FILE")]
    output: PathBuf,
}

impl Arguments {
    pub fn project(&self) -> &Path {
        &self.project
    }
}

pub fn execute(arguments: Arguments, cache: &Path, settings: &Settings) -> Result<ExitCode, Error> {
    let built = builds::build(cache, &arguments.project, settings)?;
    std::fs::copy(&built, &arguments.output).map_err(|error| {
        let message = format!("`{}` cannot be written: {error}", arguments.output.display());
        sdk::Error::from(Problem::new(message, "name a file in a folder that exists, with `-o FILE`"))
    })?;
    println!("{}", arguments.output.display());
    Ok(ExitCode::SUCCESS)
}
