//! A project: a folder with a `pyproject.toml`, read and checked without running anything of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

use crate::dependencies::groups::{self, Groups};
use crate::dependencies::requirement::Dependency;
use crate::egress::{Egress, MOST_PATTERNS, Pattern};
use crate::error::{Error, Problem};
use crate::{bound_secrets, known_keys};

/// The file that makes a folder a project.
pub const MANIFEST: &str = "pyproject.toml";

/// The largest manifest, in bytes. A person writes a few hundred.
const MANIFEST_BYTES: u64 = 256 << 10;

/// A project as its manifest describes it.
#[derive(Debug, Clone)]
pub struct Project {
    /// The project's folder on this machine.
    pub folder: PathBuf,
    /// What the manifest says.
    pub manifest: Manifest,
}

/// The checked content of a `pyproject.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// `[project] name`.
    pub name: String,
    /// `[project] description`.
    pub description: Option<String>,
    /// `[project] dependencies`.
    pub dependencies: Vec<Dependency>,
    /// `[dependency-groups] dev` (PEP 735), with the groups that it includes: what the project's tests need.
    pub dev_dependencies: Vec<Dependency>,
    /// `module:function`.
    pub entry_point: String,
    /// The line that names it.
    pub entry_point_line: u32,
    /// Variables that an invocation needs.
    pub env: Vec<String>,
    /// Secret variables that an invocation needs.
    pub secrets: Vec<String>,
    /// The line that names each of both.
    pub variable_lines: BTreeMap<String, u32>,
    /// The author's own limit for one invocation.
    pub timeout: Option<Duration>,
    /// The author's own limit for one invocation, in bytes.
    pub memory_bytes: Option<u64>,
    /// Modules that are imported before the snapshot, with all that they load only when it is asked for; each with its line.
    pub preload: Vec<(String, u32)>,
    /// What the tool may connect to.
    pub egress: Egress,
    /// Secrets that never enter the sandbox, each with the hosts that get them.
    pub bound_secrets: BTreeMap<String, Vec<Pattern>>,
}

/// A manifest that is read as far as it can be.
pub struct Survey {
    /// What it says, without what is wrong. An entry point that is wrong is empty.
    pub manifest: Manifest,
    /// Everything that is wrong with it.
    pub problems: Vec<Problem>,
    /// Whether all dependencies that it names could be read.
    pub has_all_dependencies: bool,
}

impl Project {
    /// Reads the manifest of the project in a folder.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        Ok(Self { folder: folder.to_owned(), manifest: Manifest::parse(&Self::text(folder)?)? })
    }

    /// Reads the manifest of the project in a folder as far as it can be read.
    pub fn survey(folder: &Path) -> Result<Survey, Error> {
        Manifest::survey(&Self::text(folder)?)
    }

    fn text(folder: &Path) -> Result<String, Error> {
        let missing = || {
            Problem::new(
                format!("there is no {MANIFEST} in the project's folder"),
                "add one with `[project] name = \"…\"` and `[tool.toolplane] entry-point = \"module:function\"`",
            )
            .at(MANIFEST, None)
        };
        if !folder.is_dir() {
            let what = if folder.is_file() { "is a file, and no project's folder" } else { "is not there" };
            let message = format!("`{}` {what}", folder.display());
            return Err(Problem::new(message, "name a project's folder; `runtime new NAME` makes one").into());
        }
        let path = folder.join(MANIFEST);
        let size = fs_err::metadata(&path).map_err(|_| missing())?.len();
        if size > MANIFEST_BYTES {
            let message = format!("it has {size} bytes, and the limit is {MANIFEST_BYTES}");
            return Err(Problem::new(message, "keep data in files of its own").at(MANIFEST, None).into());
        }
        let bytes = fs_err::read(&path).map_err(|source| Error::internal("read the manifest", source))?;
        let unreadable = || Problem::new("it is not UTF-8", "save it as UTF-8").at(MANIFEST, None);
        Ok(String::from_utf8(bytes).map_err(|_| unreadable())?)
    }
}

impl Manifest {
    /// A problem with a variable that the project requires, at the line that names it.
    pub fn variable_problem(&self, name: &str, message: String, remedy: String) -> Problem {
        Problem::new(message, remedy).at(MANIFEST, self.variable_lines.get(name).copied())
    }

