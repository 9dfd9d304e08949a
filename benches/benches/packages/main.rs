//! The packages that tools of language models use most: each is installed as a publish installs it, imported while the
//! tool is built, and put to a line of real use in the sandbox. A line of Markdown for each says what came of it.
//!
//! `cargo bench --workspace --bench packages --profile release [-- NAME…]`
//!
//! It takes the newest versions that the index has, so it needs the index, and its table is of the day of the run.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use runtime::engine::{Options, Runtime};
use runtime::invoke::{Call, Limits, Mode};
use runtime::outcome::{Failure, Outcome};
use sdk::base::Base;
use sdk::dependencies::{self, Packages, Settings};
use sdk::project::{MANIFEST, Project};
use sdk::snapshot::Snapshotter;
use serde::Deserialize;
use serde_json::json;

const LIST: &str = include_str!("list.toml");

#[derive(Deserialize)]
struct List {
    package: Vec<Entry>,
}

/// A package, and what to do with it.
#[derive(Deserialize)]
struct Entry {
    name: String,
    /// What it needs and does not require itself.
    #[serde(default)]
    with: Vec<String>,
    /// The module that a tool imports.
    import: String,
    /// Python that fails where the package does not do its work.
    #[serde(rename = "use")]
    code: String,
}

/// How far a package comes, and why no further.
#[derive(Default)]
struct Finding {
    version: Option<String>,
    is_imported: bool,
    is_used: bool,
    why: String,
}

struct Bench {
    cache: PathBuf,
    settings: Settings,
    snapshotter: Snapshotter,
    runtime: Runtime,
    executor: tokio::runtime::Runtime,
}

fn main() -> Result<()> {
    let wanted: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let List { mut package } = toml::from_str(LIST)?;
    package.retain(|entry| wanted.is_empty() || wanted.contains(&entry.name));
    ensure!(!package.is_empty(), "the list has none of these names");
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("toolplane-cache");
    let bench = Bench {
        settings: Settings::default(),
        snapshotter: Snapshotter::new(Base::find_or_make(&cache)?)?,
        runtime: Runtime::new(Options::new(&cache))?,
        executor: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        cache,
    };
    println!("| package | version | imports | works | why not |\n| --- | --- | --- | --- | --- |");
    let (mut imported, mut used) = (0, 0);
    for entry in &package {
        let found = bench.find(entry)?;
        imported += usize::from(found.is_imported);
        used += usize::from(found.is_used);
        let version = found.version.unwrap_or_default();
        let mark = |is_so| if is_so { "yes" } else { "no" };
        let (imports, works) = (mark(found.is_imported), mark(found.is_used));
        println!("| {} | {version} | {imports} | {works} | {} |", entry.name, found.why.replace('|', "\\|"));
    }
    eprintln!("{} packages, {imported} can be imported, {used} work", package.len());
    Ok(())
}

impl Bench {
    fn find(&self, entry: &Entry) -> Result<Finding> {
        let folder = write_project(entry)?;
        let project = match Project::read(folder.path()) {
            Ok(project) => project,
            Err(error) => return refused(Finding::default(), error),
        };
        let packages = match self.install(&project) {
            Ok(packages) => packages,
            Err(error) => return refused(Finding::default(), error),
        };
        let mut found = Finding::default();
        let direct = &project.manifest.dependencies[0];
        found.version =
            packages.list().iter().find(|one| one.name == direct.name()).map(|package| package.version.clone());
        let built = match self.snapshotter.build(&project, &packages, &Limits::for_build()) {
            Ok(built) => built,
            Err(error) => return refused(found, error),
        };
        found.is_imported = true;
        let file = folder.path().join("tool.wasm");
        fs_err::write(&file, built.bytes)?;
        let (tool, parameters) = (self.runtime.load_file(&file)?, json!({}));
        let call = Call::new(&parameters, Mode::Regular);
        match self.executor.block_on(tool.invoke(&call, &Limits::default()))?.outcome {
            Outcome::Returned { .. } => found.is_used = true,
            Outcome::Failed(Failure { exception_type, message, .. }) => {
                found.why = first_line(&format!("{exception_type}: {message}"));
            }
        }
        Ok(found)
    }

    fn install(&self, project: &Project) -> Result<Packages, sdk::Error> {
        let lock = dependencies::lock(project, &self.settings, &self.cache)?;
        dependencies::install(project, &lock, &self.settings, self.snapshotter.base(), &self.cache)
    }
}

/// What an author would be told; a fault of ours ends the bench.
fn refused(found: Finding, error: sdk::Error) -> Result<Finding> {
    let sdk::Error::Refused(problems) = error else { return Err(error.into()) };
    let why: Vec<_> = problems.iter().map(|problem| first_line(&problem.message)).collect();
    Ok(Finding { why: why.join("; "), ..found })
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn write_project(entry: &Entry) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("src");
    fs_err::create_dir(&source)?;
    let dependencies: Vec<_> = std::iter::once(&entry.name).chain(&entry.with).collect();
    let manifest = format!(
        "[project]\nname = \"tried\"\ndependencies = {dependencies:?}\n[tool.toolplane]\nentry-point = \"tried:answer\"\n"
    );
    fs_err::write(folder.path().join(MANIFEST), manifest)?;
    let body: String = entry.code.trim().lines().map(|line| format!("    {line}\n")).collect();
    let code = format!("import {}\n\n\ndef answer() -> str:\n{body}    return \"it works\"\n", entry.import);
    fs_err::write(source.join("tried.py"), code)?;
    Ok(folder)
}
