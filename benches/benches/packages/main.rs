//! The packages that tools of language models use most: each is installed as a publish installs it, imported while the
//! tool is built, and put to a line of real use in the sandbox. A line of Markdown for each says what came of it.
//!
//! `cargo bench --workspace --bench packages --profile release [-- [--list FILE] [--least N] [NAME…]]`
//!
//! `--list` reads another list: TOML like `list.toml`, or names, one a line. Names choose from the list, and may be of
//! packages that it does not have. Where no use is known of a package, everything that it was made to be imported as is
//! imported. `--least` makes the bench fail where fewer work.
//! It takes the newest versions that the index has, so it needs the index, and its table is of the day of the run.

mod list;
mod modules;
mod trial;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::trial::Bench;

#[derive(Default)]
struct Arguments {
    list: Option<PathBuf>,
    least: usize,
    names: Vec<String>,
}

fn main() -> Result<ExitCode> {
    let Arguments { list, least, names } = parse(std::env::args().skip(1))?;
    let entries = list::read(list.as_deref(), &names)?;
    let bench = Bench::new(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("toolplane-cache"))?;
    println!("| package | version | result |\n| --- | --- | --- |");
    let mut passed = 0;
    for entry in &entries {
        let found = bench.find(entry);
        let passing = if entry.code.is_some() { "works" } else { "can be imported" };
        let result = found.why_not.as_ref().map_or(passing.to_owned(), |why| why.replace('|', "\\|"));
        passed += usize::from(found.why_not.is_none());
        println!("| {} | {} | {result} |", entry.name, found.version.unwrap_or_default());
    }
    eprintln!("{passed} of {} packages passed", entries.len());
    if passed < least {
        eprintln!("at least {least} were to pass");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments> {
    let mut parsed = Arguments::default();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            // Cargo gives it to every bench.
            "--bench" => {}
            "--list" => parsed.list = Some(value()?.into()),
            "--least" => parsed.least = value()?.parse().context("--least needs a number")?,
            option if option.starts_with('-') => bail!("there is no option {option}: give --list, --least, or names"),
            _ => parsed.names.push(argument),
        }
    }
    Ok(parsed)
}
