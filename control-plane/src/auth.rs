//! Who asks: tokens, callers, permissions.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::access::{Action, Condition};
use crate::model::{Grant, OrgId, Role, Tool, UserId, UserRef};
use crate::vault;

/// Permissions by name, as the contract spells them.
pub mod permission {
    /// Read and write the organization's repository.
    pub const ACCESS_REPO: &str = "Tool:AccessRepo";
    /// Create a tool.
    pub const CREATE_TOOL: &str = "Tool:CreateTool";
    /// Change a tool, its variables and versions.
    pub const MODIFY_TOOL: &str = "Tool:ModifyTool";
    /// Deprecate a tool.
    pub const DELETE_TOOL: &str = "Tool:DeleteTool";
    /// Invoke a version.
    pub const INVOKE_TOOL: &str = "Tool:InvokeTool";
    /// Read the invocations of regular conversations.
    pub const READ_CONVERSATIONS: &str = "Conversation:GetInteractionInsights";
    /// Read the invocations of simulations.
    pub const READ_SIMULATIONS: &str = "Simulation:GetSimulationUnitTestSetRun";
}

/// The attributes of what is asked for, for the conditions of grants.
pub type Attributes = BTreeMap<String, String>;

/// Somebody who has proved who it is.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The organization that the request is about.
    pub org: OrgId,
    /// The user.
    pub user_id: UserId,
    grants: Vec<Grant>,
}

impl Caller {
    /// A caller with the rights of a role.
    pub fn new(org: OrgId, user_id: UserId, role: Role) -> Self {
        Self { org, user_id, grants: role.permission_grants }
    }

    /// The caller's name in records.
    pub fn user(&self) -> UserRef {
        UserRef { org_id: self.org.clone(), user_id: self.user_id }
    }

    /// Refuses the caller unless a grant allows the permission and none denies it.
    pub fn require(&self, permission: &'static str, attributes: &Attributes) -> Result<()> {
        if self.has(permission, attributes) { Ok(()) } else { Err(Error::Forbidden { permission }) }
    }

    /// Whether a grant allows the permission and none denies it.
    pub fn has(&self, permission: &str, attributes: &Attributes) -> bool {
        let matching = |action: Action| {
            self.grants.iter().filter(move |grant| grant.action == action).any(|grant| {
                names(&grant.permission_name, permission)
                    && grant.conditions.iter().all(|(name, condition)| holds(condition, attributes.get(name)))
            })
        };
        matching(Action::Allow) && !matching(Action::Deny)
    }
}

/// The attributes of a tool.
pub fn attributes_of(tool: &Tool) -> Attributes {
    let tags = tool.tags.iter().map(|(key, value)| (format!("Tool:Tag:{key}"), value.clone().unwrap_or_default()));
    let own = [("Tool:Id".to_owned(), tool.id.to_string()), ("Tool:Name".to_owned(), tool.name.to_string())];
    own.into_iter().chain(tags).collect()
}

/// Whether a grant's name means a permission: by itself, by its family (`Tool:*`), or as everything (`*`).
fn names(granted: &str, permission: &str) -> bool {
    match granted.strip_suffix('*') {
        Some("") => true,
        Some(family) => family.ends_with(':') && permission.starts_with(family),
        None => granted == permission,
    }
}

fn holds(condition: &Condition, attribute: Option<&String>) -> bool {
    match condition {
        Condition::Equals { value } => attribute == Some(value),
        Condition::NotEquals { value } => attribute != Some(value),
        Condition::In { values } => attribute.is_some_and(|attribute| values.contains(attribute)),
    }
}

/// Signs and verifies tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    lifetime_s: i64,
}

/// What a token says. It says nothing of rights: those are looked up, so that a change of role holds at once.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The organization that the user belongs to.
    pub org: OrgId,
    /// The user.
    pub sub: UserId,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
}

impl Tokens {
    /// Opens the signing key, and makes it where there is none.
    pub fn open(key_file: &Path, lifetime_s: i64) -> Result<Self> {
        let key = vault::read_or_create_key(key_file)?;
        let encoding = EncodingKey::from_secret(&key[..]);
        Ok(Self { encoding, decoding: DecodingKey::from_secret(&key[..]), lifetime_s })
    }

    /// A token for a user, and when it ends.
    pub fn sign(&self, org: &OrgId, user: UserId) -> Result<(String, Timestamp)> {
        let now = Timestamp::now().as_second();
        let exp = now + self.lifetime_s;
        let claims = Claims { org: org.clone(), sub: user, iat: now, exp };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|error| Error::internal(error, "sign a token"))?;
        let expires_at = Timestamp::from_second(exp).map_err(|error| Error::internal(error, "date a token"))?;
        Ok((token, expires_at))
    }

    /// What a valid token says. Why one is not valid is nobody's business but its owner's, who can sign in again.
    pub fn verify(&self, token: &str) -> Option<Claims> {
        let mut validation = Validation::new(Algorithm::HS256);
        // Both clocks are this machine's.
        validation.leeway = 0;
        jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation).ok().map(|token| token.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row<'a> = (Action, &'a str, Option<(&'a str, Condition)>);

    fn caller(grants: &[Row]) -> Caller {
        let grant = |(action, name, condition): &Row| Grant {
            action: *action,
            permission_name: (*name).to_owned(),
            conditions: condition.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
        };
        let role = Role { name: "r".to_owned(), permission_grants: grants.iter().map(grant).collect() };
        Caller::new(OrgId::parse("acme").unwrap(), UserId::new(), role)
    }

    #[test]
    fn what_no_grant_matches_is_denied_and_deny_wins() {
        let none = Attributes::new();
        assert!(!caller(&[]).has("Tool:InvokeTool", &none));
        assert!(caller(&[(Action::Allow, "Tool:*", None)]).has("Tool:InvokeTool", &none));
        assert!(!caller(&[(Action::Allow, "Tool:*", None)]).has("User:CreateUser", &none));
        let denied = caller(&[(Action::Allow, "*", None), (Action::Deny, "Tool:InvokeTool", None)]);
        assert!(!denied.has("Tool:InvokeTool", &none));
        assert!(denied.has("Tool:ModifyTool", &none));
    }

    #[test]
    fn conditions_hold_against_attributes() {
        let equals = Condition::Equals { value: "weather".to_owned() };
        let caller = caller(&[(Action::Allow, "Tool:InvokeTool", Some(("Tool:Name", equals)))]);
        let weather = Attributes::from([("Tool:Name".to_owned(), "weather".to_owned())]);
        assert!(caller.has("Tool:InvokeTool", &weather));
        assert!(!caller.has("Tool:InvokeTool", &Attributes::new()));
    }

    #[test]
    fn a_token_of_another_key_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(&folder.path().join("a.key"), 60).unwrap();
        let others = Tokens::open(&folder.path().join("b.key"), 60).unwrap();
        let expired = Tokens::open(&folder.path().join("a.key"), -60).unwrap();
        let (org, user) = (OrgId::parse("acme").unwrap(), UserId::new());
        assert_eq!(tokens.verify(&tokens.sign(&org, user).unwrap().0).unwrap().sub, user);
        assert!(others.verify(&tokens.sign(&org, user).unwrap().0).is_none());
        assert!(tokens.verify(&expired.sign(&org, user).unwrap().0).is_none());
        assert!(tokens.verify("garbage").is_none());
    }
}
