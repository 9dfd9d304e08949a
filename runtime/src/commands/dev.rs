//! `runtime dev`: the tool runs anew whenever a file of the project is saved.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use runtime::Error;
use runtime::drafts::{Draft, Drafts};
use runtime::input::InputLimits;
use runtime::invoke::Limits;
use sdk::dependencies::Settings;
use serde_json::json;

use super::call::{self, Input};
use super::watch::{Changes, Watch};
use super::{report, shown};

#[derive(clap::Args)]
#[command(
    after_help = "Ctrl-C ends it. Files of inputs and variables are watched, too. What runs is what production would run, under the same limits.

Examples:
  runtime dev --input '{\"city\": \"Ghent\"}'
  runtime dev weather --input @ghent.json --input @bruges.json --env-file .env"
)]
pub struct Arguments {
    /// The project's folder.
    #[arg(default_value = ".", value_name = "PROJECT")]
    project: PathBuf,
    #[command(flatten)]
    call: call::Arguments,
}

impl Arguments {
    pub fn project(&self) -> &Path {
        &self.project
    }
}

pub fn execute(arguments: Arguments, cache: &Path, settings: &Settings) -> Result<ExitCode, Error> {
    let runtime = super::single_runtime(cache, arguments.call.network())?;
    let drafts = Arc::new(Drafts::open(runtime, settings.clone())?);
    let inputs = arguments.call.inputs()?;
    let executor = super::executor()?;
    let ended = executor.block_on(async {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
            error = watch(&arguments, &inputs, &drafts) => Err(error),
        }
    });
    // An import that never ends must not hold the program.
    executor.shutdown_background();
    ended
}

/// Runs at every change, and never ends but for a fault of ours.
async fn watch(arguments: &Arguments, inputs: &[Input], drafts: &Arc<Drafts>) -> Error {
    // What is saved while the tool runs differs from this, so it is seen afterwards.
    let mut watch = Watch::new(&arguments.project, arguments.call.files());
    eprintln!("watching {}; Ctrl-C ends it", arguments.project.display());
    let mut changes = None;
    loop {
        if let Some(Changes { names, .. }) = &changes {
            eprintln!("\n{}:", names.join(", "));
        }
        let (folder, drafts) = (arguments.project.clone(), Arc::clone(drafts));
        let loaded = tokio::task::spawn_blocking(move || drafts.load(&folder)).await;
        let loaded = loaded.unwrap_or_else(|source| Err(Error::internal("import the tool", source)));
        let saved = changes.as_ref().map(|changes| changes.saved);
        match loaded {
            Ok(draft) => {
                eprint!("{}", draft.logs);
                for input in inputs {
                    if let Err(error) = run(arguments, &draft, input, saved).await {
                        report::print(&error, &arguments.project);
                    }
                }
            }
            Err(error) => report::print(&error, &arguments.project),
        }
        changes = Some(watch.changed().await);
    }
}

async fn run(arguments: &Arguments, draft: &Draft, input: &Input, saved: Option<SystemTime>) -> Result<(), Error> {
    let parameters = input.read()?;
    draft.tool.unpacked().check_input(&parameters, &InputLimits::default())?;
    let call = arguments.call.call(&parameters, draft.tool.unpacked().label(), &arguments.project)?;
    let report = draft.tool.invoke(&call, &Limits::default()).await?;
    let since_save_ms = saved.and_then(|saved| saved.elapsed().ok()).map(|elapsed| elapsed.as_secs_f64() * 1e3);
    if arguments.call.json {
        let mut line = shown::json(&report);
        line["since_save_ms"] = json!(since_save_ms);
        println!("{line}");
    } else {
        let more = since_save_ms.map(|milliseconds| format!("; {milliseconds:.0} ms since the save"));
        shown::print_text(&report, &more.unwrap_or_default());
    }
    Ok(())
}
