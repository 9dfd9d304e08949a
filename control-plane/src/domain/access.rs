//! Signing in, and who a token's bearer is.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::auth::tokens::Bearer;
use crate::auth::{Attributes, Caller, grants, permission};
use crate::error::{Error, Result};
use crate::git::Repository;
use crate::model::{ApiKeyId, OrgId, UserId, UserRef};
use crate::vault::SecretString;

/// When a refusal to sign in is answered, counted from the request. It takes a fraction of that to find out whether a
/// key and a user are there and fit, which is what the time of the answer must not tell.
const REFUSED_AFTER: Duration = Duration::from_millis(50);

/// A fresh token.
pub struct SignedIn {
    /// The token.
    pub id_token: SecretString,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl App {
    /// Trades an API key for a token. Whatever is wrong, the answer is the same and takes the same time.
    pub async fn sign_in(&self, org: &OrgId, key_id: &str, key: &SecretString, user_id: &str) -> Result<SignedIn> {
        let answer_at = tokio::time::Instant::now() + REFUSED_AFTER;
        let Some(user) = self.user_of_key(org, key_id, key, user_id)? else {
            tokio::time::sleep_until(answer_at).await;
            return Err(Error::Unauthenticated("the API key, its id or the user is not valid".to_owned()));
        };
        let (token, expires_at) = self.tokens.sign(org, user)?;
        Ok(SignedIn { id_token: token.into(), expires_at })
    }

    /// The user, if the key may sign it in: one of the organization's own, with no more rights than the key's role.
    fn user_of_key(&self, org: &OrgId, key_id: &str, key: &SecretString, user_id: &str) -> Result<Option<UserId>> {
        let given = hex::encode(Sha256::digest(key.expose()));
        let api_key = ApiKeyId::parse(key_id).ok().map(|id| self.store.get_api_key(org, id)).transpose()?.flatten();
        let user = UserId::parse(user_id).ok().map(|id| self.store.get_user(org, id)).transpose()?.flatten();

        // The comparison happens whether or not there is something to compare with, and takes the same time anyhow.
        let expected = api_key.as_ref().map_or_else(|| "0".repeat(given.len()), |api_key| api_key.key_sha256.clone());
        let is_same = bool::from(given.as_bytes().ct_eq(expected.as_bytes()));
        let (Some(api_key), Some(user)) = (api_key, user) else { return Ok(None) };
        if !is_same || api_key.expires_at <= Timestamp::now() || user.home.is_some() {
            return Ok(None);
        }
        let roles = (self.store.get_role(org, &api_key.role_name)?, self.store.get_role(org, &user.role_name)?);
        let (Some(key_role), Some(user_role)) = roles else { return Ok(None) };
        let may = grants::cover(&key_role.permission_grants, &user_role.permission_grants);
        Ok(may.then_some(user.id))
    }

    /// Who a token's bearer is in an organization. `home` is the organization that the token has to be of: the same
    /// one, or for a guest another. The user has to be there still; its role is the one that it has here.
    pub fn authenticate(&self, bearer: &Bearer, org: &OrgId, home: &OrgId) -> Result<Caller> {
        let refused = || Error::Unauthenticated("the token is not valid here: sign in to this organization".to_owned());
        let unknown = || Error::NotFound(format!("organization `{org}` does not exist"));
        if !self.store.organization_exists(org)? {
            return Err(unknown());
        }
        if !bearer.organizations.contains(home) {
            return Err(refused());
        }
        let own = self.store.get_user(home, bearer.user_id)?.filter(|user| user.home.is_none()).ok_or_else(refused)?;
        let user = if home == org {
            own
        } else {
            // To a user of another organization that was not let in, nothing here exists.
            let guest = self.store.get_user(org, bearer.user_id)?;
            guest.filter(|user| user.home.as_ref() == Some(home)).ok_or_else(unknown)?
        };
        let role = self.store.get_role(org, &user.role_name)?.ok_or_else(refused)?;
        Ok(Caller::new(org.clone(), UserRef { org_id: home.clone(), user_id: user.id }, role))
    }

    /// The caller's organization's repository.
    pub fn git_repository(&self, caller: &Caller) -> Result<Repository> {
        caller.require(permission::ACCESS_REPO, &Attributes::new())?;
        Ok(self.repositories.repository(&caller.org))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::domain::api_keys::new_api_key;
    use crate::model::RoleName;
    use crate::store::AccessChange;

    #[tokio::test]
    async fn whatever_is_wrong_with_a_key_the_answer_and_its_time_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let app = App::open(Config::for_folder(folder.path()).unwrap()).unwrap();
        let org = OrgId::parse("acme").unwrap();
        let made = app.init_organization(&org).await.unwrap();
        let now = Timestamp::now();
        let (expired, expired_key) = new_api_key(None, RoleName::administrator(), now, now);
        let put = || Ok((vec![AccessChange::PutApiKey(expired.clone())], ()));
        app.store.change_access(&org, put).await.unwrap();

        let (id, user) = (made.api_key_id.to_string(), made.user_id.to_string());
        let nobody = UserId::new().to_string();
        let nothing = ApiKeyId::new().to_string();
        let elsewhere = OrgId::parse("nowhere").unwrap();
        let wrong = SecretString::from("wrong".to_owned());
        app.sign_in(&org, &id, &made.api_key, &user).await.unwrap();
        for (case, org, id, key, user) in [
            ("an expired key", &org, &expired.id.to_string(), &expired_key, &user),
            ("a wrong key", &org, &id, &wrong, &user),
            ("another key's id", &org, &expired.id.to_string(), &made.api_key, &user),
            ("an unknown key", &org, &nothing, &made.api_key, &user),
            ("an unknown user", &org, &id, &made.api_key, &nobody),
            ("an unknown organization", &elsewhere, &id, &made.api_key, &user),
        ] {
            let began = std::time::Instant::now();
            let refused = app.sign_in(org, id, key, user).await.map(drop).unwrap_err();
            assert!(began.elapsed() >= REFUSED_AFTER, "{case} is told by the time");
            assert!(matches!(refused, Error::Unauthenticated(_)), "{case}: {refused:?}");
            assert_eq!(refused.to_string(), "the API key, its id or the user is not valid", "{case}");
        }
    }
}
