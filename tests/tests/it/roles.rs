//! Roles: made, looked at, replaced and deleted over HTTP, and what their grants let through.

use serde_json::{Value, json};

use crate::client::{Client, allow, deny, provided};
use crate::server::{Installation, Server};

#[tokio::test]
async fn a_role_is_made_looked_at_replaced_and_deleted() {
    let server = Server::start().await;
    let client = &server.client;
    let condition = json!({"type": "In", "values": ["weather", "time"]});
    let grants = [allow("Tool:InvokeTool"), provided(deny("Tool:*"), "Tool:Tag:team", condition)];

    let made = client.create_role("weather-people", &grants).await.expect(201);
    assert_eq!(made, json!({"name": "weather-people", "permission_grants": grants, "built_in": false}));
    assert_eq!(client.get("role/weather-people").await.expect(200), made);
    client.create_role("weather-people", &[]).await.detail(409);

    client.post("role/weather-people", json!({"permission_grants": [allow("Tool:*")]})).await.expect(204);
    let replaced = client.get("role/weather-people").await.expect(200);
    assert_eq!(replaced["permission_grants"], json!([allow("Tool:*")]));

    client.delete("role/weather-people").await.expect(204);
    client.get("role/weather-people").await.detail(404);
    client.delete("role/weather-people").await.detail(404);
    client.post("role/weather-people", json!({"permission_grants": []})).await.detail(404);
    client.get("role/no%20name").await.expect(422);
}

#[tokio::test]
async fn a_grant_that_means_nothing_is_refused_with_its_place() {
    let server = Server::start().await;
    let equals = || json!({"type": "Equals", "value": "x"});
    let conditions: Vec<_> = (0..11).map(|n| (format!("Tool:Tag:{n}"), equals())).collect();
    let crowded = json!({"action": "Allow", "permission_name": "*", "conditions": Value::from_iter(conditions)});
    for (place, grant) in [
        ("permission_name", allow("Tool:Invoke")),
        ("permission_name", deny("Tools:*")),
        ("permission_name", allow("Tool:I*")),
        ("conditions", provided(allow("User:GetUser"), "Tool:Name", equals())),
        ("Tool:name", provided(allow("Tool:*"), "Tool:name", equals())),
        ("Tool:Tag:", provided(allow("Tool:*"), "Tool:Tag:", equals())),
        ("Tool:Id", provided(allow("Tool:*"), "Tool:Id", json!({"type": "In", "values": []}))),
        ("conditions", crowded),
    ] {
        let refused = server.client.create_role("odd", &[allow("*"), grant.clone()]).await.expect(422);
        let mut loc = vec![json!("body"), json!("permission_grants"), json!(1)];
        loc.extend(place.starts_with("Tool:").then(|| json!("conditions")));
        loc.push(json!(place));
        assert_eq!(refused["detail"][0]["loc"], json!(loc), "{grant}: {refused}");
    }
    for grant in [
        json!({"permission_name": "*"}),
        json!({"action": "Maybe", "permission_name": "*"}),
        json!({"action": "Allow", "permission_name": "*", "conditions": {"Tool:Id": {"type": "Like", "value": "x"}}}),
        json!({"action": "Allow", "permission_name": "*", "when": {}}),
    ] {
        server.client.create_role("odd", &[grant]).await.expect(422);
    }
    server.client.create_role("many", &vec![allow("*"); 101]).await.expect(422);
    server.client.create_role("", &[]).await.expect(422);
    server.client.get("role/odd").await.detail(404);
}

#[tokio::test]
async fn built_in_roles_and_roles_in_use_stay() {
    let server = Server::start().await;
    let client = &server.client;
    for name in ["DefaultAdministratorRole", "DefaultToolAuthorRole", "DefaultUserRole"] {
        assert_eq!(client.get(&format!("role/{name}")).await.expect(200)["built_in"], true);
        for refused in [
            client.delete(&format!("role/{name}")).await,
            client.post(&format!("role/{name}"), json!({"permission_grants": []})).await,
        ] {
            assert!(refused.detail(409).contains("built in"));
        }
        client.create_role(name, &[]).await.detail(409);
    }

    client.create_role("guide", &[allow("Tool:InvokeTool")]).await.expect(201);
    let user = client.create_user("guide").await;
    let refused = client.delete("role/guide").await.detail(409);
    assert!(refused.contains("users of it: 1;"), "{refused}");
    client.delete(&format!("user/{user}")).await.expect(204);
    let key = client.post("organization/api_key/", json!({"duration": "P1D", "role_name": "guide"})).await.expect(201);
    let refused = client.delete("role/guide").await.detail(409);
    assert!(refused.contains("API keys"), "{refused}");
    client.delete(&format!("organization/api_key/{}/", key["api_key_id"].as_str().unwrap())).await.expect(204);
    client.delete("role/guide").await.expect(204);
}

