//! Publishing beside others and within limits; versions by constraint, sorted, deprecated.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, answer, results};
use crate::publish_events::Events;
use crate::server::{Installation, Server};

#[tokio::test]
async fn one_publish_or_delete_of_a_tool_runs_at_a_time() {
    let installation = Installation::new();
    installation.configure("[build]\nwaiting = 0\n");
    let server = Server::start_on(installation).await;
    let client = &server.client;
    server.author("work").push(&["spins_at_import", "counter"]);
    let tool = client.create_tool("counter").await;
    let other = client.create_tool("other").await;

    let mut spinning = Events::publish(client, &tool, "spins_at_import", "major").await;
    spinning.until_started("import").await;

    let detail = client.publish(&tool, "counter", "major").await.detail(409);
    assert!(detail.contains("another publish or delete of this tool is running"), "{detail}");
    client.delete(&format!("tool/{tool}")).await.detail(409);
    client.publish(&tool, "../counter", "major").await.expect(422);
    client.publish(&"0".repeat(24), "counter", "major").await.detail(404);
    // Everything else goes on.
    client.post(&format!("tool/{tool}"), json!({"description": "Spins."})).await.expect(204);
    client.set_envvars(&tool, json!({"inserts": [{"name": "A", "value": "a", "is_secret": true}]})).await.expect(204);
    assert!(client.versions(&tool).await.is_empty());
    client.publish(&other, "nowhere", "major").await.detail(404);
    // Another tool may be published, but there is no room to wait for a build.
    let crowded = client.publish(&other, "counter", "major").await;
    assert!(crowded.headers.contains_key("retry-after"));
    crowded.detail(503);
    client.delete(&format!("tool/{other}")).await.expect(204);
    // It would spin until its deadline, for which nobody has to wait.
    server.kill();
}

#[tokio::test]
async fn versions_are_listed_resolved_and_deprecated_by_constraint() {
    let installation = Installation::new();
    installation.configure("[tool]\nmax_active_versions = 5\n");
    let server = Server::start_on(installation).await;
    let client = &server.client;
    server.author("work").push(&["counter"]);
    let tool = client.create_tool("counter").await;
    let path = format!("tool/{tool}/version");
    for bump in ["major", "minor", "major", "patch", "minor"] {
        client.publish(&tool, "counter", bump).await.expect(201);
    }

    let detail = client.publish(&tool, "counter", "major").await.detail(400);
    assert!(detail.contains("5 versions that are not deprecated"), "{detail}");
    // What does not exist is told before what is not allowed.
    client.publish(&tool, "nowhere", "major").await.detail(404);

    let key = &client.key;
    let creator = format!("creator={},{}", key.organization_id, key.user_id);
    let stranger = format!("creator={},{}", key.organization_id, "0".repeat(24));
    let cases = [
        ("", "1.0.0 1.1.0 2.0.0 2.0.1 2.1.0"),
        ("versions=%3E%3D1.1%2C%3C2.1", "1.1.0 2.0.0 2.0.1"),
        ("versions=~%3D2.0.0", "2.0.0 2.0.1"),
        ("versions=2.0.1", "2.0.1"),
        ("versions=%3D%3D3.*", ""),
        ("sort_by=-created_at", "2.1.0 2.0.1 2.0.0 1.1.0 1.0.0"),
        ("sort_by=-version.major&sort_by=%2Bversion.minor&sort_by=-version.patch", "2.0.1 2.0.0 2.1.0 1.0.0 1.1.0"),
        ("sort_by=-version.minor&sort_by=%2Bdeprecated", "1.1.0 2.1.0 1.0.0 2.0.0 2.0.1"),
        (&creator, "1.0.0 1.1.0 2.0.0 2.0.1 2.1.0"),
        (&stranger, ""),
        (&format!("{creator}&{stranger}&versions=1.0.0"), "1.0.0"),
    ];
    for (query, expected) in cases {
        assert_eq!(numbers(client, &tool, query).await, expected, "{query}");
    }
    let first = client.get(&format!("{path}?limit=3")).await.expect(200);
    let creators = json!([{"user_id": key.user_id, "user_org_id": key.organization_id}]);
    assert_eq!((&first["has_more"], &first["filter_values"]["creators"]), (&json!(true), &creators));
    let last = client.get(&format!("{path}?limit=3&continuation_token={}", first["continuation_token"])).await;
    let last = last.expect(200);
    assert_eq!(last["tool_versions"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&last["has_more"], &last["continuation_token"], &last["filter_values"]),
        (&json!(false), &json!(null), &json!(null))
    );
    let bad = [
        "limit=51",
        "sort_by=version",
        "versions=latest",
        "versions=",
        "creator=acme",
        "creator=acme,1",
        "deprecated=2",
    ];
    for query in bad {
        let refused = client.get(&format!("{path}?{query}")).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"][1], query.split('=').next().unwrap(), "{refused}");
    }
    client.get(&format!("tool/{}/version", "0".repeat(24))).await.detail(404);

    // Deprecating: nothing that matches nothing, everything that matches, and it is never resolved again.
    assert_eq!(delete(client, &tool, "%3E%3D9").await, 204);
    assert_eq!(delete(client, &tool, "latest").await, 422);
    assert_eq!(delete(client, &tool, "%20").await, 422);
    assert_eq!(numbers(client, &tool, "deprecated=true").await, "");
    assert_eq!(delete(client, &tool, "%3E%3D2%2C%21%3D2.0.0").await, 204);
    assert_eq!(numbers(client, &tool, "deprecated=true").await, "2.0.1 2.1.0");
    assert_eq!(numbers(client, &tool, "deprecated=false").await, "1.0.0 1.1.0 2.0.0");
    assert_eq!(delete(client, &tool, "2.1.0").await, 204);
    for (asked, got) in [(">=2", "2.0.0"), ("~=1.0", "1.1.0")] {
        let answer = client.invoke(&tool, asked, &[json!({})]).await;
        assert_eq!(answer.headers["x-tool-version"], got, "{asked}");
        results(answer);
    }
    for gone in ["2.1.0", "==2.0.1", ">2.0.0"] {
        client.invoke(&tool, gone, &[json!({})]).await.detail(404);
    }
    assert_eq!(delete(client, &"0".repeat(24), "1.0.0").await, 404);

    // There is room again, and a number is never given twice.
    let published = client.publish(&tool, "counter", "minor").await.expect(201);
    assert_eq!(published, json!({"new_version": "2.2.0"}));
    let builds: Vec<_> = client.versions(&tool).await.iter().map(|version| version["lambda_version"].clone()).collect();
    assert_eq!(builds, [1, 2, 3, 4, 5, 6]);
}

async fn delete(client: &Client, tool: &str, escaped_constraint: &str) -> u16 {
    let path = format!("tool/{tool}/version/{escaped_constraint}");
    answer(client.anonymous(Method::DELETE, &path).bearer_auth(&client.token)).await.status
}

/// The numbers of the versions that a query finds.
async fn numbers(client: &Client, tool: &str, query: &str) -> String {
    let found = client.get(&format!("tool/{tool}/version?{query}")).await.expect(200);
    let number = |version: &Value| {
        let part = |name: &str| version["version"][name].as_u64().unwrap();
        format!("{}.{}.{}", part("major"), part("minor"), part("patch"))
    };
    found["tool_versions"].as_array().unwrap().iter().map(number).collect::<Vec<_>>().join(" ")
}
