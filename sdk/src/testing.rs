//! A project's own tests, in the sandbox that it runs in: pytest is installed beside the project's packages, and the base
//! imports it as it would import the tool.

use std::path::Path;

use crate::dependencies::requirement::Dependency;
use crate::dependencies::{self, Settings, resolve};
use crate::error::Error;
use crate::project::Project;
use crate::sandbox::{Access, Limits, Mount};
use crate::snapshot::Loader;

/// What runs the tests.
const PYTEST: &str = "pytest";

/// Runs the tests and shows what they print. Answers pytest's exit code. There is no network, as at a build.
///
/// It blocks as long as the tests do, and must not be called on a thread of an async executor.
pub fn run(
    project: &Project,
    arguments: &[String],
    settings: &Settings,
    cache: &Path,
    limits: &Limits,
) -> Result<u8, Error> {
    let tested = with_test_dependencies(project)?;
    let lock = resolve::resolve_once(&tested, settings, cache)?;
    let packages = dependencies::install(&tested, &lock, settings, cache)?;
    let base = packages.base();
    let mut mounts = vec![
        Mount { host: base.python(), guest: "/python", access: Access::Read },
        Mount { host: project.folder.clone(), guest: "/tool", access: Access::Read },
    ];
    mounts.extend(packages.mount());
    let manifest = &project.manifest;
    Loader::open(base)?.test(&mounts, &manifest.name, &manifest.entry_point, arguments, limits)
}

/// The project with what its tests need: the versions of its own lock where it has one, its group `dev`, and pytest.
fn with_test_dependencies(project: &Project) -> Result<Project, Error> {
    let manifest = &project.manifest;
    let mut dependencies = manifest.dependencies.clone();
    if let Some(lock) = dependencies::locked(project)? {
        dependencies.extend(lock.pins()?);
    }
    dependencies.extend(manifest.dev_dependencies.iter().cloned());
    if dependencies.iter().all(|dependency| dependency.name() != PYTEST) {
        let pytest = Dependency::parse(PYTEST, manifest.entry_point_line);
        dependencies.extend(pytest.ok());
    }
    let mut tested = project.clone();
    tested.manifest.dependencies = dependencies;
    Ok(tested)
}
