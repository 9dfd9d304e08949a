//! What a tool is called with, for all commands that run one.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use runtime::Error;
use runtime::invoke::{Call, Hidden, Mode};
use sdk::Problem;
use sdk::artifact::Label;
use sdk::project::{MANIFEST, Project};
use serde_json::Value;

#[derive(clap::Args)]
#[command(next_help_heading = "Variables")]
pub struct Arguments {
    /// An environment variable: `NAME=VALUE`, `NAME@FILE`, or `NAME` to hand on your own; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, Hidden)>,
    /// A secret environment variable, given in the same ways; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    secret: Vec<(String, Hidden)>,
    /// A file of variables, `NAME=VALUE` a line; may be repeated. What is given by itself goes before it.
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// How the tool is to run.
    #[arg(long, default_value = "regular", value_enum, help_heading = "Options")]
    mode: ModeArgument,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum ModeArgument {
    Regular,
    ConversationSimulation,
}

impl Arguments {
    /// The files that variables come from.
    pub fn files(&self) -> &[PathBuf] {
        &self.env_file
    }

    /// A call with these parameters. The tool is what its path names: what it requires and does not get is a problem.
    pub fn call<'a>(&self, parameters: &'a Value, label: &Label, tool: &Path) -> Result<Call<'a>, Error> {
        let mut env = BTreeMap::new();
        for file in &self.env_file {
            env.extend(super::env_file::read(file)?.into_iter().map(|(name, value)| (name, Hidden::from(value))));
        }
        env.extend(self.env.iter().chain(&self.secret).cloned());
        let mode = match self.mode {
            ModeArgument::Regular => Mode::Regular,
            ModeArgument::ConversationSimulation => Mode::ConversationSimulation,
        };
        let call = Call { env, ..Call::new(parameters, mode) };
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

/// The input that an argument gives: JSON, `@FILE`, or `-` for standard input.
pub fn input(argument: &str) -> Result<Value, Error> {
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
        let mismatch =
            runtime::input::Mismatch { path: String::new(), message: format!("the input is no JSON: {error}") };
        Error::Input(vec![mismatch])
    })
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
        let text = fs_err::read_to_string(path).map_err(|error| format!("its file cannot be read: {error}"))?;
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