#[tokio::test]
async fn roles_are_listed_in_pages() {
    let server = Server::start().await;
    let client = &server.client;
    client.create_role("Zoo", &[]).await.expect(201);
    client.create_role("Ark", &[]).await.expect(201);

    let list = async |query: &str| {
        let answer = client.get(&format!("role/?{query}")).await.expect(200);
        let names: Vec<_> = answer["roles"].as_array().unwrap().iter().map(|role| role["name"].clone()).collect();
        (json!(names), answer["has_more"].clone(), answer["continuation_token"].clone())
    };
    let built_in = ["DefaultAdministratorRole", "DefaultToolAuthorRole", "DefaultUserRole"];
    let [administrator, author, user] = built_in;
    assert_eq!(list("").await, (json!(["Ark", administrator, author, user, "Zoo"]), json!(false), json!(null)));
    let (names, has_more, token) = list("limit=1&sort_by=-name").await;
    assert_eq!((names, has_more), (json!(["Zoo"]), json!(true)));
    // It goes on behind a role that is gone.
    client.delete("role/Zoo").await.expect(204);
    let (names, has_more, token) = list(&format!("limit=3&sort_by=-name&continuation_token={token}")).await;
    assert_eq!((names, has_more), (json!([user, author, administrator]), json!(true)));
    let last = list(&format!("limit=3&sort_by=-name&continuation_token={token}")).await;
    assert_eq!(last, (json!(["Ark"]), json!(false), json!(null)));
    client.get("role/?continuation_token=7").await.expect(422);
    assert_eq!(list("limit=2&sort_by=-built_in&sort_by=-name").await.0, json!([user, author]));
    client.get("role/?sort_by=age").await.expect(422);
}

#[tokio::test]
async fn nobody_makes_a_role_above_their_own() {
    let server = Server::start().await;
    let client = &server.client;
    let weather = || json!({"type": "Equals", "value": "weather"});
    let own = [
        allow("Role:*"),
        allow("Tool:*"),
        provided(deny("Tool:DeleteTool"), "Tool:Name", weather()),
        deny("Role:DeleteRole"),
    ];
    let maker = client.with_grants("maker", &own).await;

    let refused = maker.create_role("boss", &[allow("*")]).await.detail(403);
    assert!(refused.contains("the role `boss` would have more rights than you have"), "{refused}");
    maker.create_role("boss", &[allow("Tool:*")]).await.detail(403);
    maker.create_role("boss", &[allow("Role:*")]).await.detail(403);
    maker.create_role("boss", &[allow("User:GetUser")]).await.detail(403);
    // Its own role without the denials is above it, and so it cannot shed them.
    maker.post("role/maker", json!({"permission_grants": own[..2]})).await.detail(403);

    maker.create_role("peer", &own).await.expect(201);
    maker.create_role("lesser", &[allow("Tool:*"), deny("Tool:DeleteTool")]).await.expect(201);
    maker
        .create_role(
            "other",
            &[provided(allow("Tool:*"), "Tool:Name", json!({"type": "NotEquals", "value": "weather"}))],
        )
        .await
        .expect(201);
    maker.delete("role/lesser").await.detail(403);
    maker.post("role/lesser", json!({"permission_grants": [allow("*")]})).await.detail(403);
    maker.post("role/lesser", json!({"permission_grants": [allow("Tool:InvokeTool")]})).await.expect(204);

    let reader = client.with_grants("reader", &[allow("Role:GetRole")]).await;
    reader.get("role/lesser").await.expect(200);
    reader.create_role("none", &[]).await.detail(403);
    reader.post("role/lesser", json!({"permission_grants": []})).await.detail(403);
}

