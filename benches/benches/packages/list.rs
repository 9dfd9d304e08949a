//! Which packages are tried, and what is done with each.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// Used where no other list is given, and for what is known of the packages of one that has names alone.
const OWN: &str = include_str!("list.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    package: Vec<Entry>,
}

/// A package, and what to do with it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// As a project's dependencies name it.
    pub name: String,
    /// What it needs and does not require itself.
    #[serde(default)]
    pub with: Vec<String>,
    /// The module that a tool imports; by default what the package was made to be imported as.
    pub import: Option<String>,
    /// Python that fails where the package does not do its work.
    #[serde(rename = "use")]
    pub code: Option<String>,
}

/// The packages of a list, or of our own; those of these names, where there are names.
pub fn read(list: Option<&Path>, names: &[String]) -> Result<Vec<Entry>> {
    let known = toml::from_str::<List>(OWN).context("our own list cannot be read")?.package;
    let listed = match list {
        None => known.clone(),
        Some(path) => parse(&path.display().to_string(), &fs_err::read_to_string(path)?, &known)?,
    };
    let of_name = |name: &String| entry(name, &[&listed, &known]);
    let entries: Vec<_> = if names.is_empty() { listed } else { names.iter().map(of_name).collect() };
    ensure!(!entries.is_empty(), "the list is empty");
    Ok(entries)
}

/// TOML where it is that, else a dependency a line, `#` before what is none.
fn parse(name: &str, text: &str, known: &[Entry]) -> Result<Vec<Entry>> {
    let error = match toml::from_str::<List>(text) {
        Ok(list) => return Ok(list.package),
        Err(error) => error,
    };
    if name.ends_with(".toml") || text.contains("[[package]]") {
        bail!("{name}: {error}");
    }
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    Ok(lines.filter(|line| !line.is_empty()).map(|line| entry(line, &[known])).collect())
}

/// What the first of the lists knows of a dependency, which may ask for a version.
fn entry(dependency: &str, lists: &[&[Entry]]) -> Entry {
    let name = dependency.split([' ', '[', '<', '>', '=', '!', '~', ';', '@']).next().unwrap_or_default();
    let known = lists.iter().copied().flatten().find(|entry| normalized(&entry.name) == normalized(name));
    let bare = || Entry { name: String::new(), with: Vec::new(), import: None, code: None };
    Entry { name: dependency.to_owned(), ..known.cloned().unwrap_or_else(bare) }
}

/// PEP 503: `Markdown_It.py` is `markdown-it-py`.
pub fn normalized(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_lowercase()
}
