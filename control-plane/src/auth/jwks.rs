//! The public keys of an outside issuer (RFC 7517), out of a file or from its server, kept in memory.
//!
//! A request waits for a fetch only where its token names a key that is not known, and there is one fetch at most in
//! the configured interval, whatever tokens come. Keys that are old are fetched again beside the requests; until that
//! succeeds, the old ones hold.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::{Client, Url, redirect};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::keys::VerifyingKey;

/// The shortest modulus of RSA that is held to be safe, in bytes: 2048 bits.
const MIN_RSA_BYTES: usize = 256;

/// Where a set of keys comes from.
pub enum Source {
    /// A file of the operator's.
    File(PathBuf),
    /// The issuer's server.
    Server(Client, Url),
}

/// How a set of keys is kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From one fetch to the next, at least.
    pub refetch_interval: Duration,
    /// How old the keys may be before they are fetched again.
    pub max_age: Duration,
    /// The longest that one fetch may take.
    pub timeout: Duration,
    /// The largest set.
    pub max_bytes: usize,
}

/// An issuer's keys.
pub struct KeySet {
    source: Source,
    limits: Limits,
    known: RwLock<Known>,
    /// The last fetch. It is held while one is under way, so that there is one at a time.
    last: Mutex<Option<Attempt>>,
}

#[derive(Clone, Copy)]
struct Attempt {
    began: Instant,
    ended: Instant,
}

#[derive(Clone, Default)]
struct Known {
    keys: Arc<Vec<VerifyingKey>>,
    since: Option<Instant>,
}

impl Source {
    /// A server's address. It has to be encrypted, unless it is on this very machine: whoever can change the answer
    /// can sign in as anybody.
    pub fn server(address: &str, limits: &Limits) -> Result<Self> {
        let url = Url::parse(address).with_context(|| format!("`{address}` is no URL"))?;
        let is_loopback = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        ensure!(
            url.scheme() == "https" || url.scheme() == "http" && is_loopback,
            "`{address}` must begin with https://"
        );
        let client = Client::builder()
            // The address is the operator's; where it leads to is for the operator to say, too.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(limits.timeout)
            .build()
            .context("failed to make an HTTP client")?;
        Ok(Self::Server(client, url))
    }

    async fn read(&self, max_bytes: usize) -> Result<Vec<u8>> {
        let too_large = || format!("the set of keys is larger than {max_bytes} bytes");
        match self {
            Self::File(path) => {
                let file = tokio::fs::read(path).await.with_context(|| format!("failed to read {}", path.display()))?;
                ensure!(file.len() <= max_bytes, too_large());
                Ok(file)
            }
            Self::Server(client, url) => {
                let mut answer = client.get(url.clone()).send().await?.error_for_status()?;
                ensure!(answer.status() == reqwest::StatusCode::OK, "{url} answered {}", answer.status());
                let mut body = Vec::new();
                while let Some(chunk) = answer.chunk().await? {
                    body.extend_from_slice(&chunk);
                    ensure!(body.len() <= max_bytes, too_large());
                }
                Ok(body)
            }
        }
    }
}

impl KeySet {
    /// A set whose keys are in a file, which has to be there, or will be fetched when the first token comes.
    pub fn open(source: Source, limits: Limits) -> Result<Self> {
        let known = match &source {
            Source::Server(..) => Known::default(),
            Source::File(path) => {
                let keys = parse(&fs_err::read(path)?).with_context(|| format!("{} is not valid", path.display()))?;
                ensure!(!keys.is_empty(), "{} holds no public key that verifies signatures", path.display());
                Known { keys: Arc::new(keys), since: Some(Instant::now()) }
            }
        };
        Ok(Self { source, limits, known: RwLock::new(known), last: Mutex::default() })
    }

