//! Roles: make, look at, replace, delete.

use crate::app::App;
use crate::auth::{Attributes, Caller, grants, permission};
use crate::error::{Error, Result, Step};
use crate::model::access::Condition;
use crate::model::{Grant, OrgId, Role, RoleName};
use crate::store::AccessChange;

/// The attributes that a condition can name; the last one is followed by a tag's key.
const ATTRIBUTES: [&str; 3] = ["Tool:Id", "Tool:Name", "Tool:Tag:"];

/// The longest name and value of an attribute that a condition may have, in bytes. No tag and no name is longer than a
/// request can make it, and nobody types more.
const MAX_TEXT_BYTES: usize = 1024;

impl App {
    /// Makes a role.
    pub async fn create_role(&self, caller: &Caller, role: &Role) -> Result<()> {
        caller.require(permission::CREATE_ROLE, &Attributes::new())?;
        self.check_grants(&role.permission_grants)?;
        caller.require_all_of(role, &format!("the role `{}`", role.name))?;
        let add = || {
            if self.store.get_role(&caller.org, &role.name)?.is_some() {
                let message = format!("there is a role `{}` already: choose another name", role.name);
                return Err(Error::Conflict(message));
            }
            let limit = self.config.access.max_roles;
            if self.store.count_roles(&caller.org)? >= limit {
                let message = format!("the organization has {limit} roles, which is the most: delete one first");
                return Err(Error::BadRequest(message));
            }
            Ok((vec![AccessChange::PutRole(role.clone())], ()))
        };
        self.store.change_access(&caller.org, add).await
    }

    /// All roles, by name.
    pub fn list_roles(&self, caller: &Caller) -> Result<Vec<Role>> {
        caller.require(permission::GET_ROLE, &Attributes::new())?;
        self.store.list_roles(&caller.org)
    }

    /// One role.
    pub fn role(&self, caller: &Caller, name: &RoleName) -> Result<Role> {
        caller.require(permission::GET_ROLE, &Attributes::new())?;
        self.store.get_role(&caller.org, name)?.ok_or_else(|| unknown(name))
    }

    /// Gives a role other grants. Those who have it have them from their next request on.
    pub async fn replace_role(&self, caller: &Caller, role: &Role) -> Result<()> {
        caller.require(permission::MODIFY_ROLE, &Attributes::new())?;
        self.check_grants(&role.permission_grants)?;
        caller.require_all_of(role, &format!("the role `{}`", role.name))?;
        let replace = || {
            self.store.get_role(&caller.org, &role.name)?.ok_or_else(|| unknown(&role.name))?;
            refuse_built_in(&role.name)?;
            Ok((vec![AccessChange::PutRole(role.clone())], ()))
        };
        self.store.change_access(&caller.org, replace).await
    }

    /// Deletes a role that nobody has.
    pub async fn delete_role(&self, caller: &Caller, name: &RoleName) -> Result<()> {
        caller.require(permission::DELETE_ROLE, &Attributes::new())?;
        let delete = || {
            self.store.get_role(&caller.org, name)?.ok_or_else(|| unknown(name))?;
            refuse_built_in(name)?;
            let users = self.store.list_users(&caller.org)?.iter().filter(|user| user.role_name == *name).count();
            if users > 0 {
                let message =
                    format!("the role `{name}` is in use, users of it: {users}; give them another role first");
                return Err(Error::Conflict(message));
            }
            if self.is_role_of_an_api_key(&caller.org, name)? {
                let message = format!("the role `{name}` is in use by API keys: delete those first");
                return Err(Error::Conflict(message));
            }
            Ok((vec![AccessChange::DeleteRole(name.clone())], ()))
        };
        self.store.change_access(&caller.org, delete).await
    }

    /// A role that a request's body names.
    pub(crate) fn existing_role(&self, org: &OrgId, name: &RoleName) -> Result<Role> {
        let unknown = || Error::invalid(&["body", "role_name"], "value_error", format!("role `{name}` does not exist"));
        self.store.get_role(org, name)?.ok_or_else(unknown)
    }

