//! Who may do what: users, roles, grants, API keys.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tools::checked_text;
use super::{ApiKeyId, Invalid, OrgId, UserId};

/// A user, named by the organization that keeps it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct UserRef {
    /// The user's organization.
    pub org_id: OrgId,
    /// The user within it.
    pub user_id: UserId,
}

/// A user as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The organization that keeps it, where that is another one: the user is a guest, who has a role here and signs in
    /// there.
    #[serde(default)]
    pub home: Option<OrgId>,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The name of its one role.
    pub role_name: RoleName,
}

checked_text!(
    /// A role's name, `^[A-Za-z0-9_-]{1,64}$`.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$", examples("DefaultUserRole"))]
    RoleName,
    |text| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-')
    },
    "role name `{text}` must be 1 to 64 of A-Z, a-z, 0-9, _ and -"
);

impl RoleName {
    /// The role that may do everything.
    pub const ADMINISTRATOR: &str = "DefaultAdministratorRole";
    /// The role of those who write tools.
    pub const TOOL_AUTHOR: &str = "DefaultToolAuthorRole";
    /// The role that may invoke and nothing else.
    pub const USER: &str = "DefaultUserRole";

    /// The name of the role that may do everything.
    pub fn administrator() -> Self {
        Self(Self::ADMINISTRATOR.to_owned())
    }

    /// Whether every organization has the role from its beginning. Such a role stays as it is.
    pub fn is_built_in(&self) -> bool {
        [Self::ADMINISTRATOR, Self::TOOL_AUTHOR, Self::USER].contains(&self.as_str())
    }

    /// Whether it is the role that may do everything.
    pub fn is_administrator(&self) -> bool {
        self.as_str() == Self::ADMINISTRATOR
    }
}

/// A role: a name for a set of grants.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Role {
    /// Unique within the organization.
    pub name: RoleName,
    /// Deny wins; what no grant matches is denied.
    pub permission_grants: Vec<Grant>,
}

/// One line of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Whether it allows or denies.
    pub action: Action,
    /// A permission's name such as `Tool:InvokeTool`, or a whole family such as `Tool:*`, or `*`.
    #[schema(pattern = r"^(\*|[A-Z][A-Za-z]+:(\*|[A-Z][A-Za-z]+))$", examples("Tool:InvokeTool"))]
    pub permission_name: String,
    /// All of them have to hold for the grant to match. The key is an attribute's name.
    #[serde(default)]
    #[schema(default = json!({}))]
    pub conditions: BTreeMap<String, Condition>,
}

/// What a matching grant does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Action {
    /// The permission is given, unless another grant denies it.
    Allow,
    /// The permission is refused, whatever else allows it.
    Deny,
}

/// A test of one attribute. An attribute that the resource does not have equals nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum Condition {
    /// The attribute is there and has this value.
    Equals {
        /// The value.
        value: String,
    },
    /// The attribute is not there or has another value.
    NotEquals {
        /// The value.
        value: String,
    },
    /// The attribute is there and has one of these values.
    In {
        /// The values.
        #[schema(min_items = 1)]
        values: Vec<String>,
    },
}

/// An API key as it is stored: the key itself is shown once, when it is made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApiKey {
    /// The key's id.
    pub id: ApiKeyId,
    /// What its maker called it.
    pub name: Option<String>,
    /// The SHA-256 of the key, in hexadecimal. The key has 256 random bits, so a slow hash would add nothing.
    pub key_sha256: String,
    /// It signs in only users with no more rights than this role.
    pub role_name: RoleName,
    /// When it was made.
    pub created_at: Timestamp,
    /// From then on it signs in nobody.
    pub expires_at: Timestamp,
}
