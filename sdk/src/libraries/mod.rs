//! Native libraries: what packages have of code compiled for the sandbox, which a base of its own links.
//!
//! A wheel with libraries is unpacked twice: its Python files as any other's, and its libraries here, each once it was
//! vetted. A base is made of a set of them, so the set is part of the base's key, and it names where each lies.

mod mark;
mod vet;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use crate::base::COMPONENTIZE_PY;
use crate::dependencies::fetch::archive;
use crate::dependencies::settings::Limits;
use crate::dependencies::site::Package;
use crate::dependencies::wheel::{Fit, WheelName};
use crate::error::{Error, Problem};
use crate::project::MANIFEST;
use crate::work::Work;

pub use mark::{MARK, Mark};
pub use vet::{Vetted, vet};

/// How the file of a library ends. CPython looks for no other names.
pub const SUFFIXES: [&str; 2] = [".cpython-314-wasm32-wasi.so", ".abi3.so"];

/// What a wheel's libraries lie beside in the cache: their list.
const LIST: &str = "libraries.json";

/// A library that was vetted and lies in the cache.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Library {
    /// The module that it is, such as `pydantic_core._pydantic_core`.
    pub module: String,
    /// Its file within the folder of packages, such as `pydantic_core/_pydantic_core.cpython-314-wasm32-wasi.so`.
    pub path: String,
    /// Its SHA-256, 64 lowercase hexadecimal digits.
    pub sha256: String,
}

/// The libraries that a base links, by module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Libraries {
    by_module: BTreeMap<String, (Library, PathBuf)>,
}

impl Libraries {
    /// None: those of the base that most tools have.
    pub fn none() -> Self {
        Self::default()
    }

    /// Those of packages whose wheels are in the cache.
    pub fn of(packages: &[Package], limits: &Limits, cache: &Path, work: &Work) -> Result<Self, Error> {
        let mut by_module = BTreeMap::new();
        for package in packages.iter().filter(|package| has_libraries(package)) {
            let folder = folder(cache, &package.sha256);
            if !folder.is_dir() {
                unpack(package, limits, cache, work)?;
            }
            for library in list(&folder)? {
                let file = folder.join(&library.sha256);
                by_module.insert(library.module.clone(), (library, file));
            }
        }
        if by_module.len() > limits.libraries {
            let message = format!(
                "the packages have {} native libraries, and at most {} are allowed",
                by_module.len(),
                limits.libraries
            );
            return Err(Problem::new(message, "depend on less").at(MANIFEST, None).into());
        }
        Ok(Self { by_module })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_module.is_empty()
    }

    /// Each, with where its content is.
    pub fn iter(&self) -> impl Iterator<Item = (&Library, &Path)> {
        self.by_module.values().map(|(library, file)| (library, file.as_path()))
    }
}

/// Whether a package's wheel is one with native libraries.
pub fn has_libraries(package: &Package) -> bool {
    WheelName::parse(&package.file).and_then(|name| name.fit()) == Some(Fit::Sandbox)
}

fn folder(cache: &Path, wheel_sha256: &str) -> PathBuf {
    cache.join("libraries").join(wheel_sha256)
}

fn list(folder: &Path) -> Result<Vec<Library>, Error> {
    let text = fs_err::read(folder.join(LIST)).map_err(|source| Error::internal("read a list of libraries", source))?;
    serde_json::from_slice(&text).map_err(|source| Error::internal("read a list of libraries", source))
}

/// Vets a wheel's libraries and puts them into the cache.
fn unpack(package: &Package, limits: &Limits, cache: &Path, work: &Work) -> Result<(), Error> {
    let fault = |source: std::io::Error| Error::internal("unpack a wheel's libraries", source);
    let file = File::open(archive(cache, &package.sha256)).map_err(fault)?;
    let libraries = read(file, limits).map_err(|why| {
        let message = format!("wheel `{}`: {why}", package.file);
        let remedy = format!("build it with `runtime wheels build {}=={}`", package.name, package.version);
        Error::from(Problem::new(message, remedy).at(MANIFEST, None))
    })?;
    let folder = work.folder().map_err(fault)?;
    for (library, content) in &libraries {
        fs_err::write(folder.path().join(&library.sha256), content).map_err(fault)?;
    }
    let list: Vec<_> = libraries.into_iter().map(|(library, _)| library).collect();
    let list = serde_json::to_vec(&list).map_err(|source| Error::internal("write a list of libraries", source))?;
    fs_err::write(folder.path().join(LIST), list).map_err(fault)?;
    let target = self::folder(cache, &package.sha256);
    fs_err::create_dir_all(cache.join("libraries")).map_err(fault)?;
    match fs_err::rename(folder.path(), &target) {
        Err(_) if target.is_dir() => Ok(()),
        result => result.map_err(fault),
    }
}

