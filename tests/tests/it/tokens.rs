//! Tokens: keys of the configuration and their rotation, and tokens of outside issuers.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::client::{Client, answer};
use crate::programs;
use crate::server::{Installation, Server};

const ISSUER: &str = "https://login.example.com/";

/// An outside issuer's key.
struct Key {
    id: &'static str,
    algorithm: Algorithm,
    pair: KeyPair,
}

impl Key {
    fn ed25519(id: &'static str) -> Self {
        Self { id, algorithm: Algorithm::EdDSA, pair: KeyPair::generate_for(&PKCS_ED25519).unwrap() }
    }

    fn p256(id: &'static str) -> Self {
        Self { id, algorithm: Algorithm::ES256, pair: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap() }
    }

    /// The public half, as a JSON Web Key.
    fn public(&self) -> Value {
        let raw = self.pair.public_key_raw();
        match self.algorithm {
            Algorithm::EdDSA => {
                json!({"kid": self.id, "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(raw)})
            }
            _ => {
                let (x, y) = raw[1..].split_at(32);
                let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
                json!({"kid": self.id, "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig"})
            }
        }
    }

    fn sign(&self, claims: &Value) -> String {
        let pem = self.pair.serialize_pem();
        let key = match self.algorithm {
            // The library takes no public key beside the private one.
            Algorithm::EdDSA => EncodingKey::from_ed_der(&pkcs8_of(&seed_of(&self.pair))),
            _ => EncodingKey::from_ec_pem(pem.as_bytes()).unwrap(),
        };
        sign(self.algorithm, Some(self.id), claims, &key)
    }
}

fn seed_of(pair: &KeyPair) -> Vec<u8> {
    pair.serialized_der()[16..48].to_vec()
}

fn pkcs8_of(seed: &[u8]) -> Vec<u8> {
    [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20], seed].concat()
}

fn sign(algorithm: Algorithm, id: Option<&str>, claims: &Value, key: &EncodingKey) -> String {
    let mut header = Header::new(algorithm);
    header.kid = id.map(str::to_owned);
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

fn key_set(keys: &[&Key]) -> String {
    json!({"keys": keys.iter().map(|key| key.public()).collect::<Vec<_>>()}).to_string()
}

fn now() -> i64 {
    jsonwebtoken::get_current_timestamp().try_into().unwrap()
}

/// The claims of a good token of the issuer.
fn claims(user: &str) -> Value {
    json!({"iss": ISSUER, "aud": "toolplane", "user": user, "sub": "ada@example.com", "exp": now() + 600})
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn settings(source: &str) -> String {
    format!(
        "[[auth.issuers]]\nissuer = \"{ISSUER}\"\naudience = \"toolplane\"\norganizations = [\"acme\"]\n\
         user_claim = \"user\"\n{source}\n"
    )
}

/// The status of a request with a token.
async fn status(client: &Client, token: &str) -> u16 {
    answer(client.anonymous(reqwest::Method::GET, "tool/").bearer_auth(token)).await.status
}

fn header_of(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn keys_rotate_without_signing_anybody_out() {
    let installation = Installation::new();
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    fs_err::write(installation.path("old.pem"), pair.serialize_pem()).unwrap();
    let old = format!(
        "[[auth.keys]]\nid = \"old\"\nalgorithm = \"EdDSA\"\nfile = {:?}\n",
        installation.path("old.pem").to_str().unwrap()
    );
    let secret = STANDARD.encode([7; 32]);
    let new = format!("[[auth.keys]]\nid = \"new\"\nalgorithm = \"HS256\"\nvalue = \"{secret}\"\n");

    // The key that the first start made is no key of an installation that has its own.
    let made = Server::start_on(Arc::clone(&installation)).await.client.token.clone();
    assert_eq!(header_of(&made), json!({"typ": "JWT", "alg": "HS256"}));

    installation.configure(&old);
    let server = Server::start_on(Arc::clone(&installation)).await;
    let old_token = server.client.token.clone();
    assert_eq!(header_of(&old_token), json!({"typ": "JWT", "alg": "EdDSA", "kid": "old"}));
    assert_eq!(status(&server.client, &old_token).await, 200);
    assert_eq!(status(&server.client, &made).await, 401);
    assert!(server.stop().success());

    installation.configure(&format!("{new}{old}"));
    let server = Server::start_on(Arc::clone(&installation)).await;
    let new_token = server.client.token.clone();
    assert_eq!(header_of(&new_token), json!({"typ": "JWT", "alg": "HS256", "kid": "new"}));
    assert_eq!(status(&server.client, &old_token).await, 200);
    assert_eq!(status(&server.client, &new_token).await, 200);
    assert!(server.stop().success());

    installation.configure(&new);
    let server = Server::start_on(installation).await;
    assert_eq!(status(&server.client, &old_token).await, 401);
    assert_eq!(status(&server.client, &new_token).await, 200);
}

#[tokio::test]
async fn a_token_of_ours_is_whole_or_nothing() {
    let installation = Installation::new();
    let secret = [7; 32];
    installation.configure(&format!(
        "[[auth.keys]]\nid = \"one\"\nalgorithm = \"HS256\"\nvalue = \"{}\"\n",
        STANDARD.encode(secret)
    ));
    let server = Server::start_on(installation).await;
    let client = &server.client;
    let key = EncodingKey::from_secret(&secret);
    let whole = json!({"org": "acme", "sub": client.key.user_id, "iat": now(), "exp": now() + 600});
    let signed = |claims: &Value| sign(Algorithm::HS256, Some("one"), claims, &key);
    assert_eq!(status(client, &signed(&whole)).await, 200);

    let good = signed(&whole);
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let none = URL_SAFE_NO_PAD.encode(json!({"alg": "none", "kid": "one"}).to_string());
    let other = URL_SAFE_NO_PAD.encode(with(whole.clone(), "sub", json!("0".repeat(24))).to_string());
    let mut endless = whole.clone();
    endless.as_object_mut().unwrap().remove("exp");
    for (case, token) in [
        ("expired", signed(&with(whole.clone(), "exp", json!(now() - 1)))),
        ("endless", signed(&endless)),
        ("not yet", signed(&with(whole.clone(), "nbf", json!(now() + 600)))),
        ("another organization", signed(&with(whole.clone(), "org", json!("umbrella")))),
        ("nobody", signed(&with(whole.clone(), "sub", json!("0".repeat(24))))),
        ("an issuer", signed(&with(whole.clone(), "iss", json!(ISSUER)))),
        ("another key", sign(Algorithm::HS256, Some("one"), &whole, &EncodingKey::from_secret(&[8; 32]))),
        ("an unknown key", sign(Algorithm::HS256, Some("two"), &whole, &key)),
        ("another algorithm", sign(Algorithm::HS384, Some("one"), &whole, &key)),
        ("no algorithm", format!("{none}.{claims}.")),
        ("no algorithm with a signature", format!("{none}.{claims}.{signature}")),
        ("other claims", format!("{header}.{other}.{signature}")),
        ("no signature", format!("{header}.{claims}.")),
        ("cut", format!("{header}.{claims}")),
        ("garbage", "garbage".to_owned()),
        ("nothing", String::new()),
    ] {
        assert_eq!(status(client, &token).await, 401, "{case}");
    }
}

#[tokio::test]
async fn an_outside_issuers_tokens_are_verified_by_a_file_of_its_keys() {
    let installation = Installation::new();
    let other = installation.add_organization("umbrella");
    let (ed, ec, next) = (Key::ed25519("ed"), Key::p256("ec"), Key::ed25519("next"));
    let file = installation.path("keys.json");
    fs_err::write(&file, key_set(&[&ed, &ec])).unwrap();
    installation.configure(&settings(&format!("jwks_file = {:?}", file.to_str().unwrap())));
    let server = Server::start_on(installation).await;
    let client = &server.client;
    let user = &client.key.user_id;

    for key in [&ed, &ec] {
        assert_eq!(status(client, &key.sign(&claims(user))).await, 200, "{}", key.id);
    }
    let listed = with(claims(user), "aud", json!(["else", "toolplane"]));
    assert_eq!(status(client, &ed.sign(&listed)).await, 200);
    // Its clock may be 30 s from ours.
    let soon = with(with(claims(user), "nbf", json!(now() + 20)), "exp", json!(now() - 20));
    assert_eq!(status(client, &ed.sign(&soon)).await, 200);

    // The user's rights are the ones that it has here, and it is named by the organization here.
    let narrow = client.create_user("DefaultUserRole").await;
    let token = ed.sign(&claims(&narrow));
    let refused = answer(client.anonymous(reqwest::Method::GET, "user/").bearer_auth(&token)).await;
    refused.detail(403);
    let named = client.anonymous(reqwest::Method::GET, "tool/").basic_auth(format!("acme_{narrow}"), Some(&token));
    answer(named).await.expect(200);
    let misnamed = client.anonymous(reqwest::Method::GET, "tool/").basic_auth(format!("acme_{user}"), Some(&token));
    answer(misnamed).await.detail(401);

    let public = ed.pair.public_key_raw();
    let mut without_audience = claims(user);
    without_audience.as_object_mut().unwrap().remove("aud");
    let mut without_end = claims(user);
    without_end.as_object_mut().unwrap().remove("exp");
    for (case, token) in [
        ("expired", ed.sign(&with(claims(user), "exp", json!(now() - 60)))),
        ("not yet", ed.sign(&with(claims(user), "nbf", json!(now() + 600)))),
        ("another audience", ed.sign(&with(claims(user), "aud", json!("else")))),
        ("no audience", ed.sign(&without_audience)),
        ("no end", ed.sign(&without_end)),
        ("another issuer", ed.sign(&with(claims(user), "iss", json!("https://evil.example.com/")))),
        ("a list of issuers", ed.sign(&with(claims(user), "iss", json!([ISSUER])))),
        ("nobody", ed.sign(&claims(&"0".repeat(24)))),
        ("no id", ed.sign(&claims("ada@example.com"))),
        ("a number", ed.sign(&with(claims(user), "user", json!(7)))),
        ("another key of that name", Key::ed25519("ed").sign(&claims(user))),
        ("another key of that name and algorithm", Key::ed25519("ec").sign(&claims(user))),
        (
            "the public key as a secret",
            sign(Algorithm::HS256, Some("ed"), &claims(user), &EncodingKey::from_secret(public)),
        ),
        ("no key's name", sign(Algorithm::HS256, None, &claims(user), &EncodingKey::from_secret(public))),
    ] {
        assert_eq!(status(client, &token).await, 401, "{case}");
    }
    // The issuer may name users of the organizations that are listed, and of no other.
    let theirs = Client::sign_in(&client.server, &other).await;
    assert_eq!(status(&theirs, &ed.sign(&claims(&other.user_id))).await, 401);

    // A new key is found, a withdrawn one is not.
    fs_err::write(&file, key_set(&[&next])).unwrap();
    assert_eq!(status(client, &ed.sign(&claims(user))).await, 200, "nobody has looked yet");
    assert_eq!(status(client, &next.sign(&claims(user))).await, 200);
    assert_eq!(status(client, &ed.sign(&claims(user))).await, 401);
}

#[tokio::test]
async fn an_outside_issuers_keys_are_fetched_at_most_once_in_the_interval() {
    let (one, two) = (Key::ed25519("one"), Key::p256("two"));
    let issuer = KeyServer::start(key_set(&[&one])).await;
    let installation = Installation::new();
    installation.configure(&settings(&format!("jwks_url = \"{}\"", issuer.url)));
    let server = Server::start_on(Arc::clone(&installation)).await;
    let client = &server.client;
    let user = client.key.user_id.clone();
    assert_eq!(issuer.fetches(), 0, "a server starts without its issuers");

    // All of them find no key, and one fetch is for all.
    let token = one.sign(&claims(&user));
    let together = [(); 8].map(|()| {
        let (client, token) = (client.clone(), token.clone());
        tokio::spawn(async move { status(&client, &token).await })
    });
    for answer in together {
        assert_eq!(answer.await.unwrap(), 200);
    }
    assert_eq!(issuer.fetches(), 1);
    issuer.publish(key_set(&[&one, &two]));
    for _ in 0..3 {
        assert_eq!(status(client, &two.sign(&claims(&user))).await, 401, "the interval is a minute");
        assert_eq!(status(client, &one.sign(&claims(&user))).await, 200);
    }
    assert_eq!(issuer.fetches(), 1);
    assert!(server.stop().success());

    installation.configure(&format!(
        "[auth]\njwks_refetch_interval_s = 0\njwks_max_kib = 1\n{}",
        settings(&format!("jwks_url = \"{}\"", issuer.url))
    ));
    issuer.publish(key_set(&[&one]));
    let server = Server::start_on(installation).await;
    let client = &server.client;
    assert_eq!(status(client, &one.sign(&claims(&user))).await, 200);
    assert_eq!(status(client, &two.sign(&claims(&user))).await, 401);
    // What is no set of keys, or too large a one, leaves those that are known as they are.
    for bad in ["<html>".to_owned(), format!("{{\"keys\": [], \"more\": \"{}\"}}", "x".repeat(1024)), String::new()] {
        issuer.publish(bad);
        assert_eq!(status(client, &two.sign(&claims(&user))).await, 401);
        assert_eq!(status(client, &one.sign(&claims(&user))).await, 200);
    }
    issuer.publish(key_set(&[&two]));
    assert_eq!(status(client, &two.sign(&claims(&user))).await, 200);
    assert_eq!(status(client, &one.sign(&claims(&user))).await, 401);
}

/// An issuer's server that answers a set of keys to whatever it is asked.
struct KeyServer {
    url: String,
    set: Arc<std::sync::Mutex<String>>,
    fetches: Arc<AtomicUsize>,
}

impl KeyServer {
    async fn start(set: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let (set, fetches) = (Arc::new(std::sync::Mutex::new(set)), Arc::new(AtomicUsize::new(0)));
        let (answers, count) = (Arc::clone(&set), Arc::clone(&fetches));
        tokio::spawn(async move {
            loop {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(connection.read_u8().await.unwrap());
                }
                count.fetch_add(1, Ordering::SeqCst);
                let body = answers.lock().unwrap().clone();
                let status = if body.is_empty() { "503 Service Unavailable" } else { "200 OK" };
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                connection.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.unwrap();
                connection.shutdown().await.unwrap();
            }
        });
        Self { url, set, fetches }
    }

    fn publish(&self, set: String) {
        *self.set.lock().unwrap() = set;
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_fault_of_the_configuration_stops_the_start_and_names_its_place() {
    let installation = Installation::new();
    let secret = STANDARD.encode([7; 32]);
    let key = |fields: &str| format!("[[auth.keys]]\n{fields}\n");
    let good = key(&format!("id = \"a\"\nalgorithm = \"HS256\"\nvalue = \"{secret}\""));
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    for (place, settings) in [
        ("auth.keys[0].algorithm", key(&format!("id = \"a\"\nalgorithm = \"RS256\"\nvalue = \"{secret}\""))),
        ("auth.keys[0].secret", key(&format!("id = \"a\"\nalgorithm = \"HS256\"\nsecret = \"{secret}\""))),
        ("auth.keys[1] (`b`)", format!("{good}{}", key("id = \"b\"\nalgorithm = \"EdDSA\"\nfile = \"nowhere.pem\""))),
        ("nowhere.pem", format!("{good}{}", key("id = \"b\"\nalgorithm = \"EdDSA\"\nfile = \"nowhere.pem\""))),
        ("auth.keys[1]", format!("{good}{good}")),
        ("at least 32 bytes", key("id = \"a\"\nalgorithm = \"HS256\"\nvalue = \"c2hvcnQ=\"")),
        (
            "auth.keys[0] (`a`)",
            key(&format!("id = \"a\"\nalgorithm = \"EdDSA\"\nvalue = '''{}'''", pair.public_key_pem())),
        ),
        ("auth.issuers[0]", settings("")),
        ("https://", settings("jwks_url = \"http://login.example.com/jwks\"")),
        ("auth.issuers[0].jwks", settings("jwks = \"x\"")),
        ("missing.json", settings("jwks_file = \"missing.json\"")),
    ] {
        installation.configure(&settings);
        let mut command = programs::command("control-plane");
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(installation.data());
        command.arg("--config").arg(installation.path("config.toml")).stdin(Stdio::null());
        let ended = tokio::process::Command::from(command).kill_on_drop(true).output().await.unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success(), "{settings}");
        assert!(stderr.contains(place), "{settings}: {stderr}");
        assert!(!stderr.contains(&secret), "{stderr}");
    }
}
