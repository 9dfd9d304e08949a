//! Tokens.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use control_plane::auth::tokens::Tokens;
use control_plane::config::{Config, TokenAlgorithm, TokenKey};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::Value;

const SECRET: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==";

static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
    let mut settings = Config::load(None).unwrap().auth;
    let value = Some(SECRET.to_owned().into());
    settings.keys = vec![TokenKey { id: "a".to_owned(), algorithm: TokenAlgorithm::HS256, file: None, value }];
    Tokens::open(&settings, "never".as_ref()).unwrap()
});

/// As it is, nothing is a token: nobody can guess a signature. Where the first line is made a header, the rest the claims,
/// and both are signed with the right key, it is one only if everything that it says holds.
pub fn token(bytes: &[u8]) {
    let executor = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let verify = |token: &str| executor.block_on(TOKENS.verify(token));
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert_eq!(verify(text), None);
    }
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return };
    let (header, claims) = (&bytes[..end], &bytes[end + 1..]);
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_base64_secret(SECRET).unwrap();
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    let Some(bearer) = verify(&format!("{message}.{signature}")) else { return };

    let header: Value = serde_json::from_slice(header).expect("a header that was taken is JSON");
    assert_eq!(header["alg"], "HS256");
    assert!(header.get("crit").is_none_or(Value::is_null), "{header}");
    assert!(header.get("kid").is_none_or(|id| id.is_null() || id == "a"), "{header}");
    // A claim that nobody reads may hold text that is none.
    let Ok(claims) = serde_json::from_slice::<Value>(claims) else { return };
    let now = jiff::Timestamp::now().as_second() as f64;
    assert!(claims["exp"].as_f64().is_some_and(|end| end > now - 1.0), "{claims}");
    assert!(
        claims.get("nbf").is_none_or(|start| start.is_null() || start.as_f64().is_some_and(|start| start < now + 1.0))
    );
    assert!(claims.get("iss").is_none_or(Value::is_null), "{claims}");
    // It is a text or a list of texts (RFC 7519, section 4.1.3), or else no audience at all.
    assert!(!matches!(claims.get("aud"), Some(Value::String(_) | Value::Array(_))), "{claims}");
    assert_eq!(claims["sub"], bearer.user_id.to_string());
    assert_eq!(
        vec![claims["org"].as_str().unwrap().to_owned()],
        bearer.organizations.iter().map(ToString::to_string).collect::<Vec<_>>()
    );
}
