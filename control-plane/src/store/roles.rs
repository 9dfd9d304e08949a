//! Roles. `access` writes them.

use super::{Store, rows};
use crate::error::Result;
use crate::model::{OrgId, Role, RoleName};

impl Store {
    /// The role, if there is one of that name.
    pub fn get_role(&self, org: &OrgId, name: &RoleName) -> Result<Option<Role>> {
        self.read(&self.roles, &rows::key(org, &[name.as_str().as_bytes()]))
    }

    /// All roles, by name.
    pub fn list_roles(&self, org: &OrgId) -> Result<Vec<Role>> {
        self.list(&self.roles, &rows::key(org, &[]))
    }

    /// How many roles there are. It reads no row.
    pub fn count_roles(&self, org: &OrgId) -> Result<usize> {
        self.roles.scan_prefix(rows::key(org, &[])).keys().try_fold(0, |count, key| Ok(key.map(|_| count + 1)?))
    }
}
