//! Projects that run as soon as they are saved: imported in the sandbox as for a build, and kept in memory instead of being
//! written as a file. What runs is what a build would have made, under the same limits and policy.

use std::path::Path;

use sdk::base::Base;
use sdk::dependencies::{self, Settings};
use sdk::libraries::Libraries;
use sdk::project::Project;
use sdk::sandbox::Limits;
use sdk::snapshot::{self, Snapshotters};
use tempfile::TempDir;

use crate::builds;
use crate::component::Tool;
use crate::engine::Runtime;
use crate::error::Error;

/// Makes drafts. Opened once and kept: it holds the base for importing.
pub struct Drafts {
    runtime: Runtime,
    snapshotters: Snapshotters,
    settings: Settings,
}

/// A tool of the project's files as they were. They go when this is dropped, so it has to outlive the tool's calls.
pub struct Draft {
    /// The tool, ready to be invoked.
    pub tool: Tool,
    /// What the project printed while it was imported.
    pub logs: String,
    _files: TempDir,
}

impl Drafts {
    /// Opens the base, which is made where the cache does not have it.
    pub fn open(runtime: Runtime, settings: Settings) -> Result<Self, Error> {
        let (base, snapshotters) = (Base::find_or_make(runtime.cache(), &Libraries::none())?, Snapshotters::new());
        // What the first draft would wait for.
        snapshotters.of(&base)?;
        runtime.shared.bases.code(&runtime.shared.engine, &base)?;
        Ok(Self { runtime, snapshotters, settings })
    }

    /// Imports the project in a folder.
    ///
    /// It blocks, and must not be called on a thread of an async executor.
    pub fn load(&self, folder: &Path) -> Result<Draft, Error> {
        let shared = &self.runtime.shared;
        let cache = self.runtime.cache();
        let project = Project::read(folder)?;
        let lock = builds::lock_of(&project, &self.settings, cache)?;
        let packages = dependencies::install(&project, &lock, &self.settings, cache)?;
        let draft = self.snapshotters.of(packages.base())?.draft(&project, &packages, &Limits::for_build())?;
        let snapshot::Draft { label, image, files, logs, .. } = draft;
        let tool = Tool::of_draft(shared, &image, &packages, label, files.path().to_owned())?;
        Ok(Draft { tool, logs, _files: files })
    }
}