    /// Every grant has to name what there is: one that names nothing would grant nothing, or deny nothing.
    fn check_grants(&self, grants: &[Grant]) -> Result<()> {
        let limits = &self.config.access;
        if grants.len() > limits.max_grants {
            let message = format!("a role has at most {} grants", limits.max_grants);
            return Err(Error::invalid(&["body", "permission_grants"], "too_long", message));
        }
        for (index, grant) in grants.iter().enumerate() {
            let place = |field: &str| {
                vec![Step::from("body"), Step::from("permission_grants"), Step::from(index), Step::from(field)]
            };
            let name = &grant.permission_name;
            if !means_something(name) {
                let message = format!("`{name}` is neither a permission, nor a family such as `Tool:*`, nor `*`");
                return Err(Error::invalid(place("permission_name"), "value_error", message));
            }
            if grant.conditions.len() > limits.max_conditions {
                let message = format!("a grant has at most {} conditions", limits.max_conditions);
                return Err(Error::invalid(place("conditions"), "too_long", message));
            }
            if !grant.conditions.is_empty() && name != "*" && !name.starts_with("Tool:") {
                let message = format!("`{name}` has no attributes: only permissions of tools have conditions");
                return Err(Error::invalid(place("conditions"), "value_error", message));
            }
            for (attribute, condition) in &grant.conditions {
                check_condition(attribute, condition, limits.max_condition_values).map_err(|message| {
                    let place = place("conditions").into_iter().chain([Step::from(attribute.as_str())]);
                    Error::invalid(place, "value_error", message)
                })?;
            }
        }
        Ok(())
    }
}

/// Whether there is a permission that a grant of this name means.
fn means_something(name: &str) -> bool {
    permission::ALL.iter().any(|permission| grants::names(name, permission))
}

fn check_condition(attribute: &str, condition: &Condition, max_values: usize) -> Result<(), String> {
    let is_tag = attribute.strip_prefix(ATTRIBUTES[2]).is_some_and(|key| !key.is_empty());
    if !is_tag && !ATTRIBUTES[..2].contains(&attribute) {
        return Err("the attributes of tools are `Tool:Id`, `Tool:Name` and `Tool:Tag:<key>`".to_owned());
    }
    let values = match condition {
        Condition::Equals { value } | Condition::NotEquals { value } => std::slice::from_ref(value),
        Condition::In { values } => values,
    };
    if values.is_empty() || values.len() > max_values {
        return Err(format!("`values` holds 1 to {max_values} values"));
    }
    if attribute.len() > MAX_TEXT_BYTES || values.iter().any(|value| value.len() > MAX_TEXT_BYTES) {
        return Err(format!("an attribute and its values have at most {MAX_TEXT_BYTES} bytes"));
    }
    Ok(())
}

fn refuse_built_in(name: &RoleName) -> Result<()> {
    if name.is_built_in() {
        return Err(Error::Conflict(format!("`{name}` is built in and stays as it is: make a role of your own")));
    }
    Ok(())
}

fn unknown(name: &RoleName) -> Error {
    Error::NotFound(format!("role `{name}` does not exist"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_names_what_there_is() {
        for name in ["*", "Tool:*", "User:*", "Conversation:*", "Tool:InvokeTool", "Organization:CreateAPIKey"] {
            assert!(means_something(name), "{name}");
        }
        for name in ["", "Tool", "Tool*", "Tools:*", "Tool:Invoke", "tool:InvokeTool", "**", "Tool:I*", ":*"] {
            assert!(!means_something(name), "{name}");
        }
    }

    #[test]
    fn a_condition_is_of_an_attribute_that_tools_have() {
        let equals = Condition::Equals { value: "x".to_owned() };
        for attribute in ["Tool:Id", "Tool:Name", "Tool:Tag:team", "Tool:Tag:a b"] {
            assert_eq!(check_condition(attribute, &equals, 2), Ok(()), "{attribute}");
        }
        for attribute in ["", "Tool:Tag:", "Tool:name", "Name", "User:Id", &format!("Tool:Tag:{}", "a".repeat(1024))] {
            assert!(check_condition(attribute, &equals, 2).is_err(), "{attribute}");
        }
        let among = |count: usize| Condition::In { values: vec!["x".to_owned(); count] };
        assert!(check_condition("Tool:Id", &among(0), 2).is_err());
        assert!(check_condition("Tool:Id", &among(2), 2).is_ok());
        assert!(check_condition("Tool:Id", &among(3), 2).is_err());
    }
}
