//! Who asks: callers and permissions. [`grants`] says what a role allows, [`tokens`] who a token speaks for.

pub mod grants;
mod issuers;
mod jwks;
mod keys;
pub mod tokens;

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::model::{Grant, OrgId, Role, Tool, ToolId, ToolName, UserId, UserRef};

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
    /// Make an API key.
    pub const CREATE_API_KEY: &str = "Organization:CreateAPIKey";
    /// List API keys.
    pub const GET_API_KEY: &str = "Organization:GetAPIKey";
    /// Delete an API key.
    pub const DELETE_API_KEY: &str = "Organization:DeleteAPIKey";
    /// Make a user, or let one of another organization in.
    pub const CREATE_USER: &str = "User:CreateUser";
    /// Look at users.
    pub const GET_USER: &str = "User:GetUser";
    /// Change a user's name and role.
    pub const MODIFY_USER: &str = "User:ModifyUser";
    /// Delete a user.
    pub const DELETE_USER: &str = "User:DeleteUser";
    /// Make a role.
    pub const CREATE_ROLE: &str = "Role:CreateRole";
    /// Look at roles.
    pub const GET_ROLE: &str = "Role:GetRole";
    /// Replace a role's grants.
    pub const MODIFY_ROLE: &str = "Role:ModifyRole";
    /// Delete a role.
    pub const DELETE_ROLE: &str = "Role:DeleteRole";

    /// All of them: a role can grant no other, so that a slip of the pen is not a grant that grants nothing, or a
    /// denial that denies nothing.
    pub const ALL: [&str; 18] = [
        ACCESS_REPO,
        CREATE_TOOL,
        MODIFY_TOOL,
        DELETE_TOOL,
        INVOKE_TOOL,
        READ_CONVERSATIONS,
        READ_SIMULATIONS,
        CREATE_API_KEY,
        GET_API_KEY,
        DELETE_API_KEY,
        CREATE_USER,
        GET_USER,
        MODIFY_USER,
        DELETE_USER,
        CREATE_ROLE,
        GET_ROLE,
        MODIFY_ROLE,
        DELETE_ROLE,
    ];
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
    /// The organization that keeps the user: another one where the caller is a guest.
    pub user_org: OrgId,
    grants: Vec<Grant>,
}

impl Caller {
    /// A caller with the rights of a role of the organization that the request is about.
    pub fn new(org: OrgId, user: UserRef, role: Role) -> Self {
        Self { org, user_id: user.user_id, user_org: user.org_id, grants: role.permission_grants }
    }

    /// The caller's name in records.
    pub fn user(&self) -> UserRef {
        UserRef { org_id: self.user_org.clone(), user_id: self.user_id }
    }

    /// Refuses the caller unless a grant allows the permission and none denies it.
    pub fn require(&self, permission: &'static str, attributes: &Attributes) -> Result<()> {
        if self.has(permission, attributes) { Ok(()) } else { Err(Error::Forbidden { permission }) }
    }

    /// Whether a grant allows the permission and none denies it.
    pub fn has(&self, permission: &str, attributes: &Attributes) -> bool {
        grants::allow(&self.grants, permission, attributes)
    }

    /// Refuses what would have more rights than the caller. `what` begins a sentence: "the role `x`".
    pub fn require_all_of(&self, role: &Role, what: &str) -> Result<()> {
        if grants::cover(&self.grants, &role.permission_grants) {
            return Ok(());
        }
        Err(Error::Escalation { what: what.to_owned() })
    }
}

/// The attributes of a tool.
pub fn attributes_of(tool: &Tool) -> Attributes {
    attributes(tool.id, &tool.name, &tool.tags)
}

/// The attributes of a tool that there may not be yet.
pub fn attributes(id: ToolId, name: &ToolName, tags: &BTreeMap<String, Option<String>>) -> Attributes {
    let tags = tags.iter().map(|(key, value)| (format!("Tool:Tag:{key}"), value.clone().unwrap_or_default()));
    let own = [("Tool:Id".to_owned(), id.to_string()), ("Tool:Name".to_owned(), name.to_string())];
    own.into_iter().chain(tags).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RoleName;
    use crate::model::access::{Action, Condition};

    type Row<'a> = (Action, &'a str, Option<(&'a str, Condition)>);

    fn caller(grants: &[Row]) -> Caller {
        let grant = |(action, name, condition): &Row| Grant {
            action: *action,
            permission_name: (*name).to_owned(),
            conditions: condition.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
        };
        let role = Role { name: RoleName::administrator(), permission_grants: grants.iter().map(grant).collect() };
        let org_id = OrgId::parse("acme").unwrap();
        Caller::new(org_id.clone(), UserRef { org_id, user_id: UserId::new() }, role)
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
}
