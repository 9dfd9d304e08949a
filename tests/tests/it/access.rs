//! Who gets in: signing in, strangers, and other organizations.

use reqwest::Method;
use serde_json::{Value, json};

use crate::author::run;
use crate::client::{Client, allow, answer, deny};
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

/// Every existing endpoint, asked by somebody who has every permission but the one that it needs.
#[tokio::test]
async fn whoever_lacks_the_permission_gets_403_that_names_it() {
    let server = Server::start().await;
    let client = &server.client;
    let tool = client.create_tool("greeting").await;
    let body = json!({"name": "other", "description": "A tool.", "tags": {}});
    let publish = json!({"project_path": "greeting", "bump_type": "major"});
    let inputs = json!({"inputs": [{"input_parameters": {}, "invocation_mode": "regular"}]});
    let (path, versions) = (format!("tool/{tool}"), format!("tool/{tool}/version"));
    let user = client.with_grants("lacking", &[]).await;
    for (permission, method, path, body) in [
        ("Tool:CreateTool", Method::POST, "tool/".to_owned(), Some(body)),
        ("Tool:ModifyTool", Method::POST, format!("{path}/envvar"), Some(json!({"inserts": []}))),
        ("Tool:ModifyTool", Method::POST, versions.clone(), Some(publish)),
        ("Tool:ModifyTool", Method::DELETE, format!("{versions}/1.0.0"), None),
        ("Tool:InvokeTool", Method::POST, format!("{versions}/1.0.0/invoke"), Some(inputs)),
        ("Tool:AccessRepo", Method::GET, "tool/git/info/refs?service=git-upload-pack".to_owned(), None),
        ("Tool:AccessRepo", Method::POST, "tool/git/git-receive-pack".to_owned(), None),
    ] {
        let ask = || {
            let request = client.anonymous(method.clone(), &path).bearer_auth(&user.token);
            answer(match &body {
                Some(body) => request.json(body),
                None => request,
            })
        };
        for grants in [vec![allow("*"), deny(permission)], vec![allow("User:*")]] {
            client.post("role/lacking", json!({"permission_grants": grants})).await.expect(204);
            let refused = ask().await.detail(403);
            assert!(refused.contains(&format!("`{permission}`")), "{method} {path}: {refused}");
        }
        client.post("role/lacking", json!({"permission_grants": [allow(permission)]})).await.expect(204);
        let answer = ask().await;
        assert!(![401, 403].contains(&answer.status), "{method} {path} with `{permission}`: {}", answer.json);
    }
}

#[tokio::test]
async fn invocations_are_seen_by_whoever_may_see_their_kind() {
    let server = Server::start().await;
    let client = &server.client;
    let id = "0".repeat(24);
    let search = "tool/invocation/search?query=x".to_owned();
    let paths = ["tool/invocation".to_owned(), search, format!("tool/invocation/{id}")];
    let user = client.with_role("DefaultUserRole").await;
    for path in &paths {
        let refused = user.get(path).await.detail(403);
        assert!(refused.contains("Conversation:GetInteractionInsights"), "{path}: {refused}");
    }
    for permission in ["Conversation:GetInteractionInsights", "Simulation:GetSimulationUnitTestSetRun"] {
        let role = permission.split_once(':').unwrap().0;
        let user = client.with_grants(role, &[allow(permission)]).await;
        user.get(&paths[0]).await.expect(200);
        user.get(&paths[1]).await.expect(200);
        user.get(&paths[2]).await.detail(404);
    }
}

#[tokio::test]
async fn a_user_who_may_only_invoke_is_told_so_and_sees_nothing_of_another_organization() {
    let installation = Installation::new();
    let other = installation.add_organization("umbrella");
    let server = Server::start_on(installation).await;
    let client = &server.client;
    let theirs = Client::sign_in(&client.server, &other).await;
    let (own, foreign) = (client.create_tool("greeting").await, theirs.create_tool("greeting").await);
    let user = client.with_role("DefaultUserRole").await;

    user.post(&format!("tool/{own}/envvar"), json!({})).await.detail(403);
    for path in [format!("tool/{foreign}/envvar"), format!("tool/{foreign}/version/1.0.0/invoke")] {
        let body = json!({"inputs": [{"input_parameters": {}, "invocation_mode": "regular"}]});
        let body = if path.ends_with("invoke") { body } else { json!({}) };
        user.post(&path, body).await.detail(404);
    }
    user.get(&format!("tool/{foreign}/version")).await.detail(404);
    user.publish(&foreign, "greeting", "major").await.detail(404);
    for path in ["user/", "role/", "organization/api_key/"] {
        user.get(path).await.detail(403);
    }
    // Ids of one organization's users, roles and keys mean nothing in another.
    for path in [format!("user/{}", theirs.key.user_id), format!("organization/api_key/{}/", theirs.key.api_key_id)] {
        client.delete(&path).await.detail(404);
    }
    theirs.create_role("theirs", &[]).await.expect(201);
    client.get("role/theirs").await.detail(404);

    let refused = run(&server.installation.path(""), &["ls-remote", &user.remote()]);
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && stderr.contains("403"), "{stderr}");
}
