//! Outside issuers: their tokens name users that we keep, in organizations that the operator has listed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use jsonwebtoken::Header;
use serde_json::{Map, Value};

use super::jwks::{KeySet, Limits, Source};
use super::tokens::Bearer;
use crate::config;
use crate::model::{OrgId, UserId};

/// An issuer whose tokens are accepted.
pub struct Issuer {
    /// The `iss` of its tokens.
    pub name: String,
    audience: String,
    organizations: Vec<OrgId>,
    user_claim: String,
    clock_leeway_s: u64,
    keys: Arc<KeySet>,
}

impl Issuer {
    /// Reads an issuer of the configuration.
    pub fn from_settings(settings: &config::Issuer, all: &config::Auth) -> Result<Self> {
        for (name, value) in [("issuer", &settings.issuer), ("audience", &settings.audience)] {
            ensure!(!value.is_empty(), "`{name}` is empty");
        }
        ensure!(!settings.user_claim.is_empty(), "`user_claim` is empty");
        ensure!(!settings.organizations.is_empty(), "`organizations` is empty: list those whose users it may name");
        let limits = Limits {
            refetch_interval: Duration::from_secs(all.jwks_refetch_interval_s),
            max_age: Duration::from_secs(all.jwks_max_age_s),
            timeout: Duration::from_secs(all.jwks_timeout_s),
            max_bytes: all.jwks_max_kib << 10,
        };
        let source = match (&settings.jwks_file, &settings.jwks_url) {
            (Some(file), None) => Source::File(file.clone()),
            (None, Some(url)) => Source::server(url, &limits)?,
            _ => bail!("give it either a `jwks_file` or a `jwks_url`"),
        };
        Ok(Self {
            name: settings.issuer.clone(),
            audience: settings.audience.clone(),
            organizations: settings.organizations.clone(),
            user_claim: settings.user_claim.clone(),
            clock_leeway_s: all.clock_leeway_s,
            keys: Arc::new(KeySet::open(source, limits)?),
        })
    }

    /// Whom one of its tokens speaks for, if it is valid.
    pub async fn verify(&self, token: &str, header: &Header) -> Option<Bearer> {
        let checks = |validation: &mut jsonwebtoken::Validation| {
            validation.leeway = self.clock_leeway_s;
            validation.set_issuer(&[&self.name]);
            validation.set_audience(&[&self.audience]);
            validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        };
        let decode = |key: &super::keys::VerifyingKey| key.decode::<Map<String, Value>>(token, checks);
        let claims = self.keys.with_key(header.kid.as_deref(), decode).await?;
        let user_id = claims.get(&self.user_claim)?.as_str()?;
        Some(Bearer { user_id: UserId::parse(user_id).ok()?, organizations: self.organizations.clone() })
    }
}
