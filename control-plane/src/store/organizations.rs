//! Organizations: made at once with what makes them usable.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sled::Transactional;
use sled::transaction::abort;

use super::{Store, rows};
use crate::error::{Error, Result};
use crate::model::{ApiKey, OrgId, Role, User};

#[derive(Debug, Serialize, Deserialize)]
struct Organization {
    created_at: Timestamp,
}

impl Store {
    /// Makes an organization with its built-in roles, its first user and that user's API key: all of it or nothing.
    /// It is as old as the user. `Error::Conflict` when there is one of that id.
    pub async fn create_organization(&self, org: &OrgId, roles: &[Role], user: &User, api_key: &ApiKey) -> Result<()> {
        self.check_writable()?;
        let mut blobs = Vec::new();
        let org_key = rows::key(org, &[]);
        let org_row = rows::encode(&Organization { created_at: user.created_at }, &mut blobs)?;
        let user_key = rows::key(org, &[user.id.as_bytes()]);
        let user_row = rows::encode(user, &mut blobs)?;
        let api_key_key = rows::key(org, &[api_key.id.as_bytes()]);
        let api_key_row = rows::encode(api_key, &mut blobs)?;
        let mut role_rows = Vec::new();
        for role in roles {
            role_rows.push((rows::key(org, &[role.name.as_str().as_bytes()]), rows::encode(role, &mut blobs)?));
        }
        self.put_blobs(blobs).await?;

        let _turn = self.writers.read().await;
        let trees = (&self.organizations, &self.users, &self.roles, &self.api_keys);
        let outcome = trees.transaction(|(organizations, users, roles, api_keys)| {
            if organizations.insert(org_key.as_slice(), org_row.as_slice())?.is_some() {
                return abort(Error::Conflict(format!("there is an organization `{org}` already")));
            }
            users.insert(user_key.as_slice(), user_row.as_slice())?;
            for (key, row) in &role_rows {
                roles.insert(key.as_slice(), row.as_slice())?;
            }
            api_keys.insert(api_key_key.as_slice(), api_key_row.as_slice())?;
            Ok(())
        });
        self.durable(outcome).await
    }

    /// Whether there is such an organization.
    pub fn organization_exists(&self, org: &OrgId) -> Result<bool> {
        Ok(self.organizations.contains_key(rows::key(org, &[]))?)
    }

    /// All organizations, by id.
    pub fn list_organizations(&self) -> Result<Vec<OrgId>> {
        let mut organizations = Vec::new();
        for key in self.organizations.iter().keys() {
            let key = key?;
            let id = key.strip_suffix(&[0_u8]).map(String::from_utf8_lossy).unwrap_or_default();
            organizations
                .push(OrgId::parse(&id).map_err(|e| Error::internal(e, "failed to read an organization's id"))?);
        }
        Ok(organizations)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{acme, open_in, other_org};
    use super::*;
    use crate::model::{ApiKeyId, RoleName, UserId};

    fn parts() -> (Vec<Role>, User, ApiKey) {
        let created_at = Timestamp::UNIX_EPOCH;
        let role_name = RoleName::administrator();
        let roles = vec![Role { name: role_name.clone(), permission_grants: Vec::new() }];
        let user = User { id: UserId::new(), home: None, name: None, created_at, role_name: role_name.clone() };
        let key_sha256 = "00".repeat(32);
        let api_key =
            ApiKey { id: ApiKeyId::new(), name: None, key_sha256, role_name, created_at, expires_at: created_at };
        (roles, user, api_key)
    }

    #[tokio::test]
    async fn an_organization_comes_with_all_that_it_needs() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let (roles, user, api_key) = parts();
        store.create_organization(&acme(), &roles, &user, &api_key).await.unwrap();

        assert!(store.organization_exists(&acme()).unwrap());
        assert!(!store.organization_exists(&other_org()).unwrap());
        assert_eq!(store.list_organizations().unwrap(), [acme()]);
        assert!(store.get_user(&acme(), user.id).unwrap().is_some());
        assert!(store.get_user(&other_org(), user.id).unwrap().is_none());
        assert!(store.get_role(&acme(), &user.role_name).unwrap().is_some());
        assert_eq!(store.list_api_keys(&acme()).unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_second_of_the_same_id_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let (roles, user, api_key) = parts();
        store.create_organization(&acme(), &roles, &user, &api_key).await.unwrap();
        let (roles, other_user, api_key) = parts();
        let refused = store.create_organization(&acme(), &roles, &other_user, &api_key).await;
        assert!(matches!(refused, Err(Error::Conflict(_))));
        assert!(store.get_user(&acme(), other_user.id).unwrap().is_none());
        assert_eq!(store.list_api_keys(&acme()).unwrap().len(), 1);
    }
}
