//! API keys, and how many an organization has.

use sled::Transactional;
use sled::transaction::abort;

use super::{Store, rows};
use crate::error::{Error, Result};
use crate::model::{ApiKey, ApiKeyId, OrgId};

impl Store {
    /// The key, if there is one of that id; an expired one too.
    pub fn get_api_key(&self, org: &OrgId, id: ApiKeyId) -> Result<Option<ApiKey>> {
        self.read(&self.api_keys, &rows::key(org, &[id.as_bytes()]))
    }

    /// Adds a key. `Error::BadRequest` when the organization has `limit` keys, expired ones included.
    pub async fn create_api_key(&self, org: &OrgId, api_key: &ApiKey, limit: u64) -> Result<()> {
        self.check_writable()?;
        let mut blobs = Vec::new();
        let key = rows::key(org, &[api_key.id.as_bytes()]);
        let row = rows::encode(api_key, &mut blobs)?;
        let count_key = rows::key(org, &[]);
        self.put_blobs(blobs).await?;

        let outcome = (&self.api_keys, &self.api_key_counts).transaction(|(api_keys, counts)| {
            let count = counts.get(&count_key)?;
            let count = rows::decode_count(count.as_deref(), &self.blobs).or_else(abort)?;
            if count >= limit {
                return abort(Error::BadRequest(format!(
                    "the organization has {count} API keys and may have {limit}: delete one that is not needed"
                )));
            }
            if api_keys.insert(key.as_slice(), row.as_slice())?.is_some() {
                return abort(Error::Conflict(format!("there is an API key `{}` already", api_key.id)));
            }
            let count = rows::encode_count(count + 1).or_else(abort)?;
            counts.insert(count_key.as_slice(), count)?;
            Ok(())
        });
        self.durable(outcome).await
    }

    /// All keys, by id, which is by age; expired ones too.
    pub fn list_api_keys(&self, org: &OrgId) -> Result<Vec<ApiKey>> {
        self.list(&self.api_keys, &rows::key(org, &[]))
    }

    /// Removes a key. `Error::NotFound` when there is none of that id.
    pub async fn delete_api_key(&self, org: &OrgId, id: ApiKeyId) -> Result<()> {
        self.check_writable()?;
        let key = rows::key(org, &[id.as_bytes()]);
        let count_key = rows::key(org, &[]);
        let outcome = (&self.api_keys, &self.api_key_counts).transaction(|(api_keys, counts)| {
            if api_keys.remove(key.as_slice())?.is_none() {
                return abort(Error::NotFound(format!("there is no API key `{id}`")));
            }
            let count = counts.get(&count_key)?;
            let count = rows::decode_count(count.as_deref(), &self.blobs).or_else(abort)?;
            let count = rows::encode_count(count.saturating_sub(1)).or_else(abort)?;
            counts.insert(count_key.as_slice(), count)?;
            Ok(())
        });
        self.durable(outcome).await
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::testing::{acme, open_in, other_org};
    use super::*;

    fn api_key() -> ApiKey {
        ApiKey {
            id: ApiKeyId::new(),
            name: None,
            key_sha256: "00".repeat(32),
            role_name: "DefaultUserRole".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[tokio::test]
    async fn an_organization_has_no_more_keys_than_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let first = api_key();
        store.create_api_key(&acme(), &first, 2).await.unwrap();
        store.create_api_key(&acme(), &api_key(), 2).await.unwrap();
        assert!(matches!(store.create_api_key(&acme(), &api_key(), 2).await, Err(Error::BadRequest(_))));
        store.create_api_key(&other_org(), &api_key(), 2).await.unwrap();

        store.delete_api_key(&acme(), first.id).await.unwrap();
        assert!(matches!(store.delete_api_key(&acme(), first.id).await, Err(Error::NotFound(_))));
        store.create_api_key(&acme(), &api_key(), 2).await.unwrap();
        assert_eq!(store.list_api_keys(&acme()).unwrap().len(), 2);
    }
}
