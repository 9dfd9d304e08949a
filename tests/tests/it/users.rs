//! Users: made, looked at, changed and deleted over HTTP.

use serde_json::{Value, json};

use crate::client::{Client, allow, deny};
use crate::server::{Installation, Server};

const ADMINISTRATOR: &str = "DefaultAdministratorRole";
const AUTHOR: &str = "DefaultToolAuthorRole";
const USER: &str = "DefaultUserRole";

#[tokio::test]
async fn a_user_is_made_looked_at_renamed_and_deleted() {
    let server = Server::start().await;
    let client = &server.client;

    let made = client.post("user/", json!({"name": " Ada ", "role_name": USER})).await.expect(201);
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["name"], "Ada");
    assert_eq!(made["role_name"], USER);
    assert_eq!(made["user_org_id"], "acme");
    assert!(made["created_at"].as_str().unwrap().ends_with('Z'));
    let path = format!("user/{id}");
    assert_eq!(client.get(&path).await.expect(200), made);

    client.post(&path, json!({"name": "Grace"})).await.expect(204);
    client.post(&path, json!({"name": null, "role_name": null})).await.expect(204);
    let renamed = client.get(&path).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["role_name"]), (&json!("Grace"), &json!(USER)));

    client.delete(&path).await.expect(204);
    client.get(&path).await.detail(404);
    client.post(&path, json!({})).await.detail(404);
    client.delete(&path).await.detail(404);
    client.get("user/ada").await.expect(422);
    for body in [
        json!({}),
        json!({"role_name": "Nobody"}),
        json!({"role_name": "no role"}),
        json!({"role_name": USER, "name": " "}),
        json!({"role_name": USER, "admin": true}),
        json!({"role_name": USER, "user_id": id}),
        json!({"role_name": USER, "user_org_id": "umbrella"}),
        json!({"role_name": USER, "user_org_id": "acme", "user_id": id}),
    ] {
        client.post("user/", body).await.expect(422);
    }
    // An array of the fields is no object.
    client.post(&format!("user/{id}"), json!([null, null])).await.expect(422);
}

#[tokio::test]
async fn a_change_of_role_holds_at_the_next_request_and_a_deleted_users_token_ends() {
    let server = Server::start().await;
    let client = &server.client;
    let user = client.with_role(USER).await;
    let path = format!("user/{}", user.key.user_id);
    let body = json!({"name": "weather", "description": "A tool.", "tags": {}});
    let refusal = user.post("tool/", body.clone()).await.detail(403);
    assert!(refusal.contains("Tool:CreateTool"), "{refusal}");

    client.post(&path, json!({"role_name": AUTHOR})).await.expect(204);
    let tool = user.post("tool/", body.clone()).await.expect(201)["id"].as_str().unwrap().to_owned();
    // Whoever writes tools may test them, and not run what is published.
    user.invoke(&tool, "1.0.0", &[json!({})]).await.detail(403);
    client.post(&path, json!({"role_name": USER})).await.expect(204);
    user.post("tool/", body).await.detail(403);

    assert_eq!(user.get("tool/").await.status, 200);
    client.delete(&path).await.expect(204);
    user.get("tool/").await.detail(401);
    client.try_sign_in(&user.key).await.detail(401);
}

#[tokio::test]
async fn somebody_stays_who_may_do_everything() {
    let server = Server::start().await;
    let client = &server.client;
    let own = format!("user/{}", client.key.user_id);
    for refused in [client.delete(&own).await, client.post(&own, json!({"role_name": USER})).await] {
        assert!(refused.detail(409).contains("last administrator"));
    }
    client.post(&own, json!({"role_name": ADMINISTRATOR, "name": "Ada"})).await.expect(204);

    // A guest does not count, since its home can delete it.
    let guest = json!({"role_name": ADMINISTRATOR, "user_org_id": "umbrella", "user_id": "0".repeat(24)});
    client.post("user/", guest).await.expect(201);
    client.delete(&own).await.detail(409);

    let second = client.with_role(ADMINISTRATOR).await;
    second.delete(&own).await.expect(204);
    let own = format!("user/{}", second.key.user_id);
    second.post(&own, json!({"role_name": USER})).await.detail(409);
}