    /// Parses the text of a `pyproject.toml`, and says everything that is wrong with it at once.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let Survey { manifest, problems, .. } = Self::survey(text)?;
        if problems.is_empty() { Ok(manifest) } else { Err(Error::Refused(problems)) }
    }

    /// Reads as much of a `pyproject.toml` as can be read. It fails where that is nothing.
    fn survey(text: &str) -> Result<Survey, Error> {
        let line_of = |offset: usize| text[..offset.min(text.len())].matches('\n').count() as u32 + 1;
        let unreadable = |error: toml::de::Error| {
            Problem::new(error.message().trim_end().replace('\n', ", "), "mend that line")
                .at(MANIFEST, error.span().map(|span| line_of(span.start)))
        };
        let (mut table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let mut problems: Vec<_> = errors.into_iter().map(unreadable).collect();
            // What follows from a fault often stands in the same line.
            problems.dedup_by_key(|problem| problem.line);
            return Err(Error::Refused(problems));
        }
        let wrong = known_keys::take_wrong(table.get_mut());
        let located = |(problem, place): (Problem, usize)| problem.at(MANIFEST, Some(line_of(place)));
        let mut problems: Vec<_> = wrong.into_iter().map(located).collect();
        let is_told = |problems: &[Problem], key: &str| {
            problems.iter().any(|problem| problem.message.starts_with(&format!("`{key}` is")))
        };
        let mut has_all_dependencies = !problems.iter().any(|problem| problem.message.starts_with("`dependencies`"));
        let is_named = !is_told(&problems, "name");
        let is_entered = !is_told(&problems, "entry-point");
        let file = File::deserialize(Deserializer::from(table)).map_err(unreadable);
        let file = file.map_err(|problem| {
            // It is in the reader's own words: what was not thought of above.
            problems.push(Problem { message: "what stands here cannot be read".to_owned(), ..problem });
            problems.sort_by_key(|problem| problem.line.unwrap_or(u32::MAX));
            Error::Refused(problems.clone())
        })?;

        let mut report = |line: Option<u32>, message: String, remedy: &str| {
            problems.push(Problem::new(message, remedy).at(MANIFEST, line));
        };
        let project = file.project.unwrap_or_default();
        let tool = file.tool.and_then(|tool| tool.toolplane).unwrap_or_default();

        if project.name.is_none() && is_named {
            report(None, "`[project] name` is missing".to_owned(), "add `name = \"…\"` under `[project]`");
        }
        let mut dependencies = Vec::new();
        for text in &project.dependencies {
            let line = line_of(text.span().start);
            match Dependency::parse(text.get_ref(), line) {
                Ok(dependency) => dependencies.push(dependency),
                Err((message, remedy)) => {
                    has_all_dependencies = false;
                    report(Some(line), message, remedy);
                }
            }
        }
        let mut dev_dependencies = Vec::new();
        for text in groups::members(&file.dependency_groups, "dev") {
            let line = line_of(text.span().start);
            match text.get_ref().as_str().map(|text| Dependency::parse(text, line)) {
                Some(Ok(dependency)) => dev_dependencies.push(dependency),
                Some(Err((message, remedy))) => report(Some(line), message, remedy),
                None => report(
                    Some(line),
                    "an entry of a dependency group is neither a dependency nor a group that exists".to_owned(),
                    "write it like \"pytest\" or {include-group = \"test\"}",
                ),
            }
        }
        match &tool.entry_point {
            None if is_entered => report(
                None,
                "`[tool.toolplane] entry-point` is missing".to_owned(),
                "add `entry-point = \"module:function\"` under `[tool.toolplane]`",
            ),
            Some(entry) if !is_entry_point(entry.get_ref()) => report(
                Some(line_of(entry.span().start)),
                format!("entry point `{}` is not of the form module:function", entry.get_ref()),
                "write it like `weather:forecast` or `weather.forecasts:daily`",
            ),
            _ => {}
        }
        for name in tool.env.iter().chain(&tool.secrets) {
            if !is_variable_name(name.get_ref()) {
                report(
                    Some(line_of(name.span().start)),
                    format!("variable name `{}` is not made of A-Z, 0-9 and _", name.get_ref()),
                    "write it like `WEATHER_UNITS`",
                );
            }
        }
        let mut timeout = None;
        if let Some(text) = &tool.timeout {
            timeout = duration(text.get_ref());
            if timeout.is_none() {
                let message = format!("`{}` is no duration", text.get_ref());
                report(Some(line_of(text.span().start)), message, "write it like \"500ms\", \"30s\" or \"2m\"");
            }
        }
        let mut memory_bytes = None;
        if let Some(text) = &tool.memory {
            memory_bytes = size(text.get_ref());
            if memory_bytes.is_none() {
                let message = format!("`{}` is no size", text.get_ref());
                report(Some(line_of(text.span().start)), message, "write it like \"256MiB\" or \"1GiB\"");
            }
        }
        let mut preload = Vec::new();
        for text in &tool.preload {
            let line = line_of(text.span().start);
            match is_module(text.get_ref()) {
                true => preload.push((text.get_ref().clone(), line)),
                false => report(
                    Some(line),
                    format!("`{}` under `preload` is no module's name", text.get_ref().escape_debug()),
                    "write it as an import would, like \"langchain_core.messages\"",
                ),
            }
        }
        let mut egress = Egress::default();
        for (texts, patterns, needs_port) in
            [(&tool.egress.allow, &mut egress.allow, false), (&tool.egress.tcp, &mut egress.tcp, true)]
        {
            for text in texts {
                let place = Some(line_of(text.span().start));
                match Pattern::parse(text.get_ref()) {
                    Ok(pattern) if needs_port && !pattern.has_port() => report(
                        place,
                        format!("`{}` under `tcp` has no port", text.get_ref()),
                        "write it like \"smtp.example.com:587\"",
                    ),
                    Ok(pattern) => patterns.push(pattern),
                    Err(reason) => report(
                        place,
                        format!("`{}` names no host: {reason}", text.get_ref()),
                        "write it like \"api.example.com\", \"*.example.com\" or \"api.example.com:8443\"",
                    ),
                }
            }
            if texts.len() > MOST_PATTERNS {
                let place = texts.get(MOST_PATTERNS).map(|text| line_of(text.span().start));
                report(place, format!("more than {MOST_PATTERNS} hosts"), "use `*.` for hosts of one domain");
            }
        }
        let names: Vec<_> = tool.secrets.iter().map(|name| name.get_ref().clone()).collect();
        let (bound_secrets, wrong) = tool.bound_secrets.read(&names, &egress);
        for (place, message, remedy) in wrong {
            report(Some(line_of(place)), message, remedy);
        }
        let variables = tool.env.iter().chain(&tool.secrets);
        let variable_lines = variables.map(|name| (name.get_ref().clone(), line_of(name.span().start))).collect();
        let texts = |list: Vec<Spanned<String>>| list.into_iter().map(Spanned::into_inner).collect();
        let manifest = Self {
            name: project.name.unwrap_or_default(),
            description: project.description,
            dependencies,
            dev_dependencies,
            entry_point_line: tool.entry_point.as_ref().map_or(1, |entry| line_of(entry.span().start)),
            entry_point: tool
                .entry_point
                .map(Spanned::into_inner)
                .filter(|entry| is_entry_point(entry))
                .unwrap_or_default(),
            env: texts(tool.env),
            secrets: names,
            variable_lines,
            timeout,
            memory_bytes,
            preload,
            egress,
            bound_secrets,
        };
        problems.sort_by_key(|problem| problem.line.unwrap_or(u32::MAX));
        Ok(Survey { manifest, problems, has_all_dependencies })
    }
}

