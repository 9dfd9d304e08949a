//! The commands, a file each.

mod backup;
mod demo;
mod init_org;
mod open_files;
mod openapi;
mod prepare;
mod restore;
mod serve;
mod settings;
mod swap;
mod verify;
mod worker;

use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use control_plane::config::LogFormat;
use tracing_subscriber::EnvFilter;

/// Toolplane's control plane: publish Python tools from Git and invoke them in fresh sandboxes.
#[derive(Parser)]
#[command(name = "control-plane", version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API.
    Serve(serve::Arguments),
    /// Make an organization with its first administrator and an API key.
    InitOrg(init_org::Arguments),
    /// Copy a data folder, also while it is served.
    Backup(backup::Arguments),
    /// Make a data folder out of a backup.
    Restore(restore::Arguments),
    /// Look at everything that a data folder holds.
    Verify(verify::Arguments),
    /// Make the Python base.
    Prepare(prepare::Arguments),
    /// Print the contract as an OpenAPI document.
    Openapi(openapi::Arguments),
    /// Run tools for a server, which starts this by itself.
    #[command(hide = true)]
    Worker(worker::Arguments),
    /// Do the main job once, for real, in a temporary folder.
    Demo(demo::Arguments),
}

/// How long work that nobody waits for may go on after a command has ended.
const BACKGROUND_ENDS_WITHIN: Duration = Duration::from_secs(1);

/// Carries out a command line.
pub fn execute(arguments: Arguments) -> Result<()> {
    // A person who runs the demo or makes an organization reads what the command prints.
    let (mut level, mut format) = ("warn", LogFormat::Pretty);
    let work: Pin<Box<dyn Future<Output = Result<()>>>> = match arguments.command {
        Command::Serve(arguments) => {
            let config = arguments.load()?;
            (level, format) = ("info", config.log.format);
            Box::pin(serve::execute(arguments, config))
        }
        Command::InitOrg(arguments) => Box::pin(init_org::execute(arguments)),
        Command::Backup(arguments) => Box::pin(backup::execute(arguments)),
        Command::Restore(arguments) => Box::pin(restore::execute(arguments)),
        Command::Verify(arguments) => Box::pin(verify::execute(arguments)),
        Command::Prepare(arguments) => Box::pin(prepare::execute(arguments)),
        Command::Openapi(arguments) => Box::pin(async { openapi::execute(arguments) }),
        Command::Demo(arguments) => Box::pin(demo::execute(arguments)),
        Command::Worker(arguments) => {
            start_log("info", arguments.log_format);
            // Without an executor of this one's: it confines the process while that has one thread.
            return worker::execute();
        }
    };
    start_log(level, format);
    let executor = tokio::runtime::Runtime::new().context("failed to start an executor")?;
    let outcome = executor.block_on(work);
    // Whoever asked for something has an answer by now. What may still run is the making of the Python base, which takes
    // effect only once it is whole.
    executor.shutdown_timeout(BACKGROUND_ENDS_WITHIN);
    outcome
}

fn start_log(level: &str, format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => log.json().with_current_span(true).with_span_list(false).init(),
        LogFormat::Pretty => log.init(),
    }
}
