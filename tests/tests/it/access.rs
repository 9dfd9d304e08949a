//! Who gets in: signing in, strangers, and other organizations.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, answer};
use crate::server::{Installation, Key, Server};

#[tokio::test]
async fn a_good_key_signs_in_and_every_bad_one_gets_the_same_answer() {
    let server = Server::start().await;
    let good = &server.client.key;
    let stranger = "0123456789abcdef01234567".to_owned();

    let signed_in = server.client.try_sign_in(good).await.expect(200);
    assert_eq!(signed_in["id_token"].as_str().unwrap().split('.').count(), 3, "a token is a JWT");
    assert!(signed_in["expires_at"].as_str().unwrap().ends_with('Z'));

    // Five sign-ins a minute are allowed, and two have been.
    let wrong_key = Key { api_key: good.api_key.chars().rev().collect(), ..good.clone() };
    let unknown_key = Key { api_key_id: stranger.clone(), ..good.clone() };
    let unknown_user = Key { user_id: stranger, ..good.clone() };
    let mut answers = Vec::new();
    for bad in [wrong_key, unknown_key, unknown_user] {
        let answer = server.client.try_sign_in(&bad).await;
        let challenge = answer.headers["www-authenticate"].clone();
        answers.push((answer.detail(401), challenge));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}

#[tokio::test]
async fn a_stranger_gets_401_before_anything_is_read() {
    let server = Server::start().await;
    let id = "0".repeat(24);
    let endpoints = [
        (Method::GET, "tool/".to_owned()),
        (Method::POST, "tool/".to_owned()),
        (Method::POST, format!("tool/{id}/envvar")),
        (Method::GET, format!("tool/{id}/version")),
        (Method::POST, format!("tool/{id}/version")),
        (Method::POST, format!("tool/{id}/version/1.0.0/invoke")),
        (Method::GET, "tool/invocation?limit=none".to_owned()),
        (Method::GET, format!("tool/invocation/{id}")),
        (Method::GET, "tool/git/info/refs?service=git-upload-pack".to_owned()),
    ];
    let token = &server.client.token;
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{rest}.{}", signature.chars().rev().collect::<String>());
    let Key { organization_id, user_id, .. } = &server.client.key;

    for (method, path) in endpoints {
        let request = || server.client.anonymous(method.clone(), &path).header("content-type", "application/json");
        for (case, request) in [
            ("nothing", request().body("{")),
            ("a forged token", request().bearer_auth(&forged).body("{")),
            ("another user's name", request().basic_auth(format!("{organization_id}_{id}"), Some(token)).body("{")),
        ] {
            let answer = answer(request).await;
            assert_eq!(answer.status, 401, "{method} {path} with {case}: {}", answer.json);
            let challenge = answer.headers["www-authenticate"].to_str().unwrap();
            assert!(challenge.contains("Basic realm=") && challenge.contains("Bearer"), "{challenge}");
        }
    }
    let named = server.client.anonymous(Method::GET, "tool/");
    let named = named.basic_auth(format!("{organization_id}_{user_id}"), Some(token));
    assert_eq!(answer(named).await.expect(200)["tools"], json!([]));
}

#[tokio::test]
async fn an_organization_sees_nothing_of_another() {
    let installation = Installation::new();
    let other = installation.add_organization("umbrella");
    let server = Server::start_on(installation).await;
    let tool = server.client.create_tool("greeting").await;
    let theirs = Client::sign_in(&server.client.server, &other).await;

    let listed = theirs.get(&format!("tool/?id={tool}")).await.expect(200);
    assert_eq!(listed["tools"], json!([]));
    let tool_path = format!("tool/{tool}");
    theirs.get(&format!("{tool_path}/version")).await.detail(404);
    theirs.post(&format!("{tool_path}/envvar"), json!({"inserts": []})).await.detail(404);
    theirs.invoke(&tool, "1.0.0", &[json!({})]).await.detail(404);
    theirs.publish(&tool, "greeting", "major").await.detail(404);
    // The name is taken in the one organization only.
    let body = json!({"name": "greeting", "description": "A tool.", "tags": {}});
    server.client.post("tool/", body).await.detail(409);
    theirs.create_tool("greeting").await;

    let mut intruder = server.client.clone();
    intruder.token.clone_from(&theirs.token);
    intruder.get("tool/").await.detail(401);
    let named = intruder.anonymous(Method::GET, "tool/").bearer_auth(&intruder.token).header("x-org-id", "umbrella");
    let refused = answer(named).await;
    assert!([403, 404].contains(&refused.status), "{}", refused.json);
    assert_ne!(refused.json, Value::Null);
}
