//! `runtime run`: one invocation, as production would run it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runtime::Error;
use runtime::input::{InputLimits, Mismatch};
use runtime::invoke::{Call, Hidden, Limits, Mode};
use runtime::network::NetworkUse;
use runtime::outcome::{Failure, Outcome, Report};
use sdk::Problem;
use sdk::dependencies::Settings;
use sdk::project::{MANIFEST, Project};
use serde_json::{Value, json};

use super::exit;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  runtime run --input '{\"city\": \"Ghent\"}'
  runtime run weather --input @input.json --env-file .env
  runtime run weather.wasm --env WEATHER_UNITS=metric --secret WEATHER_API_KEY=…
  echo '{\"city\": \"Ghent\"}' | runtime run weather --input - --json")]
pub struct Arguments {
    /// The project's folder, or a built file.
    #[arg(default_value = ".", value_name = "PROJECT")]
    tool: PathBuf,
    /// The input: JSON, `@FILE`, or `-` for standard input.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    input: String,
    /// An environment variable; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// A secret environment variable; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    secret: Vec<(String, String)>,
    /// A file of variables, `NAME=VALUE` a line; may be repeated. What is given by itself goes before it.
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// How the tool is to run.
    #[arg(long, default_value = "regular", value_enum)]
    mode: ModeArgument,
    /// Print the whole report as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: super::network::Arguments,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum ModeArgument {
    Regular,
    ConversationSimulation,
}

impl Arguments {
    pub fn tool(&self) -> &Path {
        &self.tool
    }
}

pub fn execute(arguments: Arguments, cache: &Path, settings: &Settings) -> Result<ExitCode, Error> {
    let parameters = input(&arguments.input)?;
    let mut of_files = Vec::new();
    for file in &arguments.env_file {
        of_files.extend(super::env_file::read(file)?);
    }
    let built = super::built_file(&arguments.tool, cache, settings)?;
    let tool = super::single_runtime(cache, arguments.network.settings())?.load_file(&built)?;
    tool.check_memory(&Limits::default()).map_err(sdk::Error::from)?;
    tool.check_input(&parameters, &InputLimits::default())?;

    let given = of_files.into_iter().chain(arguments.env).chain(arguments.secret);
    let env = given.map(|(name, value)| (name, Hidden::from(value))).collect();
    let mode = match arguments.mode {
        ModeArgument::Regular => Mode::Regular,
        ModeArgument::ConversationSimulation => Mode::ConversationSimulation,
    };
    let call = Call { env, ..Call::new(&parameters, mode) };
    let label = tool.label();
    let missing: Vec<_> = label.env.iter().chain(&label.secrets).filter(|name| !call.env.contains_key(*name)).collect();
    if !missing.is_empty() {
        // Of a built file, the lines are of a manifest that is elsewhere.
        let manifest = arguments.tool.is_dir().then(|| Project::read(&arguments.tool)).transpose()?;
        let lines = manifest.map(|project| project.manifest.variable_lines).unwrap_or_default();
        let problem = |name: &String| {
            let option = if label.secrets.contains(name) { "secret" } else { "env" };
            let message = format!("the tool requires the variable {name}, and it is not given");
            Problem::new(message, format!("add `--{option} {name}=…`, or name a file with `--env-file`"))
                .at(MANIFEST, lines.get(name).copied())
        };
        return Err(sdk::Error::Refused(missing.into_iter().map(problem).collect()).into());
    }
    let executor = tokio::runtime::Runtime::new().map_err(|source| Error::internal("start an executor", source))?;
    let report = executor.block_on(tool.invoke(&call, &Limits::default()))?;
    if arguments.json {
        print_json(&report)
    } else {
        print_text(&report)
    }
    Ok(match report.outcome {
        Outcome::Returned { .. } => ExitCode::SUCCESS,
        Outcome::Failed(_) => ExitCode::from(exit::TOOL_FAILED),
    })
}

fn print_text(report: &Report) {
    if !report.logs.is_empty() {
        eprint!("{}", report.logs);
    }
    match &report.outcome {
        Outcome::Returned { output } => println!("{output}"),
        Outcome::Failed(Failure { exception_type, message, stack_trace }) => {
            stack_trace.iter().for_each(|frame| eprintln!("  {frame}"));
            eprintln!("{exception_type}: {message}");
        }
    }
    let milliseconds = report.duration.as_secs_f64() * 1e3;
    eprintln!("{milliseconds:.1} ms, {} MiB at the most{}", report.peak_memory_bytes >> 20, network(&report.network));
}

fn network(used: &NetworkUse) -> String {
    if used.connections == 0 && used.denied == 0 {
        return String::new();
    }
    let NetworkUse { requests, sent_bytes, received_bytes, .. } = used;
    let denied = if used.denied > 0 { format!("; refused: {}", used.denied_hosts.join(", ")) } else { String::new() };
    format!("; {requests} HTTP requests, {sent_bytes} bytes sent, {received_bytes} bytes received{denied}")
}

fn print_json(report: &Report) {
    let outcome = match &report.outcome {
        Outcome::Returned { output } => json!({"succeeded": true, "output": output}),
        Outcome::Failed(failure) => json!({
            "succeeded": false,
            "exception_type": failure.exception_type,
            "exception_message": failure.message,
            "exception_stack_trace": failure.stack_trace,
        }),
    };
    let report = json!({
        "result": outcome,
        "logs": report.logs,
        "duration_ms": report.duration.as_secs_f64() * 1e3,
        "peak_memory_bytes": report.peak_memory_bytes,
        "network": {
            "connections": report.network.connections,
            "requests": report.network.requests,
            "sent_bytes": report.network.sent_bytes,
            "received_bytes": report.network.received_bytes,
            "denied": report.network.denied_hosts,
        },
    });
    println!("{report}");
}

fn input(argument: &str) -> Result<Value, Error> {
    let unreadable = |what: String, source: std::io::Error| {
        sdk::Error::from(Problem::new(format!("{what} cannot be read: {source}"), "name a file that exists"))
    };
    let text = if argument == "-" {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        read.map_err(|source| unreadable("standard input".to_owned(), source))?;
        text
    } else if let Some(path) = argument.strip_prefix('@') {
        fs_err::read_to_string(path).map_err(|source| unreadable("the input".to_owned(), source))?
    } else {
        argument.to_owned()
    };
    serde_json::from_str(&text).map_err(|error| {
        let mismatch = Mismatch { path: String::new(), message: format!("the input is no JSON: {error}") };
        Error::Input(vec![mismatch])
    })
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