#[tokio::test]
async fn conditions_let_through_what_they_name() {
    let server = Server::start().await;
    let client = &server.client;
    let weather = create_tool(client, "weather", json!({"team": "core", "beta": null})).await;
    let time = create_tool(client, "time", json!({"team": "legal"})).await;
    let plain = create_tool(client, "plain", json!({})).await;
    let tools = [&weather, &time, &plain];
    let equals = |value: &str| json!({"type": "Equals", "value": value});
    let differs = |value: &str| json!({"type": "NotEquals", "value": value});
    let among = |values: &[&str]| json!({"type": "In", "values": values});
    let when = |attribute: &str, condition: Value| vec![provided(allow("Tool:InvokeTool"), attribute, condition)];
    let unless =
        |attribute: &str, condition: Value| vec![allow("Tool:*"), provided(deny("Tool:*"), attribute, condition)];
    let both =
        provided(provided(allow("Tool:*"), "Tool:Name", among(&["weather", "time"])), "Tool:Tag:team", equals("core"));

    let user = client.with_grants("conditioned", &[]).await;
    for (grants, expected) in [
        (vec![], [false, false, false]),
        (when("Tool:Name", equals("weather")), [true, false, false]),
        (when("Tool:Name", among(&["time", "plain", "none"])), [false, true, true]),
        (when("Tool:Id", equals(&weather)), [true, false, false]),
        (when("Tool:Id", differs(&weather)), [false, true, true]),
        (when("Tool:Tag:team", equals("core")), [true, false, false]),
        // A tag that is not there equals nothing, and so differs from everything.
        (when("Tool:Tag:team", differs("core")), [false, true, true]),
        (when("Tool:Tag:team", among(&["core", "legal"])), [true, true, false]),
        // A tag without a value has the empty one.
        (when("Tool:Tag:beta", equals("")), [true, false, false]),
        (unless("Tool:Tag:team", equals("legal")), [true, false, true]),
        (unless("Tool:Name", differs("time")), [false, true, false]),
        (vec![both], [true, false, false]),
    ] {
        client.post("role/conditioned", json!({"permission_grants": grants})).await.expect(204);
        for (tool, expected) in tools.iter().zip(expected) {
            // It has no version: whoever may invoke it learns that, and nobody else.
            let answer = user.invoke(tool, "1.0.0", &[json!({})]).await;
            assert_eq!(answer.status, if expected { 404 } else { 403 }, "{grants:?} for {tool}: {}", answer.json);
        }
        let listed = user.get("tool/").await.expect(200);
        let listed: Vec<_> = listed["tools"].as_array().unwrap().iter().map(|tool| tool["id"].clone()).collect();
        let seen: Vec<_> = tools.iter().zip(expected).filter(|(_, seen)| *seen).map(|(tool, _)| json!(tool)).collect();
        assert_eq!(listed, seen, "{grants:?}");
    }

    // What may not be had may not be made either.
    let grants = unless("Tool:Tag:team", equals("legal"));
    client.post("role/conditioned", json!({"permission_grants": grants})).await.expect(204);
    let body = |name: &str, tags: Value| json!({"name": name, "description": "A tool.", "tags": tags});
    user.post("tool/", body("contract", json!({"team": "legal"}))).await.detail(403);
    user.post("tool/", body("contract", json!({"team": "core"}))).await.expect(201);
}

#[tokio::test]
async fn whoever_changes_tags_gets_no_rights_by_it() {
    let server = Server::start().await;
    let client = &server.client;
    let of_team = |permission: &str, team: &str| {
        provided(allow(permission), "Tool:Tag:team", json!({"type": "Equals", "value": team}))
    };
    let not_frozen = provided(deny("Tool:ModifyTool"), "Tool:Tag:frozen", json!({"type": "Equals", "value": "yes"}));
    let grants =
        [allow("Tool:ModifyTool"), of_team("Tool:InvokeTool", "core"), of_team("Tool:DeleteTool", "own"), not_frozen];
    let user = client.with_grants("editor", &grants).await;
    let legal = format!("tool/{}", create_tool(client, "legal", json!({"team": "legal"})).await);
    let core = format!("tool/{}", create_tool(client, "core", json!({"team": "core"})).await);

    for (tags, missing) in [
        (json!({"team": "core"}), "Tool:InvokeTool"),
        (json!({"team": "own"}), "Tool:DeleteTool"),
        (json!({"team": "legal", "frozen": "yes"}), "Tool:ModifyTool"),
    ] {
        let refused = user.post(&legal, json!({"description": "Mine.", "tags": tags})).await.detail(403);
        assert!(refused.contains(missing), "{refused}");
    }
    let kept = client.tools("tag=team:legal").await.remove(0);
    assert_eq!((&kept["description"], &kept["tags"]), (&json!("A tool."), &json!([{"key": "team", "value": "legal"}])));
    user.post(&legal, json!({"description": "Mine.", "tags": {"team": "data"}})).await.expect(204);
    // What one has already is no gain, and rights may be lost.
    user.post(&core, json!({"tags": {"team": "core", "beta": null}})).await.expect(204);
    user.post(&core, json!({"tags": {}})).await.expect(204);
    user.post(&core, json!({"tags": {"team": "core"}})).await.detail(403);
    client.post(&core, json!({"tags": {"frozen": "yes"}})).await.expect(204);
    user.post(&core, json!({"description": "Thawed."})).await.detail(403);
}

#[tokio::test]
async fn an_organization_has_no_more_roles_than_the_configured_limit() {
    let installation = Installation::new();
    installation.configure("[access]\nmax_roles = 4\n");
    let server = Server::start_on(installation).await;
    server.client.create_role("fourth", &[]).await.expect(201);
    let refused = server.client.create_role("fifth", &[]).await.detail(400);
    assert!(refused.contains("4 roles"), "{refused}");
}

async fn create_tool(client: &Client, name: &str, tags: Value) -> String {
    let body = json!({"name": name, "description": "A tool.", "tags": tags});
    client.post("tool/", body).await.expect(201)["id"].as_str().unwrap().to_owned()
}
