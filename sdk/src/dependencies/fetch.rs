//! Wheels into the cache, each held against its SHA-256 before it is there under that name.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use url::Url;

use super::choice::Chosen;
use super::download::Downloads;
use super::lock::Place;
use super::parallel;
use super::settings::Settings;
use crate::error::{Error, Problem};
use crate::progress::Progress;
use crate::project::{MANIFEST, Project};
use crate::work::Work;

/// How many wheels are fetched at once, as pip's and uv's users are used to.
pub(super) const AT_ONCE: usize = 8;

/// A wheel in the cache.
pub(crate) fn archive(cache: &Path, sha256: &str) -> PathBuf {
    cache.join("wheels").join(format!("{sha256}.whl"))
}

/// Puts every wheel into the cache. Those that are there cost nothing.
pub fn fetch(
    chosen: &[Chosen],
    project: &Project,
    settings: &Settings,
    cache: &Path,
    work: &Work,
) -> Result<(), Error> {
    let missing: Vec<_> = chosen.iter().filter(|chosen| !archive(cache, &chosen.package.sha256).is_file()).collect();
    if missing.is_empty() {
        return check_total(chosen, settings, cache);
    }
    let fault = |source: std::io::Error| Error::internal("make a folder", source);
    fs_err::create_dir_all(cache.join("wheels")).map_err(fault)?;
    let progress = Progress::start("Fetching packages", missing.len() as u64);
    let fetcher = Fetcher {
        project,
        settings,
        cache,
        folder: work.folder().map_err(fault)?,
        downloads: Downloads::new(settings),
        intake: Intake::new(settings),
    };
    parallel::each(&missing, AT_ONCE, |chosen| {
        progress.step(chosen.package.file.clone());
        fetcher.fetch(chosen)
    })?;
    check_total(chosen, settings, cache)
}

fn check_total(chosen: &[Chosen], settings: &Settings, cache: &Path) -> Result<(), Error> {
    let mut total = 0;
    for chosen in chosen {
        let path = archive(cache, &chosen.package.sha256);
        total += fs_err::metadata(path).map_err(|source| Error::internal("look at a wheel", source))?.len();
    }
    let limit = settings.limits.total_bytes;
    if total <= limit {
        return Ok(());
    }
    let message = format!("the packages have {} MiB, and the limit is {} MiB", total >> 20, limit >> 20);
    Err(Problem::new(message, "depend on less").at(MANIFEST, None).into())
}

struct Fetcher<'a> {
    project: &'a Project,
    settings: &'a Settings,
    cache: &'a Path,
    /// For wheels that are not whole.
    folder: TempDir,
    downloads: Downloads<'a>,
    intake: Intake<'a>,
}

impl Fetcher<'_> {
    fn fetch(&self, chosen: &Chosen) -> Result<(), Error> {
        // A folder of wheels spares the network, whatever the lock says: the hash decides what is taken.
        for folder in self.settings.folders() {
            if let Ok(file) = fs_err::File::open(folder.join(&chosen.package.file)) {
                return self.keep(chosen, file);
            }
        }
        match &chosen.wheel.place {
            Place::Path(path) => {
                let file = self.open_in_project(path).ok_or_else(|| {
                    refused(chosen, format!("there is no file `{}` in the project", path.escape_debug()), RELOCK)
                })?;
                self.keep(chosen, file)
            }
            Place::Url(url) => {
                let url = Url::parse(url).map_err(|_| refused(chosen, "its URL is none".to_owned(), RELOCK))?;
                let told = |why: String| refused(chosen, format!("it cannot be fetched: {why}"), RETRY);
                self.keep(chosen, self.downloads.get(&url).map_err(told)?)
            }
        }
    }

    /// A file below the project's folder, reached through no link.
    fn open_in_project(&self, path: &str) -> Option<fs_err::File> {
        let mut whole = self.project.folder.clone();
        for part in path.split('/').filter(|part| *part != ".") {
            if part.is_empty() || part == ".." {
                return None;
            }
            whole.push(part);
            if fs_err::symlink_metadata(&whole).ok()?.is_symlink() {
                return None;
            }
        }
        whole.is_file().then(|| fs_err::File::open(&whole).ok())?
    }

    /// Copies a wheel into the cache, unless it is too large or not the one that the lock names.
    fn keep(&self, chosen: &Chosen, content: impl Read) -> Result<(), Error> {
        let fault = |source: std::io::Error| Error::internal("write a wheel into the cache", source);
        let mut work = tempfile::NamedTempFile::new_in(self.folder.path()).map_err(fault)?;
        let found = self.intake.copy(content, &mut work, |why, remedy| refused(chosen, why, remedy))?;
        if found != chosen.package.sha256 {
            let message = format!("its SHA-256 is {found}, and the lock says {}", chosen.package.sha256);
            let remedy =
                "the file is not the one that was locked: find out why, or write the lock anew with `runtime lock`";
            return Err(refused(chosen, message, remedy).into());
        }
        work.persist(archive(self.cache, &found)).map_err(|error| fault(error.error))?;
        Ok(())
    }
}

/// Takes wheels in, as many bytes as the limits allow for one and for all.
pub(super) struct Intake<'a> {
    settings: &'a Settings,
    total_bytes: AtomicU64,
}

impl<'a> Intake<'a> {
    pub fn new(settings: &'a Settings) -> Self {
        Self { settings, total_bytes: AtomicU64::new(0) }
    }