#[tokio::test]
async fn users_are_listed_in_pages_that_neither_skip_nor_repeat() {
    let server = Server::start().await;
    let client = &server.client;
    let mut ids = vec![client.key.user_id.clone()];
    for (name, role) in [("b", USER), ("a", USER), ("b", AUTHOR), ("c", USER)] {
        let made = client.post("user/", json!({"name": name, "role_name": role})).await.expect(201);
        ids.push(made["id"].as_str().unwrap().to_owned());
    }

    // Another process made the first one, so that its id may come anywhere within the same second.
    let mut by_id = ids.clone();
    by_id.sort();
    assert_eq!(pages(client, "limit=2", 3).await, by_id);
    assert_eq!(pages(client, "", 1).await, by_id);
    let by_name = pages(client, "limit=1&sort_by=-name", 5).await;
    // Equal names stand in the order of ids, and who has none comes last in this direction.
    assert_eq!(by_name, [&ids[4], &ids[1], &ids[3], &ids[2], &ids[0]].map(String::clone));
    let by_both = pages(client, "sort_by=%2Bname&sort_by=-role_name", 1).await;
    assert_eq!(by_both, [&ids[0], &ids[2], &ids[1], &ids[3], &ids[4]].map(String::clone));
    assert_eq!(pages(client, &format!("role_name={AUTHOR}"), 1).await, [ids[3].clone()]);
    assert_eq!(pages(client, &format!("id={}&id={}", ids[2], ids[4]), 1).await, [ids[2].clone(), ids[4].clone()]);
    for query in
        ["sort_by=age", "limit=0", "limit=101", "limit=x", "continuation_token=-1", "id=ada", "role_name=a%20b"]
    {
        client.get(&format!("user/?{query}")).await.expect(422);
    }

    // Whoever deletes what each page shows meets everybody.
    let (mut met, mut token) = (Vec::new(), json!(0));
    while !token.is_null() {
        let page = client.get(&format!("user/?limit=2&sort_by=-name&continuation_token={token}")).await.expect(200);
        for user in page["users"].as_array().unwrap() {
            let id = user["id"].as_str().unwrap().to_owned();
            if id != client.key.user_id {
                client.delete(&format!("user/{id}")).await.expect(204);
            }
            met.push(id);
        }
        token = page["continuation_token"].clone();
    }
    assert_eq!(met, by_name);
}

/// The ids of all pages of a list of users, which have to be so many.
async fn pages(client: &Client, query: &str, count: usize) -> Vec<String> {
    let (mut ids, mut token) = (Vec::new(), json!(0));
    for page in 1..=count {
        let answer = client.get(&format!("user/?{query}&continuation_token={token}")).await.expect(200);
        let users: &Vec<Value> = answer["users"].as_array().unwrap();
        ids.extend(users.iter().map(|user| user["id"].as_str().unwrap().to_owned()));
        token = answer["continuation_token"].clone();
        assert_eq!(answer["has_more"], page < count, "{answer}");
        assert_eq!(token.is_null(), page == count, "{answer}");
    }
    ids
}

#[tokio::test]
async fn each_permission_of_users_is_for_one_thing_and_nobody_makes_a_user_above_them() {
    let server = Server::start().await;
    let client = &server.client;
    let bob = client.create_user(USER).await;
    let path = format!("user/{bob}");
    let invoke = || allow("Tool:InvokeTool");
    let creator = client.with_grants("creator", &[allow("User:CreateUser"), invoke()]).await;
    let reader =
        client.with_grants("reader", &[allow("User:*"), deny("User:CreateUser"), deny("User:DeleteUser")]).await;

    creator.get("user/").await.detail(403);
    creator.get(&path).await.detail(403);
    creator.delete(&path).await.detail(403);
    creator.post(&path, json!({"name": "Bob"})).await.detail(403);
    creator.create_user(USER).await;
    // The same rights are not more rights.
    creator.create_user("creator").await;
    for above in [ADMINISTRATOR, AUTHOR, "reader"] {
        let refused = creator.post("user/", json!({"role_name": above})).await.detail(403);
        assert!(refused.contains("more rights than you have") && refused.contains(above), "{refused}");
    }

    reader.get("user/").await.expect(200);
    reader.get(&path).await.expect(200);
    reader.post("user/", json!({"role_name": USER})).await.detail(403);
    reader.delete(&path).await.detail(403);
    reader.post(&path, json!({"name": "Bob"})).await.expect(204);
    // It may not invoke, so it may not make anybody who may; neither may it promote itself.
    reader.post(&path, json!({"role_name": USER})).await.detail(403);
    reader.post(&format!("user/{}", reader.key.user_id), json!({"role_name": ADMINISTRATOR})).await.detail(403);
    reader.post(&path, json!({"role_name": "reader"})).await.expect(204);
}

#[tokio::test]
async fn an_organization_has_no_more_users_than_the_configured_limit() {
    let installation = Installation::new();
    installation.configure("[access]\nmax_users = 2\n");
    let server = Server::start_on(installation).await;
    let client = &server.client;

    let second = client.create_user(USER).await;
    let refused = client.post("user/", json!({"role_name": USER})).await.detail(400);
    assert!(refused.contains("2 users"), "{refused}");
    client.delete(&format!("user/{second}")).await.expect(204);
    client.create_user(USER).await;
}
