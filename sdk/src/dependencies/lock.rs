//! Reading `pylock.toml` (PEP 751).

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;
use url::Url;

use super::markers;
use super::requirement::Dependency;
use crate::error::{Error, Problem};
use crate::project::{MANIFEST, Manifest, Project};

/// The lock's file in a project.
pub const LOCK: &str = "pylock.toml";

/// The largest lock, in bytes. A hundred packages with wheels for every platform take about 300 KB.
pub const LOCK_BYTES: u64 = 8 << 20;

/// The text of a lock, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The file's content. Empty when nothing is locked.
    pub text: String,
    /// Whose it is.
    pub origin: Origin,
}

/// Whose lock it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The project's own file.
    Project,
    /// Made from `[project] dependencies`.
    Resolved,
}

/// One entry of a lock that is for the sandbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Locked {
    /// The normalized name.
    pub name: String,
    /// The version, where the lock has one.
    pub version: Option<String>,
    /// The line of the lock that names it.
    pub line: u32,
    /// All its wheels.
    pub wheels: Vec<LockedWheel>,
    /// The names of the packages that it requires, where the lock has them.
    pub requires: Vec<String>,
    /// What it is besides wheels, such as "a source archive". None when it has nothing else.
    pub other: Option<&'static str>,
    /// Its source archive.
    pub source: Option<LockedWheel>,
}

/// A wheel as a lock names it.
#[derive(Debug, Clone, PartialEq)]
pub struct LockedWheel {
    /// Its file's name.
    pub file: String,
    /// Where it is.
    pub place: Place,
    /// How many bytes it has, where the lock says so.
    pub size_bytes: Option<u64>,
    /// Its SHA-256, 64 lowercase hexadecimal digits. None when the lock has only other hashes, or none.
    pub sha256: Option<String>,
}

/// Where a wheel is.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// On the network.
    Url(String),
    /// A path relative to the lock.
    Path(String),
}

impl Place {
    /// Whether a file of this URL is meant. What stands behind `#` says something of the file, and not where it is.
    pub(crate) fn is(&self, url: &Url) -> bool {
        let Self::Url(text) = self else { return false };
        Url::parse(text).is_ok_and(|mut own| {
            own.set_fragment(None);
            let mut url = url.clone();
            url.set_fragment(None);
            own == url
        })
    }
}

impl Lock {
    /// A lock that names nothing.
    pub fn empty() -> Self {
        Self { text: String::new(), origin: Origin::Resolved }
    }

    /// The project's own lock, if it has one. A project without dependencies has an empty one.
    pub(crate) fn of_project(project: &Project) -> Result<Option<Self>, Error> {
        let path = project.folder.join(LOCK);
        let Ok(metadata) = fs_err::symlink_metadata(&path) else {
            return Ok(project.manifest.dependencies.is_empty().then(Self::empty));
        };
        if !metadata.is_file() || metadata.len() > LOCK_BYTES {
            let message = format!("it is not a file of at most {} MiB", LOCK_BYTES >> 20);
            return Err(Problem::new(message, "write it with `runtime lock`").at(LOCK, None).into());
        }
        let text = fs_err::read_to_string(&path)
            .map_err(|_| Problem::new("it cannot be read as UTF-8", "write it with `runtime lock`").at(LOCK, None))?;
        Ok(Some(Self { text, origin: Origin::Project }))
    }