    /// Copies a wheel, and answers its SHA-256. What is wrong with it is told by `refused`, from why and what to do.
    pub fn copy(
        &self,
        mut content: impl Read,
        to: &mut impl Write,
        refused: impl Fn(String, &str) -> Problem,
    ) -> Result<String, Error> {
        let limits = &self.settings.limits;
        let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 64 << 10]);
        loop {
            let read = match content.read(&mut buffer) {
                Ok(0) => return Ok(hex::encode(hash.finalize())),
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let why = self.settings.scrubbed(&format!("it cannot be fetched: {error}"));
                    return Err(refused(why, RETRY).into());
                }
            };
            size += read as u64;
            let total = self.total_bytes.fetch_add(read as u64, Ordering::Relaxed) + read as u64;
            for (bytes, limit, of) in
                [(size, limits.wheel_bytes, "one wheel"), (total, limits.total_bytes, "all wheels together")]
            {
                if bytes > limit {
                    let message = format!("it is too large: the limit of {of} is {} MiB", limit >> 20);
                    return Err(refused(message, "depend on less").into());
                }
            }
            hash.update(&buffer[..read]);
            to.write_all(&buffer[..read]).map_err(|source| Error::internal("write a wheel into the cache", source))?;
        }
    }
}

const RELOCK: &str = "write the lock anew with `runtime lock`";
const RETRY: &str = "try again; where it stays so, see that the index can be reached, or write the lock anew";

fn refused(chosen: &Chosen, why: String, remedy: &str) -> Problem {
    let (file, line) = chosen.told_at;
    Problem::new(format!("wheel `{}`: {why}", chosen.package.file), remedy).at(file, line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::lock::LockedWheel;
    use crate::dependencies::settings::{Limits, Network};
    use crate::dependencies::site::Package;
    use crate::project::Manifest;

    fn project(folder: &Path) -> Project {
        let text = "[project]\nname = \"a\"\n[tool.toolplane]\nentry-point = \"a:b\"\n";
        Project { folder: folder.to_owned(), manifest: Manifest::parse(text).unwrap() }
    }

    fn chosen(path: &str, content: &[u8]) -> Chosen {
        let package = Package {
            name: "a".to_owned(),
            version: "1".to_owned(),
            file: "a-1-py3-none-any.whl".to_owned(),
            sha256: hex::encode(Sha256::digest(content)),
        };
        let wheel = LockedWheel {
            file: package.file.clone(),
            place: Place::Path(path.to_owned()),
            size_bytes: None,
            sha256: Some(package.sha256.clone()),
        };
        Chosen { package, wheel, told_at: ("pylock.toml", Some(3)) }
    }

    fn fetched(chosen: &[Chosen], project: &Project, settings: &Settings, cache: &Path) -> Result<(), Error> {
        fetch(chosen, project, settings, cache, &Work::open(cache).unwrap())
    }

    fn refusal(result: Result<(), Error>) -> String {
        let Err(Error::Refused(problems)) = result else { panic!("it was fetched") };
        problems[0].to_string()
    }

    #[test]
    fn a_file_is_kept_only_under_its_own_hash() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("a.whl"), b"content").unwrap();
        let (project, settings, cache) = (project(folder.path()), Settings::default(), folder.path().join("cache"));

        fetched(&[chosen("./a.whl", b"content")], &project, &settings, &cache).unwrap();
        assert!(archive(&cache, &chosen("", b"content").package.sha256).is_file());

        let told = refusal(fetched(&[chosen("a.whl", b"other")], &project, &settings, &cache));
        assert!(told.starts_with("pylock.toml:3: wheel `a-1-py3-none-any.whl`: its SHA-256 is"), "{told}");
        assert_eq!(fs_err::read_dir(cache.join("wheels")).unwrap().count(), 1);
    }

    #[test]
    fn paths_that_lead_out_of_the_project_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("project");
        fs_err::create_dir(&inner).unwrap();
        fs_err::write(folder.path().join("a.whl"), b"content").unwrap();
        std::os::unix::fs::symlink(folder.path(), inner.join("link")).unwrap();
        let (project, settings, cache) = (project(&inner), Settings::default(), folder.path().join("cache"));
        let absolute = folder.path().join("a.whl").display().to_string();
        for path in ["../a.whl", "link/a.whl", &absolute, "none.whl", ""] {
            let told = refusal(fetched(&[chosen(path, b"content")], &project, &settings, &cache));
            assert!(told.contains("there is no file"), "{told}");
        }
    }

    #[test]
    fn bytes_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("a.whl"), vec![0; 3 << 20]).unwrap();
        let limits = Limits { wheel_bytes: 2 << 20, ..Limits::default() };
        let settings = Settings { limits, ..Settings::default() };
        let chosen = chosen("a.whl", &vec![0; 3 << 20]);
        let told = refusal(fetched(&[chosen], &project(folder.path()), &settings, &folder.path().join("cache")));
        assert!(told.contains("the limit of one wheel is 2 MiB"), "{told}");
    }

    #[test]
    fn without_a_network_the_wheel_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { network: Network::Off, ..Settings::default() };
        let mut chosen = chosen("", b"content");
        chosen.wheel.place = Place::Url("https://files.example/a-1-py3-none-any.whl".to_owned());
        let told = refusal(fetched(&[chosen], &project(folder.path()), &settings, &folder.path().join("cache")));
        assert!(told.contains("the network is not to be used"), "{told}");
    }
}
