//! Users.

use super::{Store, rows};
use crate::error::Result;
use crate::model::{OrgId, User, UserId};

impl Store {
    /// The user, if there is one of that id.
    pub fn get_user(&self, org: &OrgId, id: UserId) -> Result<Option<User>> {
        self.read(&self.users, &rows::key(org, &[id.as_bytes()]))
    }

    /// Adds a user. `Error::Conflict` when there is one of that id.
    pub async fn create_user(&self, org: &OrgId, user: &User) -> Result<()> {
        let taken = format!("there is a user `{}` already", user.id);
        self.add(&self.users, rows::key(org, &[user.id.as_bytes()]), user, taken).await
    }

    /// All users, by id, which is by age.
    pub fn list_users(&self, org: &OrgId) -> Result<Vec<User>> {
        self.list(&self.users, &rows::key(org, &[]))
    }
}
