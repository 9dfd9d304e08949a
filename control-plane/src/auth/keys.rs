//! Keys of tokens. A key is for one algorithm, and that comes from where the key comes from, never from a token: so
//! nobody can pass a public key off as a secret, or do without a signature.

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, TokenData, Validation};
use rustls::crypto::ring::sign::any_eddsa_type;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::config::{TokenAlgorithm, TokenKey};
use crate::vault::SecretString;

/// The shortest secret of HS256, as RFC 7518 has it: as long as the hash.
const MIN_SECRET_BYTES: usize = 32;
/// A secret key of Ed25519 (its seed) and a public one.
const ED25519_BYTES: usize = 32;
/// What stands before the seed in PKCS#8: that there is no public key beside it, and that it is for Ed25519.
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A key that verifies.
pub struct VerifyingKey {
    /// The `kid` of its tokens.
    pub id: Option<String>,
    /// The one algorithm that it is for.
    pub algorithm: Algorithm,
    /// The secret or public key.
    pub key: DecodingKey,
}

impl VerifyingKey {
    /// What a token says, if its signature is by this key and the claims pass. `exp` is required in any case.
    pub fn decode<T: DeserializeOwned>(&self, token: &str, validation: impl FnOnce(&mut Validation)) -> Option<T> {
        let mut checks = Validation::new(self.algorithm);
        checks.validate_nbf = true;
        validation(&mut checks);
        jsonwebtoken::decode(token, &self.key, &checks).ok().map(|token: TokenData<T>| token.claims)
    }

    /// The key that a token names. One that names none can only mean the only key.
    pub fn named<'a>(mut keys: impl ExactSizeIterator<Item = &'a Self>, id: Option<&str>) -> Option<&'a Self> {
        match id {
            None if keys.len() == 1 => keys.next(),
            None => None,
            Some(id) => keys.find(|key| key.id.as_deref() == Some(id)),
        }
    }
}

/// A key of our own: it verifies, and it signs where it is not public.
pub struct OwnKey {
    /// What signs.
    pub signing: Option<EncodingKey>,
    /// What verifies.
    pub verifying: VerifyingKey,
}

impl OwnKey {
    /// A key of HS256.
    pub fn from_secret(id: Option<String>, secret: &[u8]) -> Self {
        let verifying = VerifyingKey { id, algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret) };
        Self { signing: Some(EncodingKey::from_secret(secret)), verifying }
    }

    /// Reads a key of the configuration.
    pub fn from_settings(settings: &TokenKey) -> Result<Self> {
        ensure!(!settings.id.is_empty(), "the id is empty: tokens name their key by it");
        let text = match (&settings.file, &settings.value) {
            (Some(file), None) => SecretString::from(fs_err::read_to_string(file)?),
            (None, Some(value)) => value.clone(),
            _ => bail!("give it either a `file` or a `value`"),
        };
        let (id, text) = (settings.id.clone(), text.expose().trim());
        match settings.algorithm {
            TokenAlgorithm::HS256 => {
                ensure!(!is_pem(text), "a key of HS256 is a secret in base64, and this is PEM");
                let secret = decode_base64(text)?;
                let length = secret.len();
                ensure!(
                    length >= MIN_SECRET_BYTES,
                    "a secret has at least {MIN_SECRET_BYTES} bytes, and this {length}"
                );
                Ok(Self::from_secret(Some(id), &secret))
            }
            TokenAlgorithm::EdDSA if is_pem(text) && !text.contains("PRIVATE KEY") => {
                let key =
                    DecodingKey::from_ed_pem(text.as_bytes()).context("the PEM holds no public key of Ed25519")?;
                ensure!(key.as_bytes().len() == ED25519_BYTES, "the PEM holds no public key of Ed25519");
                Ok(Self { signing: None, verifying: VerifyingKey { id: Some(id), algorithm: Algorithm::EdDSA, key } })
            }
            TokenAlgorithm::EdDSA => Self::from_ed25519_seed(id, &ed25519_seed(text)?),
        }
    }

    fn from_ed25519_seed(id: String, seed: &[u8]) -> Result<Self> {
        let pkcs8 = Zeroizing::new([&ED25519_PKCS8[..], seed].concat());
        let pair = any_eddsa_type(&PrivatePkcs8KeyDer::from(&pkcs8[..])).context("the key is none of Ed25519")?;
        let public = pair.public_key().context("the key has no public half")?;
        // What stands before the key itself only says what it is.
        let public = public.last_chunk::<ED25519_BYTES>().context("the key has no public half")?;
        let key = DecodingKey::from_ed_der(public);
        let verifying = VerifyingKey { id: Some(id), algorithm: Algorithm::EdDSA, key };
        Ok(Self { signing: Some(EncodingKey::from_ed_der(&pkcs8)), verifying })
    }
}

