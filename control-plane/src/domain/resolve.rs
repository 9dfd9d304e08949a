//! Constraints: which version a request means.

use pep440_rs::{Operator, Version as Pep440, VersionSpecifiers};

use crate::error::{Error, Result, Step};
use crate::model::Version;

/// An exact version or a PEP 440 specifier.
#[derive(Debug, Clone)]
pub enum Constraint {
    /// This version.
    Exactly(Version),
    /// Every version that matches.
    Matching(VersionSpecifiers),
}

impl Constraint {
    /// Parses `1.4.2`, `~=1.2` or `>=1.0,<2`. `loc` says where it stood, for the error.
    pub fn parse<S: Into<Step>>(text: &str, loc: impl IntoIterator<Item = S>) -> Result<Self> {
        if let Ok(version) = Version::parse(text) {
            return Ok(Self::Exactly(version));
        }
        // An empty specifier would match everything, which nobody means who deprecates what it matches.
        let specifiers = (!text.trim().is_empty()).then(|| text.parse().ok()).flatten();
        specifiers.map(Self::Matching).ok_or_else(|| {
            let message =
                format!("`{text}` is no version and no constraint: write it like `1.4.2`, `~=1.2` or `>=1.0,<2`");
            Error::invalid(loc, "version_constraint", message)
        })
    }

    /// Whether a version is meant.
    pub fn matches(&self, version: Version) -> bool {
        match self {
            Self::Exactly(exact) => *exact == version,
            Self::Matching(specifiers) => specifiers.iter().all(|specifier| {
                let mut numbers = vec![version.major, version.minor, version.patch];
                // A prefix is compared as far as both have numbers. PEP 440 takes what a version does not say for zeros.
                if matches!(specifier.operator(), Operator::EqualStar | Operator::NotEqualStar) {
                    numbers.resize(numbers.len().max(specifier.version().release().len()), 0);
                }
                specifier.contains(&Pep440::new(numbers))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_mean_what_python_says_they_mean() {
        let cases = [
            ("1.4.2", "1.4.2", true),
            ("1.4.2", "1.4.3", false),
            ("~=1.2", "1.9.0", true),
            ("~=1.2", "2.0.0", false),
            ("~=1.2.3", "1.2.9", true),
            ("~=1.2.3", "1.3.0", false),
            (">=1.0,<2", "1.9.9", true),
            (">=1.0,<2", "2.0.0", false),
            ("==1.4.2", "1.4.2", true),
            ("==1.*", "1.4.2", true),
            ("!=1.4.2", "1.4.2", false),
            ("==1.4.2.0.*", "1.4.2", true),
            ("==1.4.2.1.*", "1.4.2", false),
            ("!=1.4.2.1.*", "1.4.2", true),
            (">= 1.0 , < 2", "1.9.9", true),
            ("===1.4.2", "1.4.2", true),
            (">1.0.0rc1", "1.0.0", true),
            ("<2.0.0.dev1", "1.0.0", true),
            ("==0.10.0", "0.10.0", true),
        ];
        for (constraint, version, expected) in cases {
            let constraint = Constraint::parse(constraint, ["path"]).unwrap();
            assert_eq!(constraint.matches(Version::parse(version).unwrap()), expected, "{constraint:?} {version}");
        }
        for text in ["latest", "", " ", ",", ">=1,", "1.0.0 || 2.0.0", "+1.0.0", "^1.0.0", "01.0.0", "1.0.00", "1.0"] {
            assert!(Constraint::parse(text, ["path"]).is_err(), "{text}");
        }
    }
}
