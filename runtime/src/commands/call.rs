//! What a tool is called with, for all commands that run one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runtime::Error;
use runtime::input::Mismatch;
use runtime::invoke::{Call, Hidden, Mode};
use runtime::network::NetworkSettings;
use sdk::Problem;
use sdk::artifact::Label;
use sdk::project::{MANIFEST, Project};
use serde_json::Value;

/// One declaration for `run`, `dev` and `bench`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The input of a call: JSON, `@FILE`, or `-` for standard input; may be repeated, for a call each.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    input: Vec<String>,
    /// Print what there is to say as JSON, a line for each report.
    #[arg(long)]
    pub json: bool,
    /// How the tool is to run.
    #[arg(long, default_value = "regular", value_enum)]
    mode: ModeArgument,
    #[command(flatten)]
    variables: Variables,
    #[command(flatten)]
    network: super::network::Arguments,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Variables")]
struct Variables {
    /// An environment variable: `NAME=VALUE`, `NAME@FILE`, or `NAME` to hand on your own; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, Hidden)>,
    /// A secret environment variable, given in the same ways; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    secret: Vec<(String, Hidden)>,
    /// A file of variables, `NAME=VALUE` a line; may be repeated. What is given by itself goes before it.
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum ModeArgument {
    Regular,
    ConversationSimulation,
}

/// What is known of an input before a call is made.
pub enum Input {
    /// JSON, which standard input gives as well.
    Text(String),
    /// A file of it, read anew for each call.
    File(PathBuf),
}

impl Arguments {
    /// The inputs in their order. Standard input is read here, and only once.
    pub fn inputs(&self) -> Result<Vec<Input>, Error> {
        let mut inputs = Vec::new();
        for argument in &self.input {
            inputs.push(match argument.strip_prefix('@') {
                Some(path) => Input::File(path.into()),
                None if argument == "-" => {
                    let text = std::io::read_to_string(std::io::stdin());
                    let unreadable = |_| Problem::new("standard input is no text in UTF-8", "write JSON to it");
                    Input::Text(text.map_err(unreadable).map_err(sdk::Error::from)?)
                }
                None => Input::Text(argument.clone()),
            });
        }
        Ok(inputs)
    }

    /// What the inputs say now.
    pub fn parameters(&self) -> Result<Vec<Value>, Error> {
        self.inputs()?.iter().map(Input::read).collect()
    }

    /// The files that inputs and variables come from.
    pub fn files(&self) -> Vec<PathBuf> {
        let inputs = self.input.iter().filter_map(|input| input.strip_prefix('@')).map(PathBuf::from);
        inputs.chain(self.variables.env_file.iter().cloned()).collect()
    }

    /// What the tool may connect to beyond its project's table.
    pub fn network(&self) -> NetworkSettings {
        self.network.settings()
    }

    /// A call with these parameters. The tool is what its path names: what it requires and does not get is a problem.
    pub fn call<'a>(&self, parameters: &'a Value, label: &Label, tool: &Path) -> Result<Call<'a>, Error> {
        let mut env = BTreeMap::new();
        for file in &self.variables.env_file {
            env.extend(super::env_file::read(file)?.into_iter().map(|(name, value)| (name, Hidden::from(value))));
        }
        env.extend(self.variables.env.iter().chain(&self.variables.secret).cloned());
        let mode = match self.mode {
            ModeArgument::Regular => Mode::Regular,
            ModeArgument::ConversationSimulation => Mode::ConversationSimulation,
        };
        let call = Call { env, echoes_logs: !self.json, ..Call::new(parameters, mode) };
        let missing: Vec<_> =
            label.env.iter().chain(&label.secrets).filter(|name| !call.env.contains_key(*name)).collect();
        if missing.is_empty() {
            return Ok(call);
        }
        // Of a built file, the lines are of a manifest that is elsewhere.
        let manifest = tool.is_dir().then(|| Project::read(tool)).transpose()?;
        let lines = manifest.map(|project| project.manifest.variable_lines).unwrap_or_default();
        let problem = |name: &String| {
            let option = if label.secrets.contains(name) { "secret" } else { "env" };
            let message = format!("the tool requires the variable {name}, and it is not given");
            Problem::new(message, format!("add `--{option} {name}=…`, or name a file with `--env-file`"))
                .at(MANIFEST, lines.get(name).copied())
        };
        Err(sdk::Error::Refused(missing.into_iter().map(problem).collect()).into())
    }
}

impl Input {
    /// The JSON.
    pub fn read(&self) -> Result<Value, Error> {
        let parsed = match self {
            Self::Text(text) => serde_json::from_str(text),
            Self::File(path) => {
                let unreadable = |why| sdk::Error::from(Problem::new(why, "name a file of JSON as `--input @FILE`"));
                serde_json::from_str(&super::files::read(path).map_err(unreadable)?)
            }
        };
        parsed.map_err(|error| {
            let message = format!("the input is no JSON: {error}");
            Error::Input(vec![Mismatch { path: String::new(), message }])
        })
    }
}

/// `NAME=VALUE`, `NAME@FILE` without the line break at the file's end, or `NAME`. No message repeats a value.
fn variable(text: &str) -> Result<(String, Hidden), String> {
    let end = text.find(['=', '@']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err("a variable's name has letters, digits and _: write it as NAME=VALUE".to_owned());
    }
    let value = if let Some(value) = rest.strip_prefix('=') {
        value.to_owned()
    } else if let Some(path) = rest.strip_prefix('@') {
        let text = super::files::read(Path::new(path))?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        text.strip_suffix('\r').unwrap_or(text).to_owned()
    } else {
        std::env::var(name).map_err(|_| format!("write it as {name}=VALUE or {name}@FILE, or set {name} first"))?
    };
    Ok((name.to_owned(), Hidden::from(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_given_by_value_by_file_or_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs_err::write(&file, "two\nlines\r\n").unwrap();
        let read = variable;
        let given = |name: &str, value: &str| Ok((name.to_owned(), Hidden::from(value.to_owned())));
        assert_eq!(read("A=b=c@d"), given("A", "b=c@d"));
        assert_eq!(read("A="), given("A", ""));
        assert_eq!(read(&format!("A@{}", file.display())), given("A", "two\nlines"));
        assert_eq!(read("CARGO_PKG_NAME_THAT_NOBODY_SETS").unwrap_err().matches("@FILE").count(), 1);
        assert_eq!(read("PATH").unwrap().1, Hidden::from(std::env::var("PATH").unwrap()));
        for wrong in ["", "=1", "A B=1", "A@/no/such/file"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
