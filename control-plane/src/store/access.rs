//! Changes of who may do what: users, roles and API keys.
//!
//! Such a change depends on more than the rows that it writes: a role that is deleted must be nobody's, and somebody
//! must stay who may do everything. So an organization counts its changes. A change is decided on what is read after
//! the count, and is made only if the count is still the same, or else decided anew.

use sled::Transactional;
use sled::transaction::ConflictableTransactionResult;

use super::{Store, decided, rows};
use crate::error::Result;
use crate::model::{ApiKey, ApiKeyId, OrgId, Role, RoleName, User, UserId};

/// One row that a change writes or removes. A row that is removed need not be there.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each does what its name says")]
pub enum AccessChange {
    PutUser(User),
    DeleteUser(UserId),
    PutRole(Role),
    DeleteRole(RoleName),
    PutApiKey(ApiKey),
    DeleteApiKey(ApiKeyId),
}

impl Store {
    /// Changes users, roles and API keys of an organization, all or nothing. `decide` reads what it needs from the
    /// store and gives the changes; it runs again when another change came first, and its error ends the matter.
    pub async fn change_access<F, A>(&self, org: &OrgId, mut decide: F) -> Result<A>
    where
        F: FnMut() -> Result<(Vec<AccessChange>, A)>,
    {
        let count_key = rows::key(org, &[]);
        loop {
            self.check_writable()?;
            let before = self.access_changes.get(&count_key)?;
            let (changes, value) = decide()?;
            let mut blobs = Vec::new();
            let count = rows::encode_count(rows::decode_count(before.as_deref(), &self.blobs)? + 1)?;
            let changes: Vec<_> =
                changes.into_iter().map(|change| self.row_of(org, change, &mut blobs)).collect::<Result<_>>()?;
            self.put_blobs(blobs).await?;

            let _turn = self.writers.read().await;
            let trees = (&self.users, &self.roles, &self.api_keys, &self.access_changes);
            let outcome = trees.transaction(|(users, roles, api_keys, counts)| {
                if counts.get(&count_key)? != before {
                    return ConflictableTransactionResult::Ok(false);
                }
                for (kind, key, row) in &changes {
                    let tree = match kind {
                        Kind::Users => users,
                        Kind::Roles => roles,
                        Kind::ApiKeys => api_keys,
                    };
                    match row {
                        Some(row) => tree.insert(key.as_slice(), row.as_slice())?,
                        None => tree.remove(key.as_slice())?,
                    };
                }
                counts.insert(count_key.as_slice(), count.as_slice())?;
                Ok(true)
            });
            if decided(outcome)? {
                self.flush().await?;
                return Ok(value);
            }
        }
    }

    fn row_of(&self, org: &OrgId, change: AccessChange, blobs: &mut Vec<Vec<u8>>) -> Result<Row> {
        let key = |part: &[u8]| rows::key(org, &[part]);
        Ok(match change {
            AccessChange::PutUser(user) => (Kind::Users, key(user.id.as_bytes()), Some(rows::encode(&user, blobs)?)),
            AccessChange::DeleteUser(id) => (Kind::Users, key(id.as_bytes()), None),
            AccessChange::PutRole(role) => {
                (Kind::Roles, key(role.name.as_str().as_bytes()), Some(rows::encode(&role, blobs)?))
            }
            AccessChange::DeleteRole(name) => (Kind::Roles, key(name.as_str().as_bytes()), None),
            AccessChange::PutApiKey(api_key) => {
                (Kind::ApiKeys, key(api_key.id.as_bytes()), Some(rows::encode(&api_key, blobs)?))
            }
            AccessChange::DeleteApiKey(id) => (Kind::ApiKeys, key(id.as_bytes()), None),
        })
    }
}

/// Where a row goes, its key, and its value where it stays.
type Row = (Kind, Vec<u8>, Option<Vec<u8>>);

#[derive(Clone, Copy)]
enum Kind {
    Users,
    Roles,
    ApiKeys,
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::testing::{acme, open_in, other_org};
    use super::*;
    use crate::error::Error;

    fn user() -> User {
        let role_name = RoleName::administrator();
        User { id: UserId::new(), home: None, name: None, created_at: Timestamp::UNIX_EPOCH, role_name }
    }

    #[tokio::test]
    async fn a_change_is_made_whole_and_in_one_organization() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let (one, two) = (user(), user());
        let role = Role { name: RoleName::parse("large").unwrap(), permission_grants: Vec::new() };
        let changes = || {
            let users = [&one, &two].map(|user| AccessChange::PutUser(user.clone()));
            Ok(([&users[..], &[AccessChange::PutRole(role.clone())]].concat(), 7))
        };
        assert_eq!(store.change_access(&acme(), changes).await.unwrap(), 7);
        assert_eq!(store.list_users(&acme()).unwrap().len(), 2);
        assert!(store.get_role(&acme(), &role.name).unwrap().is_some());
        assert!(store.list_users(&other_org()).unwrap().is_empty());

        let delete = || Ok((vec![AccessChange::DeleteUser(one.id), AccessChange::DeleteRole(role.name.clone())], ()));
        store.change_access(&acme(), delete).await.unwrap();
        assert!(store.get_user(&acme(), one.id).unwrap().is_none());
        assert!(store.get_role(&acme(), &role.name).unwrap().is_none());
        let refuse = || Err::<(Vec<AccessChange>, ()), _>(Error::Conflict("no".to_owned()));
        assert!(matches!(store.change_access(&acme(), refuse).await, Err(Error::Conflict(_))));
        assert_eq!(store.list_users(&acme()).unwrap().len(), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_decided_on_is_still_so_when_it_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let store = std::sync::Arc::new(open_in(folder.path()));
        // Everybody wants to be one of the first four.
        let attempts = (0..12).map(|_| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move {
                let join = || match store.list_users(&acme())?.len() {
                    0..4 => Ok((vec![AccessChange::PutUser(user())], ())),
                    _ => Err(Error::Conflict("full".to_owned())),
                };
                store.change_access(&acme(), join).await.is_ok()
            })
        });
        let mut joined = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            joined += usize::from(attempt.await.unwrap());
        }
        assert_eq!((joined, store.list_users(&acme()).unwrap().len()), (4, 4));
    }
}
