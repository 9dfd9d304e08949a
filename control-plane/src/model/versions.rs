//! A published version of a tool.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{EnvVarName, Invalid, OrgId, Tool, ToolId, UserRef, VersionId};

/// `major.minor.patch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Changed when callers have to change.
    pub major: u64,
    /// Changed when something is added.
    pub minor: u64,
    /// Changed when something is mended.
    pub patch: u64,
}

/// Which number a publish raises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bump {
    /// `1.2.3` becomes `2.0.0`.
    Major,
    /// `1.2.3` becomes `1.3.0`.
    Minor,
    /// `1.2.3` becomes `1.2.4`.
    Patch,
}

impl Version {
    /// What the first publish of a tool makes.
    pub const FIRST: Self = Self { major: 1, minor: 0, patch: 0 };

    /// Parses `major.minor.patch`, no more and no less.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid(format!("version `{text}` must be major.minor.patch, such as 1.4.2"));
        // A number's own parser would take a sign, and zeros before it: one version, one text.
        let is_number =
            |text: &str| text.bytes().all(|c| c.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        if !text.split('.').all(is_number) {
            return Err(invalid());
        }
        let numbers: Vec<u64> = text.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| invalid())?;
        let [major, minor, patch] = numbers[..] else { return Err(invalid()) };
        Ok(Self { major, minor, patch })
    }

    /// The version that a publish makes out of this one.
    pub fn bumped(self, bump: Bump) -> Self {
        match bump {
            Bump::Major => Self { major: self.major + 1, minor: 0, patch: 0 },
            Bump::Minor => Self { minor: self.minor + 1, patch: 0, ..self },
            Bump::Patch => Self { patch: self.patch + 1, ..self },
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A version as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ToolVersion {
    /// The version's id.
    pub id: VersionId,
    /// The organization that owns it.
    pub org_id: OrgId,
    /// When it was published.
    pub created_at: Timestamp,
    /// When it was last changed; deprecating it is the only change there is.
    pub updated_at: Timestamp,
    /// The tool.
    pub tool_id: ToolId,
    /// Its number, never given twice.
    pub version: Version,
    /// Variables that an invocation needs.
    pub required_envvars: Vec<EnvVarName>,
    /// Secret variables that an invocation needs.
    pub required_secret_envvars: Vec<EnvVarName>,
    /// JSON Schema 2020-12 of the input.
    pub input_schema: Value,
    /// The commit that was published, in hexadecimal.
    pub tool_commit_hash: String,
    /// The scaffold that was given out when it was published; none of versions that are older than this field.
    #[serde(default)]
    pub scaffold_hash: Option<String>,
    /// The tree of the project's folder in that commit.
    pub tree_hash: String,
    /// The folder within the repository.
    pub project_directory: String,
    /// The key of everything that went into the build: equal inputs, equal key.
    pub build_key: String,
    /// The SHA-256 of the component, which is its name among the blobs.
    pub component_sha256: String,
    /// The size of the component.
    pub component_size_bytes: u64,
    /// The build's number within the tool, from 1.
    pub build_number: u64,
    /// Who published it.
    pub creator: UserRef,
    /// Who changed it last.
    pub updated_by: UserRef,
    /// A deprecated version never takes part in resolution.
    pub deprecated: bool,
}

impl ToolVersion {
    /// A variable that the version requires and the tool does not have, or has with another secrecy.
    pub fn missing_variable(&self, tool: &Tool) -> Option<&EnvVarName> {
        let plain = self.required_envvars.iter().map(|name| (name, false));
        let secret = self.required_secret_envvars.iter().map(|name| (name, true));
        let is_missing = |name: &EnvVarName, must_be_secret: bool| {
            tool.envvars.get(name).is_none_or(|variable| variable.is_secret != must_be_secret)
        };
        plain.chain(secret).find(|(name, must_be_secret)| is_missing(name, *must_be_secret)).map(|(name, _)| name)
    }
}
