//! Projects to built tools. Equal inputs are built once.

use std::path::{Path, PathBuf};

use sdk::Problem;
use sdk::artifact;
use sdk::base::{self, Base};
use sdk::dependencies::{self, Lock, Packages, Settings, resolve};
use sdk::libraries::Libraries;
use sdk::project::{Project, Survey};
use sdk::sandbox::Limits;
use sdk::snapshot::Snapshotter;
use sha2::{Digest, Sha256};

use crate::error::Error;

/// The folder for what can be made again, by the rules of the platform: the user's, so that whatever of Toolplane runs as
/// this user makes a base once.
pub fn users_cache() -> PathBuf {
    let home = || std::env::home_dir().unwrap_or_else(std::env::temp_dir).join(".cache");
    let caches = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    caches.join("toolplane")
}

/// Builds the project in a folder, or finds what was built of the same files before. Answers the built file's path.
///
/// It blocks for about a second once the base exists, and must not be called on a thread of an async executor.
///
/// A project without a lock of its own gets the versions that were newest when its dependencies were first resolved on
/// this machine, until [`lock`] asks for newer ones: so that a changed line of code costs no network.
pub fn build(cache: &Path, folder: &Path, settings: &Settings) -> Result<PathBuf, Error> {
    let project = Project::read(folder)?;
    let files = artifact::pack(folder)?;
    let mut hash = Sha256::new();
    // The lock names the wheels, and so the native libraries of the base that it is built on.
    hash.update(base::key(&Libraries::none()));
    hash.update(&files);
    let lock = lock_of(&project, settings, cache)?;
    hash.update(lock.sha256());
    let builds = cache.join("builds");
    let target = builds.join(format!("{}.wasm", hex::encode(hash.finalize())));
    if target.is_file() {
        return Ok(target);
    }
    let packages = dependencies::install(&project, &lock, settings, cache)?;
    let snapshotter = Snapshotter::new(packages.base().clone())?;
    let built = snapshotter.build(&project, &packages, &Limits::for_build())?;
    let fault = |source: std::io::Error| Error::internal("write the built tool", source);
    fs_err::create_dir_all(&builds).map_err(fault)?;
    let work = tempfile::NamedTempFile::new_in(&builds).map_err(fault)?;
    fs_err::write(work.path(), &built.bytes).map_err(fault)?;
    work.persist(&target).map_err(|error| fault(error.error))?;
    Ok(target)
}

/// Builds the project in a folder, or refuses it with everything that is wrong with it, as far as it can be known: a
/// manifest or packages that are at fault hide nothing of what is wrong with its code.
pub fn check(cache: &Path, folder: &Path, settings: &Settings) -> Result<PathBuf, Error> {
    let refused = match build(cache, folder, settings) {
        Err(Error::Build(sdk::Error::Refused(problems))) => problems,
        done => return done,
    };
    let Survey { manifest, mut problems, has_all_dependencies } = Project::survey(folder)?;
    let project = Project { folder: folder.to_owned(), manifest };
    let installed = lock_of(&project, settings, cache)
        .and_then(|lock| Ok(dependencies::install(&project, &lock, settings, cache)?));
    let packages = refusals(installed, &mut problems)?;
    if problems.is_empty() {
        // So it was the code that was refused.
        return Err(sdk::Error::Refused(refused).into());
    }
    if !project.manifest.entry_point.is_empty() {
        let has_all = has_all_dependencies && packages.is_some();
        let packages = match packages {
            Some(packages) => packages,
            None => Packages::none(&Base::find_or_make(cache, &Libraries::none())?),
        };
        let snapshotter = Snapshotter::new(packages.base().clone())?;
        let surveyed = snapshotter.survey(&project, &packages, has_all, &Limits::for_build());
        refusals(surveyed.map_err(Error::from), &mut problems)?;
    }
    Err(sdk::Error::Refused(problems).into())
}

/// What was done, or none where it was refused: why goes to the other problems.
fn refusals<T>(done: Result<T, Error>, problems: &mut Vec<Problem>) -> Result<Option<T>, Error> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(Error::Build(sdk::Error::Refused(found))) => {
            problems.extend(found);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The project's own lock, or the one that was made of its dependencies first.
pub(crate) fn lock_of(project: &Project, settings: &Settings, cache: &Path) -> Result<Lock, Error> {
    match dependencies::locked(project)? {
        Some(lock) => Ok(lock),
        None => Ok(resolve::resolve_once(project, settings, cache)?),
    }
}

/// Resolves a project's dependencies to the newest versions, and checks that all of them can be installed.
pub fn lock(cache: &Path, folder: &Path, settings: &Settings) -> Result<Lock, Error> {
    let project = Project::read(folder)?;
    let lock = resolve::resolve(&project, settings, cache)?;
    resolve::keep(&project, settings, cache, &lock)?;
    dependencies::install(&project, &lock, settings, cache)?;
    Ok(lock)
}
