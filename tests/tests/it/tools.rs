//! Tools: made, listed, changed and deleted.

use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

#[tokio::test]
async fn a_tool_is_listed_as_it_was_made() {
    let server = Server::start().await;
    let client = &server.client;
    let tags = json!({"team": "core", "needs review": null});
    let body = json!({"name": "weather_2", "description": "\n  Says what the weather is. ", "tags": tags});

    let created = client.post("tool/", body).await.expect(201);

    let id = created["id"].as_str().unwrap().to_owned();
    assert_eq!(created, json!({"id": id}));
    assert!(id.len() == 24 && id.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)), "{id}");
    let listed = client.get("tool/").await.expect(200);
    let made_at = listed["tools"][0]["created_at"].clone();
    assert!(made_at.as_str().unwrap().ends_with('Z'), "{made_at}");
    let user = json!({"org_id": client.key.organization_id, "user_id": client.key.user_id});
    let tool = json!({
        "id": id,
        "org_id": client.key.organization_id,
        "created_at": made_at,
        "updated_at": made_at,
        "name": "weather_2",
        "description": "Says what the weather is.",
        "deprecated": false,
        "envvars": [],
        "secret_envvars": [],
        "tags": [{"key": "needs review", "value": null}, {"key": "team", "value": "core"}],
        "creator": user,
        "updated_by": user,
    });
    let expected = json!({
        "tools": [tool],
        "has_more": false,
        "continuation_token": null,
        "filter_values": {"tags": ["needs review:", "team:core"]},
    });
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn a_new_tool_follows_every_rule() {
    let server = Server::start().await;
    let client = &server.client;
    let good = || json!({"name": "a", "description": "A tool.", "tags": {}});
    let with = |field: &str, value: Value| {
        let mut body = good();
        body[field] = value;
        body
    };
    let tags = |count: usize| (0..count).map(|i| (format!("tag {i}"), json!(null))).collect::<serde_json::Map<_, _>>();

    client.post("tool/", with("name", "n".repeat(64).into())).await.expect(201);
    let detail = client.post("tool/", with("name", "n".repeat(65).into())).await.detail(400);
    assert!(detail.contains("64 characters"), "{detail}");
    client.post("tool/", with("tags", json!({"größe_1 ": "sehr groß"}))).await.expect(201);
    client.post("tool/", good()).await.detail(409);
    client.post("tool", json!({"name": "twenty", "description": "t", "tags": tags(20)})).await.expect(201);
    let cases = [
        ("name", json!("")),
        ("name", json!("Weather")),
        ("name", json!("a-b")),
        ("name", json!("ä")),
        ("name", json!(null)),
        ("description", json!("")),
        ("description", json!(" \t\n")),
        ("description", json!(null)),
        ("description", json!("long ".repeat(4000))),
        ("tags", json!(tags(21))),
        ("tags", json!({"a:b": null})),
        ("tags", json!({"": null})),
        ("tags", json!({"a": ""})),
        ("tags", json!({"a": "b-c"})),
        ("tags", json!({"a": 1})),
        ("tags", json!({"a": "b".repeat(257)})),
        ("tags", json!(["a"])),
        ("owner", json!("me")),
    ];
    for (field, value) in cases {
        assert_refused(client, "tool/", with(field, value), field).await;
    }
    assert_eq!(client.tools("").await.len(), 3);
}

#[tokio::test]
async fn a_list_is_filtered_sorted_and_paged() {
    let server = Server::start().await;
    let client = &server.client;
    let mut ids = Vec::new();
    for (name, tags) in [
        ("delta", json!({"team": "core"})),
        ("alpha", json!({"team": "data"})),
        ("charlie", json!({"team": null, "beta": "x"})),
        ("bravo", json!({})),
    ] {
        let body = json!({"name": name, "description": "A tool.", "tags": tags});
        ids.push(client.post("tool/", body).await.expect(201)["id"].as_str().unwrap().to_owned());
    }
    client.delete(&format!("tool/{}", ids[3])).await.expect(204);

    let cases = [
        ("", "delta alpha charlie bravo"),
        ("sort_by=%2Bname", "alpha bravo charlie delta"),
        ("sort_by=-name", "delta charlie bravo alpha"),
        ("sort_by=-deprecated&sort_by=%2Bname", "bravo alpha charlie delta"),
        ("sort_by=%2Bdeprecated&sort_by=-name", "delta charlie alpha bravo"),
        ("deprecated=false", "delta alpha charlie"),
        ("deprecated=true", "bravo"),
        ("tag=team:core", "delta"),
        ("tag=team:*", "delta alpha charlie"),
        ("tag=team:", "charlie"),
        ("tag=team:core&tag=beta:*", "delta charlie"),
        ("tag=nowhere:*", ""),
        (&format!("id={}&id={}", ids[2], ids[0]), "delta charlie"),
        (&format!("id={}&tag=team:data", ids[0]), ""),
    ];
    for (query, expected) in cases {
        assert_eq!(names(&client.tools(query).await), expected, "{query}");
    }

    let first = client.get("tool/?limit=3&sort_by=%2Bname").await.expect(200);
    assert_eq!(first["has_more"], true);
    assert_eq!(first["filter_values"]["tags"], json!(["beta:x", "team:", "team:core", "team:data"]));
    let token = first["continuation_token"].as_u64().expect("it is an integer");
    let query = format!("tool/?limit=3&sort_by=%2Bname&continuation_token={token}");
    let last = client.get(&query).await.expect(200);
    assert_eq!(names(last["tools"].as_array().unwrap()), "delta");
    let rest = ["has_more", "continuation_token", "filter_values"].map(|field| last[field].clone());
    assert_eq!(rest, [json!(false), Value::Null, Value::Null]);
    let beyond = client.get(&format!("tool/?continuation_token={}", i64::MAX)).await.expect(422);
    assert_eq!(beyond["detail"][0]["loc"], json!(["query", "continuation_token"]));

    // A tool that leaves the list between two pages takes no other one with it.
    let pages = "tool/?limit=2&deprecated=false&sort_by=-name";
    let first = client.get(pages).await.expect(200);
    assert_eq!(names(first["tools"].as_array().unwrap()), "delta charlie");
    client.delete(&format!("tool/{}", ids[0])).await.expect(204);
    let rest = client.get(&format!("{pages}&continuation_token={}", first["continuation_token"])).await.expect(200);
    assert_eq!(names(rest["tools"].as_array().unwrap()), "alpha");

    let twice = format!("id={0}&id={0}", ids[0]);
    let bad = ["limit=21", "limit=0", "limit=x", "sort_by=created_at", "id=1", "tag=team", "deprecated=x", &twice];
    for query in bad {
        let field = query.split('=').next().unwrap();
        let refused = client.get(&format!("tool/?{query}")).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"][0], "query", "{refused}");
        assert_eq!(refused["detail"][0]["loc"][1], field, "{refused}");
    }
}

