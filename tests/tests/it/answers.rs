//! Tools that answer: what an author expects of Python holds in the sandbox, from publish to result.

use serde_json::{Value, json};

use crate::client::{results, succeeded};
use crate::server::Server;

#[tokio::test]
async fn a_typed_function_answers_compact_json_and_uses_its_defaults() {
    let (server, tool) = Server::with_tool("greeting").await;

    let all = json!({"name": "Ada", "language": "nl", "exclamation_marks": 2});
    let answers = server.client.results(&tool, &[json!({"name": "Ada"}), all]).await;

    assert_eq!(answers[0], succeeded(r#"{"text":"Hello, Ada!","language":"en","length":11}"#));
    assert_eq!(answers[1], succeeded(r#"{"text":"Hallo, Ada!!","language":"nl","length":12}"#));

    let version = server.client.versions(&tool).await.remove(0);
    let schema = &version["input_schema"];
    assert_eq!(schema["required"], json!(["name"]));
    assert_eq!(schema["properties"]["name"]["description"], "Who is greeted");
    assert_eq!(schema["properties"]["language"]["default"], "en");
    assert_eq!(schema["properties"]["exclamation_marks"]["type"], "integer");
}

#[tokio::test]
async fn an_async_function_waits_for_several_things_at_once() {
    let (server, tool) = Server::with_tool("async_tool").await;

    let result = server.client.result(&tool, json!({"numbers": [1, 2, 3, 4]})).await;

    assert_eq!(result, succeeded(r#"{"doubled":[2,4,6,8],"most_at_once":4}"#));
}

#[tokio::test]
async fn a_tool_imports_modules_and_reads_its_own_files_while_it_runs() {
    let (server, tool) = Server::with_tool("late_import").await;

    let result = server.client.result(&tool, json!({"country": "peru"})).await;

    assert_eq!(result, succeeded(r#"{"capital":"Lima","median_length":4}"#));
}

#[tokio::test]
async fn a_simulation_runs_in_the_tools_place_and_is_recorded_as_one() {
    let (server, tool) = Server::with_tool("simulation").await;
    let input = [json!({"seats": 2})];

    let regular = results(server.client.invoke(&tool, "1.0.0", &input).await);
    let simulated = results(server.client.invoke_in("conversation-simulation", &tool, "1.0.0", &input).await);

    assert_eq!(regular, [succeeded(r#"{"booked":2,"by":"the tool","mode":"regular"}"#)]);
    let output = r#"{"booked":2,"by":"the simulation","mode":"conversation-simulation"}"#;
    assert_eq!(simulated, [succeeded(output)]);

    let recorded = server.client.invocations("invocation_source_type=simulation-conversation").await;
    let sources: Vec<&Value> = recorded.iter().map(|invocation| &invocation["invocation_source"]).collect();
    let source = json!({
        "type": "simulation-conversation",
        "simulation_unit_test_set_run_id": null,
        "unit_test_id": null,
        "run_index": null,
        "invocation_metadata": null,
    });
    assert_eq!(sources, [&source]);
}
