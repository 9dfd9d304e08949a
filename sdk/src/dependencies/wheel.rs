//! What the name of a wheel promises: for which Python and which machine it was made.

use std::cmp::Reverse;

/// The minor number of the sandbox's Python 3.
const MINOR: u32 = 14;

/// The name of a wheel, `name-version(-build)-python-abi-platform.whl`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelName {
    /// The distribution as it is written.
    pub distribution: String,
    /// The version as it is written.
    pub version: String,
    python: Vec<String>,
    abi: Vec<String>,
    platform: Vec<String>,
}

/// What can be done with a wheel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Python alone: it runs as it is.
    Pure,
    /// Compiled for this sandbox.
    Sandbox,
    /// Compiled for another machine. Its Python files may be of use. Lower is nearer.
    Foreign(Reverse<u32>),
}

impl WheelName {
    /// Parses a file's name. None when it is no wheel's.
    pub fn parse(file: &str) -> Option<Self> {
        let stem = file.strip_suffix(".whl")?;
        let parts: Vec<_> = stem.split('-').collect();
        let ([distribution, version, python, abi, platform] | [distribution, version, _, python, abi, platform]) =
            parts[..]
        else {
            return None;
        };
        if parts.iter().any(|part| part.is_empty()) || file.contains(['/', '\\', '\0']) {
            return None;
        }
        let tags = |text: &str| text.split('.').map(str::to_owned).collect();
        Some(Self {
            distribution: distribution.to_owned(),
            version: version.to_owned(),
            python: tags(python),
            abi: tags(abi),
            platform: tags(platform),
        })
    }

    /// What can be done with it; None when it is for another Python altogether.
    pub fn fit(&self) -> Option<Fit> {
        let has = |tags: &[String], tag: &str| tags.iter().any(|own| own == tag);
        let is_stable = has(&self.abi, "abi3");
        if has(&self.platform, "any") && has(&self.abi, "none") {
            return self.python.iter().any(|tag| runs_pure(tag)).then_some(Fit::Pure);
        }
        let minors = self.python.iter().filter_map(|tag| tag.strip_prefix("cp3")?.parse::<u32>().ok());
        let newest = minors.max().unwrap_or_default();
        let is_own = newest == MINOR && has(&self.abi, "cp314") || is_stable && newest <= MINOR;
        if self.platform.iter().any(|tag| tag.starts_with("wasi_") && tag.ends_with("wasm32")) {
            return is_own.then_some(Fit::Sandbox);
        }
        // What was made for the same Python first, then the nearest older one.
        let nearness = if is_own || self.python.iter().any(|tag| runs_pure(tag)) { u32::MAX } else { newest };
        (nearness > 0 && newest <= MINOR).then_some(Fit::Foreign(Reverse(nearness)))
    }

    /// Whether it was made for Linux: its Python files are then those for a system like the sandbox's.
    pub fn is_linux(&self) -> bool {
        self.platform.iter().any(|tag| tag.contains("linux"))
    }
}

/// `py3`, `py2.py3`, `py310` up to `py314`, and `cp314`.
fn runs_pure(tag: &str) -> bool {
    match tag.strip_prefix("py3") {
        Some("") => true,
        Some(minor) => minor.parse::<u32>().is_ok_and(|minor| minor <= MINOR),
        None => tag == "cp314",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_say_what_can_be_done() {
        let own = Some(Fit::Foreign(Reverse(u32::MAX)));
        for (file, expected) in [
            ("a-1-py3-none-any.whl", Some(Fit::Pure)),
            ("a-1-py2.py3-none-any.whl", Some(Fit::Pure)),
            ("a-1-2-py310-none-any.whl", Some(Fit::Pure)),
            ("a-1-cp314-none-any.whl", Some(Fit::Pure)),
            ("a-1-py2-none-any.whl", None),
            ("a-1-py315-none-any.whl", None),
            ("a-1-cp314-cp314-wasi_0_0_0_wasm32.whl", Some(Fit::Sandbox)),
            ("a-1-cp39-abi3-wasi_0_0_0_wasm32.whl", Some(Fit::Sandbox)),
            ("a-1-cp313-cp313-wasi_0_0_0_wasm32.whl", None),
            ("a-1-cp314-cp314-pyemscripten_2025_0_wasm32.whl", own),
            ("a-1-cp314-cp314-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", own),
            ("a-1-cp37-abi3-win_amd64.whl", own),
            ("a-1-py3-none-manylinux_2_17_x86_64.whl", own),
            ("a-1-cp312-cp312-macosx_11_0_arm64.whl", Some(Fit::Foreign(Reverse(12)))),
            ("a-1-cp315-cp315-win_amd64.whl", None),
        ] {
            assert_eq!(WheelName::parse(file).unwrap().fit(), expected, "{file}");
        }
    }

    #[test]
    fn what_is_no_wheel_s_name_is_none() {
        for file in ["a-1.tar.gz", "a-py3-none-any.whl", "../a-1-py3-none-any.whl", "a--py3-none-any.whl", ".whl"] {
            assert_eq!(WheelName::parse(file), None, "{file}");
        }
    }
}
