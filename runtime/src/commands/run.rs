//! `runtime run`: one invocation, as production would run it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runtime::Error;
use runtime::input::InputLimits;
use runtime::invoke::{Call, Limits};
use runtime::outcome::Outcome;
use sdk::dependencies::Settings;

use super::{call, exit, shown};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  runtime run --input '{\"city\": \"Ghent\"}'
  runtime run weather --input @input.json --env-file .env
  runtime run weather.wasm --env WEATHER_UNITS=metric --secret WEATHER_API_KEY
  runtime run weather --secret WEATHER_API_KEY@key.txt
  echo '{\"city\": \"Ghent\"}' | runtime run weather --input - --json")]
pub struct Arguments {
    /// The project's folder, or a built file.
    #[arg(default_value = ".", value_name = "PROJECT")]
    tool: PathBuf,
    /// The input: JSON, `@FILE`, or `-` for standard input.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    input: String,
    /// Print the whole report as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    call: call::Arguments,
    #[command(flatten)]
    network: super::network::Arguments,
}

impl Arguments {
    pub fn tool(&self) -> &Path {
        &self.tool
    }
}

pub fn execute(arguments: Arguments, cache: &Path, settings: &Settings) -> Result<ExitCode, Error> {
    let parameters = call::input(&arguments.input)?;
    let built = super::built_file(&arguments.tool, cache, settings)?;
    let tool = super::single_runtime(cache, arguments.network.settings())?.load_file(&built)?;
    tool.check_memory(&Limits::default()).map_err(sdk::Error::from)?;
    tool.check_input(&parameters, &InputLimits::default())?;
    let call = arguments.call.call(&parameters, tool.label(), &arguments.tool)?;
    let call = Call { echoes_logs: !arguments.json, ..call };
    let report = super::executor()?.block_on(tool.invoke(&call, &Limits::default()))?;
    if arguments.json {
        println!("{}", shown::json(&report));
    } else {
        shown::print_text(&report, "");
    }
    Ok(match report.outcome {
        Outcome::Returned { .. } => ExitCode::SUCCESS,
        Outcome::Failed(_) => ExitCode::from(exit::TOOL_FAILED),
    })
}
