//! What a wheel says of the interpreter that it was made for.

use serde::{Deserialize, Serialize};

/// The file in a wheel's `*.dist-info`. The tags of a wheel's name cannot tell two C libraries of WASI from each other.
pub const MARK: &str = "toolplane.json";

/// What is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Mark {
    /// The version of componentize-py whose CPython and C library the libraries were linked against.
    pub componentize_py: String,
    /// The compiler, and the packages of the build: with the same ones, the same source gives the same wheel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub built_with: Vec<String>,
}
