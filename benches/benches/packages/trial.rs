//! One package, from the index to a line of use in the sandbox.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use runtime::engine::{Options, Runtime};
use runtime::invoke::{Call, Limits, Mode};
use runtime::outcome::{Failure, Outcome};
use sdk::dependencies::wheel_index::WheelIndex;
use sdk::dependencies::{self, Packages, Settings};
use sdk::project::{MANIFEST, Project};
use sdk::snapshot::Snapshotters;
use serde_json::json;

use crate::list::Entry;
use crate::modules;

/// Everything that all packages are tried with.
pub struct Bench {
    cache: PathBuf,
    settings: Settings,
    snapshotters: Snapshotters,
    runtime: Runtime,
    executor: tokio::runtime::Runtime,
}

/// How far a package comes, and why no further.
pub struct Finding {
    /// The version that was installed.
    pub version: Option<String>,
    /// One line; None where everything worked.
    pub why_not: Option<String>,
}

impl Bench {
    /// Opens the base, and makes it first where it is not there.
    pub fn new(cache: PathBuf) -> Result<Self> {
        Ok(Self {
            settings: Settings { wheel_indexes: vec![WheelIndex::of_cache(&cache)], ..Settings::default() },
            snapshotters: Snapshotters::new(),
            runtime: Runtime::new(Options::new(&cache))?,
            executor: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            cache,
        })
    }

    /// Tries a package. What an author would be told is why it does not work, and so is a fault of ours.
    pub fn find(&self, entry: &Entry) -> Finding {
        let mut version = None;
        let why_not = self.try_it(entry, &mut version).err().map(|error| told(&error));
        Finding { version, why_not }
    }

    fn try_it(&self, entry: &Entry, version: &mut Option<String>) -> Result<()> {
        let folder = tempfile::tempdir()?;
        write_project(folder.path(), entry, &[])?;
        let project = Project::read(folder.path())?;
        let packages = self.install(&project)?;
        let name = project.manifest.dependencies.first().map(|direct| direct.name().to_owned()).unwrap_or_default();
        *version = packages.list().iter().find(|one| one.name == name).map(|package| package.version.clone());
        let modules = match &entry.import {
            Some(module) => vec![module.clone()],
            None => modules::of(&packages.mount().context("it is not for the sandbox")?.host, &name)?,
        };
        ensure!(!modules.is_empty(), "it has no module that could be imported");
        write_project(folder.path(), entry, &modules)?;

        let built =
            self.snapshotters.of(packages.base())?.build(&project, &packages, &sdk::sandbox::Limits::for_build())?;
        let file = folder.path().join("tool.wasm");
        fs_err::write(&file, built.bytes)?;
        let (tool, parameters) = (self.runtime.load_file(&file)?, json!({}));
        let call = Call::new(&parameters, Mode::Regular);
        match self.executor.block_on(tool.invoke(&call, &Limits::default()))?.outcome {
            Outcome::Returned { .. } => Ok(()),
            Outcome::Failed(Failure { exception_type, message, .. }) => {
                Err(anyhow::anyhow!("can be imported; then {exception_type}: {message}"))
            }
        }
    }

    fn install(&self, project: &Project) -> Result<Packages> {
        let lock = dependencies::lock(project, &self.settings, &self.cache)?;
        Ok(dependencies::install(project, &lock, &self.settings, &self.cache)?)
    }
}

/// The first line of each reason.
fn told(error: &anyhow::Error) -> String {
    let lines = match error.downcast_ref::<sdk::Error>() {
        Some(sdk::Error::Refused(problems)) => problems.iter().map(|problem| problem.message.clone()).collect(),
        _ => error.chain().map(ToString::to_string).collect::<Vec<_>>(),
    };
    let first_lines: Vec<_> = lines.iter().map(|line| line.lines().next().unwrap_or_default()).collect();
    first_lines.join("; ")
}

/// Writes a tool that imports the modules and does what the entry says.
fn write_project(folder: &Path, entry: &Entry, modules: &[String]) -> Result<()> {
    let dependencies: Vec<_> = std::iter::once(&entry.name).chain(&entry.with).collect();
    let manifest = format!(
        "[project]\nname = \"tried\"\ndependencies = {dependencies:?}\n[tool.toolplane]\nentry-point = \"tried:answer\"\n"
    );
    fs_err::write(folder.join(MANIFEST), manifest)?;
    let imports: String = modules.iter().map(|module| format!("import {module}\n")).collect();
    let body: String =
        entry.code.iter().flat_map(|code| code.trim().lines()).map(|line| format!("    {line}\n")).collect();
    let code = format!("{imports}\n\ndef answer() -> str:\n{body}    return \"it works\"\n");
    fs_err::create_dir_all(folder.join("src"))?;
    Ok(fs_err::write(folder.join("src/tried.py"), code)?)
}
