//! The folder of a tool's packages: mounted read-only while the tool is built and whenever it runs.
//!
//! A wheel is unpacked and compiled to bytecode once for each base, whoever asks for it; the folder of a tool is made of
//! hard links to those files.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::thread;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::settings::Limits;
use super::{fetch, parallel, unpack};
use crate::artifact::Artifact;
use crate::base::{self, Base};
use crate::error::{Error, Problem};
use crate::libraries::Libraries;
use crate::precompile;
use crate::progress::Progress;
use crate::project::MANIFEST;
use crate::sandbox::{Access, Mount};
use crate::snapshot::Loader;
use crate::work::Work;

/// Where the guest sees the packages.
pub const GUEST: &str = "/packages";

/// Raised when the same wheels make another folder.
const RECIPE: u32 = 1;

/// A package of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// The normalized name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The name of the wheel's file.
    pub file: String,
    /// The wheel's SHA-256, 64 lowercase hexadecimal digits.
    pub sha256: String,
}

/// The packages of a tool, ready to be mounted, and the base that links their native libraries.
#[derive(Debug, Clone)]
pub struct Packages {
    list: Vec<Package>,
    base: Base,
    folder: PathBuf,
}

impl Packages {
    /// No packages.
    pub fn none(base: &Base) -> Self {
        Self { list: Vec::new(), base: base.clone(), folder: PathBuf::new() }
    }

    /// The base that a tool with them is built on.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// What they are, by name.
    pub fn list(&self) -> &[Package] {
        &self.list
    }

    /// The folder as the guest sees it; none when there are no packages.
    pub fn mount(&self) -> Option<Mount> {
        let mount = || Mount { host: self.folder.clone(), guest: GUEST, access: Access::Read };
        (!self.list.is_empty()).then(mount)
    }

    /// The wheels as a tar archive, for those who get the built tool elsewhere. Empty when there are none.
    pub(crate) fn archive(&self) -> Result<Vec<u8>, Error> {
        let fault = |source: std::io::Error| Error::internal("pack the wheels", source);
        if self.list.is_empty() {
            return Ok(Vec::new());
        }
        let mut archive = tar::Builder::new(Vec::new());
        archive.mode(tar::HeaderMode::Deterministic);
        for package in &self.list {
            let path = fetch::archive(self.base.cache(), &package.sha256);
            archive.append_path_with_name(path, &package.sha256).map_err(fault)?;
        }
        archive.into_inner().map_err(fault)
    }
}

/// The packages of a tool, if the cache has them as they are mounted.
pub fn find(base: &Base, packages: &[Package]) -> Option<Packages> {
    let folder = folder_of(base)?.join(format!("set-{}", key(packages)));
    let found = Packages { list: packages.to_vec(), base: base.clone(), folder };
    (packages.is_empty() || found.folder.is_dir()).then_some(found)
}

/// Unpacks the wheels, which are in the cache, and puts the folder together. What the cache has is not done again.
pub(super) fn install(packages: Vec<Package>, limits: &Limits, base: &Base, work: &Work) -> Result<Packages, Error> {
    if let Some(found) = find(base, &packages) {
        return Ok(found);
    }
    let cache = base.cache();
    let fault = |source: std::io::Error| Error::internal("put packages together", source);
    let home = folder_of(base).ok_or_else(|| fault(std::io::Error::other("the base has no key")))?;
    fs_err::create_dir_all(&home).map_err(fault)?;
    let missing: Vec<_> = packages.iter().filter(|package| !home.join(&package.sha256).is_dir()).collect();
    if !missing.is_empty() {
        let progress = Progress::start("Installing packages", 2 * missing.len() as u64);
        let loader = Loader::open(base)?;
        let threads = thread::available_parallelism().map_or(1, usize::from);
        parallel::each(&missing, threads, |package| {
            let folder = work.folder().map_err(fault)?;
            progress.step(format!("unpacking {}", package.name));
            unpack::unpack(&fetch::archive(cache, &package.sha256), package, folder.path(), limits)?;
            progress.step(format!("compiling {}", package.name));
            if let Err(error) = precompile::package(&loader, &base.python(), folder.path()) {
                tracing::warn!(package = package.name, error = %error, "A package is used without bytecode");
            }
            renamed(folder.path(), &home.join(&package.sha256)).map_err(fault)
        })?;
    }
    let folder = work.folder().map_err(fault)?;
    let mut bytes = 0;
    for package in &packages {
        bytes += link(&home.join(&package.sha256), folder.path()).map_err(fault)?;
    }
    if bytes > limits.unpacked_bytes {
        let limit = limits.unpacked_bytes;
        let message = format!("the packages have {} MiB unpacked, and the limit is {} MiB", bytes >> 20, limit >> 20);
        return Err(Problem::new(message, "depend on less").at(MANIFEST, None).into());
    }
    let target = home.join(format!("set-{}", key(&packages)));
    renamed(folder.path(), &target).map_err(fault)?;
    Ok(Packages { list: packages, base: base.clone(), folder: target })
}

