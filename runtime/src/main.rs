//! `runtime`: the tool author's program. Data goes to stdout, everything else to stderr.

mod commands;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::{Arguments, exit};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match commands::execute(arguments) {
        Ok(code) => code,
        Err(error) => {
            commands::report(&error);
            exit::of(&error)
        }
    }
}
