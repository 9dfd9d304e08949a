//! What came of the first request of an idempotency key. It is written together with the records of what ran, and
//! found again by when it expires, so that sweeping reads nothing but what has.

use jiff::Timestamp;
use sled::Transactional;
use sled::transaction::abort;

use super::entries::{self, Kind};
use super::{Store, decided, rows};
use crate::error::{Error, Result};
use crate::model::{FirstResult, OrgId, ToolId, UserRef};

/// How many rows one transaction sweeps.
const SWEPT_AT_ONCE: usize = 100;

/// What a key belongs to: 12 bytes of the user, 12 of the tool, the SHA-256 of the user's organization and the key.
pub type ScopeKey = [u8; 56];

/// The rows of a first result, which are written together with the invocations.
pub(super) struct FirstResultRows {
    key: Vec<u8>,
    row: Vec<u8>,
    expiry_key: Vec<u8>,
    now: Timestamp,
}

impl FirstResultRows {
    pub(super) fn new(org: &OrgId, (scope, result): (&ScopeKey, &FirstResult)) -> Result<Self> {
        Ok(Self {
            key: rows::key(org, &[scope]),
            // Ten ids and two hashes at most: it is never large.
            row: rows::encode(result, &mut Vec::new())?,
            expiry_key: expiry_key(org, result.expires_at, scope),
            now: Timestamp::now(),
        })
    }

    /// Adds them to an entry of the journal.
    pub(super) fn add_to(&self, entry: &mut Vec<u8>) {
        entries::add(entry, Kind::Key, &self.key, &self.row);
        entries::add(entry, Kind::Expiry, &self.expiry_key, rows::MARK);
    }

    /// `Error::Conflict` when the key has a result that is still answered. Whoever uses a key holds it meanwhile
    /// (`domain/claims.rs`), so no other result of it is on its way.
    pub(super) fn check(&self, store: &Store) -> Result<()> {
        let known: Option<FirstResult> = store.read(&store.idempotency_keys, &self.key)?;
        if known.is_some_and(|known| known.expires_at > self.now) {
            let message = "another request with this Idempotency-Key has ended meanwhile: repeat it for its result";
            return Err(Error::Conflict(message.to_owned()));
        }
        Ok(())
    }
}

/// The scope of a key.
pub fn scope_key(user: &UserRef, tool: ToolId, key: &str) -> ScopeKey {
    let mut scope = [0; 56];
    scope[..12].copy_from_slice(user.user_id.as_bytes());
    scope[12..24].copy_from_slice(tool.as_bytes());
    // No organization's id holds a 0 byte, so no two pairs are one text.
    scope[24..].copy_from_slice(&rows::digest(&[user.org_id.as_str().as_bytes(), b"\0", key.as_bytes()]));
    scope
}

impl Store {
    /// The first result of a key, unless it has expired.
    pub fn get_first_result(&self, org: &OrgId, scope: &ScopeKey) -> Result<Option<FirstResult>> {
        let found: Option<FirstResult> = self.read(&self.idempotency_keys, &rows::key(org, &[scope]))?;
        Ok(found.filter(|result| result.expires_at > Timestamp::now()))
    }

    /// Forgets the first results that have expired by `now`, of all organizations. Answers how many.
    pub async fn sweep_first_results(&self, now: Timestamp) -> Result<usize> {
        self.check_writable()?;
        let mut swept = 0;
        for org in self.list_organizations()? {
            let range = expiry_key(&org, Timestamp::UNIX_EPOCH, &[0; 56])..=expiry_key(&org, now, &[u8::MAX; 56]);
            let mut expired = self.idempotency_expiries.range(range).keys();
            loop {
                let expiry_keys = expired.by_ref().take(SWEPT_AT_ONCE).collect::<sled::Result<Vec<_>>>()?;
                if expiry_keys.is_empty() {
                    break;
                }
                swept += expiry_keys.len();
                let _turn = self.writers.read().await;
                let trees = (&self.idempotency_keys, &self.idempotency_expiries);
                decided(trees.transaction(|(keys, expiries)| {
                    for expiry_key in &expiry_keys {
                        expiries.remove(expiry_key)?;
                        let key = rows::key(&org, &[&expiry_key[expiry_key.len().saturating_sub(56)..]]);
                        let Some(row) = keys.get(&key)? else { continue };
                        // The key may have been used again since.
                        let result: FirstResult = rows::decode(&row, &self.blobs).or_else(abort)?;
                        if result.expires_at <= now {
                            keys.remove(key.as_slice())?;
                        }
                    }
                    Ok(())
                }))?;
            }
        }
        if swept > 0 {
            self.flush().await?;
        }
        Ok(swept)
    }
}

/// When a result expires, and whose it is.
pub(super) fn expiry_key(org: &OrgId, at: Timestamp, scope: &ScopeKey) -> Vec<u8> {
    let second = u64::try_from(at.as_second()).unwrap_or_default();
    rows::key(org, &[&second.to_be_bytes(), scope])
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::super::testing::{acme, open_in, other_org, someone};
    use super::*;
    use crate::model::{Role, RoleName, User, Version};

    fn result(fingerprint: &str, expires_at: Timestamp) -> FirstResult {
        let invocations = Vec::new();
        FirstResult { fingerprint: fingerprint.to_owned(), version: Version::FIRST, invocations, expires_at }
    }

    #[tokio::test]
    async fn a_result_is_found_until_it_expires_and_then_swept() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let role_name = RoleName::parse("r").unwrap();
        let user = User {
            id: someone().user_id,
            home: None,
            name: None,
            created_at: Timestamp::UNIX_EPOCH,
            role_name: role_name.clone(),
        };
        let role = Role { name: role_name.clone(), permission_grants: Vec::new() };
        let api_key = crate::model::ApiKey {
            id: crate::model::ApiKeyId::new(),
            name: None,
            key_sha256: String::new(),
            role_name,
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: Timestamp::UNIX_EPOCH,
        };
        store.create_organization(&acme(), &[role], &user, &api_key).await.unwrap();
        let (user, tool) = (someone(), ToolId::new());
        let scope = |key: &str| scope_key(&user, tool, key);
        let now = Timestamp::now();
        let (past, future) = (now - 1.hour(), now + 1.hour());

        let record = |key: &str, expires_at| {
            let (scope, result) = (scope(key), result(key, expires_at));
            let store = &store;
            async move { store.record_once(&acme(), &[], Some((&scope, &result))).await }
        };
        record("old", past).await.unwrap();
        record("new", future).await.unwrap();
        record("again", past).await.unwrap();
        record("again", future).await.unwrap();
        assert!(matches!(record("new", future).await, Err(Error::Conflict(_))), "a key has one result");

        let found = |key: &str| store.get_first_result(&acme(), &scope(key)).unwrap().map(|result| result.fingerprint);
        assert_eq!(found("new").as_deref(), Some("new"));
        assert_eq!(found("old"), None);
        assert_eq!(found("other"), None);
        assert!(store.get_first_result(&other_org(), &scope("new")).unwrap().is_none());
        assert!(store.get_first_result(&acme(), &scope_key(&someone(), tool, "new")).unwrap().is_none());
        assert!(store.get_first_result(&acme(), &scope_key(&user, ToolId::new(), "new")).unwrap().is_none());

        assert_eq!(store.sweep_first_results(now).await.unwrap(), 2);
        assert_eq!(store.sweep_first_results(now).await.unwrap(), 0);
        assert_eq!((found("new").is_some(), found("again").is_some()), (true, true));
        assert_eq!(store.idempotency_keys.len(), 2);
    }
}