fn is_pem(text: &str) -> bool {
    text.starts_with("-----BEGIN ")
}

fn ed25519_seed(text: &str) -> Result<Zeroizing<Vec<u8>>> {
    if !is_pem(text) {
        let seed = decode_base64(text)?;
        let length = seed.len();
        ensure!(length == ED25519_BYTES, "a key of EdDSA has {ED25519_BYTES} bytes, and this {length}");
        return Ok(seed);
    }
    let key = EncodingKey::from_ed_pem(text.as_bytes()).context("the PEM holds no private key of Ed25519")?;
    let der = key.inner();
    // With and without a public key beside it, the seed stands at one place; the length and a version stand before.
    let is_ed25519 = der.get(5..16) == Some(&ED25519_PKCS8[5..]);
    let seed = der.get(16..16 + ED25519_BYTES).filter(|_| is_ed25519);
    Ok(Zeroizing::new(seed.context("the PEM holds no private key of Ed25519")?.to_vec()))
}

/// Reads base64 of either alphabet, with or without its padding.
fn decode_base64(text: &str) -> Result<Zeroizing<Vec<u8>>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { alphabet::URL_SAFE } else { alphabet::STANDARD };
    let bytes = GeneralPurpose::new(&alphabet, lenient).decode(text);
    // The error of the library would quote a character of the secret.
    bytes.map(Zeroizing::new).ok().context("the key is neither base64 nor PEM")
}

#[cfg(test)]
mod tests {
    use super::*;

    // The first key pair of RFC 8032, section 7.1.
    const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    fn settings(algorithm: TokenAlgorithm, value: &str) -> TokenKey {
        TokenKey { id: "one".to_owned(), algorithm, file: None, value: Some(value.to_owned().into()) }
    }

    fn problem(algorithm: TokenAlgorithm, value: &str) -> String {
        let refused = OwnKey::from_settings(&settings(algorithm, value)).err().expect("it is refused");
        format!("{refused:#}")
    }

    #[test]
    fn an_ed25519_key_comes_with_its_public_half_however_it_is_written() {
        let seed = OwnKey::from_settings(&settings(TokenAlgorithm::EdDSA, SEED)).unwrap();
        assert_eq!(hex::encode(seed.verifying.key.as_bytes()), PUBLIC);
        let unpadded = SEED.trim_end_matches('=').replace('+', "-").replace('/', "_");
        let unpadded = OwnKey::from_settings(&settings(TokenAlgorithm::EdDSA, &unpadded)).unwrap();
        assert_eq!(hex::encode(unpadded.verifying.key.as_bytes()), PUBLIC);

        // `openssl genpkey -algorithm ed25519` writes it so.
        let standard = base64::engine::general_purpose::STANDARD;
        let der = [&ED25519_PKCS8[..], &standard.decode(SEED).unwrap()].concat();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", standard.encode(der));
        let private = OwnKey::from_settings(&settings(TokenAlgorithm::EdDSA, &pem)).unwrap();
        assert!(private.signing.is_some());
        assert_eq!(hex::encode(private.verifying.key.as_bytes()), PUBLIC);

        let der = [&hex::decode("302a300506032b6570032100").unwrap()[..], &hex::decode(PUBLIC).unwrap()].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", standard.encode(der));
        let public = OwnKey::from_settings(&settings(TokenAlgorithm::EdDSA, &pem)).unwrap();
        assert!(public.signing.is_none());
        assert_eq!(hex::encode(public.verifying.key.as_bytes()), PUBLIC);
        // The same text as a secret would let everybody sign who knows the public key.
        assert!(problem(TokenAlgorithm::HS256, &pem).contains("PEM"));
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_quoted() {
        assert!(problem(TokenAlgorithm::HS256, "c2hvcnQ=").contains("at least 32 bytes, and this 5"));
        assert!(problem(TokenAlgorithm::EdDSA, "c2hvcnQ=").contains("32 bytes, and this 5"));
        let garbage = problem(TokenAlgorithm::HS256, "hunter2!");
        assert!(garbage.contains("base64") && !garbage.contains("hunter"), "{garbage}");
        let pem = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
        assert!(problem(TokenAlgorithm::EdDSA, pem).contains("no private key of Ed25519"));
        let neither = TokenKey { value: None, ..settings(TokenAlgorithm::HS256, "") };
        assert!(OwnKey::from_settings(&neither).is_err());
        assert!(
            OwnKey::from_settings(&TokenKey { id: String::new(), ..settings(TokenAlgorithm::EdDSA, SEED) }).is_err()
        );
    }
}