    /// The hash of the text: equal locks install equal packages.
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.text))
    }

    /// The versions that it has for the sandbox, as requirements.
    pub(crate) fn pins(&self) -> Result<Vec<Dependency>, Error> {
        let pin = |entry: Locked| Dependency::parse(&format!("{}=={}", entry.name, entry.version?), entry.line).ok();
        Ok(self.packages()?.into_iter().filter_map(pin).collect())
    }

    /// The entries that are for the sandbox, by name.
    pub(crate) fn packages(&self) -> Result<Vec<Locked>, Error> {
        let refused = |line: Option<u32>, message: String| {
            Error::from(Problem::new(message, "write the file anew with `runtime lock`").at(LOCK, line))
        };
        if self.text.is_empty() {
            return Ok(Vec::new());
        }
        let line_of = |offset: usize| self.text[..offset.min(self.text.len())].matches('\n').count() as u32 + 1;
        let file: File = toml::from_str(&self.text).map_err(|error| {
            let message = error.message().trim_end().replace('\n', ", ");
            refused(error.span().map(|span| line_of(span.start)), message)
        })?;
        // PEP 751: a reader stops at another major version, and goes on at another minor one.
        if file.lock_version.split('.').next() != Some("1") {
            return Err(refused(None, format!("lock-version `{}` is not 1", file.lock_version.escape_debug())));
        }
        let mut packages = BTreeMap::new();
        for entry in file.packages {
            let line = line_of(entry.name.span().start);
            if let Some(marker) = &entry.marker {
                match markers::holds(marker) {
                    Some(true) => {}
                    Some(false) => continue,
                    None => return Err(refused(Some(line), format!("`{}` is no marker", marker.escape_debug()))),
                }
            }
            let locked = entry.read(line).map_err(|message| refused(Some(line), message))?;
            let name = locked.name.clone();
            if packages.insert(name.clone(), locked).is_some() {
                return Err(refused(Some(line), format!("`{name}` is there twice for the sandbox")));
            }
        }
        Ok(packages.into_values().collect())
    }

    /// Where a problem with an entry is told: in the lock that its author wrote, else where the manifest names it.
    pub(crate) fn place(&self, entry: &Locked, manifest: &Manifest) -> (&'static str, Option<u32>) {
        match self.origin {
            Origin::Project => (LOCK, Some(entry.line)),
            Origin::Resolved => {
                let direct = manifest.dependencies.iter().find(|dependency| dependency.name() == entry.name);
                (MANIFEST, direct.map(|dependency| dependency.line))
            }
        }
    }
}

/// Unknown keys are let pass, as PEP 751 says.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    lock_version: String,
    #[serde(default)]
    packages: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: Spanned<String>,
    version: Option<String>,
    marker: Option<String>,
    #[serde(default)]
    wheels: Vec<FileEntry>,
    #[serde(default)]
    dependencies: Vec<Reference>,
    sdist: Option<FileEntry>,
    archive: Option<FileEntry>,
    vcs: Option<toml::Value>,
    directory: Option<toml::Value>,
}

#[derive(Deserialize)]
struct Reference {
    name: String,
}

