//! On whose behalf a tool ran: recorded and listed as it was given.

use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

#[tokio::test]
async fn a_source_is_listed_as_it_was_given_and_a_wrong_one_is_refused_with_its_place() {
    let (server, tool) = Server::with_tool("counter").await;
    let client = &server.client;
    let machine = json!(["machine", 3]);
    let user = &client.key.user_id;
    let sources = [
        json!({"type": "regular-conversation", "user_id": user, "conversation_id": "c", "interaction_id": null,
            "invocation_metadata": {"type": "state-transition", "current_state_machine_and_version": machine,
                "state_name": "s", "state_transition_index": 1, "tool_call_round_index": 0}}),
        json!({"type": "regular-conversation", "user_id": user, "conversation_id": null, "interaction_id": "i",
            "invocation_metadata": {"type": "engage-user", "current_state_machine_and_version": machine,
                "tool_call_round_index": 2}}),
        json!({"type": "simulation-conversation", "simulation_unit_test_set_run_id": "r", "unit_test_id": null,
            "run_index": 7, "invocation_metadata": {"type": "tool-call-state",
                "current_state_machine_and_version": machine, "state_name": "s"}}),
        json!({"type": "simulation-conversation", "simulation_unit_test_set_run_id": null, "unit_test_id": "\u{e9}".repeat(512),
            "run_index": null, "invocation_metadata": null}),
    ];
    for source in &sources {
        invoke(client, &tool, source).await.expect(200);
        assert_eq!(client.invocations("").await[0]["invocation_source"], *source);
    }

    let transition = |name: &str, value: Value| {
        let mut source = sources[0].clone();
        source["invocation_metadata"][name] = value;
        source
    };
    let cases = [
        (json!({"type": "regular-conversation"}), json!(["user_id"])),
        (json!({"type": "regular-conversation", "user_id": user, "run_index": null}), json!(["run_index"])),
        (json!({"type": "nobody"}), json!(["type"])),
        (transition("more", json!(1)), json!(["invocation_metadata", "more"])),
        (transition("state_transition_index", json!(0)), json!(["invocation_metadata", "state_transition_index"])),
        (
            transition("current_state_machine_and_version", json!(["m".repeat(513), 1])),
            json!(["invocation_metadata", "current_state_machine_and_version"]),
        ),
        (json!({"type": "simulation-conversation", "unit_test_id": "u".repeat(513)}), json!(["unit_test_id"])),
        (transition("state_name", Value::Null), json!(["invocation_metadata", "state_name"])),
    ];
    for (source, place) in cases {
        let refused = invoke(client, &tool, &source).await.expect(422);
        let loc = [json!("body"), json!("invocation_source")].into_iter().chain(place.as_array().unwrap().clone());
        assert_eq!(refused["detail"][0]["loc"], loc.collect::<Value>(), "{source}");
    }
    assert_eq!(client.invocations("").await.len(), sources.len());
}

async fn invoke(client: &Client, tool: &str, source: &Value) -> crate::client::Answer {
    let inputs = json!([{"input_parameters": {}, "invocation_mode": "regular"}]);
    let body = json!({"inputs": inputs, "invocation_source": source});
    client.post(&format!("tool/{tool}/version/1.0.0/invoke"), body).await
}
