//! API keys: make, list, delete.

use jiff::fmt::temporal::SpanParser;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::auth::{Attributes, Caller, permission};
use crate::error::{Error, Result};
use crate::model::{ApiKey, ApiKeyId, OrgId, RoleName};
use crate::store::AccessChange;
use crate::vault::SecretString;

/// The most keys of an organization that have not expired; the contract's.
const MAX_KEYS: usize = 20;
/// The shortest and the longest that a key is valid; the contract's.
const MIN_DAYS: i64 = 1;
/// See [`MIN_DAYS`].
pub(crate) const MAX_DAYS: i64 = 90;
/// The longest name of a key or a user, in characters.
pub(crate) const MAX_NAME_CHARACTERS: usize = 128;

/// What a new key is made of.
pub struct NewApiKey {
    /// What to call it.
    pub name: Option<String>,
    /// How long it is valid, as ISO 8601 writes it: `P30D`.
    pub duration: String,
    /// It signs in only users with no more rights than this role.
    pub role_name: RoleName,
}

impl App {
    /// Makes a key, and gives the key itself, which is nowhere kept. Keys that have expired are forgotten meanwhile:
    /// they sign in nobody, do not count, and would otherwise pile up.
    pub async fn create_api_key(&self, caller: &Caller, new: NewApiKey) -> Result<(ApiKey, SecretString)> {
        caller.require(permission::CREATE_API_KEY, &Attributes::new())?;
        let now = Timestamp::now();
        let name = checked_name(new.name)?;
        let expires_at = expiry(now, &new.duration)?;
        let (api_key, key) = new_api_key(name, new.role_name, now, expires_at);
        let add = || {
            let role = self.existing_role(&caller.org, &api_key.role_name)?;
            caller.require_all_of(&role, &format!("an API key of the role `{}`", role.name))?;
            let expired = expired_if_there_is_room(self.store.list_api_keys(&caller.org)?, now)?;
            let forgotten = expired.into_iter().map(AccessChange::DeleteApiKey);
            Ok((forgotten.chain([AccessChange::PutApiKey(api_key.clone())]).collect(), ()))
        };
        self.store.change_access(&caller.org, add).await?;
        Ok((api_key, key))
    }

    /// All keys, by age, without the keys themselves.
    pub fn list_api_keys(&self, caller: &Caller) -> Result<Vec<ApiKey>> {
        caller.require(permission::GET_API_KEY, &Attributes::new())?;
        self.store.list_api_keys(&caller.org)
    }

    /// Deletes a key. From then on it signs in nobody; tokens that it was traded for last until they end.
    pub async fn delete_api_key(&self, caller: &Caller, id: ApiKeyId) -> Result<()> {
        caller.require(permission::DELETE_API_KEY, &Attributes::new())?;
        let delete = || {
            let there = self.store.get_api_key(&caller.org, id)?;
            there.ok_or_else(|| Error::NotFound(format!("API key {id} does not exist")))?;
            Ok((vec![AccessChange::DeleteApiKey(id)], ()))
        };
        self.store.change_access(&caller.org, delete).await
    }

    /// Whether a key that has not expired is of a role.
    pub(crate) fn is_role_of_an_api_key(&self, org: &OrgId, role: &RoleName) -> Result<bool> {
        let now = Timestamp::now();
        let api_keys = self.store.list_api_keys(org)?;
        Ok(api_keys.iter().any(|api_key| api_key.role_name == *role && api_key.expires_at > now))
    }
}

/// The keys that have expired, unless those that have not are as many as there may be.
fn expired_if_there_is_room(api_keys: Vec<ApiKey>, now: Timestamp) -> Result<Vec<ApiKeyId>> {
    let (valid, expired): (Vec<_>, Vec<_>) = api_keys.into_iter().partition(|api_key| api_key.expires_at > now);
    if valid.len() >= MAX_KEYS {
        let message = format!("the organization has {MAX_KEYS} API keys, which is the most: delete one first");
        return Err(Error::BadRequest(message));
    }
    Ok(expired.into_iter().map(|api_key| api_key.id).collect())
}

