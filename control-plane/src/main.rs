//! `control-plane`: the service and the operator's commands.

mod commands;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Everything that speaks TLS uses this one. It fails only where there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match commands::execute(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            error.chain().skip(1).for_each(|reason| eprintln!("  because: {reason}"));
            ExitCode::FAILURE
        }
    }
}
