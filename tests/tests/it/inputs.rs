//! Inputs: they become real types, and what does not conform is refused before anything runs.

use serde_json::{Value, json};

use crate::client::succeeded;
use crate::server::Server;

#[tokio::test]
async fn inputs_become_real_types_and_a_wrong_one_is_refused_with_its_path() {
    let (server, tool) = Server::with_tool("dataclass_input").await;

    let early = visit("2026-03-01T10:00:00+00:00", json!(2), json!(["Al"]));
    let late = visit("2026-03-02T10:00:00Z", json!(1), json!(["Bo", "Al"]));
    let result = server.client.result(&tool, json!({"visits": [late, early]})).await;
    let output = concat!(
        r#"{"first":{"at":"2026-03-01T10:00:00+00:00","place":{"street":"Main","number":2},"priority":"high","#,
        r#""guests":["Al"]},"ends_at":"2026-03-02T10:30:00+00:00","guests":["Al","Bo"],"urgent":["high","high"]}"#,
    );
    assert_eq!(result, succeeded(output));

    let good = json!({"visits": [early]});
    let cases = [
        (json!({"visits": [early, visit("2026-03-01T10:00:00Z", json!("one"), json!([]))]}), "/visits/1/place/number"),
        (json!({"visits": [visit("2026-03-01T10:00:00Z", json!(1), json!(["Al", 7]))]}), "/visits/0/guests/1"),
        (json!({"visits": "none"}), "/visits"),
        (json!({}), "visits"),
        (json!({"visits": [], "hours": 1}), "hours"),
    ];
    for (bad, path) in cases {
        let detail = server.client.invoke(&tool, "1.0.0", &[good.clone(), bad]).await.detail(400);
        assert!(detail.contains(path), "{path} is not in: {detail}");
    }
    assert_eq!(server.client.invocations("").await.len(), 1, "nothing runs and nothing is recorded");

    for count in [0, 11] {
        let answer = server.client.invoke(&tool, "1.0.0", &vec![good.clone(); count]).await;
        let body = answer.expect(422);
        assert!(body["detail"][0]["loc"].as_array().unwrap().contains(&json!("inputs")), "{body}");
    }
    assert_eq!(server.client.invocations("").await.len(), 1);
}

#[tokio::test]
async fn an_input_that_takes_too_many_steps_is_refused_with_the_limit_s_name() {
    let server = Server::start_with("[invoke]\nschema_steps = 200\n").await;
    server.author("work").push(&["dataclass_input"]);
    let tool = server.client.create_tool("dataclass_input").await;
    server.client.publish(&tool, "dataclass_input", "major").await.expect(201);

    let one = visit("2026-03-01T10:00:00Z", json!(2), json!([]));
    assert_eq!(server.client.result(&tool, json!({"visits": [one]})).await["succeeded"], true);
    let many = json!({"visits": vec![one; 100]});
    let detail = server.client.invoke(&tool, "1.0.0", &[many]).await.detail(400);
    assert_eq!(
        detail,
        "inputs[0].input_parameters: the input takes more than 200 steps to be held against the tool's input_schema: \
         make it smaller (`invoke.schema_steps`)"
    );
    assert_eq!(server.client.invocations("").await.len(), 1);
}

fn visit(at: &str, number: Value, guests: Value) -> Value {
    json!({"at": at, "place": {"street": "Main", "number": number}, "priority": "high", "guests": guests})
}
