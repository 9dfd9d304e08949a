//! Users. `access` writes them.

use super::{Store, rows};
use crate::error::Result;
use crate::model::{OrgId, User, UserId};

impl Store {
    /// The user, if there is one of that id; a guest too.
    pub fn get_user(&self, org: &OrgId, id: UserId) -> Result<Option<User>> {
        self.read(&self.users, &rows::key(org, &[id.as_bytes()]))
    }

    /// All users, by id, which is by age; guests too.
    pub fn list_users(&self, org: &OrgId) -> Result<Vec<User>> {
        self.list(&self.users, &rows::key(org, &[]))
    }

    /// How many users there are. It reads no row.
    pub fn count_users(&self, org: &OrgId) -> Result<usize> {
        self.users.scan_prefix(rows::key(org, &[])).keys().try_fold(0, |count, key| Ok(key.map(|_| count + 1)?))
    }
}