    /// What `decode` makes of a token by the key that the token names, or by the only key where it names none.
    pub async fn with_key<T>(
        self: &Arc<Self>,
        id: Option<&str>,
        decode: impl Fn(&VerifyingKey) -> Option<T>,
    ) -> Option<T> {
        let known = self.known();
        if let Some(key) = VerifyingKey::named(known.keys.iter(), id) {
            let is_old = known.since.is_none_or(|since| since.elapsed() > self.limits.max_age);
            if is_old && self.is_due() {
                tokio::spawn(Arc::clone(self).refresh());
            }
            return decode(key);
        }
        if id.is_none() && known.since.is_some() {
            // Which of several keys is meant does not become clearer by fetching them.
            return None;
        }
        // In a task of its own: a caller that hangs up must not waste the only fetch of the interval.
        tokio::spawn(Arc::clone(self).refresh()).await.ok()?;
        decode(VerifyingKey::named(self.known().keys.iter(), id)?)
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_due(&self) -> bool {
        self.last.try_lock().is_ok_and(|last| self.may_fetch(*last))
    }

    fn may_fetch(&self, last: Option<Attempt>) -> bool {
        last.is_none_or(|last| last.began.elapsed() >= self.limits.refetch_interval)
    }

    async fn refresh(self: Arc<Self>) {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        // Who waited for another's fetch has had its share of waiting, whatever came of it.
        let has_waited = last.is_some_and(|last| last.ended >= asked);
        if has_waited || !self.may_fetch(*last) {
            return;
        }
        let began = Instant::now();
        match self.source.read(self.limits.max_bytes).await.and_then(|body| parse(&body)) {
            Ok(keys) => {
                let known = Known { keys: Arc::new(keys), since: Some(Instant::now()) };
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
            }
            Err(error) => tracing::warn!(
                error = format!("{error:#}"),
                "Could not get the keys of a token issuer; those that are known stay in use"
            ),
        }
        *last = Some(Attempt { began, ended: Instant::now() });
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// The keys of a set that verify signatures. Others are left out, since issuers publish keys for other uses beside them.
fn parse(body: &[u8]) -> Result<Vec<VerifyingKey>> {
    let document: Document = serde_json::from_slice(body).context("it is no set of JSON Web Keys")?;
    Ok(document.keys.into_iter().filter_map(|key| usable(&serde_json::from_value(key).ok()?)).collect())
}

fn usable(jwk: &Jwk) -> Option<VerifyingKey> {
    let common = &jwk.common;
    let is_for_signatures = common.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    if !is_for_signatures {
        return None;
    }
    let named = common.key_algorithm;
    let has_length = |text: &str, length: usize| bytes_of(text) == Some(length);
    // The lengths are checked here, because the library takes them to be right.
    let algorithm = match (&jwk.algorithm, named) {
        (AlgorithmParameters::OctetKeyPair(pair), None | Some(KeyAlgorithm::EdDSA)) => {
            (pair.curve == EllipticCurve::Ed25519 && has_length(&pair.x, 32)).then_some(Algorithm::EdDSA)?
        }
        (AlgorithmParameters::EllipticCurve(point), named) => {
            let (algorithm, name, length) = match point.curve {
                EllipticCurve::P256 => (Algorithm::ES256, KeyAlgorithm::ES256, 32),
                EllipticCurve::P384 => (Algorithm::ES384, KeyAlgorithm::ES384, 48),
                _ => return None,
            };
            let agrees = named.is_none_or(|named| named == name);
            (agrees && has_length(&point.x, length) && has_length(&point.y, length)).then_some(algorithm)?
        }
        (AlgorithmParameters::RSA(key), named) => {
            let algorithm = match named {
                // The one that OpenID Connect has every issuer support.
                None | Some(KeyAlgorithm::RS256) => Algorithm::RS256,
                Some(KeyAlgorithm::RS384) => Algorithm::RS384,
                Some(KeyAlgorithm::RS512) => Algorithm::RS512,
                Some(KeyAlgorithm::PS256) => Algorithm::PS256,
                Some(KeyAlgorithm::PS384) => Algorithm::PS384,
                Some(KeyAlgorithm::PS512) => Algorithm::PS512,
                Some(_) => return None,
            };
            bytes_of(&key.n).is_some_and(|length| length >= MIN_RSA_BYTES).then_some(algorithm)?
        }
        // A secret among public keys is no secret.
        (AlgorithmParameters::OctetKey(_) | AlgorithmParameters::OctetKeyPair(_), _) => return None,
    };
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(VerifyingKey { id: common.key_id.clone(), algorithm, key })
}

fn bytes_of(base64: &str) -> Option<usize> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(base64).ok().map(|bytes| bytes.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A public key of Ed25519, out of RFC 8037, appendix A.
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn algorithms(keys: Value) -> Vec<(Option<String>, Algorithm)> {
        let keys = parse(json!({"keys": keys}).to_string().as_bytes()).unwrap();
        keys.into_iter().map(|key| (key.id, key.algorithm)).collect()
    }

    #[test]
    fn a_key_is_for_one_algorithm_and_says_which() {
        let (coordinate, modulus) = ("A".repeat(43), "A".repeat(342));
        let key = |id: &str, more: Value| {
            let mut key = more;
            key["kid"] = id.into();
            key
        };
        let found = algorithms(json!([
            key("1", json!({"kty": "OKP", "crv": "Ed25519", "x": X})),
            key("2", json!({"kty": "OKP", "crv": "Ed25519", "x": X, "use": "sig", "alg": "EdDSA"})),
            key("3", json!({"kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate})),
            key("4", json!({"kty": "RSA", "n": modulus, "e": "AQAB"})),
            key("5", json!({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "PS512", "key_ops": ["verify"]})),
        ]));
        let id = |text: &str| Some(text.to_owned());
        let expected = [
            (id("1"), Algorithm::EdDSA),
            (id("2"), Algorithm::EdDSA),
            (id("3"), Algorithm::ES256),
            (id("4"), Algorithm::RS256),
            (id("5"), Algorithm::PS512),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_does_not_verify_signatures_is_left_out() {
        let coordinate = "A".repeat(43);
        let found = algorithms(json!([
            {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},
            {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
            {"kty": "OKP", "crv": "Ed25519", "x": X, "use": "enc"},
            {"kty": "OKP", "crv": "Ed25519", "x": X, "alg": "HS256"},
            {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
            {"kty": "OKP", "crv": "Ed25519", "x": "?"},
            {"kty": "OKP", "crv": "X25519", "x": X},
            {"kty": "EC", "crv": "P-256", "x": coordinate, "y": "AAAA"},
            {"kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate, "alg": "ES384"},
            {"kty": "EC", "crv": "P-521", "x": coordinate, "y": coordinate},
            {"kty": "RSA", "n": "A".repeat(171), "e": "AQAB"},
            {"kty": "RSA", "n": "A".repeat(342), "e": "AQAB", "alg": "RSA-OAEP"},
            {"kty": "new"},
            "garbage",
        ]));
        assert_eq!(found, []);
        assert!(parse(b"{}").is_err());
        assert!(parse(b"<html>").is_err());
    }

    #[test]
    fn a_server_is_encrypted_or_on_this_machine() {
        let limits = Limits {
            refetch_interval: Duration::ZERO,
            max_age: Duration::ZERO,
            timeout: Duration::from_secs(1),
            max_bytes: 1,
        };
        for address in
            ["http://login.example.com/jwks", "ftp://localhost/jwks", "login.example.com", "http://10.0.0.1/"]
        {
            assert!(Source::server(address, &limits).is_err(), "{address}");
        }
    }
}
