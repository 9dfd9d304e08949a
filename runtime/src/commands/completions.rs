//! `runtime completions`: what a shell needs to complete command lines of this program.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  runtime completions bash > ~/.local/share/bash-completion/completions/runtime
  runtime completions zsh > \"${fpath[1]}/_runtime\"
  runtime completions fish > ~/.config/fish/completions/runtime.fish

They hold from the next shell on; `source <(runtime completions bash)` is for this one.")]
pub struct Arguments {
    /// Which shell it is.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub fn execute(arguments: Arguments) -> ExitCode {
    let mut program = super::Arguments::command();
    let name = program.get_name().to_owned();
    clap_complete::generate(arguments.shell, &mut program, name, &mut std::io::stdout());
    ExitCode::SUCCESS
}
