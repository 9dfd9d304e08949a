//! Roles.

use super::{Store, rows};
use crate::error::Result;
use crate::model::{OrgId, Role};

impl Store {
    /// The role, if there is one of that name.
    pub fn get_role(&self, org: &OrgId, name: &str) -> Result<Option<Role>> {
        self.read(&self.roles, &rows::key(org, &[name.as_bytes()]))
    }

    /// Adds a role. `Error::Conflict` when there is one of that name.
    pub async fn create_role(&self, org: &OrgId, role: &Role) -> Result<()> {
        let taken = format!("there is a role `{}` already: choose another name", role.name);
        self.add(&self.roles, rows::key(org, &[role.name.as_bytes()]), role, taken).await
    }

    /// All roles, by name.
    pub fn list_roles(&self, org: &OrgId) -> Result<Vec<Role>> {
        self.list(&self.roles, &rows::key(org, &[]))
    }
}
