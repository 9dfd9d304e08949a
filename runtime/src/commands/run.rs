//! `runtime run`: one invocation for each input, as production would run it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runtime::Error;
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
}

impl Arguments {
    pub fn tool(&self) -> &Path {
        &self.tool
    }
}

pub fn execute(arguments: Arguments, cache: &Path, settings: &Settings) -> Result<ExitCode, Error> {
    let parameters = arguments.call.parameters()?;
    let built = super::built_file(&arguments.tool, cache, settings)?;
    let tool = super::single_runtime(cache, arguments.call.network())?.load_file(&built)?;
    tool.check_memory(&Limits::default()).map_err(sdk::Error::from)?;
    // One that does not conform lets none run.
    parameters.iter().try_for_each(|parameters| tool.check_input(parameters, &InputLimits::default()))?;
    let executor = super::executor()?;
    let mut code = ExitCode::SUCCESS;
    for parameters in &parameters {
        let call = arguments.call.call(parameters, tool.label(), &arguments.tool)?;
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
