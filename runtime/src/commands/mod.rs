//! The commands, a file each.

mod build;
mod check;
pub mod exit;
mod lock;
mod network;
mod packages;
mod run;
mod test;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use runtime::engine::{Options, Runtime};
use runtime::network::NetworkSettings;
use runtime::{Error, builds};
use sdk::dependencies::Settings;

/// Build, check and run Toolplane tools on this machine, in the sandbox that production uses.
#[derive(Parser)]
#[command(name = "runtime", version, arg_required_else_help = true)]
pub struct Arguments {
    /// Where the Python base and built tools are kept.
    #[arg(long, global = true, env = "TOOLPLANE_CACHE", value_name = "DIR")]
    cache: Option<PathBuf>,
    #[command(flatten)]
    packages: packages::Arguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a tool once and print what it returns.
    Run(run::Arguments),
    /// Build a project into one file.
    Build(build::Arguments),
    /// Say everything that is wrong with a project.
    Check(check::Arguments),
    /// Run a project's own tests in the sandbox, with pytest.
    Test(test::Arguments),
    /// Resolve a project's dependencies to the newest versions and write them into its `pylock.toml`.
    Lock(lock::Arguments),
}

/// Carries out a command line.
pub fn execute(arguments: Arguments) -> Result<ExitCode, Error> {
    let cache = arguments.cache.unwrap_or_else(default_cache);
    let settings = arguments.packages.settings();
    match arguments.command {
        Command::Run(arguments) => run::execute(arguments, &cache, &settings),
        Command::Build(arguments) => build::execute(arguments, &cache, &settings),
        Command::Check(arguments) => check::execute(arguments, &cache, &settings),
        Command::Test(arguments) => test::execute(arguments, &cache, &settings),
        Command::Lock(arguments) => lock::execute(arguments, &cache, &settings),
    }
}

/// Prints an error for a person: what is wrong, then, for faults of ours, the chain of reasons.
pub fn report(error: &Error) {
    let label = if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        "\x1b[1;31merror\x1b[0m"
    } else {
        "error"
    };
    eprintln!("{label}: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(reason) = source {
        eprintln!("  because: {reason}");
        source = reason.source();
    }
}

/// The built tool behind a path, which is a project's folder or a built file.
fn built_file(path: &Path, cache: &Path, settings: &Settings) -> Result<PathBuf, Error> {
    if path.is_file() { Ok(path.to_owned()) } else { builds::build(cache, path, settings) }
}

/// A runtime for one call at a time.
fn single_runtime(cache: &Path, network: NetworkSettings) -> Result<Runtime, Error> {
    Runtime::new(Options { max_concurrent: 1, network, ..Options::new(cache) })
}

/// The folder that the platform's rules name for a user's caches.
fn default_cache() -> PathBuf {
    let home = || std::env::home_dir().unwrap_or_else(std::env::temp_dir).join(".cache");
    let caches = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    caches.join("toolplane")
}
