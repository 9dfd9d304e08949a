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
    /// Do the main job once, for real, in a temporary folder.
    Demo(demo::Arguments),
}

/// How long work that nobody waits for may go on after a command has ended.
const BACKGROUND_ENDS_WITHIN: Duration = Duration::from_secs(1);

/// Carries out a command line.
pub fn execute(arguments: Arguments) -> Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        // A person who runs the demo or makes an organization reads what the command prints.
        EnvFilter::new(if matches!(arguments.command, Command::Serve(_)) { "info" } else { "warn" })
    });
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match &arguments.command {
        Command::Serve(serve) if serve.log_format()? == LogFormat::Json => {
            log.json().with_current_span(true).with_span_list(false).init();
        }
        _ => log.init(),
    }
    let executor = tokio::runtime::Runtime::new().context("failed to start an executor")?;
    let outcome = executor.block_on(async {
        match arguments.command {
            Command::Serve(arguments) => serve::execute(arguments).await,
            Command::InitOrg(arguments) => init_org::execute(arguments).await,
            Command::Backup(arguments) => backup::execute(arguments).await,
            Command::Restore(arguments) => restore::execute(arguments).await,
            Command::Verify(arguments) => verify::execute(arguments).await,
            Command::Prepare(arguments) => prepare::execute(arguments).await,
            Command::Openapi(arguments) => openapi::execute(arguments),
            Command::Demo(arguments) => demo::execute(arguments).await,
        }
    });
    // Whoever asked for something has an answer by now. What may still run is the making of the Python base, which takes
    // effect only once it is whole.
    executor.shutdown_timeout(BACKGROUND_ENDS_WITHIN);
    outcome
}
