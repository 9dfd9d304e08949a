//! `Idempotency-Key`: what is sent again runs nothing.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Client, answer};
use crate::server::Server;

#[tokio::test]
async fn a_repeated_request_answers_the_first_result_and_runs_nothing_even_after_a_kill() {
    let (server, tool) = Server::with_tool("counter").await;
    let body = json!({"inputs": [input(3), input(4)]});

    let first = invoke(&server.client, &tool, "~=1.0", "k-1", &body).await;
    assert_eq!(first.headers["x-tool-version"], "1.0.0");
    let first = first.expect(200);
    let again = invoke(&server.client, &tool, "~=1.0", "k-1", &body).await;
    assert_eq!(again.headers["x-tool-version"], "1.0.0");
    assert_eq!(again.expect(200), first, "durations included");
    assert_eq!(server.client.invocations("").await.len(), 2);

    // A key belongs to its user.
    let other = server.client.with_role("DefaultUserRole").await;
    invoke(&other, &tool, "~=1.0", "k-1", &json!({"inputs": [input(9)]})).await.expect(200);
    assert_eq!(server.client.invocations("").await.len(), 3);

    // Another body, another path: another request.
    for (version, body) in [("~=1.0", json!({"inputs": [input(3)]})), ("1.0.0", body.clone())] {
        let refused = invoke(&server.client, &tool, version, "k-1", &body).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"], json!(["header", "idempotency-key"]));
    }
    for bad in ["", &"k".repeat(256), "a b"] {
        invoke(&server.client, &tool, "1.0.0", bad, &body).await.expect(422);
    }
    // What was refused has kept nothing.
    let wrong = json!({"inputs": [{"input_parameters": {"step": "x"}, "invocation_mode": "regular"}]});
    invoke(&server.client, &tool, "1.0.0", "k-2", &wrong).await.detail(400);

    let server = Server::start_on(server.kill()).await;
    assert_eq!(invoke(&server.client, &tool, "~=1.0", "k-1", &body).await.expect(200), first);
    assert_eq!(server.client.invocations("").await.len(), 3);
    invoke(&server.client, &tool, "1.0.0", "k-2", &body).await.expect(200);
    assert_eq!(server.client.invocations("").await.len(), 5);
}

fn input(step: u32) -> Value {
    json!({"input_parameters": {"step": step}, "invocation_mode": "regular"})
}

async fn invoke(client: &Client, tool: &str, version: &str, key: &str, body: &Value) -> Answer {
    let version = version.replace('~', "%7E").replace('=', "%3D");
    let request = client.anonymous(Method::POST, &format!("tool/{tool}/version/{version}/invoke"));
    answer(request.bearer_auth(&client.token).header("idempotency-key", key).json(body)).await
}
