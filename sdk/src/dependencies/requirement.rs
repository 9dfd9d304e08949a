//! What an author may write under `[project] dependencies`.

use std::str::FromStr;

use pep508_rs::{Requirement, VersionOrUrl};
use url::Url;

/// One entry of `[project] dependencies`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependency {
    /// As it is written.
    pub text: String,
    /// The line of pyproject.toml.
    pub line: u32,
    /// What it means.
    pub requirement: Requirement<Url>,
}

/// The longest entry. A person writes some thirty characters.
const MAX_BYTES: usize = 2048;

impl Dependency {
    /// Parses an entry. The error is what is wrong, and what to do.
    pub fn parse(text: &str, line: u32) -> Result<Self, (String, &'static str)> {
        let wrong = |why: String| format!("dependency `{}`: {why}", text.escape_debug());
        if text.len() > MAX_BYTES || text.contains(char::is_control) {
            let shown = text.chars().take(60).collect::<String>();
            return Err((
                format!("dependency `{}…` is too long, or not one line", shown.escape_debug()),
                "write it like \"httpx>=0.28\"",
            ));
        }
        // uv replaces these by variables of its environment, and credentials may be among them.
        if text.contains("${") {
            return Err((wrong("variables are not replaced here".to_owned()), "write out what is meant"));
        }
        let requirement = read(text).map_err(|why| (wrong(why), "write it like \"httpx>=0.28\""))?;
        if let Some(VersionOrUrl::Url(url)) = &requirement.version_or_url {
            let is_wheel = url.path().ends_with(".whl");
            if url.scheme() != "https" || !is_wheel {
                return Err((
                    wrong("only an https:// URL of a wheel can be installed".to_owned()),
                    "publish the package as a wheel, and name that, as \"name @ https://…/name-1.0-py3-none-any.whl\"",
                ));
            }
            if !url.username().is_empty() || url.password().is_some() {
                return Err((
                    "a dependency's URL holds credentials".to_owned(),
                    "let the operator configure the index with its credentials, and name the package by its version",
                ));
            }
        }
        Ok(Self { text: text.to_owned(), line, requirement })
    }

    /// The package's normalized name.
    pub fn name(&self) -> &str {
        self.requirement.name.as_ref()
    }
}

/// Reads a requirement (PEP 508). The error is what is wrong.
pub(crate) fn read(text: &str) -> Result<Requirement<Url>, String> {
    // The parser takes such names for impossible, and panics.
    let is_part = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let rest = text.trim_start().trim_start_matches(is_part);
    let name = text.trim_start().strip_suffix(rest).unwrap_or_default();
    let extras = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split(']').next()).unwrap_or_default();
    for name in extras.split(',').map(str::trim).chain([name]) {
        if name.ends_with(['.', '-', '_']) {
            return Err(format!("the name `{}` does not end in a letter or a digit", name.escape_debug()));
        }
    }
    Requirement::from_str(text).map_err(|error| error.message.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_entries_are_read() {
        for (text, name) in [
            ("httpx>=0.28", "httpx"),
            ("Ruamel.YAML", "ruamel-yaml"),
            ("httpx[http2,brotli]>=0.28,<1; sys_platform != 'win32'", "httpx"),
            ("a @ https://files.example/a-1-py3-none-any.whl#sha256=00", "a"),
        ] {
            assert_eq!(Dependency::parse(text, 1).unwrap().name(), name);
        }
    }

    #[test]
    fn what_would_reach_elsewhere_is_refused() {
        for text in [
            "-r /etc/passwd",
            "--index-url https://index.example",
            "./local",
            "a @ file:///etc/a-1-py3-none-any.whl",
            "a @ git+https://git.example/a.git",
            "a @ https://files.example/a-1.tar.gz",
            "a @ http://files.example/a-1-py3-none-any.whl",
            "a @ https://files.example/a-1-py3-none-any.whl?${UV_INDEX}",
            "a @ https://ada:secret@files.example/a-1-py3-none-any.whl",
            "a\n--index-url https://index.example",
            "httpx >> 1",
            "httpx.=1",
            "httpx-[http2]",
            "httpx[http2.,brotli]",
            " httpx_ >= 1",
            "",
        ] {
            let (message, _) = Dependency::parse(text, 1).expect_err(text);
            assert!(!message.contains("secret") && !message.contains('\n'), "{message}");
        }
    }
}