#[tokio::test]
async fn a_change_changes_what_it_names_and_says_who_and_when() {
    let server = Server::start().await;
    let client = &server.client;
    let body = json!({"name": "weather", "description": "Old.", "tags": {"team": "core"}});
    let id = client.post("tool/", body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let path = format!("tool/{id}");
    let before = client.tools("").await.remove(0);

    for nothing in [json!({}), json!({"description": null, "tags": null})] {
        assert_eq!(client.post(&path, nothing).await.expect(204), Value::Null);
    }
    assert_eq!(client.tools("").await[0], before);

    client.post(&path, json!({"description": " New. "})).await.expect(204);
    let described = client.tools("").await.remove(0);
    assert_eq!(described["description"], "New.");
    assert_eq!(described["tags"], before["tags"]);
    assert_ne!(described["updated_at"], before["updated_at"]);
    assert_eq!(described["created_at"], before["created_at"]);

    client.post(&format!("{path}/"), json!({"tags": {"a": null}})).await.expect(204);
    let tagged = client.tools("").await.remove(0);
    assert_eq!((&tagged["description"], &tagged["tags"]), (&json!("New."), &json!([{"key": "a", "value": null}])));
    client.post(&path, json!({"tags": {}})).await.expect(204);
    assert_eq!(client.tools("").await[0]["tags"], json!([]));

    for (field, value) in [
        ("description", json!(" ")),
        ("description", json!(1)),
        ("tags", json!({"a": "!"})),
        ("name", json!("climate")),
    ] {
        assert_refused(client, &path, json!({field: value}), field).await;
    }
    client.post(&format!("tool/{}", "0".repeat(24)), json!({"description": "x"})).await.detail(404);
    client.post("tool/weather", json!({"description": "x"})).await.expect(422);
}

#[tokio::test]
async fn a_deleted_tool_is_on_record_and_of_no_more_use() {
    let (server, tool) = Server::with_tool("counter").await;
    let client = &server.client;
    client.publish(&tool, "counter", "minor").await.expect(201);
    let path = format!("tool/{tool}");

    assert_eq!(client.delete(&path).await.expect(204), Value::Null);

    assert_eq!(client.tools("deprecated=true").await[0]["id"], tool);
    assert!(client.tools("deprecated=false").await.is_empty());
    let versions = client.versions(&tool).await;
    assert_eq!(versions.len(), 2);
    assert!(versions.iter().all(|version| version["deprecated"] == true), "{versions:?}");
    client.invoke(&tool, "1.0.0", &[json!({})]).await.detail(404);
    client.publish(&tool, "counter", "minor").await.detail(404);
    client.post(&path, json!({"description": "x"})).await.detail(404);
    client.set_envvars(&tool, json!({"inserts": [{"name": "A", "value": "b", "is_secret": false}]})).await.detail(404);
    client.delete(&format!("{path}/version/1.0.0")).await.detail(404);
    client.delete(&format!("{path}/")).await.detail(404);
    client.delete(&format!("tool/{}", "0".repeat(24))).await.detail(404);

    // The name is free, and the next tool of that name begins anew.
    let next = client.create_tool("counter").await;
    assert_ne!(next, tool);
    let published = client.publish(&next, "counter", "major").await.expect(201);
    assert_eq!(published, json!({"new_version": "1.0.0"}));
    assert_eq!(client.tools("").await.len(), 2);
}

/// Fails unless the body is refused for one of its fields.
async fn assert_refused(client: &Client, path: &str, body: Value, field: &str) {
    let refused = client.post(path, body).await.expect(422);
    let told = &refused["detail"][0];
    assert_eq!(told["loc"][0], "body", "{refused}");
    assert!(told["loc"][1] == *field, "{field}: {refused}");
    assert!(told["msg"].is_string() && told["type"].is_string(), "{refused}");
}

fn names(tools: &[Value]) -> String {
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}
