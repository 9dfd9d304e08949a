//! Versions: how they are numbered, found, and listed.

use std::collections::BTreeMap;

use serde_json::json;

use crate::client::{results, succeeded};
use crate::server::Server;

const OUTPUT: &str = r#"{"text":"Hello, Ada!","language":"en","length":11}"#;

#[tokio::test]
async fn versions_are_numbered_by_the_bump_and_found_by_constraint() {
    let server = Server::start().await;
    let author = server.author("work");
    let client = &server.client;
    let tool = client.create_tool("greeting").await;
    let first = author.push(&["greeting"]);

    for bump in ["minor", "patch"] {
        client.publish(&tool, "greeting", bump).await.detail(400);
    }
    assert!(client.versions(&tool).await.is_empty(), "the first version has to be major");
    let published = client.publish(&tool, "greeting", "major").await.expect(201);
    assert_eq!(published, json!({"new_version": "1.0.0"}));

    // The same files in a new commit are a new version, and there is nothing to build.
    let second = author.push(&["greeting"]);
    let before = server.installation.lasting_files();
    let published = client.publish(&tool, "greeting", "minor").await.expect(201);
    assert_eq!(published, json!({"new_version": "1.1.0"}));
    assert_eq!(server.installation.lasting_files(), before, "an unchanged project was built again");
    let third = author.push(&["greeting"]);
    let published = client.publish(&tool, "greeting", "major").await.expect(201);
    assert_eq!(published, json!({"new_version": "2.0.0"}));

    let listed: BTreeMap<_, _> = client
        .versions(&tool)
        .await
        .into_iter()
        .map(|version| (version["version"].to_string(), version["tool_commit_hash"].as_str().unwrap().to_owned()))
        .collect();
    let version = |major: u64, minor: u64| json!({"major": major, "minor": minor, "patch": 0}).to_string();
    assert_eq!(
        listed,
        BTreeMap::from([(version(1, 0), first.clone()), (version(1, 1), second), (version(2, 0), third)])
    );

    let input = [json!({"name": "Ada"})];
    let cases = [
        ("1.0.0", "1.0.0"),
        ("2.0.0", "2.0.0"),
        ("==1.0.0", "1.0.0"),
        ("~=1.0", "1.1.0"),
        (">=1.0,<2", "1.1.0"),
        (">=1", "2.0.0"),
        ("!=2.0.0", "1.1.0"),
    ];
    for (asked, got) in cases {
        let answer = client.invoke(&tool, asked, &input).await;
        assert_eq!(answer.headers["x-tool-version"], got, "{asked}");
        assert_eq!(results(answer), [succeeded(OUTPUT)]);
    }
    for unknown in ["3.0.0", ">=3", "==1.0.1"] {
        client.invoke(&tool, unknown, &input).await.detail(404);
    }
    client.invoke(&"0".repeat(24), "1.0.0", &input).await.detail(404);
    let recorded = client.invocations("").await;
    assert_eq!(recorded.len(), cases.len());
    assert_eq!(recorded[0]["tool_version"], json!({"major": 1, "minor": 1, "patch": 0}));

    // What was published last stays ahead of what is published next.
    author.git(&["reset", "--quiet", "--hard", &first]);
    author.git(&["push", "--quiet", "--force", "origin", "main"]);
    client.publish(&tool, "greeting", "patch").await.detail(400);
    assert_eq!(client.versions(&tool).await.len(), 3);
}

#[tokio::test]
async fn a_listed_version_says_what_was_published_by_whom() {
    let (server, tool) = Server::with_tool("greeting").await;
    let key = &server.client.key;

    let mut listed = server.client.versions(&tool).await;

    assert_eq!(listed.len(), 1);
    let mut version = listed.remove(0);
    let fields = version.as_object_mut().unwrap();
    let user = json!({"user_id": key.user_id, "user_org_id": key.organization_id});
    for (field, value) in [
        ("org_id", json!(key.organization_id)),
        ("tool_id", json!(tool)),
        ("version", json!({"major": 1, "minor": 0, "patch": 0})),
        ("required_envvars", json!([])),
        ("required_secret_envvars", json!([])),
        ("project_directory", json!("greeting")),
        ("creator", user.clone()),
        ("updated_by", user),
        ("deprecated", json!(false)),
    ] {
        assert_eq!(fields.remove(field), Some(value), "{field}");
    }
    assert!(fields["lambda_version"].is_u64());
    assert!(fields["input_schema"].is_object());
    for field in ["id", "created_at", "updated_at", "tool_commit_hash", "amigo_scaffold_commit_hash"] {
        assert!(fields[field].is_string(), "{field}");
    }
}

#[tokio::test]
async fn a_publish_names_what_it_cannot_find() {
    let server = Server::start().await;
    let author = server.author("work");
    let tool = server.client.create_tool("greeting").await;

    server.client.publish(&tool, "greeting", "major").await.detail(404);
    author.push(&["counter"]);
    let detail = server.client.publish(&tool, "greeting", "major").await.detail(404);
    assert!(detail.contains("greeting"), "{detail}");
    server.client.publish(&"0".repeat(24), "counter", "major").await.detail(404);
    let body = json!({"project_path": "counter", "bump_type": "major", "commit_branch": "feature"});
    let detail = server.client.post(&format!("tool/{tool}/version"), body).await.detail(404);
    assert!(detail.contains("feature"), "{detail}");
    let body = json!({"project_path": "../counter", "bump_type": "huge"});
    server.client.post(&format!("tool/{tool}/version"), body).await.expect(422);
}
