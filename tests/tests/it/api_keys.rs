//! API keys: made, listed and deleted over HTTP, and whom they sign in.

use serde_json::{Value, json};

use crate::client::{Client, allow, deny, provided};
use crate::server::{Key, Server};

#[tokio::test]
async fn a_key_is_shown_once_and_signs_in_until_it_is_deleted() {
    let server = Server::start().await;
    let client = &server.client;
    let body = json!({"name": "ci", "duration": "P30D", "role_name": "DefaultUserRole"});
    let made = client.post("organization/api_key/", body).await.expect(201);
    let mut fields: Vec<_> = made.as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["api_key", "api_key_id", "expires_at"]);

    let user = client.create_user("DefaultUserRole").await;
    let key = key(client, &made, &user);
    let signed_in = Client::sign_in(&client.server, &key).await;
    signed_in.get("tool/").await.expect(200);

    let listed = client.get("organization/api_key/").await.expect(200);
    let listed_keys = listed["api_keys"].as_array().unwrap();
    assert_eq!(listed_keys.len(), 2, "the first administrator's is there, too");
    let ci = listed_keys.iter().find(|key| key["name"] == "ci").unwrap();
    assert_eq!(ci["role_name"], "DefaultUserRole");
    assert_eq!((&ci["api_key_id"], &ci["expires_at"]), (&made["api_key_id"], &made["expires_at"]));
    assert!(ci.get("api_key").is_none() && !listed.to_string().contains(&key.api_key));
    assert_eq!(server.installation.file_with(&key.api_key), None, "a key lies in the clear");

    let path = format!("organization/api_key/{}/", key.api_key_id);
    client.delete(&path).await.expect(204);
    client.delete(&path).await.detail(404);
    client.try_sign_in(&key).await.detail(401);
    assert_eq!(client.get("organization/api_key/").await.expect(200)["api_keys"].as_array().unwrap().len(), 1);
    // The contract's paths end with a slash, and many clients leave it out.
    client.delete(&format!("organization/api_key/{}", key.api_key_id)).await.detail(404);
    client.delete("organization/api_key/ci/").await.expect(422);
}

#[tokio::test]
async fn a_duration_is_iso_8601_from_1_to_90_days() {
    let server = Server::start().await;
    let make = async |duration: &str| {
        let body = json!({"name": null, "duration": duration, "role_name": "DefaultUserRole"});
        server.client.post("organization/api_key/", body).await
    };
    for duration in ["P1D", "P90D", "PT24H", "P2W", "P1M"] {
        make(duration).await.expect(201);
    }
    for duration in ["P91D", "PT23H", "P1Y", "-P1D", "30 days", "86400", ""] {
        let refused = make(duration).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"], json!(["body", "duration"]), "{duration}");
    }
    let body = |role: &str| json!({"duration": "P1D", "role_name": role});
    server.client.post("organization/api_key/", body("Nobody")).await.expect(422);
    server.client.post("organization/api_key/", json!({"role_name": "DefaultUserRole"})).await.expect(422);
    let named = json!({"name": "x".repeat(129), "duration": "P1D", "role_name": "DefaultUserRole"});
    server.client.post("organization/api_key/", named).await.expect(422);
}

#[tokio::test]
async fn an_organization_has_20_keys_at_most_and_lists_them_in_pages() {
    let server = Server::start().await;
    let client = &server.client;
    let body = |n: usize| json!({"name": format!("key {n:02}"), "duration": "P1D", "role_name": "DefaultUserRole"});
    let mut ids = Vec::new();
    for n in 0..19 {
        let made = client.post("organization/api_key/", body(n)).await.expect(201);
        ids.push(made["api_key_id"].as_str().unwrap().to_owned());
    }
    let refused = client.post("organization/api_key/", body(19)).await.detail(400);
    assert!(refused.contains("20 API keys"), "{refused}");

    let page = client.get("organization/api_key/?limit=15&sort_by=-name").await.expect(200);
    assert_eq!((&page["has_more"], &page["api_keys"][0]["name"]), (&json!(true), &json!("key 18")));
    // The last one of the page goes, and the next page begins behind it.
    assert_eq!(page["api_keys"][14]["api_key_id"], json!(ids[4]));
    client.delete(&format!("organization/api_key/{}/", ids[4])).await.expect(204);
    let token = &page["continuation_token"];
    let next = format!("organization/api_key/?limit=15&continuation_token={token}&sort_by=-name");
    let page = client.get(&next).await.expect(200);
    assert_eq!((&page["has_more"], &page["continuation_token"]), (&json!(false), &json!(null)));
    let names: Vec<_> = page["api_keys"].as_array().unwrap().iter().map(|key| key["name"].clone()).collect();
    assert_eq!(json!(names), json!(["key 03", "key 02", "key 01", "key 00", "first administrator"]));
    client.get("organization/api_key/?sort_by=key").await.expect(422);

    client.post("organization/api_key/", body(20)).await.expect(201);
}

