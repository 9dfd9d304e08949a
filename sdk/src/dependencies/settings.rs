//! Where packages come from, and how much of them there may be.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use url::Url;

use super::pins::Pin;
use super::wheel_index::WheelIndex;

/// Where packages come from, and how much of them there may be.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The index. None: the one that `uv` takes by itself, as its environment variables say.
    pub index_url: Option<IndexUrl>,
    /// Further indexes, asked before it. The first that knows a name is the only one that is asked for it.
    pub extra_index_urls: Vec<IndexUrl>,
    /// Packages that come from one index alone.
    pub pins: Vec<Pin>,
    /// A folder of wheels, taken beside the indexes.
    pub find_links: Option<PathBuf>,
    /// Wheels with code compiled for the sandbox, taken beside the indexes. Nothing else may give a tool native code.
    pub wheel_indexes: Vec<WheelIndex>,
    /// Which network may be used.
    pub network: Network,
    /// How much there may be.
    pub limits: Limits,
}

/// Which network may be used for packages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Network {
    /// Any address: the author's own machine.
    #[default]
    Anywhere,
    /// Addresses of the internet, and the hosts of the indexes. For a service, whose tenants write the URLs.
    PublicOnly,
    /// None.
    Off,
}

/// The most that the packages of one tool may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Wall clock of one resolution.
    pub resolve_time: Duration,
    /// Wall clock of fetching all wheels.
    pub fetch_time: Duration,
    /// Packages, direct and indirect.
    pub packages: usize,
    /// Bytes of one wheel.
    pub wheel_bytes: u64,
    /// Bytes of all wheels together. They travel within the built tool.
    pub total_bytes: u64,
    /// Bytes of all wheels together when they are unpacked.
    pub unpacked_bytes: u64,
    /// Files and folders of one wheel.
    pub entries: usize,
    /// Native libraries of all packages together.
    pub libraries: usize,
}

impl Limits {
    /// boto3 with its data is 15 MB packed and 30 MB unpacked, 2,000 files; a large set has a hundred packages, and one
    /// with native libraries has a dozen of those.
    pub const DEFAULT: Self = Self {
        resolve_time: Duration::from_secs(120),
        fetch_time: Duration::from_secs(300),
        packages: 200,
        wheel_bytes: 64 << 20,
        total_bytes: 128 << 20,
        unpacked_bytes: 512 << 20,
        entries: 20_000,
        libraries: 64,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Settings {
    /// What a lock depends on beside the requirements, without credentials.
    pub(crate) fn identity(&self) -> String {
        let indexes: Vec<_> = self.indexes().map(IndexUrl::shown).collect();
        // Which versions are there as wheels for the sandbox decides which are taken.
        let wheels: Vec<_> = self.wheel_indexes.iter().flat_map(WheelIndex::files).collect();
        format!("{indexes:?} {:?} {wheels:?} {:?}", self.find_links, self.pins)
    }

    /// The folders of wheels.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let native = self.wheel_indexes.iter().map(WheelIndex::folder).filter(|folder| folder.is_dir());
        self.find_links.iter().cloned().chain(native).collect()
    }

    /// All configured indexes.
    pub(crate) fn indexes(&self) -> impl Iterator<Item = &IndexUrl> {
        let pinned = self.pins.iter().map(|pin| &pin.index_url);
        self.extra_index_urls.iter().chain(&self.index_url).chain(pinned)
    }

    /// A text without the credentials of any index.
    pub(crate) fn scrubbed(&self, text: &str) -> String {
        let mut scrubbed = text.to_owned();
        for index in self.indexes() {
            for secret in index.secrets() {
                scrubbed = scrubbed.replace(&secret, "****");
            }
        }
        scrubbed
    }
}

/// The URL of an index, which may hold a user's name and a password. It cannot be printed with them.
#[derive(Clone, PartialEq, Eq)]
pub struct IndexUrl(Url);

impl IndexUrl {
    /// Parses an `https:` or `http:` URL.
    pub fn parse(text: &str) -> Result<Self, String> {
        // The text itself may hold a password, so no message repeats it.
        let url = Url::parse(text)
            .map_err(|_| "this is no URL of an index: write it like https://pypi.example.com/simple/".to_owned())?;
        match url.scheme() {
            "https" | "http" if url.has_host() => Ok(Self(url)),
            _ => Err("the URL of an index begins with https:// or http://".to_owned()),
        }
    }

    /// With its credentials, for the program or the request that needs them.
    pub(crate) fn expose(&self) -> &Url {
        &self.0
    }

    /// Without credentials.
    pub fn shown(&self) -> String {
        let mut url = self.0.clone();
        // Both fail only for URLs without a host, which `parse` refuses.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.to_string()
    }

    /// The user's name and the password as they are sent, where the URL has them.
    pub(crate) fn credentials(&self) -> Option<(String, String)> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = (self.0.username(), self.0.password());
        let has_some = !user.is_empty() || password.is_some();
        has_some.then(|| (decoded(user), decoded(password.unwrap_or_default())))
    }

    /// The page of a package (PEP 503), without credentials.
    pub(crate) fn page(&self, name: &str) -> Option<Url> {
        let mut url = Url::parse(&self.shown()).ok()?;
        url.path_segments_mut().ok()?.pop_if_empty().extend([name, ""]);
        Some(url)
    }

    /// Whether a file's URL is on the same host, which then gets the credentials.
    pub(crate) fn serves(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }

    /// What must not be shown, as it may be written: percent-encoded and not. A name alone is no secret where a
    /// password follows, and is one where it stands alone, as tokens do.
    fn secrets(&self) -> Vec<String> {
        let hidden = self.0.password().or(Some(self.0.username())).filter(|hidden| !hidden.is_empty());
        hidden.map_or_else(Vec::new, |hidden| {
            let decoded = percent_decode_str(hidden).decode_utf8_lossy().into_owned();
            vec![hidden.to_owned(), decoded]
        })
    }
}

impl fmt::Debug for IndexUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl<'de> Deserialize<'de> for IndexUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_never_shown() {
        let index = IndexUrl::parse("https://ada:p%40ss@index.example/simple").unwrap();
        assert_eq!(format!("{index:?}"), "https://index.example/simple");
        let settings = Settings { index_url: Some(index), ..Settings::default() };
        assert!(!format!("{settings:?} {}", settings.identity()).contains("ss@"));
        let text = "failed: https://ada:p%40ss@index.example/simple, p@ss";
        assert_eq!(settings.scrubbed(text), "failed: https://ada:****@index.example/simple, ****");
        for wrong in ["p@ss", "file:///etc/passwd", "https//ada:p@ss"] {
            assert!(!IndexUrl::parse(wrong).unwrap_err().contains("p@ss"));
        }
    }

    #[test]
    fn a_package_s_page_is_below_the_index() {
        for index in ["https://ada:secret@a.example/b/simple", "https://a.example/b/simple/"] {
            let page = IndexUrl::parse(index).unwrap().page("acme-core").unwrap();
            assert_eq!(page.as_str(), "https://a.example/b/simple/acme-core/");
        }
    }

    #[test]
    fn credentials_go_to_the_index_s_own_host_alone() {
        let index = IndexUrl::parse("https://ada:secret@index.example/simple").unwrap();
        assert!(index.serves(&Url::parse("https://index.example/files/a.whl").unwrap()));
        for other in ["https://files.example/a.whl", "http://index.example/a.whl", "https://index.example:8443/a.whl"] {
            assert!(!index.serves(&Url::parse(other).unwrap()), "{other}");
        }
    }
}
