//! `runtime run`: one invocation for each input, as production would run it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runtime::Error;
use runtime::engine::{Options, Runtime};
use runtime::input::InputLimits;
use runtime::invoke::Limits;
use runtime::outcome::Outcome;
use sdk::dependencies::Settings;

use super::{call, exit, shown};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  runtime run --input '{\"city\": \"Ghent\"}'
  runtime run weather --input @input.json --env-file .env
  runtime run weather.tool --env WEATHER_UNITS=metric --secret WEATHER_API_KEY
  runtime run weather --secret WEATHER_API_KEY@key.txt
  echo '{\"city\": \"Ghent\"}' | runtime run weather --input - --json")]
pub struct Arguments {
    /// The project's folder, or a built file.
    #[arg(default_value = ".", value_name = "PROJECT")]
    tool: PathBuf,
    #[command(flatten)]
    call: call::Arguments,
    /// Write all that the sandbox has in memory at the end of the call into a file, secrets among it.
    #[arg(long, value_name = "FILE")]
    dump_memory: Option<PathBuf>,
}

impl Arguments {
    pub fn tool(&self) -> &Path {
        &self.tool
    }
}

pub fn execute(arguments: Arguments, cache: &Path, settings: &Settings) -> Result<ExitCode, Error> {
    let parameters = arguments.call.parameters()?;
    let built = super::built_file(&arguments.tool, cache, settings)?;
    let options = Options { dump_memory: arguments.dump_memory, ..super::single(cache, arguments.call.network()) };
    let tool = Runtime::new(options)?.load_file(&built)?;
    tool.unpacked().check_memory(&Limits::default()).map_err(sdk::Error::from)?;
    // One that does not conform lets none run.
    parameters.iter().try_for_each(|parameters| tool.unpacked().check_input(parameters, &InputLimits::default()))?;
    let executor = super::executor()?;
    let mut code = ExitCode::SUCCESS;
    for parameters in &parameters {
        let call = arguments.call.call(parameters, tool.unpacked().label(), &arguments.tool)?;
        let report = executor.block_on(tool.invoke(&call, &Limits::default()))?;
        if arguments.call.json {
            println!("{}", shown::json(&report));
        } else {
            shown::print_text(&report, "");
        }
        if let Outcome::Failed(_) = report.outcome {
            code = ExitCode::from(exit::TOOL_FAILED);
        }
    }
    Ok(code)
}