#[tokio::test]
async fn a_key_signs_in_nobody_with_more_rights_than_its_role() {
    let server = Server::start().await;
    let client = &server.client;
    let core = || json!({"type": "Equals", "value": "core"});
    client
        .create_role("key", &[allow("*"), deny("User:*"), provided(deny("Tool:*"), "Tool:Tag:team", core())])
        .await
        .expect(201);
    let made = client.post("organization/api_key/", json!({"duration": "P1D", "role_name": "key"})).await.expect(201);

    let invoke = || allow("Tool:InvokeTool");
    let but = |team: &str| provided(deny("*"), "Tool:Tag:team", json!({"type": "Equals", "value": team}));
    for (name, grants, expected) in [
        ("nothing", vec![], 200),
        ("same", vec![allow("*"), deny("User:*"), provided(deny("Tool:*"), "Tool:Tag:team", core())], 200),
        ("fewer", vec![invoke(), but("core")], 200),
        ("other", vec![invoke(), but("legal")], 401),
        ("invoke", vec![invoke()], 401),
        ("users", vec![allow("User:GetUser")], 401),
        ("roles", vec![allow("Role:*")], 200),
        ("all", vec![allow("*")], 401),
    ] {
        client.create_role(name, &grants).await.expect(201);
        let user = client.create_user(name).await;
        let answer = client.try_sign_in(&key(client, &made, &user)).await;
        assert_eq!(answer.status, expected, "{name}: {}", answer.json);
    }
    // What the role is now counts, not what it was.
    client.post("role/key", json!({"permission_grants": [allow("*")]})).await.expect(204);
    client.try_sign_in(&key(client, &made, &client.key.user_id)).await.expect(200);
}

#[tokio::test]
async fn each_permission_of_keys_is_for_one_thing_and_nobody_makes_a_key_above_them() {
    let server = Server::start().await;
    let client = &server.client;
    let maker = client.with_grants("maker", &[allow("Organization:CreateAPIKey"), allow("Tool:InvokeTool")]).await;
    let body = |role: &str| json!({"duration": "P1D", "role_name": role});
    let own = &client.key.api_key_id;

    let made = maker.post("organization/api_key/", body("DefaultUserRole")).await.expect(201);
    let refused = maker.post("organization/api_key/", body("DefaultAdministratorRole")).await.detail(403);
    assert!(refused.contains("more rights than you have"), "{refused}");
    maker.get("organization/api_key/").await.detail(403);
    maker.delete(&format!("organization/api_key/{own}/")).await.detail(403);

    let keeper = [allow("Organization:*"), deny("Organization:CreateAPIKey")];
    let keeper = client.with_grants("keeper", &keeper).await;
    keeper.post("organization/api_key/", body("DefaultUserRole")).await.detail(403);
    keeper.get("organization/api_key/").await.expect(200);
    let made = made["api_key_id"].as_str().unwrap();
    keeper.delete(&format!("organization/api_key/{made}/")).await.expect(204);
}

/// A key for signing in a user.
fn key(client: &Client, made: &Value, user: &str) -> Key {
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    Key {
        organization_id: client.key.organization_id.clone(),
        user_id: user.to_owned(),
        api_key_id: text("api_key_id"),
        api_key: text("api_key"),
    }
}