/// A fresh key: its row, and the key itself.
pub(crate) fn new_api_key(
    name: Option<String>,
    role_name: RoleName,
    now: Timestamp,
    expires_at: Timestamp,
) -> (ApiKey, SecretString) {
    let key: SecretString = hex::encode(rand::random::<[u8; 32]>()).into();
    let key_sha256 = hex::encode(Sha256::digest(key.expose()));
    (ApiKey { id: ApiKeyId::new(), name, key_sha256, role_name, created_at: now, expires_at }, key)
}

/// So many days of 24 hours after a time.
pub(crate) fn after_days(time: Timestamp, days: i64) -> Result<Timestamp> {
    time.checked_add((24 * days).hours()).map_err(|error| Error::internal(error, "date an API key"))
}

/// A name as people write it, without spaces around it.
pub(crate) fn checked_name(name: Option<String>) -> Result<Option<String>> {
    let name = name.map(|name| name.trim().to_owned());
    if let Some(name) = &name
        && (name.is_empty() || name.chars().count() > MAX_NAME_CHARACTERS || name.chars().any(char::is_control))
    {
        let message = format!("name must be null, or 1 to {MAX_NAME_CHARACTERS} characters that can be printed");
        return Err(Error::invalid(["body", "name"], "string_pattern_mismatch", message));
    }
    Ok(name)
}

/// When a key ends that is valid for so long. Months and years are those of the calendar, in UTC.
fn expiry(now: Timestamp, duration: &str) -> Result<Timestamp> {
    let invalid = |kind, message: &str| Error::invalid(["body", "duration"], kind, message);
    let span = SpanParser::new().parse_span(duration).map_err(|_| {
        invalid(
            "time_delta_parsing",
            "duration must be an ISO 8601 duration such as P30D (30 days) or PT36H (36 hours)",
        )
    })?;
    let end = now.to_zoned_datetime(TimeZone::UTC).checked_add(span).map(|end| end.timestamp()).ok();
    let (earliest, latest) = (after_days(now, MIN_DAYS)?, after_days(now, MAX_DAYS)?);
    let out_of_range = || format!("duration must be from {MIN_DAYS} to {MAX_DAYS} days");
    let fits = end.filter(|end| (earliest..=latest).contains(end));
    fits.ok_or_else(|| invalid("value_error", &out_of_range()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_iso_8601_from_1_to_90_days() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let end = |text: &str| expiry(now, text).ok().map(|end| end.to_string());
        for (duration, expected) in [
            ("P1D", "2026-02-01T12:00:00Z"),
            ("PT24H", "2026-02-01T12:00:00Z"),
            ("P2W", "2026-02-14T12:00:00Z"),
            ("P1M", "2026-02-28T12:00:00Z"),
            ("P1DT90M", "2026-02-01T13:30:00Z"),
            ("P90D", "2026-05-01T12:00:00Z"),
        ] {
            assert_eq!(end(duration).as_deref(), Some(expected), "{duration}");
        }
        for duration in
            ["", "30", "P", "30 days", "P91D", "PT23H59M", "P0D", "-P30D", "P1Y", "P99999999999D", "P90DT1S"]
        {
            assert_eq!(end(duration), None, "{duration}");
        }
    }

    #[test]
    fn keys_that_have_expired_do_not_count_and_are_forgotten() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let ending = |hours: i64| {
            let ends = now.checked_add(hours.hours()).unwrap();
            new_api_key(None, RoleName::administrator(), Timestamp::UNIX_EPOCH, ends).0
        };
        let (ended, ends_now) = (ending(-1), ending(0));
        let gone = vec![ended.id, ends_now.id];
        let mut api_keys: Vec<_> = (0..19).map(|_| ending(1)).chain([ended, ends_now]).collect();
        assert_eq!(expired_if_there_is_room(api_keys.clone(), now).unwrap(), gone);
        api_keys.push(ending(1));
        assert!(matches!(expired_if_there_is_room(api_keys, now), Err(Error::BadRequest(_))));
    }

    #[test]
    fn a_name_is_printable_and_short() {
        assert_eq!(checked_name(Some(" ci ".to_owned())).unwrap().as_deref(), Some("ci"));
        assert_eq!(checked_name(None).unwrap(), None);
        for name in ["", " ", "a\nb", &"a".repeat(129)] {
            assert!(checked_name(Some(name.to_owned())).is_err(), "{name}");
        }
    }
}
