//! `runtime check`: everything that is wrong with a project, each with file, line and what to do.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runtime::{Error, builds};
use sdk::Problem;
use sdk::artifact::Artifact;
use sdk::dependencies::Settings;
use sdk::project::{MANIFEST, Project};
use serde_json::{Value, json};

use super::{exit, report};

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runtime check\n  runtime check weather --json")]
pub struct Arguments {
    /// The project's folder.
    #[arg(default_value = ".", value_name = "PROJECT")]
    project: PathBuf,
    /// Print the problems as JSON, an empty list where there are none.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub fn project(&self) -> &Path {
        &self.project
    }
}

pub fn execute(arguments: Arguments, cache: &Path, settings: &Settings) -> Result<ExitCode, Error> {
    let built = match builds::check(cache, &arguments.project, settings) {
        Err(Error::Build(sdk::Error::Refused(problems))) if arguments.json => {
            println!("{:#}", listed("error", &problems));
            return Ok(ExitCode::from(exit::REFUSED));
        }
        built => built?,
    };
    let warnings = warnings(&built, &arguments.project)?;
    if arguments.json {
        println!("{:#}", listed("warning", &warnings));
    }
    warnings.iter().for_each(|problem| report::print_warning(problem, &arguments.project));
    eprintln!("no problems found");
    Ok(ExitCode::SUCCESS)
}

/// What hinders nothing, and is seldom meant.
fn warnings(built: &Path, project: &Path) -> Result<Vec<Problem>, Error> {
    let bytes = fs_err::read(built).map_err(|source| Error::internal("read the built tool", source))?;
    let described = Artifact::parse(bytes)?.label.description.description;
    if described.is_some_and(|text| !text.is_empty()) || Project::read(project)?.manifest.description.is_some() {
        return Ok(Vec::new());
    }
    let message = "nothing says what the tool does, and a language model chooses it by that";
    let remedy = "describe it in the function's docstring, or add `description = \"…\"` under `[project]`";
    Ok(vec![Problem::new(message, remedy).at(MANIFEST, None)])
}

fn listed(severity: &str, problems: &[Problem]) -> Value {
    let mut list = json!(problems);
    list.as_array_mut().into_iter().flatten().for_each(|problem| problem["severity"] = json!(severity));
    list
}
