//! Folders of wheels with code compiled for the sandbox, as `runtime wheels build` fills them.
//!
//! Such code is of one C library and one CPython, so there is a folder within for each version of componentize-py. Only
//! these folders give a tool native code: making a base runs what its libraries do when they are opened, and an author
//! may name any URL and put any file into a project, but cannot put anything here.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::lock::{LockedWheel, normalized};
use super::wheel::{Fit, WheelName};
use crate::base::COMPONENTIZE_PY;

/// How the name of a version's folder begins.
const PREFIX: &str = "componentize-py-";

/// A folder with a folder of wheels for each version of componentize-py.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelIndex(PathBuf);

impl WheelIndex {
    /// The index in a folder, which need not be there.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The one that belongs to a cache: where wheels are built into, and taken from where no other is named.
    pub fn of_cache(cache: &Path) -> Self {
        Self::new(cache.join("wheel-index"))
    }

    /// The folder with the wheels for this Toolplane.
    pub fn folder(&self) -> PathBuf {
        self.0.join(format!("{PREFIX}{COMPONENTIZE_PY}"))
    }

    /// The names of the wheels for this Toolplane, in order.
    pub fn files(&self) -> Vec<String> {
        wheels(&self.folder())
    }

    /// A package's versions, the newest first, and their files.
    pub(crate) fn versions(&self, name: &str) -> Vec<(pep440_rs::Version, String)> {
        let parse = |file: String| {
            let wheel = WheelName::parse(&file).filter(|wheel| wheel.fit() == Some(Fit::Sandbox))?;
            let is_named = normalized(&wheel.distribution).is_ok_and(|own| own == name);
            is_named.then_some(())?;
            Some((wheel.version.replace('_', "-").parse().ok()?, file))
        };
        let mut versions: Vec<_> = self.files().into_iter().filter_map(parse).collect();
        versions.sort_by(|one, other| other.cmp(one));
        versions
    }

    /// The names of the packages that it has.
    pub(crate) fn packages(&self) -> Vec<String> {
        let name = |file: String| normalized(&WheelName::parse(&file)?.distribution).ok();
        let mut names: Vec<_> = self.files().into_iter().filter_map(name).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whether the wheel that a lock names is here.
    pub(crate) fn has(&self, wheel: &LockedWheel) -> bool {
        if wheel.file.contains('/') {
            return false;
        }
        let content = fs_err::read(self.folder().join(&wheel.file));
        content.is_ok_and(|content| wheel.sha256 == Some(hex::encode(Sha256::digest(content))))
    }

    /// The other versions of componentize-py that it has a wheel of this package for.
    pub(crate) fn made_for(&self, name: &str, version: &str) -> Vec<String> {
        let folders = fs_err::read_dir(&self.0).into_iter().flatten().filter_map(Result::ok);
        let of_another = |folder: &fs_err::DirEntry| {
            let own = folder.file_name().to_str()?.strip_prefix(PREFIX)?.to_owned();
            let has = wheels(&folder.path()).iter().any(|file| {
                WheelName::parse(file).is_some_and(|wheel| {
                    normalized(&wheel.distribution).is_ok_and(|own| own == name) && wheel.version == version
                })
            });
            (own != COMPONENTIZE_PY && has).then_some(own)
        };
        let mut found: Vec<_> = folders.filter_map(|folder| of_another(&folder)).collect();
        found.sort();
        found
    }
}

fn wheels(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.ends_with(".whl"));
    names.sort();
    names
}
