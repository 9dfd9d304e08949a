//! `runtime lock`: the newest versions of a project's dependencies, written down.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runtime::{Error, builds};
use sdk::dependencies::{LOCK, Settings};

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runtime lock\n  runtime lock weather

Commit the file: every build then installs these very files, and needs no index to find them.")]
pub struct Arguments {
    /// The project's folder.
    #[arg(default_value = ".", value_name = "PROJECT")]
    project: PathBuf,
}

impl Arguments {
    pub fn project(&self) -> &Path {
        &self.project
    }
}

pub fn execute(arguments: Arguments, cache: &Path, settings: &Settings) -> Result<ExitCode, Error> {
    let lock = builds::lock(cache, &arguments.project, settings)?;
    let path = arguments.project.join(LOCK);
    if lock.text.is_empty() {
        eprintln!("the project has no dependencies, so there is nothing to lock");
        return Ok(ExitCode::SUCCESS);
    }
    fs_err::write(&path, lock.text).map_err(|source| Error::internal("write the lock", source))?;
    println!("{}", path.display());
    Ok(ExitCode::SUCCESS)
}
