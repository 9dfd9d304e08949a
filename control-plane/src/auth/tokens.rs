//! Tokens: JSON Web Tokens (RFC 7519) of our own, and those of outside issuers.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use jsonwebtoken::Header;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::issuers::Issuer;
use super::keys::{OwnKey, VerifyingKey};
use crate::config;
use crate::error::{Error, Result};
use crate::model::{OrgId, UserId};
use crate::vault;

/// The largest difference between clocks that is still one between clocks.
const MAX_CLOCK_LEEWAY_S: u64 = 600;

/// Signs and verifies tokens.
pub struct Tokens {
    /// The first one signs; there is one at least.
    keys: Vec<OwnKey>,
    issuers: Vec<Issuer>,
    lifetime_s: i64,
}

/// Whom a valid token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The user.
    pub user_id: UserId,
    /// The user belongs to one of these.
    pub organizations: Vec<OrgId>,
}

/// What a token of ours says. It says nothing of rights: those are looked up, so that a change of role holds at once.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    /// The organization that the user belongs to.
    org: OrgId,
    /// The user.
    sub: UserId,
    /// When it was made, in seconds since 1970.
    iat: i64,
    /// When it ends, in seconds since 1970.
    exp: i64,
}

/// What is read before anything is verified, to know whose key to ask. A token of ours has no `iss`.
#[derive(Deserialize)]
struct Unverified {
    iss: Option<Value>,
}

impl Tokens {
    /// Opens the keys and issuers of the configuration. Where it has no key, the one in the file signs, which is made
    /// when there is none.
    pub fn open(settings: &config::Auth, key_file: &Path) -> anyhow::Result<Self> {
        let leeway = settings.clock_leeway_s;
        ensure!(
            leeway <= MAX_CLOCK_LEEWAY_S,
            "auth.clock_leeway_s is {leeway}: at most {MAX_CLOCK_LEEWAY_S} are taken"
        );
        let mut keys = Vec::new();
        for (index, key) in settings.keys.iter().enumerate() {
            let place = || format!("auth.keys[{index}] (`{}`) is not valid", key.id);
            keys.push(OwnKey::from_settings(key).with_context(place)?);
        }
        all_differ("keys", "id", settings.keys.iter().map(|key| &key.id))?;
        match keys.first() {
            None => keys.push(OwnKey::from_secret(None, &vault::read_or_create_key(key_file)?[..])),
            Some(first) => {
                let id = &settings.keys[0].id;
                let problem = "the first key signs, so it must be a private one";
                ensure!(first.signing.is_some(), "auth.keys[0] (`{id}`) is not valid: {problem}");
            }
        }
        let mut issuers = Vec::new();
        for (index, issuer) in settings.issuers.iter().enumerate() {
            let place = || format!("auth.issuers[{index}] (`{}`) is not valid", issuer.issuer);
            issuers.push(Issuer::from_settings(issuer, settings).with_context(place)?);
        }
        all_differ("issuers", "issuer", settings.issuers.iter().map(|issuer| &issuer.issuer))?;
        Ok(Self { keys, issuers, lifetime_s: settings.token_lifetime_s })
    }

    /// A token for a user, and when it ends.
    pub fn sign(&self, org: &OrgId, user: UserId) -> Result<(String, Timestamp)> {
        let signing = self.keys.first().and_then(|key| Some((key.signing.as_ref()?, &key.verifying)));
        let (signing, key) = signing.context("failed to find a key that signs")?;
        let now = Timestamp::now().as_second();
        let exp = now + self.lifetime_s;
        let claims = Claims { org: org.clone(), sub: user, iat: now, exp };
        let mut header = Header::new(key.algorithm);
        header.kid.clone_from(&key.id);
        let token =
            jsonwebtoken::encode(&header, &claims, signing).map_err(|error| Error::internal(error, "sign a token"))?;
        let expires_at = Timestamp::from_second(exp).map_err(|error| Error::internal(error, "date a token"))?;
        Ok((token, expires_at))
    }

