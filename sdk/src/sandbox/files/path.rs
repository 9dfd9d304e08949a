//! Paths as a guest gives them: relative to a folder that it has.

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

/// The longest path, and the longest name in it, as on Linux. The names bound what a file costs beside its content.
const LONGEST_PATH_BYTES: usize = 4096;
const LONGEST_NAME_BYTES: usize = 255;

/// A path, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Path<'a> {
    /// Names and `..`, in their order.
    pub steps: Vec<&'a str>,
    /// It ends in a way that only a folder can have.
    pub names_folder: bool,
}

impl<'a> Path<'a> {
    pub fn parse(text: &'a str) -> Result<Self, ErrorCode> {
        if text.is_empty() {
            return Err(ErrorCode::NoEntry);
        }
        if text.starts_with('/') {
            return Err(ErrorCode::NotPermitted);
        }
        if text.contains('\0') {
            return Err(ErrorCode::Invalid);
        }
        if text.len() > LONGEST_PATH_BYTES {
            return Err(ErrorCode::NameTooLong);
        }
        let steps: Vec<_> = text.split('/').filter(|step| !matches!(*step, "" | ".")).collect();
        if steps.iter().any(|step| step.len() > LONGEST_NAME_BYTES) {
            return Err(ErrorCode::NameTooLong);
        }
        let last = text.rsplit('/').next().unwrap_or_default();
        Ok(Self { steps, names_folder: matches!(last, "" | "." | "..") })
    }

    /// The name at its end and the steps before it; none where it ends with no name.
    pub fn split_name(&self) -> Option<(&[&'a str], &'a str)> {
        let (name, folder) = self.steps.split_last()?;
        (*name != "..").then_some((folder, *name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_apart() {
        for (text, steps, names_folder) in [
            ("a", &["a"][..], false),
            ("./a//b", &["a", "b"], false),
            ("a/", &["a"], true),
            ("a/.", &["a"], true),
            ("a/..", &["a", ".."], true),
            (".", &[], true),
        ] {
            assert_eq!(Path::parse(text).unwrap(), Path { steps: steps.to_vec(), names_folder }, "{text}");
        }
        let (long_path, long_name) = ("a/".repeat(3000), "a".repeat(256));
        for (text, error) in [
            ("", ErrorCode::NoEntry),
            ("/etc", ErrorCode::NotPermitted),
            ("a\0", ErrorCode::Invalid),
            (&long_path, ErrorCode::NameTooLong),
            (&long_name, ErrorCode::NameTooLong),
        ] {
            assert_eq!(Path::parse(text), Err(error), "{text}");
        }
    }
}
