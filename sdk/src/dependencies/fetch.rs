//! Wheels into the cache, each held against its SHA-256 before it is there under that name.

use std::io::{Read, Write};
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;
use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use url::{Host, Url};

use super::choice::Chosen;
use super::lock::Place;
use super::parallel;
use super::settings::{Network, Settings};
use crate::error::{Error, Problem};
use crate::progress::Progress;
use crate::project::{MANIFEST, Project};
use crate::work::Work;

/// How many wheels are fetched at once, as pip's and uv's users are used to.
const AT_ONCE: usize = 8;

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
        client: OnceLock::new(),
        deadline: Instant::now() + settings.limits.fetch_time,
        total_bytes: AtomicU64::new(0),
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
    client: OnceLock<Client>,
    deadline: Instant,
    total_bytes: AtomicU64,
}

impl Fetcher<'_> {
    fn fetch(&self, chosen: &Chosen) -> Result<(), Error> {
        // A folder of wheels spares the network, whatever the lock says: the hash decides what is taken.
        if let Some(folder) = &self.settings.find_links
            && let Ok(file) = fs_err::File::open(folder.join(&chosen.package.file))
        {
            return self.keep(chosen, file);
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
                self.download(chosen, &url)
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

    fn download(&self, chosen: &Chosen, url: &Url) -> Result<(), Error> {
        let failed = |why: String| refused(chosen, format!("it cannot be fetched: {why}"), RETRY);
        if self.settings.network == Network::Off {
            return Err(failed("the network is not to be used, and the cache does not have it".to_owned()).into());
        }
        check_address(url, self.settings).map_err(failed)?;
        let mut request = self.client()?.get(url.clone());
        if let Some(index) = self.settings.indexes().find(|index| index.serves(url)) {
            let index = index.expose();
            if !index.username().is_empty() || index.password().is_some() {
                let [user, password] = [index.username(), index.password().unwrap_or_default()].map(decoded);
                request = request.basic_auth(user, Some(password));
            }
        }
        let left = self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        // What reqwest says may hold the URL, and that is the author's own; credentials are never part of it here.
        let told = |error: reqwest::Error| failed(self.settings.scrubbed(&chain(&error)));
        let response = request.timeout(left).send().and_then(|response| response.error_for_status()).map_err(told)?;
        self.keep(chosen, response)
    }

    /// Copies a wheel into the cache, unless it is too large or not the one that the lock names.
    fn keep(&self, chosen: &Chosen, mut content: impl Read) -> Result<(), Error> {
        let fault = |source: std::io::Error| Error::internal("write a wheel into the cache", source);
        let limits = &self.settings.limits;
        let mut work = tempfile::NamedTempFile::new_in(self.folder.path()).map_err(fault)?;
        let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 64 << 10]);
        loop {
            let read = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let why = self.settings.scrubbed(&format!("it cannot be fetched: {error}"));
                    return Err(refused(chosen, why, RETRY).into());
                }
            };
            size += read as u64;
            let total = self.total_bytes.fetch_add(read as u64, Ordering::Relaxed) + read as u64;
            for (bytes, limit, of) in
                [(size, limits.wheel_bytes, "one wheel"), (total, limits.total_bytes, "all wheels together")]
            {
                if bytes > limit {
                    let message = format!("it is too large: the limit of {of} is {} MiB", limit >> 20);
                    return Err(refused(chosen, message, "depend on less").into());
                }
            }
            hash.update(&buffer[..read]);
            work.write_all(&buffer[..read]).map_err(fault)?;
        }
        let found = hex::encode(hash.finalize());
        if found != chosen.package.sha256 {
            let message = format!("its SHA-256 is {found}, and the lock says {}", chosen.package.sha256);
            let remedy =
                "the file is not the one that was locked: find out why, or write the lock anew with `runtime lock`";
            return Err(refused(chosen, message, remedy).into());
        }
        work.persist(archive(self.cache, &found)).map_err(|error| fault(error.error))?;
        Ok(())
    }

    fn client(&self) -> Result<&Client, Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Somebody else in the process may have chosen already, and then that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = self.settings.clone();
        let redirects = Policy::custom(move |attempt| {
            if attempt.previous().len() > 5 {
                return attempt.error("too many redirections");
            }
            match check_address(attempt.url(), &settings) {
                Ok(()) => attempt.follow(),
                Err(why) => attempt.error(why),
            }
        });
        let client = Client::builder().redirect(redirects).connect_timeout(Duration::from_secs(30)).build();
        let client = client.map_err(|source| Error::internal("prepare fetching packages", source))?;
        Ok(self.client.get_or_init(|| client))
    }
}

