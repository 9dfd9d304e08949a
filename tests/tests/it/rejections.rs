//! What is refused, and with which words: never a 500, and credentials come first.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::answer;
use crate::server::Server;

#[tokio::test]
async fn queries_and_paths_are_refused_with_their_place() {
    let server = Server::start().await;
    let id = "0".repeat(24);
    let cases = [
        ("tool/?limit=0".to_owned(), json!(["query", "limit"])),
        ("tool/?limit=21".to_owned(), json!(["query", "limit"])),
        ("tool/?limit=-1".to_owned(), json!(["query", "limit"])),
        ("tool/?limit=x".to_owned(), json!(["query", "limit"])),
        ("tool/?limit=1&limit=2".to_owned(), json!(["query", "limit"])),
        ("tool/?continuation_token=-1".to_owned(), json!(["query", "continuation_token"])),
        ("tool/?sort_by=".to_owned(), json!(["query", "sort_by", 0])),
        ("tool/?id=xyz".to_owned(), json!(["query", "id", 0])),
        (format!("tool/?id={id}&id={id}"), json!(["query", "id", 1])),
        ("tool/?tag=%ff".to_owned(), json!(["query", "tag"])),
        ("tool/?tag=a%00".to_owned(), json!(["query", "tag"])),
        ("tool/xyz/version".to_owned(), json!(["path", "tool_id"])),
        ("tool/%ff/version".to_owned(), json!(["path", "tool_id"])),
        ("tool/invocation/0".to_owned(), json!(["path", "invocation_id"])),
    ];
    for (path, loc) in cases {
        assert_eq!(answer(server.client.anonymous(Method::GET, &path)).await.status, 401, "{path}");
        assert_eq!(server.client.get(&path).await.expect(422)["detail"][0]["loc"], loc, "{path}");
    }
    server.client.get("tool/?unknown=1&unknown=2").await.expect(200);
    server.client.get("nowhere").await.detail(404);
    assert_eq!(answer(server.client.anonymous(Method::GET, "nowhere")).await.status, 401);
    let method = answer(server.client.anonymous(Method::PUT, "tool/").bearer_auth(&server.client.token)).await;
    assert!(method.headers["allow"].to_str().unwrap().contains("POST"));
    method.detail(405);
}

#[tokio::test]
async fn bodies_are_refused_with_all_of_their_problems() {
    let server = Server::start().await;
    let post = |kind: &'static str, body: Vec<u8>| {
        let request = server.client.anonymous(Method::POST, "tool/").bearer_auth(&server.client.token);
        answer(request.header("content-type", kind).body(body))
    };
    let cases = [
        ("text/plain", "{}", json!([["header", "content-type"]])),
        ("application/json", "{", json!([["body", 0]])),
        ("application/json", "[]", json!([["body"]])),
        ("application/json", r#"{"name": "a"}"#, json!([["body", "description"]])),
        (
            "application/json",
            r#"{"name": "a", "description": "A.", "x": 1, "y": 2}"#,
            json!([["body", "x"], ["body", "y"]]),
        ),
    ];
    for (kind, body, locs) in cases {
        let refused = post(kind, body.into()).await.expect(422);
        let found: Value = refused["detail"].as_array().unwrap().iter().map(|field| field["loc"].clone()).collect();
        assert_eq!(found, locs, "{body}");
    }
    let deep = [b"{\"name\": ".to_vec(), vec![b'['; 1000]].concat();
    assert_eq!(post("application/json", deep).await.expect(422)["detail"][0]["type"], "json_depth");
    let no_headers = answer(server.client.anonymous(Method::POST, "user/signin_with_api_key")).await.expect(422);
    assert_eq!(no_headers["detail"].as_array().unwrap().len(), 3);
    assert_eq!(no_headers["detail"][2]["loc"], json!(["header", "x-user-id"]));
}