/// The libraries of a wheel, with their contents, or what is wrong with them or with what the wheel says of itself.
///
/// Fit to stand behind the wheel's name and a colon.
pub fn read(wheel: File, limits: &Limits) -> Result<Vec<(Library, Vec<u8>)>, String> {
    let mut zip = ZipArchive::new(wheel).map_err(|error| format!("it is no archive: {error}"))?;
    if zip.len() > limits.entries {
        return Err(format!("it has {} files, and at most {} are allowed", zip.len(), limits.entries));
    }
    let (mut found, mut mark, mut left_bytes) = (Vec::new(), None, limits.unpacked_bytes);
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(|error| format!("it cannot be read: {error}"))?;
        let path = entry.name().map_err(|error| format!("it has a name that cannot be read: {error}"))?.into_owned();
        let is_mark = path.split_once('/').is_some_and(|(folder, name)| folder.ends_with(".dist-info") && name == MARK);
        let place = place_of(&path);
        if !is_mark && place.is_none() {
            continue;
        }
        let mut content = Vec::new();
        let limit = left_bytes + 1;
        (&mut entry)
            .take(limit)
            .read_to_end(&mut content)
            .map_err(|error| format!("`{path}` cannot be read: {error}"))?;
        left_bytes = left_bytes
            .checked_sub(content.len() as u64)
            .ok_or_else(|| "it is far larger unpacked than it may be".to_owned())?;
        match place {
            Some(place) => found.push((place, content)),
            None => mark = Some(content),
        }
    }
    check_mark(mark.as_deref())?;
    let vetted = found.into_iter().map(|((module, path), content)| {
        vet(&content, &module).map_err(|why| format!("`{path}` {why}"))?;
        let sha256 = hex::encode(Sha256::digest(&content));
        Ok((Library { module, path, sha256 }, content))
    });
    vetted.collect()
}

/// Holds what a wheel says of itself against what this Toolplane links.
fn check_mark(mark: Option<&[u8]>) -> Result<(), String> {
    let Some(mark) = mark else {
        return Err(format!("it does not say which componentize-py it was made for: it has no `{MARK}`"));
    };
    let mark: Mark = serde_json::from_slice(mark).map_err(|error| format!("its `{MARK}` is wrong: {error}"))?;
    if mark.componentize_py != COMPONENTIZE_PY {
        let other = mark.componentize_py.escape_debug();
        return Err(format!("it was made for componentize-py {other}, and this Toolplane links {COMPONENTIZE_PY}"));
    }
    Ok(())
}

/// The module that a file of a wheel is, where it is a library that CPython would find, and its path among the packages.
fn place_of(path: &str) -> Option<(String, String)> {
    let path = match path.split_once(".data/") {
        Some((_, rest)) => rest.strip_prefix("platlib/").or(rest.strip_prefix("purelib/"))?,
        None => path,
    };
    let stem = SUFFIXES.iter().find_map(|suffix| path.strip_suffix(suffix))?;
    let is_name = |part: &str| {
        let mut characters = part.chars();
        let is_letter = |c: char| c == '_' || c.is_alphanumeric();
        characters.next().is_some_and(|c| is_letter(c) && !c.is_numeric()) && characters.all(is_letter)
    };
    stem.split('/').all(is_name).then(|| (stem.replace('/', "."), path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_a_module_by_its_path() {
        assert_eq!(place_of("a-1.data/platlib/a/_b.abi3.so").unwrap().1, "a/_b.abi3.so");
        for (path, module) in [
            ("rpds/rpds.cpython-314-wasm32-wasi.so", Some("rpds.rpds")),
            ("_speedups.abi3.so", Some("_speedups")),
            ("a-1.data/platlib/a/_b.abi3.so", Some("a._b")),
            ("a-1.data/scripts/a.abi3.so", None),
            ("a/b.cpython-314-x86_64-linux-gnu.so", None),
            ("a/b.so", None),
            ("../a.abi3.so", None),
            ("a-b/c.abi3.so", None),
            ("a/__init__.py", None),
        ] {
            assert_eq!(place_of(path).map(|(module, _)| module).as_deref(), module, "{path}");
        }
    }
}