const RELOCK: &str = "write the lock anew with `runtime lock`";
const RETRY: &str = "try again; where it stays so, see that the index can be reached, or write the lock anew";

fn refused(chosen: &Chosen, why: String, remedy: &str) -> Problem {
    let (file, line) = chosen.told_at;
    Problem::new(format!("wheel `{}`: {why}", chosen.package.file), remedy).at(file, line)
}

/// Tenants write URLs, and what answers them is in the service's own network: with [`Network::PublicOnly`] only https,
/// and only addresses that are everybody's.
pub(super) fn check_address(url: &Url, settings: &Settings) -> Result<(), String> {
    if settings.indexes().any(|index| index.serves(url)) {
        return Ok(());
    }
    let is_secure = url.scheme() == "https" || settings.network == Network::Anywhere && url.scheme() == "http";
    if !is_secure {
        return Err(format!("`{}://` is not allowed", url.scheme()));
    }
    if settings.network == Network::Anywhere {
        return Ok(());
    }
    let addresses: Vec<IpAddr> = match url.host() {
        Some(Host::Ipv4(address)) => vec![address.into()],
        Some(Host::Ipv6(address)) => vec![address.into()],
        Some(Host::Domain(name)) => {
            let port = url.port_or_known_default().unwrap_or(443);
            // Behind a proxy names may be unknown here, and then the proxy decides.
            (name, port).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default()
        }
        None => return Err("it has no host".to_owned()),
    };
    match addresses.iter().find(|address| !is_public(**address)) {
        Some(_) => Err("its host is not a public one; an index of the organization has to be configured".to_owned()),
        None => Ok(()),
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_multicast()
                || address.is_broadcast()
                || first == 0
                || is_shared)
        }
        IpAddr::V6(address) => {
            let carried = address.to_ipv4_mapped().or_else(|| match address.segments() {
                // NAT64 and 6to4 carry an IPv4 address that is reached in the end.
                [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
                    Some(std::net::Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
                }
                _ => None,
            });
            carried.is_none_or(|address| is_public(address.into()))
                && !(address.is_loopback()
                    || address.is_unspecified()
                    || address.is_multicast()
                    || address.is_unique_local()
                    || address.is_unicast_link_local())
        }
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(reason) = source {
        told = format!("{told}: {reason}");
        source = reason.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::lock::LockedWheel;
    use crate::dependencies::settings::{IndexUrl, Limits};
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
    fn a_service_reaches_only_public_addresses_and_its_indexes() {
        let index = IndexUrl::parse("http://10.0.0.1/simple").unwrap();
        let settings = Settings { index_url: Some(index), network: Network::PublicOnly, ..Settings::default() };
        let check = |url: &str| check_address(&Url::parse(url).unwrap(), &settings);
        for url in ["https://192.0.2.1/a.whl", "http://10.0.0.1/a.whl", "https://[2001:db8::1]/a.whl"] {
            check(url).expect(url);
        }
        for url in [
            "http://192.0.2.1/a.whl",
            "https://127.0.0.1/a.whl",
            "https://10.0.0.1/a.whl",
            "https://169.254.169.254/a.whl",
            "https://100.64.0.1/a.whl",
            "https://0.0.0.0/a.whl",
            "https://[::1]/a.whl",
            "https://[fd00::1]/a.whl",
            "https://[::ffff:127.0.0.1]/a.whl",
            "https://[64:ff9b::7f00:1]/a.whl",
            "file:///etc/passwd",
        ] {
            check(url).expect_err(url);
        }
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