#[derive(Deserialize)]
struct FileEntry {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

impl Entry {
    fn read(self, line: u32) -> Result<Locked, String> {
        let name = normalized(self.name.get_ref())?;
        let mut wheels = Vec::new();
        for wheel in self.wheels {
            wheels.push(wheel.read()?);
        }
        let mut other = None;
        if let Some(archive) = self.archive {
            let archive = archive.read()?;
            match archive.file.ends_with(".whl") {
                true => wheels.push(archive),
                false => other = Some("a source archive"),
            }
        }
        let source = self.sdist.map(FileEntry::read).transpose()?;
        if source.is_some() {
            other = Some("a source archive");
        } else if self.vcs.is_some() {
            other = Some("a repository");
        } else if self.directory.is_some() {
            other = Some("a folder");
        }
        let requires = self.dependencies.iter().filter_map(|reference| normalized(&reference.name).ok()).collect();
        Ok(Locked { name, version: self.version, line, wheels, requires, other, source })
    }
}

impl FileEntry {
    fn read(self) -> Result<LockedWheel, String> {
        let sha256 = match self.hashes.get("sha256").map(|hash| hash.to_ascii_lowercase()) {
            Some(hash) if hash.len() != 64 || !hash.bytes().all(|c| c.is_ascii_hexdigit()) => {
                return Err(format!("`{}` is no SHA-256", hash.escape_debug()));
            }
            hash => hash,
        };
        let place = match (self.url, self.path) {
            (_, Some(path)) => Place::Path(path),
            (Some(url), None) => Place::Url(url),
            (None, None) => return Err("a file has neither `url` nor `path`".to_owned()),
        };
        let last = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
        let file = match (&self.name, &place) {
            (Some(name), _) => name.clone(),
            (None, Place::Path(path)) => last(path),
            (None, Place::Url(url)) => {
                let url = Url::parse(url).map_err(|_| "a file has a `url` that is none".to_owned())?;
                // A version such as `1.0+cpu` has its plus sign encoded.
                let file = percent_decode_str(&last(url.path())).decode_utf8().map(Into::into);
                file.map_err(|_| "a file has a `url` that is not UTF-8".to_owned())?
            }
        };
        Ok(LockedWheel { file, place, size_bytes: self.size, sha256 })
    }
}

/// A package's name in the one form that all spellings share.
pub(crate) fn normalized(name: &str) -> Result<String, String> {
    let parsed = name.parse::<pep508_rs::PackageName>().ok().map(|name| name.to_string());
    let named = parsed.filter(|name| !name.is_empty());
    named.ok_or_else(|| format!("`{}` is no name of a package", name.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn read(text: &str) -> Result<Vec<Locked>, Error> {
        Lock { text: text.replace("HASH", HASH), origin: Origin::Project }.packages()
    }

    fn refusal(text: &str) -> String {
        let Err(Error::Refused(problems)) = read(text) else { panic!("it was accepted") };
        problems[0].to_string()
    }

    #[test]
    fn a_whole_lock_is_read_and_entries_for_other_systems_are_left_out() {
        let packages = read(
            r#"
lock-version = "1.0"
created-by = "hand"
requires-python = ">=3.14"
extras = []
environments = ["sys_platform == 'wasi'"]

[[packages]]
name = "Zoo.Keeper"
version = "1.0+cpu"
requires-python = ">=3.9"
index = "https://index.example/simple"
dependencies = [{ name = "Animal_House" }]
wheels = [
    { url = "https://files.example/a/zoo_keeper-1.0%2Bcpu-py3-none-any.whl", upload-time = 2026-01-02T03:04:05Z, size = 12, hashes = { sha256 = "HASH", md5 = "00" } },
    { name = "zoo_keeper-1.0+cpu-cp314-cp314-win_amd64.whl", path = "wheels/zoo_keeper-1.0+cpu-cp314-cp314-win_amd64.whl", hashes = { sha512 = "00" } },
]
sdist = { url = "https://files.example/zoo_keeper-1.0.tar.gz", hashes = { sha256 = "HASH" } }

[[packages]]
name = "colorama"
version = "0.4.6"
marker = "sys_platform == 'win32'"
wheels = []

[[packages]]
name = "animal-house"
marker = "python_full_version < '3.15'"
archive = { url = "https://files.example/animal_house-2-py3-none-any.whl#fragment", hashes = { sha256 = "HASH" } }
tool = { any = "thing" }
"#,
        )
        .unwrap();
        let names: Vec<_> = packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["animal-house", "zoo-keeper"]);
        assert_eq!(packages[0].wheels[0].file, "animal_house-2-py3-none-any.whl");
        let keeper = &packages[1];
        assert_eq!((keeper.line, keeper.other), (9, Some("a source archive")));
        assert_eq!(keeper.requires, ["animal-house"]);
        assert_eq!(keeper.wheels[0].file, "zoo_keeper-1.0+cpu-py3-none-any.whl");
        assert_eq!((keeper.wheels[0].size_bytes, keeper.wheels[0].sha256.as_deref()), (Some(12), Some(HASH)));
        assert_eq!(keeper.wheels[1].sha256, None);
        assert!(matches!(&keeper.wheels[1].place, Place::Path(path) if path.starts_with("wheels/")));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_line() {
        assert!(refusal("lock-version = \"2.0\"").contains("lock-version `2.0` is not 1"));
        assert!(refusal("lock-version = ").starts_with("pylock.toml:1: "));
        let entry = |rest: &str| format!("lock-version = \"1.0\"\n[[packages]]\nname = \"a\"\n{rest}");
        for (rest, told) in [
            ("marker = \"sys_platform >> 1\"", "is no marker"),
            ("wheels = [{ hashes = {} }]", "neither `url` nor `path`"),
            ("wheels = [{ path = \"a.whl\", hashes = { sha256 = \"00\" } }]", "is no SHA-256"),
            ("[[packages]]\nname = \"A\"", "`a` is there twice"),
        ] {
            let refusal = refusal(&entry(rest));
            assert!(refusal.starts_with("pylock.toml:") && refusal.contains(told), "{refusal}");
        }
        assert!(refusal("lock-version = \"1.0\"\n[[packages]]\nname = \"../a\"").contains("no name of a package"));
    }
}
