//! Variables of a tool: changed all together or not at all.

use serde_json::{Value, json};

use crate::client::Client;
use crate::server::{Installation, Server};

#[tokio::test]
async fn changes_are_made_together_or_not_at_all() {
    let server = Server::start().await;
    let client = &server.client;
    let tool = client.create_tool("weather").await;
    let made = client.tools("").await.remove(0);

    client.set_envvars(&tool, json!({})).await.expect(204);
    assert_eq!(client.tools("").await[0], made, "nothing was asked for");
    let inserts = json!([insert("UNITS", "metric"), secret("KEY", "k1"), insert("_A1", "")]);
    assert_eq!(client.set_envvars(&tool, json!({"inserts": inserts})).await.expect(204), Value::Null);
    let listed = client.tools("").await.remove(0);
    assert_eq!(listed["envvars"], json!(["UNITS", "_A1"]));
    assert_eq!(listed["secret_envvars"], json!(["KEY"]));
    assert_ne!(listed["updated_at"], made["updated_at"]);

    let all = json!({"inserts": [insert("B", "b")], "updates": [{"name": "KEY", "value": "k2"}], "deletes": [{"name": "_A1"}]});
    client.set_envvars(&tool, all).await.expect(204);
    let before = client.tools("").await.remove(0);
    assert_eq!((&before["envvars"], &before["secret_envvars"]), (&json!(["B", "UNITS"]), &json!(["KEY"])));

    let fine = insert("FINE", "f");
    let cases = [
        (409, json!({"inserts": [fine, insert("UNITS", "x")]})),
        (409, json!({"inserts": [fine, secret("KEY", "x")]})),
        (400, json!({"inserts": [fine], "updates": [{"name": "NOWHERE", "value": "x"}]})),
        (400, json!({"inserts": [fine], "deletes": [{"name": "NOWHERE"}]})),
        (400, json!({"deletes": [{"name": "B"}], "updates": [{"name": "_A1", "value": "x"}]})),
        (400, json!({"updates": [{"name": "B", "value": "x"}], "deletes": [{"name": "_A1"}]})),
    ];
    for (status, changes) in cases {
        client.set_envvars(&tool, changes).await.detail(status);
        assert_eq!(client.tools("").await[0], before);
    }
    client.set_envvars(&"0".repeat(24), json!({"inserts": [fine]})).await.detail(404);
}

#[tokio::test]
async fn every_change_follows_the_rules() {
    let installation = Installation::new();
    installation.configure("[tool]\nmax_variables = 3\nmax_variable_kib = 1\n");
    let server = Server::start_on(installation).await;
    let client = &server.client;
    let tool = client.create_tool("weather").await;

    let longest = "v".repeat(1023);
    client.set_envvars(&tool, json!({"inserts": [insert("A", &longest)]})).await.expect(204);
    let bad = [
        (json!({"inserts": [insert("a", "x")]}), json!(["inserts", 0, "name"])),
        (json!({"inserts": [insert("1A", "x")]}), json!(["inserts", 0, "name"])),
        (json!({"inserts": [insert("A-B", "x")]}), json!(["inserts", 0, "name"])),
        (json!({"inserts": [insert("", "x")]}), json!(["inserts", 0, "name"])),
        (json!({"inserts": [insert("AB", &longest)]}), json!(["inserts", 0, "value"])),
        (json!({"inserts": [insert("B", "a\0b")]}), json!(["inserts", 0, "value"])),
        (json!({"inserts": [{"name": "B", "value": "x"}]}), json!(["inserts", 0, "is_secret"])),
        (json!({"inserts": [{"name": "B", "value": null, "is_secret": true}]}), json!(["inserts", 0, "value"])),
        (json!({"inserts": [insert("B", "x"), insert("B", "y")]}), json!(["inserts", 1, "name"])),
        (json!({"inserts": [insert("A", "x")], "deletes": [{"name": "A"}]}), json!(["deletes", 0, "name"])),
        (json!({"updates": [{"name": "A", "value": "x"}, {"name": "A", "value": "y"}]}), json!(["updates", 1, "name"])),
        (json!({"updates": [{"name": "A", "value": "x", "is_secret": true}]}), json!(["updates", 0, "is_secret"])),
        (json!({"updates": [{"name": "A", "value": "x"}], "deletes": [{"name": "A"}]}), json!(["deletes", 0, "name"])),
        (json!({"deletes": [{"name": "A"}, {"name": "A"}]}), json!(["deletes", 1, "name"])),
        (json!({"deletes": ["A"]}), json!(["deletes", 0])),
        (json!({"inserts": null}), json!(["inserts"])),
        (json!({"removes": []}), json!(["removes"])),
        (json!({"deletes": [{"name": "A"}, {"name": "B"}, {"name": "C"}, {"name": "D"}]}), json!(["deletes"])),
    ];
    for (changes, place) in bad {
        let refused = client.set_envvars(&tool, changes.clone()).await.expect(422);
        let loc: Vec<_> = [json!("body")].into_iter().chain(place.as_array().unwrap().clone()).collect();
        assert_eq!(refused["detail"][0]["loc"], json!(loc), "{changes}");
        assert!(!refused.to_string().contains("vvvv"), "a value comes back: {refused}");
    }
    let two_more = json!({"inserts": [insert("B", "x"), insert("C", "x")]});
    client.set_envvars(&tool, two_more).await.expect(204);
    let detail = client.set_envvars(&tool, json!({"inserts": [insert("D", "x")]})).await.detail(400);
    assert!(detail.contains("at most 3 variables"), "{detail}");
    assert_eq!(client.tools("").await[0]["envvars"], json!(["A", "B", "C"]));
}

#[tokio::test]
async fn what_an_active_version_requires_cannot_be_deleted() {
    let server = Server::start().await;
    let client = &server.client;
    server.author("work").push(&["reads_variables"]);
    let tool = client.create_tool("reads_variables").await;
    let inserts = json!([insert("PLACE", "Ghent"), secret("PASSWORD", "swordfish"), insert("OTHER", "x")]);
    client.set_envvars(&tool, json!({"inserts": inserts})).await.expect(204);
    client.publish(&tool, "reads_variables", "major").await.expect(201);

    for name in ["PLACE", "PASSWORD"] {
        let detail = delete(client, &tool, &["OTHER", name]).await.detail(400);
        assert!(detail.contains(name) && detail.contains("1.0.0"), "{detail}");
    }
    assert_eq!(client.tools("").await[0]["envvars"], json!(["OTHER", "PLACE"]));
    // What the version requires can be given another value, and be gone once nothing requires it.
    client.set_envvars(&tool, json!({"updates": [{"name": "PLACE", "value": "Bruges"}]})).await.expect(204);
    assert!(client.result(&tool, json!({})).await["output"].as_str().unwrap().contains("Bruges"));
    client.delete(&format!("tool/{tool}/version/1.0.0")).await.expect(204);
    delete(client, &tool, &["PLACE", "PASSWORD"]).await.expect(204);

    let detail = client.publish(&tool, "reads_variables", "minor").await.detail(400);
    assert!(detail.contains("PLACE") && detail.contains("PASSWORD"), "{detail}");
}

async fn delete(client: &Client, tool: &str, names: &[&str]) -> crate::client::Answer {
    let deletes: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
    client.set_envvars(tool, json!({"deletes": deletes})).await
}

fn insert(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value, "is_secret": false})
}

fn secret(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value, "is_secret": true})
}
