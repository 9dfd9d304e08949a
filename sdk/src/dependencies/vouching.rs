//! Whether the wheel of a pinned package is its index's: the index's own page of the package has to name its SHA-256.
//!
//! So it does not matter what a lock, a URL or a redirection says of where a file is from, and two indexes of one host
//! are told apart. What was found is kept in the cache: a lock whose wheels are there costs no network.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::choice::{self, Chosen, Refused};
use super::download::Downloads;
use super::lock::Lock;
use super::pins;
use super::settings::{IndexUrl, Network, Settings};
use super::site::Package;
use crate::error::{Error, Problem};
use crate::project::{MANIFEST, Project};

/// The largest page. Those of packages with ten thousand files have some 5 MB.
const PAGE_BYTES: u64 = 32 << 20;

/// Refuses every package that is pinned to an index which does not have its wheel.
pub fn check(
    chosen: &[Chosen],
    project: &Project,
    lock: &Lock,
    settings: &Settings,
    cache: &Path,
) -> Result<(), Error> {
    let vouching = Vouching::new(settings, cache);
    let mut refused = Vec::new();
    for chosen in chosen {
        if let Some(index) = pins::index_of(&settings.pins, &chosen.package.name)
            && !vouching.has(index, &chosen.package)?
        {
            let why =
                format!("is pinned to the index {}, which does not name `{}`", index.shown(), chosen.package.file);
            let remedy = "write the lock anew with `runtime lock` and the same pins, see that the index has the package, \
                          or have the operator change `packages.pins`";
            refused.push(Refused::of(chosen, why, remedy.to_owned()));
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(choice::tell(refused, project, lock, settings, cache)) }
}

/// Asks indexes what they have, each page once.
pub struct Vouching<'a> {
    settings: &'a Settings,
    cache: &'a Path,
    downloads: Downloads<'a>,
    /// By their URLs. None: there is no such page.
    pages: Mutex<BTreeMap<String, Option<String>>>,
}

impl<'a> Vouching<'a> {
    pub fn new(settings: &'a Settings, cache: &'a Path) -> Self {
        Self { settings, cache, downloads: Downloads::new(settings), pages: Mutex::default() }
    }

    /// Whether an index has a package, in any version.
    pub fn knows(&self, index: &IndexUrl, name: &str) -> Result<bool, Error> {
        if self.settings.network == Network::Off {
            // What `uv` remembers of the index decides, unless packages come from a folder alone.
            return Ok(self.settings.find_links.is_none());
        }
        self.page(index, name).map(|page| page.is_some())
    }

    /// Whether an index has a wheel. The operator's own folders are as good as any index.
    fn has(&self, index: &IndexUrl, package: &Package) -> Result<bool, Error> {
        let known = self.known(index, package);
        if known.is_file() || self.is_in_a_folder(package) {
            return Ok(true);
        }
        let page = self.page(index, &package.name)?;
        if !page.is_some_and(|page| page.contains(&package.sha256)) {
            return Ok(false);
        }
        let kept =
            fs_err::create_dir_all(known.parent().unwrap_or(self.cache)).and_then(|()| fs_err::write(&known, ""));
        kept.map_err(|source| Error::internal("keep what an index has", source))?;
        Ok(true)
    }

    fn is_in_a_folder(&self, package: &Package) -> bool {
        let is_it = |folder: PathBuf| {
            let content = fs_err::read(folder.join(&package.file));
            content.is_ok_and(|content| hex::encode(Sha256::digest(content)) == package.sha256)
        };
        !package.file.contains('/') && self.settings.folders().into_iter().any(is_it)
    }

    /// The file that is there where the index is known to have the wheel.
    fn known(&self, index: &IndexUrl, package: &Package) -> PathBuf {
        let what = format!("{}\n{}\n{}", index.shown(), package.name, package.sha256);
        self.cache.join("pinned").join(hex::encode(Sha256::digest(what)))
    }

    /// The page of a package, in lower case.
    fn page(&self, index: &IndexUrl, name: &str) -> Result<Option<String>, Error> {
        let failed = |why: String| {
            let message =
                format!("package `{name}` is pinned to the index {}, which cannot be asked: {why}", index.shown());
            Problem::new(message, "try again; where it stays so, see that the index can be reached").at(MANIFEST, None)
        };
        let url = index.page(name).ok_or_else(|| failed("it has no pages".to_owned()))?;
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = pages.get(url.as_str()) {
            return Ok(page.clone());
        }
        let mut page = None;
        if let Some(response) = self.downloads.find(&url).map_err(failed)? {
            let mut bytes = Vec::new();
            let read = response.take(PAGE_BYTES + 1).read_to_end(&mut bytes);
            read.map_err(|error| failed(self.settings.scrubbed(&error.to_string())))?;
            if bytes.len() as u64 > PAGE_BYTES {
                return Err(failed(format!("its page has more than {} MiB", PAGE_BYTES >> 20)).into());
            }
            page = Some(String::from_utf8_lossy(&bytes).to_ascii_lowercase());
        }
        pages.insert(url.into(), page.clone());
        Ok(page)
    }
}
