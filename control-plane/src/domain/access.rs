//! Signing in, and who a token's bearer is.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::auth::{Attributes, Caller, permission};
use crate::error::{Error, Result};
use crate::git::Repository;
use crate::model::{ApiKey, ApiKeyId, OrgId, UserId};
use crate::vault::SecretString;

/// A fresh token.
pub struct SignedIn {
    /// The token.
    pub id_token: SecretString,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl App {
    /// Trades an API key for a token. Whatever is wrong, the answer is the same and takes the same time.
    pub fn sign_in(&self, org: &OrgId, key_id: &str, key: &SecretString, user_id: &str) -> Result<SignedIn> {
        let refused = || Error::Unauthenticated("the API key, its id or the user is not valid".to_owned());
        let given = hex::encode(Sha256::digest(key.expose()));
        let api_key = ApiKeyId::parse(key_id).ok().map(|id| self.store.get_api_key(org, id)).transpose()?.flatten();
        let user = UserId::parse(user_id).ok().map(|id| self.store.get_user(org, id)).transpose()?.flatten();

        // The comparison happens whether or not there is something to compare with.
        let expected = api_key.as_ref().map_or("0".repeat(64), |key| key.key_sha256.clone());
        let same = bool::from(given.as_bytes().ct_eq(expected.as_bytes()));
        let (Some(api_key), Some(user)) = (api_key, user) else { return Err(refused()) };
        let may_act_for = may_act_for(&api_key, &user.role_name);
        if !same || api_key.expires_at <= Timestamp::now() || !may_act_for {
            return Err(refused());
        }
        let (token, expires_at) = self.tokens.sign(org, user.id)?;
        Ok(SignedIn { id_token: token.into(), expires_at })
    }

    /// Who a token's bearer is. `issuer` is the organization that made the token, the request's own by default.
    pub fn authenticate(&self, org: &OrgId, issuer: &OrgId, token: &str) -> Result<Caller> {
        let refused = || Error::Unauthenticated("the token is not valid or has expired: sign in again".to_owned());
        let claims = self.tokens.verify(token).ok_or_else(refused)?;
        if !self.store.organization_exists(org)? {
            return Err(Error::NotFound(format!("organization `{org}` does not exist")));
        }
        if claims.org != *issuer {
            return Err(refused());
        }
        if issuer != org {
            // A user of another organization has no role here, so nothing here exists for it.
            return Err(Error::NotFound(format!("organization `{org}` does not exist")));
        }
        let user = self.store.get_user(org, claims.sub)?.ok_or_else(refused)?;
        let role = self.store.get_role(org, &user.role_name)?.ok_or_else(refused)?;
        Ok(Caller::new(org.clone(), user.id, role))
    }

    /// The caller's organization's repository.
    pub fn git_repository(&self, caller: &Caller) -> Result<Repository> {
        caller.require(permission::ACCESS_REPO, &Attributes::new())?;
        Ok(self.repositories.repository(&caller.org))
    }
}

/// Whether a key may sign in a user of a role: of its own, or any if it is an administrator's.
fn may_act_for(api_key: &ApiKey, role_name: &str) -> bool {
    api_key.role_name == role_name || api_key.role_name == super::organizations::ADMINISTRATOR
}
