//! `runtime`: the tool author's program. Data goes to stdout, everything else to stderr.

mod commands;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Arguments;

fn main() -> ExitCode {
    commands::execute(Arguments::parse())
}
