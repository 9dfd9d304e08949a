//! The packages that a project depends on: resolved, chosen, fetched, verified, unpacked and compiled to bytecode.
//!
//! The modules in reading order: [`settings`] (where packages come from, and how much of them), [`requirement`] and
//! [`groups`] (what an author may write), `download` (what the network may be used for), `direct` (wheels by URL), [`uv`] and [`resolve`]
//! (the lock of a project without one), [`pins`], `held` and `vouching` (packages of one index alone), [`lock`] (reading PEP 751), [`markers`] (which entries are for the sandbox),
//! [`wheel`] (what a file name promises), [`wheel_index`] (folders of wheels for the sandbox), [`natives`] (what is known of packages with compiled code), [`choice`] (a wheel
//! for each package, or what to tell the author), [`fetch`], [`unpack`], [`site`] (the folder that is mounted).
//!
//! Nothing of a package or a project is executed on the host: wheels only, no build back end, and `uv` sees nothing but
//! a file that is written here from parsed requirements.
//!
//! Kept in the cache: `wheels/` (archives by their SHA-256), `packages/` (unpacked, with bytecode, by base and SHA-256,
//! and put together for a tool), `uv/` (what the index said), `locks/` (of projects without a lock of their own),
//! `pinned/` (which wheels the indexes of pinned packages have).

pub mod choice;
mod direct;
pub(crate) mod download;
pub mod fetch;
pub mod groups;
mod held;
pub mod lock;
pub mod markers;
pub mod natives;
mod parallel;
pub mod pins;
pub mod requirement;
pub mod resolve;
pub mod settings;
pub mod site;
pub mod unpack;
pub mod uv;
mod vouching;
pub mod wheel;
pub mod wheel_index;

use std::path::Path;

use crate::base::Base;
use crate::error::Error;
use crate::libraries::Libraries;
use crate::project::Project;
use crate::work::Work;

pub use lock::{LOCK, Lock};
pub use settings::Settings;
pub use site::{Package, Packages};

/// The lock of a project: its own where it has one, which takes no network, else a new one of the newest versions.
pub fn lock(project: &Project, settings: &Settings, cache: &Path) -> Result<Lock, Error> {
    match Lock::of_project(project)? {
        Some(lock) => Ok(lock),
        None => resolve::resolve(project, settings, cache),
    }
}

/// The project's own lock, or an empty one where it has no dependencies. None when its dependencies are to be resolved.
pub fn locked(project: &Project) -> Result<Option<Lock>, Error> {
    Lock::of_project(project)
}

/// Installs what a lock names, and makes the base that links its native libraries. What the cache has costs no network.
///
/// It blocks, and must not be called on a thread of an async executor.
pub fn install(project: &Project, lock: &Lock, settings: &Settings, cache: &Path) -> Result<Packages, Error> {
    let chosen = match choice::choose(project, lock, settings)? {
        choice::Choices::Usable(chosen) => chosen,
        choice::Choices::Refused(refused) => {
            return Err(choice::tell(refused, project, lock, settings, cache));
        }
    };
    vouching::check(&chosen, project, lock, settings, cache)?;
    let work = Work::open(cache).map_err(|source| Error::internal("make a folder", source))?;
    fetch::fetch(&chosen, project, settings, cache, &work)?;
    let packages: Vec<_> = chosen.into_iter().map(|chosen| chosen.package).collect();
    let libraries = Libraries::of(&packages, &settings.limits, cache, &work)?;
    let base = Base::find_or_make(cache, &libraries)?;
    site::install(packages, &settings.limits, &base, &work)
}
