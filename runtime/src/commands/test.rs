//! `runtime test`: the project's own tests, by pytest, in the sandbox.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runtime::Error;
use sdk::dependencies::Settings;
use sdk::project::Project;
use sdk::sandbox::Limits;
use sdk::testing;

#[derive(clap::Args)]
#[command(after_help = "The exit code is pytest's. There is no network, and `[dependency-groups] dev` is installed.

Examples:
  runtime test
  runtime test weather -- -k forecast -x")]
pub struct Arguments {
    /// The project's folder.
    #[arg(default_value = ".", value_name = "PROJECT")]
    project: PathBuf,
    /// Arguments for pytest.
    #[arg(last = true, value_name = "PYTEST ARGUMENTS")]
    arguments: Vec<String>,
}

impl Arguments {
    pub fn project(&self) -> &Path {
        &self.project
    }
}

pub fn execute(arguments: Arguments, cache: &Path, settings: &Settings) -> Result<ExitCode, Error> {
    let project = Project::read(&arguments.project)?;
    let code = testing::run(&project, &arguments.arguments, settings, cache, &Limits::for_tests())?;
    Ok(ExitCode::from(code))
}
