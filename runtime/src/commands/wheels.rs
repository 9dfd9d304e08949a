//! `runtime wheels`: wheels with code compiled for the sandbox.

use std::path::Path;
use std::process::ExitCode;

use runtime::Error;
use sdk::dependencies::Settings;
use sdk::dependencies::wheel_index::WheelIndex;
use sdk::wheels;

use super::exit;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  runtime wheels build pydantic-core rpds-py markupsafe\n  runtime wheels build pydantic-core==2.50.4
  runtime wheels list\n  runtime wheels verify

A tool can use a package whose wheel is there. Wheels are kept in the folder of `--wheel-index`, by default within the cache."
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Build the wheels of packages in Rust or C from their source archives: seconds for C, minutes for Rust.
    Build {
        /// The packages.
        #[arg(required = true, value_name = "NAME[==VERSION]")]
        packages: Vec<String>,
    },
    /// Print the names of the wheels that there are.
    List,
    /// Say of each wheel whether it is whole, and made for this Toolplane.
    Verify,
}

pub fn execute(arguments: Arguments, cache: &Path, settings: &Settings) -> Result<ExitCode, Error> {
    let own = WheelIndex::of_cache(cache);
    let index = settings.wheel_indexes.first().unwrap_or(&own);
    match arguments.command {
        Command::Build { packages } => {
            for package in packages {
                let file = wheels::build(&package, index, settings, cache)?;
                println!("{}", index.folder().join(file).display());
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::List => {
            for index in &settings.wheel_indexes {
                index.files().iter().for_each(|file| println!("{file}"));
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify => {
            let mut code = ExitCode::SUCCESS;
            for verified in settings.wheel_indexes.iter().flat_map(|index| wheels::verify(index, settings)) {
                match verified.modules {
                    Ok(modules) => println!("{}: {}", verified.file, modules.join(", ")),
                    Err(why) => {
                        println!("{}: {why}", verified.file);
                        code = ExitCode::from(exit::REFUSED);
                    }
                }
            }
            Ok(code)
        }
    }
}
