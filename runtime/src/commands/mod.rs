//! The commands, a file each.

mod bench;
mod build;
mod call;
mod check;
mod completions;
mod dev;
mod env_file;
mod exit;
mod files;
mod lock;
mod network;
mod new;
mod packages;
mod report;
mod run;
mod schema;
mod shown;
mod test;
mod watch;
mod wheels;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use runtime::engine::{Options, Runtime};
use runtime::network::NetworkSettings;
use runtime::{Error, builds};
use sdk::Problem;
use sdk::dependencies::Settings;

const EXAMPLES: &str = "Examples:
  runtime new weather
  runtime check weather
  runtime run weather --input '{\"start\": \"2026-12-21\", \"end\": \"2027-01-03\"}'

`runtime help COMMAND` has examples of each.";

/// Build, check and run Toolplane tools on this machine, in the sandbox that production uses.
#[derive(Parser)]
#[command(name = "runtime", version, arg_required_else_help = true, after_help = EXAMPLES)]
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
    /// Make a project to start from.
    New(new::Arguments),
    /// Run a tool once and print what it returns.
    Run(run::Arguments),
    /// Run a tool anew whenever a file of its project is saved.
    Dev(dev::Arguments),
    /// Build a project into one file.
    Build(build::Arguments),
    /// Say everything that is wrong with a project.
    Check(check::Arguments),
    /// Print what a language model is told of a tool.
    Schema(schema::Arguments),
    /// Run a project's own tests in the sandbox, with pytest.
    Test(test::Arguments),
    /// Resolve a project's dependencies to the newest versions and write them into its `pylock.toml`.
    Lock(lock::Arguments),
    /// Call a tool many times, and say how long it takes and where the time goes.
    Bench(bench::Arguments),
    /// Build, list and verify wheels with code compiled for the sandbox.
    Wheels(wheels::Arguments),
    /// Print what a shell needs to complete command lines of this program.
    Completions(completions::Arguments),
}

/// Carries out a command line, and says what went wrong.
pub fn execute(arguments: Arguments) -> ExitCode {
    let folder = arguments.command.folder().to_owned();
    carry_out(arguments).unwrap_or_else(|error| {
        report::print(&error, &folder);
        exit::of(&error)
    })
}

fn carry_out(arguments: Arguments) -> Result<ExitCode, Error> {
    let cache = arguments.cache.unwrap_or_else(builds::users_cache);
    if cache.exists() && !cache.is_dir() {
        let message = format!("the cache `{}` is no folder", cache.display());
        return Err(sdk::Error::from(Problem::new(message, "name a folder with `--cache`")).into());
    }
    let settings = arguments.packages.settings(&cache);
    match arguments.command {
        Command::New(arguments) => new::execute(arguments),
        Command::Run(arguments) => run::execute(arguments, &cache, &settings),
        Command::Dev(arguments) => dev::execute(arguments, &cache, &settings),
        Command::Build(arguments) => build::execute(arguments, &cache, &settings),
        Command::Check(arguments) => check::execute(arguments, &cache, &settings),
        Command::Schema(arguments) => schema::execute(arguments, &cache, &settings),
        Command::Test(arguments) => test::execute(arguments, &cache, &settings),
        Command::Lock(arguments) => lock::execute(arguments, &cache, &settings),
        Command::Bench(arguments) => bench::execute(arguments, &cache, &settings),
        Command::Wheels(arguments) => wheels::execute(arguments, &cache, &settings),
        Command::Completions(arguments) => Ok(completions::execute(arguments)),
    }
}

impl Command {
    /// The project's folder, where there is one: problems name files in it.
    fn folder(&self) -> &Path {
        match self {
            Self::New(_) | Self::Wheels(_) | Self::Completions(_) => Path::new("."),
            Self::Run(arguments) => arguments.tool(),
            Self::Dev(arguments) => arguments.project(),
            Self::Build(arguments) => arguments.project(),
            Self::Check(arguments) => arguments.project(),
            Self::Schema(arguments) => arguments.tool(),
            Self::Test(arguments) => arguments.project(),
            Self::Lock(arguments) => arguments.project(),
            Self::Bench(arguments) => arguments.tool(),
        }
    }
}

/// The built tool behind a path, which is a project's folder or a built file.
fn built_file(path: &Path, cache: &Path, settings: &Settings) -> Result<PathBuf, Error> {
    if path.is_file() { Ok(path.to_owned()) } else { builds::build(cache, path, settings) }
}

/// A runtime for one call at a time.
fn single_runtime(cache: &Path, network: NetworkSettings) -> Result<Runtime, Error> {
    Runtime::new(single(cache, network))
}

/// For one invocation at a time.
fn single(cache: &Path, network: NetworkSettings) -> Options {
    Options { max_concurrent: 1, network, ..Options::new(cache) }
}

/// What waits for tools and for the network.
fn executor() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Runtime::new().map_err(|source| Error::internal("start an executor", source))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_help_of_every_command_shows_examples() {
        Arguments::command().debug_assert();
        let mut program = Arguments::command();
        let commands = program.get_subcommands_mut().filter(|command| command.get_name() != "help");
        let mut helps: Vec<_> = commands.map(|command| command.render_help().to_string()).collect();
        assert_eq!(helps.len(), 11);
        helps.push(program.render_help().to_string());
        for help in helps {
            let (_, examples) = help.split_once("Examples:\n  runtime ").unwrap_or_else(|| panic!("{help}"));
            assert!(examples.lines().count() >= 2, "{help}");
        }
    }
}