/// Installs the packages of a built tool from the wheels within it, unless the cache has them.
///
/// The file may be a stranger's: every wheel is held against the hash that the label names, and unpacked like any other.
pub fn restore(artifact: &Artifact, base: &Base) -> Result<Packages, Error> {
    let packages = &artifact.label.packages;
    if let Some(found) = find(base, packages) {
        return Ok(found);
    }
    let work = restore_wheels(artifact, base.cache())?;
    install(packages.clone(), &RESTORED, base, &work)
}

/// The base of a built tool, made anew of the native libraries within it where the cache has lost it. None when it is
/// another version's.
///
/// Making it runs what libraries do when they are opened, and nothing bounds that: the file has to be one of our own.
pub fn restore_base(artifact: &Artifact, cache: &Path) -> Result<Option<Base>, Error> {
    let work = restore_wheels(artifact, cache)?;
    let libraries = Libraries::of(&artifact.label.packages, &RESTORED, cache, &work)?;
    if base::key(&libraries) != artifact.label.base_key {
        return Ok(None);
    }
    Base::find_or_make(cache, &libraries).map(Some)
}

/// What was built was held against its builder's limits. These only bound what a stranger can make of a file.
const RESTORED: Limits = Limits { unpacked_bytes: 4 << 30, entries: 200_000, libraries: 1_024, ..Limits::DEFAULT };

/// Puts the wheels of a built tool into the cache.
fn restore_wheels(artifact: &Artifact, cache: &Path) -> Result<Work, Error> {
    let packages = &artifact.label.packages;
    let fault = |source: std::io::Error| Error::internal("read the wheels of a built tool", source);
    let broken = || Error::from(Problem::new("the wheels in this built tool are not whole", "build it again"));
    fs_err::create_dir_all(cache.join("wheels")).map_err(fault)?;
    let work = Work::open(cache).map_err(fault)?;
    let folder = work.folder().map_err(fault)?;
    for entry in tar::Archive::new(artifact.wheels.as_slice()).entries().map_err(|_| broken())? {
        let mut content = Vec::new();
        entry.and_then(|mut entry| entry.read_to_end(&mut content)).map_err(|_| broken())?;
        let sha256 = hex::encode(Sha256::digest(&content));
        if packages.iter().any(|package| package.sha256 == sha256) {
            let whole = folder.path().join(&sha256);
            fs_err::write(&whole, &content).map_err(fault)?;
            fs_err::rename(whole, fetch::archive(cache, &sha256)).map_err(fault)?;
        }
    }
    let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    for package in packages {
        if !is_hash(&package.sha256) || !fetch::archive(cache, &package.sha256).is_file() {
            return Err(broken());
        }
    }
    Ok(work)
}

fn folder_of(base: &Base) -> Option<PathBuf> {
    Some(base.cache().join("packages").join(base.key.get(..16)?))
}

fn key(packages: &[Package]) -> String {
    let mut hash = Sha256::new();
    hash.update(RECIPE.to_be_bytes());
    packages.iter().for_each(|package| hash.update(&package.sha256));
    hex::encode(hash.finalize())
}

/// Moves a whole folder into its place, unless somebody else was quicker with the same.
fn renamed(folder: &Path, target: &Path) -> std::io::Result<()> {
    match fs_err::rename(folder, target) {
        Err(_) if target.is_dir() => Ok(()),
        result => result,
    }
}

/// Links every file of a package into the folder. Answers their bytes. Where two packages have a file of one name, such
/// as a namespace's `__init__.py`, the first one's stays.
pub(crate) fn link(from: &Path, to: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if !target.is_dir() {
                match fs_err::create_dir(&target) {
                    // One package has a file where another has a folder.
                    Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                    result => result?,
                }
            }
            bytes += link(&entry.path(), &target)?;
        } else if !target.exists() {
            bytes += entry.metadata()?.len();
            // Some file systems have no hard links.
            fs_err::hard_link(entry.path(), &target).or_else(|_| fs_err::copy(entry.path(), &target).map(drop))?;
        }
    }
    Ok(bytes)
}