    /// Whom a valid token speaks for. Why one is not valid is nobody's business but its owner's, who can sign in again.
    pub async fn verify(&self, token: &str) -> Option<Bearer> {
        // An algorithm that is no signature does not get past this.
        let header = jsonwebtoken::decode_header(token).ok()?;
        if header.crit.is_some() {
            // Its maker insists on something that we do not know.
            return None;
        }
        let unverified = jsonwebtoken::dangerous::insecure_decode::<Unverified>(token).ok()?;
        match unverified.claims.iss {
            None => self.verify_own(token, &header),
            Some(name) => {
                let issuer = self.issuers.iter().find(|issuer| name == issuer.name.as_str())?;
                issuer.verify(token, &header).await
            }
        }
    }

    fn verify_own(&self, token: &str, header: &Header) -> Option<Bearer> {
        let key = VerifyingKey::named(self.keys.iter().map(|key| &key.verifying), header.kid.as_deref());
        // Both clocks are this machine's.
        let claims: Claims = key?.decode(token, |validation| validation.leeway = 0)?;
        Some(Bearer { user_id: claims.sub, organizations: vec![claims.org] })
    }
}

fn all_differ<'a>(table: &str, field: &str, values: impl Iterator<Item = &'a String>) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for (index, value) in values.enumerate() {
        ensure!(
            seen.insert(value),
            "auth.{table}[{index}] is not valid: another one has the {field} `{value}` already"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, EncodingKey};
    use serde_json::json;

    use super::*;
    use crate::config::{Auth, TokenAlgorithm, TokenKey};

    const SECRET: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==";
    const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

    fn settings(keys: &[(&str, TokenAlgorithm, &str)]) -> Auth {
        let key = |(id, algorithm, value): &(&str, TokenAlgorithm, &str)| TokenKey {
            id: (*id).to_owned(),
            algorithm: *algorithm,
            file: None,
            value: Some((*value).to_owned().into()),
        };
        let defaults = crate::config::Config::load(None).unwrap().auth;
        Auth { keys: keys.iter().map(key).collect(), ..defaults }
    }

    fn open(settings: &Auth) -> Tokens {
        Tokens::open(settings, &tempfile::tempdir().unwrap().path().join("made.key")).unwrap()
    }

    fn acme() -> OrgId {
        OrgId::parse("acme").unwrap()
    }

    async fn is_accepted(by: &Tokens, token: &str) -> bool {
        by.verify(token).await.is_some()
    }

    #[tokio::test]
    async fn a_token_says_who_and_where() {
        for keys in [&[][..], &[("h", TokenAlgorithm::HS256, SECRET)], &[("e", TokenAlgorithm::EdDSA, SEED)]] {
            let (tokens, user_id) = (open(&settings(keys)), UserId::new());
            let (token, _) = tokens.sign(&acme(), user_id).unwrap();
            assert_eq!(tokens.verify(&token).await, Some(Bearer { user_id, organizations: vec![acme()] }));
        }
    }

    #[tokio::test]
    async fn a_token_of_another_key_or_another_time_says_nothing() {
        let (tokens, others) = (open(&settings(&[])), open(&settings(&[])));
        let (token, _) = tokens.sign(&acme(), UserId::new()).unwrap();
        assert!(!is_accepted(&others, &token).await);
        let expired = open(&Auth { token_lifetime_s: -60, ..settings(&[("e", TokenAlgorithm::EdDSA, SEED)]) });
        assert!(!is_accepted(&expired, &expired.sign(&acme(), UserId::new()).unwrap().0).await);
        for garbage in ["", "garbage", "a.b.c", "..", "eyJhbGciOiJub25lIn0.e30."] {
            assert!(!is_accepted(&tokens, garbage).await, "{garbage}");
        }
    }

    #[tokio::test]
    async fn all_keys_verify_and_the_first_one_signs() {
        let (old, new) = (("old", TokenAlgorithm::HS256, SECRET), ("new", TokenAlgorithm::EdDSA, SEED));
        let (before, both, after) = (open(&settings(&[old])), open(&settings(&[new, old])), open(&settings(&[new])));
        let (old_token, _) = before.sign(&acme(), UserId::new()).unwrap();
        let (new_token, _) = both.sign(&acme(), UserId::new()).unwrap();
        assert_eq!(jsonwebtoken::decode_header(&new_token).unwrap().kid.as_deref(), Some("new"));
        assert!(is_accepted(&both, &old_token).await && is_accepted(&both, &new_token).await);
        assert!(!is_accepted(&after, &old_token).await && is_accepted(&after, &new_token).await);
        assert!(!is_accepted(&before, &new_token).await);
    }

    #[tokio::test]
    async fn the_algorithm_is_the_keys_and_the_claims_are_whole() {
        let tokens = open(&settings(&[("h", TokenAlgorithm::HS256, SECRET), ("e", TokenAlgorithm::EdDSA, SEED)]));
        let public = tokens.keys[1].verifying.key.as_bytes().to_vec();
        let secret = EncodingKey::from_base64_secret(SECRET).unwrap();
        let now = Timestamp::now().as_second();
        let whole = json!({"org": "acme", "sub": UserId::new(), "iat": now, "exp": now + 60});
        let with = |name: &str, value: Value| {
            let mut claims = whole.clone();
            claims[name] = value;
            claims
        };
        let sign = |algorithm, kid: Option<&str>, claims: &Value, key: &EncodingKey| {
            let mut header = Header::new(algorithm);
            header.kid = kid.map(str::to_owned);
            jsonwebtoken::encode(&header, claims, key).unwrap()
        };
        let signed = |claims: Value| sign(Algorithm::HS256, Some("h"), &claims, &secret);
        assert!(is_accepted(&tokens, &signed(whole.clone())).await);
        assert!(is_accepted(&tokens, &signed(with("nbf", json!(now - 5)))).await);

        let mut without_end = whole.clone();
        without_end.as_object_mut().unwrap().remove("exp");
        let mut insisting = Header::new(Algorithm::HS256);
        insisting.kid = Some("h".to_owned());
        insisting.crit = Some(vec!["b64".to_owned()]);
        for (case, token) in [
            ("a public key as a secret", sign(Algorithm::HS256, Some("e"), &whole, &EncodingKey::from_secret(&public))),
            ("another algorithm", sign(Algorithm::HS512, Some("h"), &whole, &secret)),
            ("an unknown key", sign(Algorithm::HS256, Some("x"), &whole, &secret)),
            ("no key where there are two", sign(Algorithm::HS256, None, &whole, &secret)),
            ("no end", signed(without_end)),
            ("an end that is no number", signed(with("exp", json!("tomorrow")))),
            ("an end just now", signed(with("exp", json!(now - 1)))),
            ("a beginning to come", signed(with("nbf", json!(now + 60)))),
            ("a beginning that is no number", signed(with("nbf", json!("now")))),
            ("an issuer that is not known", signed(with("iss", json!("https://login.example.com/")))),
            ("an audience", signed(with("aud", json!("somebody else")))),
            ("no user's id", signed(with("sub", json!("ada")))),
            ("an extension", jsonwebtoken::encode(&insisting, &whole, &secret).unwrap()),
        ] {
            assert!(!is_accepted(&tokens, &token).await, "{case}");
        }
    }

    #[test]
    fn a_fault_of_the_configuration_names_its_place() {
        let problem = |settings: &Auth| {
            let refused = Tokens::open(settings, Path::new("never")).err().expect("it is refused");
            format!("{refused:#}")
        };
        let (first, second) = (("a", TokenAlgorithm::HS256, SECRET), ("b", TokenAlgorithm::EdDSA, "c2hvcnQ="));
        assert!(problem(&settings(&[first, second])).starts_with("auth.keys[1] (`b`) is not valid: "));
        assert!(problem(&settings(&[first, first])).contains("auth.keys[1]"));
        let issuer = config::Issuer {
            issuer: "https://login.example.com/".to_owned(),
            audience: "toolplane".to_owned(),
            organizations: vec![acme()],
            jwks_file: Some("nowhere.json".into()),
            jwks_url: None,
            user_claim: "sub".to_owned(),
        };
        let with = |issuer| Auth { issuers: vec![issuer], ..settings(&[first]) };
        let missing = problem(&with(issuer.clone()));
        assert!(missing.contains("auth.issuers[0] (`https://login.example.com/`)") && missing.contains("nowhere.json"));
        let none = problem(&with(config::Issuer { organizations: Vec::new(), ..issuer.clone() }));
        assert!(none.contains("organizations"), "{none}");
        let plain = config::Issuer { jwks_file: None, jwks_url: Some("http://example.com/".to_owned()), ..issuer };
        assert!(problem(&with(plain)).contains("https://"));
        assert!(problem(&Auth { clock_leeway_s: 601, ..settings(&[first]) }).contains("auth.clock_leeway_s"));
    }
}
