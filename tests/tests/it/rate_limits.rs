//! Rate limits, as they are by default and as they are set.

use reqwest::header::HeaderMap;
use serde_json::json;

use crate::server::{Key, Server};

#[tokio::test]
async fn the_sixth_sign_in_of_a_user_within_a_minute_is_refused_and_another_user_is_not() {
    let server = Server::start_with("[rate_limits]\n").await;
    let key = &server.client.key;
    let wrong = Key { api_key: "wrong".to_owned(), ..key.clone() };

    // The server's own client has signed in once. What is refused counts as well.
    for left in (0..4).rev() {
        let answer = server.client.try_sign_in(&wrong).await;
        assert_eq!((answer.status, number(&answer.headers, "x-ratelimit-remaining")), (401, left));
        assert_eq!(number(&answer.headers, "x-ratelimit-limit"), 5);
    }
    let refused = server.client.try_sign_in(key).await;
    assert_eq!(number(&refused.headers, "x-ratelimit-remaining"), 0);
    assert!((1..=60).contains(&number(&refused.headers, "retry-after")));
    refused.detail(429);

    // The other limits are what the contract has by default.
    let read = server.client.get("tool/").await;
    assert_eq!(number(&read.headers, "x-ratelimit-limit"), 600);
    let published = server.client.publish(&"0".repeat(24), "nowhere", "major").await;
    assert_eq!((published.status, number(&published.headers, "x-ratelimit-limit")), (404, 10));

    let other = Key { user_id: "0".repeat(24), ..wrong };
    server.client.try_sign_in(&other).await.detail(401);
    let (_, metrics) = server.client.page("/metrics").await;
    assert!(metrics.contains("toolplane_rate_limited_total{class=\"sign_in\"} 1"), "{metrics}");
}

#[tokio::test]
async fn each_endpoint_counts_for_itself_and_says_so_on_every_answer() {
    let server = Server::start_with("[rate_limits]\nreads_per_minute = 2\n").await;
    let client = &server.client;

    let first = client.get("tool/").await;
    assert_eq!(number(&first.headers, "x-ratelimit-limit"), 2);
    assert_eq!(number(&first.headers, "x-ratelimit-remaining"), 1);
    assert!(number(&first.headers, "x-ratelimit-reset") > 1_700_000_000);
    let invalid = client.get("tool?limit=0").await;
    assert_eq!(number(&invalid.headers, "x-ratelimit-remaining"), 0, "with and without a slash it is one endpoint");
    invalid.expect(422);
    client.get("tool/").await.detail(429);

    client.get("tool/invocation").await.expect(200);
    let made = client.post("tool/", json!({"name": "a", "description": "A tool.", "tags": {}})).await;
    assert_eq!(number(&made.headers, "x-ratelimit-limit"), 120);
    made.expect(201);
    let path = format!("tool/{}/version/1.0.0/invoke", "0".repeat(24));
    let unlimited = client.post(&path, json!({"inputs": []})).await;
    assert!(!unlimited.headers.contains_key("x-ratelimit-limit"));
}

#[track_caller]
fn number(headers: &HeaderMap, name: &str) -> u64 {
    headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap().parse().unwrap()
}
