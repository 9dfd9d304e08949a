//! The source archive of a package: found by `uv` in the configured indexes, fetched and unpacked by us.

use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use url::Url;

use super::packages;
use crate::dependencies::download::Downloads;
use crate::dependencies::lock::{Origin, Place};
use crate::dependencies::requirement::Dependency;
use crate::dependencies::{LOCK, Lock, Settings, markers};
use crate::error::{Error, Problem};

/// The most bytes of an archive, and unpacked. pydantic-core has 0.5 and 3 MB.
const MAX_BYTES: u64 = 64 << 20;
const MAX_UNPACKED_BYTES: u64 = 512 << 20;

/// An unpacked source archive.
#[derive(Debug)]
pub struct Source {
    /// The package's normalized name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The path of its folder below the folder of the build.
    pub inner: String,
}

impl Source {
    /// The wheel that its build left in the folder `out`.
    pub fn built(&self, folder: &Path) -> Result<PathBuf, Error> {
        let entries = fs_err::read_dir(folder.join("out")).map_err(|source| Error::internal("find a wheel", source))?;
        let mut paths = entries.filter_map(Result::ok).map(|entry| entry.path());
        let wheel = paths.find(|path| path.extension().is_some_and(|extension| extension == "whl"));
        wheel.ok_or_else(|| {
            let message = format!("package `{}` {}: no wheel came out of its build", self.name, self.version);
            Problem::new(message, "build another version, or use another package").into()
        })
    }
}

/// Fetches the newest version that is wanted, and unpacks it below the folder.
pub fn fetch(wanted: &Dependency, settings: &Settings, cache: &Path, folder: &Path) -> Result<Source, Error> {
    let fault = |source: std::io::Error| Error::internal("unpack a source archive", source);
    let name = wanted.name().to_owned();
    let refused = |why: String, remedy: &str| Error::from(Problem::new(format!("package `{name}` {why}"), remedy));
    let entry = lock(wanted, settings, cache, folder)?.packages()?.into_iter().find(|entry| entry.name == name);
    let entry = entry.ok_or_else(|| refused("is not for the sandbox".to_owned(), "leave it out"))?;
    let version = entry.version.unwrap_or_default();
    let Some((archive, Some(sha256))) = entry.source.map(|archive| (archive.place, archive.sha256)) else {
        return Err(refused(format!("has no source archive of version {version}"), "build another version"));
    };
    let Place::Url(url) = archive else {
        return Err(refused("has its source archive in no index".to_owned(), "name an index with `--index-url`"));
    };
    let url = Url::parse(&url)
        .map_err(|_| refused("has a source archive whose URL is none".to_owned(), "use another index"))?;
    let unreachable = |why: String| refused(format!("cannot be fetched: {why}"), "see that the index can be reached");
    let mut response = Downloads::new(settings).get(&url).map_err(unreachable)?;
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(&mut response, MAX_BYTES + 1), &mut content)
        .map_err(|error| unreachable(error.to_string()))?;
    if content.len() as u64 > MAX_BYTES {
        return Err(refused(format!("has more than {} MiB of source", MAX_BYTES >> 20), "build it by hand"));
    }
    let found = hex::encode(Sha256::digest(&content));
    if found != sha256 {
        return Err(refused(format!("has the SHA-256 {found}, and the index says {sha256}"), "try again"));
    }
    let sources = folder.join("source");
    fs_err::create_dir(&sources).map_err(fault)?;
    let unpacked = std::io::Read::take(GzDecoder::new(content.as_slice()), MAX_UNPACKED_BYTES);
    // It leaves out what would lie outside of the folder.
    let mut archive = tar::Archive::new(unpacked);
    archive.set_preserve_mtime(false);
    archive.unpack(&sources).map_err(fault)?;
    let folders: Vec<PathBuf> =
        fs_err::read_dir(&sources).map_err(fault)?.filter_map(Result::ok).map(|entry| entry.path()).collect();
    match &folders[..] {
        [only] if only.is_dir() => {
            let inner = only.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            Ok(Source { name: name.clone(), version, inner: format!("source/{inner}") })
        }
        _ => Err(refused("has a source archive that is no folder".to_owned(), "build another version")),
    }
}

/// A lock of one package alone, with its source archive. Where an index does not say what a source archive requires, `uv`
/// asks its build back end, so it runs confined.
fn lock(wanted: &Dependency, settings: &Settings, cache: &Path, folder: &Path) -> Result<Lock, Error> {
    const REQUIREMENTS: &str = "requirements.in";
    let fault = |source: std::io::Error| Error::internal("lock a source archive", source);
    packages::check_network(wanted.name(), settings)?;
    fs_err::write(folder.join(REQUIREMENTS), format!("{}\n", wanted.requirement)).map_err(fault)?;
    let mut arguments = [&packages::UV[..], &["pip", "compile"]].concat();
    arguments.extend(["--universal", "--python-version", markers::PYTHON, "--no-deps", "--no-sources", "--no-header"]);
    arguments.extend(["--keyring-provider", "disabled", "--format", LOCK, "--output-file", LOCK, REQUIREMENTS]);
    let confined = packages::confined(folder, "", settings, cache)?;
    confined.run(&arguments, "finding the source archive", folder, settings.limits.resolve_time)?;
    let text = fs_err::read_to_string(folder.join(LOCK)).map_err(fault)?;
    Ok(Lock { text, origin: Origin::Resolved })
}