/// Other tools keep their settings in the same file, so only our own table refuses unknown keys.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    project: Option<ProjectTable>,
    tool: Option<ToolTable>,
    #[serde(default)]
    dependency_groups: Groups,
}

#[derive(Default, Deserialize)]
struct ProjectTable {
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    dependencies: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
struct ToolTable {
    toolplane: Option<ToolplaneTable>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ToolplaneTable {
    entry_point: Option<Spanned<String>>,
    #[serde(default)]
    env: Vec<Spanned<String>>,
    #[serde(default)]
    secrets: Vec<Spanned<String>>,
    timeout: Option<Spanned<String>>,
    memory: Option<Spanned<String>>,
    #[serde(default)]
    preload: Vec<Spanned<String>>,
    #[serde(default)]
    egress: EgressTable,
    #[serde(default)]
    bound_secrets: bound_secrets::Table,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EgressTable {
    #[serde(default)]
    allow: Vec<Spanned<String>>,
    #[serde(default)]
    tcp: Vec<Spanned<String>>,
}

fn is_entry_point(text: &str) -> bool {
    let Some((module, function)) = text.split_once(':') else { return false };
    is_module(module) && is_identifier(function)
}

fn is_module(text: &str) -> bool {
    text.split('.').all(is_identifier)
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// The same rule as the HTTP contract's: `^[A-Z_][A-Z0-9_]*$`.
fn is_variable_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let milliseconds = match unit {
        "ms" => number,
        "s" => number.checked_mul(1000)?,
        "m" => number.checked_mul(60_000)?,
        _ => return None,
    };
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
}

fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let factor = match unit {
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    number.checked_mul(factor).filter(|bytes| *bytes > 0)
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..digits].parse().ok()?, text[digits..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
[project]
name = "weather"
description = "Forecasts"
dependencies = [
    "httpx>=0.28",
]

[tool.toolplane]
entry-point = "weather:forecast"
env = ["UNITS"]
secrets = ["API_KEY"]
timeout = "30s"
memory = "256MiB"
preload = ["json.tool"]

[tool.ruff]
line-length = 100
"#;

    fn problems(text: &str) -> Vec<String> {
        match Manifest::parse(text) {
            Err(Error::Refused(problems)) => problems.iter().map(ToString::to_string).collect(),
            other => panic!("expected problems, got {other:?}"),
        }
    }

    #[test]
    fn a_whole_manifest_is_read() {
        let manifest = Manifest::parse(WHOLE).unwrap();
        assert_eq!(manifest.entry_point, "weather:forecast");
        assert_eq!((manifest.dependencies[0].name(), manifest.dependencies[0].line), ("httpx", 6));
        assert_eq!(manifest.env, ["UNITS"]);
        assert_eq!((manifest.variable_lines["UNITS"], manifest.variable_lines["API_KEY"]), (11, 12));
        assert_eq!(manifest.timeout, Some(Duration::from_secs(30)));
        assert_eq!(manifest.memory_bytes, Some(256 << 20));
        assert_eq!(manifest.preload, [("json.tool".to_owned(), 15)]);
    }

    #[test]
    fn everything_wrong_is_said_at_once_with_its_line() {
        let text = "[project]\ndependencies = [\"httpx >> 0.28\"]\n[tool.toolplane]\nentry-point = \"weather\"\ntimeout = \"soon\"\nenv = [\"units\"]\npreload = [\"a-b\"]\n";
        let problems = problems(text);
        assert_eq!(problems.len(), 6, "{problems:#?}");
        assert!(problems[0].starts_with("pyproject.toml:2: dependency `httpx >> 0.28`"));
        assert!(problems[1].starts_with("pyproject.toml:4: entry point `weather`"));
        assert!(problems[2].starts_with("pyproject.toml:5: `soon` is no duration"));
        assert!(problems[3].starts_with("pyproject.toml:6: variable name `units`"));
        assert!(problems[4].starts_with("pyproject.toml:7: `a-b` under `preload` is no module's name"));
        assert!(problems[5].contains("`[project] name` is missing"));
    }

    #[test]
    fn hosts_are_read_and_what_is_none_is_said_with_its_line() {
        let text = "[project]\nname = \"a\"\n[tool.toolplane]\nentry-point = \"a:b\"\n[tool.toolplane.egress]\n";
        let manifest = Manifest::parse(&format!("{text}allow = [\"api.test\"]\ntcp = [\"mail.test:587\"]\n")).unwrap();
        assert!(manifest.egress.allows_http("api.test", 443));
        assert!(manifest.egress.allows_tcp("mail.test", 587));
        let problems = problems(&format!("{text}allow = [\"https://api.test\"]\ntcp = [\n\"mail.test\"]\n"));
        assert!(
            problems[0].starts_with("pyproject.toml:6: `https://api.test` names no host: it is a host and not a URL")
        );
        assert!(problems[1].starts_with("pyproject.toml:8: `mail.test` under `tcp` has no port"), "{problems:?}");
    }

    #[test]
    fn an_unknown_key_of_ours_is_refused_with_its_line() {
        let head = "[project]\nname = \"a\"\n[tool.toolplane]\n";
        let problems = problems(&format!(
            "{head}entry-point = \"a:b\"\ntime-out = \"5s\"\nregion = 1\ntimeout = \"soon\"\n[tool.toolplane.egress]\nallowed = []\n"
        ));
        for (problem, told) in problems.iter().zip([
            "pyproject.toml:5: unknown key `time-out` in `[tool.toolplane]`\n  to do: did you mean `timeout`?",
            "pyproject.toml:6: unknown key `region` in `[tool.toolplane]`\n  to do: remove it; the keys are `entry-point`, ",
            "pyproject.toml:7: `soon` is no duration",
            "pyproject.toml:9: unknown key `allowed` in `[tool.toolplane.egress]`\n  to do: did you mean `allow`?",
        ]) {
            assert!(problem.starts_with(told), "{problem}");
        }
        assert_eq!(problems.len(), 4, "{problems:#?}");
    }

    #[test]
    fn a_table_that_is_nearly_called_like_ours_is_told() {
        let problems = problems("[project]\nname = \"a\"\n[tool.toolplan]\nentry-point = \"a:b\"\n");
        assert!(problems[0].contains("pyproject.toml:3: `[tool.toolplan]` is not a table that is read\n  to do: did you mean `[tool.toolplane]`?"), "{problems:?}");
    }

    #[test]
    fn broken_toml_names_its_line() {
        let told = problems("dependency-groups = 1\n[project]\nname = 7\n[tool]\ntoolplane = 1\n");
        for (problem, start) in told.iter().zip([
            "pyproject.toml:1: `dependency-groups` is a number, and takes a table\n  to do: write it as a table, `[dependency-groups]`",
            "pyproject.toml:3: `name` is a number, and takes a text in quotes\n  to do: write it like `name = \"weather\"`",
            "pyproject.toml:5: `toolplane` is a number, and takes a table\n  to do: write it as a table, `[tool.toolplane]`",
        ]) {
            assert!(problem.starts_with(start), "{told:#?}");
        }
        assert!(problems("[project]\nname = \n")[0].starts_with("pyproject.toml:2: "));
    }
}
