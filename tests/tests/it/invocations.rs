//! Invocations stay on record: what went in, what came out, which version, and what was printed.

use serde_json::{Value, json};

use crate::client::{Client, succeeded};
use crate::server::Server;

#[tokio::test]
async fn every_invocation_is_on_record_with_its_input_its_result_and_its_logs() {
    let (server, tool) = Server::with_tool("prints").await;
    let client = &server.client;
    client.result(&tool, json!({"times": 1})).await;
    client.result(&tool, json!({"times": 2})).await;

    let recorded = client.invocations(&format!("tool_id={tool}")).await;

    let inputs: Vec<_> = recorded.iter().map(|invocation| &invocation["inputs"]).collect();
    assert_eq!(inputs, [&json!({"times": 2}), &json!({"times": 1})], "newest first");
    let newest = recorded[0].as_object().unwrap();
    let source = json!({
        "type": "regular-conversation",
        "user_id": client.key.user_id,
        "conversation_id": null,
        "interaction_id": null,
        "invocation_metadata": null,
    });
    assert_eq!(newest["org_id"], client.key.organization_id);
    assert_eq!(newest["invocation_status"], succeeded("spoken"));
    assert_eq!(newest["invocation_source"], source);
    assert_eq!(newest["tool_id"], tool);
    assert_eq!(newest["tool_version"], json!({"major": 1, "minor": 0, "patch": 0}));
    assert!(newest["duration_ms"].as_f64().unwrap() > 0.0);
    for field in ["created_at", "updated_at"] {
        assert!(newest[field].as_str().unwrap().ends_with('Z'), "{field} is in UTC");
    }

    let id = newest["id"].as_str().unwrap();
    assert!(id.len() == 24 && id.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)), "{id}");
    let one = client.get(&format!("tool/invocation/{id}")).await.expect(200);
    let lines =
        |number: u32| format!("stdout {number}\nstderr {number}\nlogging {number}\nINFO context.log {number}\n");
    assert_eq!(one["logs"], lines(1) + &lines(2), "everything printed, in its order");
    for (field, value) in newest {
        assert_eq!(&one[field], value, "{field}");
    }
    client.get(&format!("tool/invocation/{}", "0".repeat(24))).await.detail(404);

    pages_end_and_repeat_nothing(client, &recorded).await;
}

async fn pages_end_and_repeat_nothing(client: &Client, recorded: &[Value]) {
    let first = client.get("tool/invocation?sort_by=-created_at&limit=1").await.expect(200);
    assert_eq!(first["tool_invocations"], json!([recorded[0]]));
    assert_eq!(first["has_more"], true);
    let token = first["continuation_token"].as_u64().expect("a token is an integer");

    let next = format!("tool/invocation?sort_by=-created_at&limit=1&continuation_token={token}");
    let second = client.get(&next).await.expect(200);
    assert_eq!(second["tool_invocations"], json!([recorded[1]]));
    assert_eq!(second["has_more"], false);
    assert_eq!(second["continuation_token"], Value::Null);

    client.get("tool/invocation?sort_by=%2Bcreated_by").await.expect(422);
    client.get("tool/invocation?limit=101").await.expect(422);
    let none = client.invocations(&format!("tool_id={}", "0".repeat(24))).await;
    assert!(none.is_empty(), "another tool has no invocations");
}
