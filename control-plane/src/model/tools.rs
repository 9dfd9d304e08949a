//! A tool and its environment variables.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Invalid, OrgId, ToolId, UserRef};

/// A tool as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tool {
    /// The tool's id.
    pub id: ToolId,
    /// The organization that owns it.
    pub org_id: OrgId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Unique among the organization's tools that are not deprecated.
    pub name: ToolName,
    /// Not blank.
    pub description: String,
    /// A deprecated tool keeps its record and gives up its name.
    pub deprecated: bool,
    /// At most 20.
    pub tags: BTreeMap<String, Option<String>>,
    /// Its environment variables, sealed.
    pub envvars: BTreeMap<EnvVarName, EnvVar>,
    /// Who made it.
    pub creator: UserRef,
    /// Who changed it last.
    pub updated_by: UserRef,
}

/// A variable's value as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnvVar {
    /// Whether its value is scrubbed from what the tool says.
    pub is_secret: bool,
    /// The value, sealed by `vault` for this tool and this name; base64.
    pub sealed_value: String,
}

macro_rules! checked_text {
    ($(#[$meta:meta])* $name:ident, $check:expr, $rule:literal) => {
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        $(#[$meta])*
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses the text by the rule that the type's documentation names.
            pub fn parse(text: &str) -> Result<Self, Invalid> {
                let follows_rule: fn(&str) -> bool = $check;
                if !follows_rule(text) {
                    return Err(Invalid(format!($rule, text = text)));
                }
                Ok(Self(text.to_owned()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

pub(super) use checked_text;

checked_text!(
    /// A tool's name, `^[a-z0-9_]+$`. Its length is judged apart from its form, since the contract answers it differently.
    #[schema(pattern = "^[a-z0-9_]+$", max_length = 64, examples("weather_report"))]
    ToolName,
    |text| !text.is_empty() && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_'),
    "tool name `{text}` must be made of a-z, 0-9 and _"
);

impl ToolName {
    /// The longest name, in characters.
    pub const MAX_LENGTH: usize = 64;
}

checked_text!(
    /// An environment variable's name, `^[A-Z_][A-Z0-9_]*$`.
    #[schema(pattern = "^[A-Z_][A-Z0-9_]*$", examples("WEATHER_API_KEY"))]
    EnvVarName,
    |text| {
        !text.is_empty()
            && !text.starts_with(|c: char| c.is_ascii_digit())
            && text.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
    },
    "variable name `{text}` must be made of A-Z, 0-9 and _, and must not start with a digit"
);
