//! Packages that come from one index and from no other, whatever others have under their names.
//!
//! Anybody may put a package with the name of a private one on a public index, with a higher version (dependency
//! confusion). The order of the indexes alone does not help a name that the private index does not have yet.

use serde::Deserialize;

use super::lock::normalized;
use super::settings::IndexUrl;

/// Packages, and the index that they come from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Which packages.
    pub packages: Vec<Names>,
    /// Their index. It is asked for these alone, unless it is configured as a further one, too.
    pub index_url: IndexUrl,
}

/// The name of a package, or the beginning of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// `billing`.
    One(String),
    /// `acme-*`.
    Beginning(String),
}

impl Pin {
    /// Parses `NAME=URL`, where the name may be `acme-*`.
    pub fn parse(text: &str) -> Result<Self, String> {
        // The text may hold a password, so no message repeats what stands behind the name.
        let form = "write it like acme-*=https://pypi.example.com/simple/";
        let (name, url) = text.split_once('=').ok_or_else(|| format!("a pin is NAME=URL: {form}"))?;
        Ok(Self { packages: vec![Names::parse(name)?], index_url: IndexUrl::parse(url)? })
    }
}

impl Names {
    /// Parses a name, or the beginning of names with a `*` behind it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{}` is no name of a package: write it like billing or acme-*", text.escape_debug());
        let Some(beginning) = text.strip_suffix('*') else {
            return normalized(text).map(Self::One).map_err(|_| wrong());
        };
        // What ends in a separator is no name by itself, and is one with anything behind it.
        let whole = normalized(&format!("{beginning}x")).map_err(|_| wrong())?;
        match whole.strip_suffix('x') {
            Some(beginning) if !beginning.is_empty() => Ok(Self::Beginning(beginning.to_owned())),
            // A single index for everything is set by its URL.
            _ => Err(wrong()),
        }
    }

    /// Whether a normalized name is meant.
    fn has(&self, name: &str) -> bool {
        match self {
            Self::One(own) => own == name,
            Self::Beginning(beginning) => name.starts_with(beginning),
        }
    }
}

/// The index that a package with this normalized name has to come from. The first pin that names it decides.
pub fn index_of<'a>(pins: &'a [Pin], name: &str) -> Option<&'a IndexUrl> {
    let names = |pin: &&Pin| pin.packages.iter().any(|names| names.has(name));
    pins.iter().find(names).map(|pin| &pin.index_url)
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_index_of_the_first_pin_that_names_it() {
        let pins =
            ["billing=https://a.example/simple", "Acme_*=https://b.example/simple?x=y", "acme-b=https://c.example"]
                .map(|text| Pin::parse(text).unwrap());
        let index = |name: &str| index_of(&pins, name).map(IndexUrl::shown);
        for (name, found) in [
            ("billing", Some("https://a.example/simple")),
            ("billing-two", None),
            ("acme-a", Some("https://b.example/simple?x=y")),
            ("acme-b", Some("https://b.example/simple?x=y")),
            ("acme", None),
            ("acmea", None),
            ("my-acme-a", None),
        ] {
            assert_eq!(index(name).as_deref(), found, "{name}");
        }
    }

    #[test]
    fn what_names_no_package_or_no_index_is_refused_without_the_credentials() {
        for text in ["*=https://a.example", "a", "=https://a.example", "a b=https://a.example", "*-a=https://a.example"]
        {
            assert!(Pin::parse(text).unwrap_err().contains("acme-*"), "{text}");
        }
        assert!(!Pin::parse("a=ftp://ada:secret@a.example").unwrap_err().contains("secret"));
        let table = "packages = [\"acme-*\"]\nindex_url = \"https://a.example/simple\"\n";
        assert_eq!(toml::from_str::<Pin>(table).unwrap(), Pin::parse("acme-*=https://a.example/simple").unwrap());
    }
}
