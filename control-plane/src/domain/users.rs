//! Users: make, look at, change, delete.
//!
//! A user belongs to the organization that made it. Another organization can let it in as a *guest*: it keeps a row of
//! the same id, which says where the user belongs and which role it has here. A guest signs in at home, and its rights
//! at home count for nothing here.

use jiff::Timestamp;

use crate::app::App;
use crate::auth::{Attributes, Caller, permission};
use crate::domain::api_keys::checked_name;
use crate::error::{Error, Result};
use crate::model::{RoleName, User, UserId, UserRef};
use crate::store::AccessChange;

/// What a new user is made of.
pub struct NewUser {
    /// What to call it.
    pub name: Option<String>,
    /// Its role.
    pub role_name: RoleName,
    /// Whom to let in, where it is a user of another organization.
    pub guest: Option<UserRef>,
}

/// Which users are wanted. What is empty does not restrict.
#[derive(Debug, Default)]
pub struct UserFilter {
    /// One of these ids.
    pub ids: Vec<UserId>,
    /// Of one of these roles.
    pub roles: Vec<RoleName>,
}

/// What is to change of a user. `None` leaves it as it is.
#[derive(Debug, Default)]
pub struct UserChange {
    /// What to call it.
    pub name: Option<String>,
    /// Its role.
    pub role_name: Option<RoleName>,
}

impl App {
    /// Makes a user, or lets one of another organization in. Whether that organization has such a user is not looked
    /// at, so that nobody learns who is where; if it has not, the row lets in nobody.
    pub async fn create_user(&self, caller: &Caller, new: NewUser) -> Result<User> {
        caller.require(permission::CREATE_USER, &Attributes::new())?;
        let user = User {
            id: new.guest.as_ref().map_or_else(UserId::new, |guest| guest.user_id),
            home: new.guest.map(|guest| guest.org_id),
            name: checked_name(new.name)?,
            created_at: Timestamp::now(),
            role_name: new.role_name,
        };
        if user.home.as_ref() == Some(&caller.org) {
            let message =
                "user_org_id is for users of other organizations: leave it and user_id out for one of your own";
            return Err(Error::invalid(["body", "user_org_id"], "value_error", message));
        }
        let add = || {
            self.require_role(caller, &user.role_name)?;
            if self.store.get_user(&caller.org, user.id)?.is_some() {
                let message = format!("there is a user {} already: change its role instead", user.id);
                return Err(Error::Conflict(message));
            }
            let limit = self.config.access.max_users;
            if self.store.count_users(&caller.org)? >= limit {
                let message = format!("the organization has {limit} users, which is the most: delete one first");
                return Err(Error::BadRequest(message));
            }
            Ok((vec![AccessChange::PutUser(user.clone())], ()))
        };
        self.store.change_access(&caller.org, add).await?;
        Ok(user)
    }

    /// The users that pass a filter, by id; guests too.
    pub fn list_users(&self, caller: &Caller, filter: &UserFilter) -> Result<Vec<User>> {
        caller.require(permission::GET_USER, &Attributes::new())?;
        let mut users = self.store.list_users(&caller.org)?;
        users.retain(|user| {
            (filter.ids.is_empty() || filter.ids.contains(&user.id))
                && (filter.roles.is_empty() || filter.roles.contains(&user.role_name))
        });
        Ok(users)
    }

    /// One user.
    pub fn user(&self, caller: &Caller, id: UserId) -> Result<User> {
        caller.require(permission::GET_USER, &Attributes::new())?;
        self.store.get_user(&caller.org, id)?.ok_or_else(|| unknown(id))
    }

    /// Changes a user. Another role holds from the user's next request on.
    pub async fn update_user(&self, caller: &Caller, id: UserId, change: UserChange) -> Result<()> {
        caller.require(permission::MODIFY_USER, &Attributes::new())?;
        let name = checked_name(change.name)?;
        let update = || {
            let mut user = self.store.get_user(&caller.org, id)?.ok_or_else(|| unknown(id))?;
            if let Some(role_name) = &change.role_name {
                self.require_role(caller, role_name)?;
                if !role_name.is_administrator() {
                    self.refuse_last_administrator(caller, &user)?;
                }
                user.role_name = role_name.clone();
            }
            user.name = name.clone().or(user.name);
            Ok((vec![AccessChange::PutUser(user)], ()))
        };
        self.store.change_access(&caller.org, update).await
    }

    /// Deletes a user. Its tokens end with it, as do its rights as a guest elsewhere.
    pub async fn delete_user(&self, caller: &Caller, id: UserId) -> Result<()> {
        caller.require(permission::DELETE_USER, &Attributes::new())?;
        let delete = || {
            let user = self.store.get_user(&caller.org, id)?.ok_or_else(|| unknown(id))?;
            self.refuse_last_administrator(caller, &user)?;
            Ok((vec![AccessChange::DeleteUser(id)], ()))
        };
        self.store.change_access(&caller.org, delete).await
    }

    fn require_role(&self, caller: &Caller, name: &RoleName) -> Result<()> {
        let role = self.existing_role(&caller.org, name)?;
        caller.require_all_of(&role, &format!("a user of the role `{name}`"))
    }

    /// Guests do not count: their home can delete them.
    fn refuse_last_administrator(&self, caller: &Caller, user: &User) -> Result<()> {
        let is_administrator = |user: &User| user.home.is_none() && user.role_name.is_administrator();
        if !is_administrator(user) {
            return Ok(());
        }
        let users = self.store.list_users(&caller.org)?;
        if users.iter().any(|other| other.id != user.id && is_administrator(other)) {
            return Ok(());
        }
        let message = "this is the organization's last administrator: make somebody else one first";
        Err(Error::Conflict(message.to_owned()))
    }
}

fn unknown(id: UserId) -> Error {
    Error::NotFound(format!("user {id} does not exist"))
}
