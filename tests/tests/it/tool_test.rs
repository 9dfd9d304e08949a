//! Testing a branch's tip: built and run, published nowhere, recorded nowhere.

use serde_json::{Value, json};

use crate::client::{results, succeeded};
use crate::publish_events::Events;
use crate::server::Server;

const PASSWORD: &str = "correct-horse-7731";

#[tokio::test]
async fn a_branchs_tip_is_run_with_given_variables_and_leaves_no_trace() {
    let server = Server::start().await;
    let client = &server.client;
    let author = server.author("work");
    author.push(&["greeting"]);
    author.git(&["checkout", "--quiet", "-b", "feature/reading"]);
    author.push_to("feature/reading", &["reads_variables"]);
    let body = |inputs: Value| {
        json!({
            "inputs": inputs,
            "commit_branch": "feature/reading",
            "project_path": "reads_variables",
            "required_envvars": {"PLACE": "Ghent", "NOT_REQUIRED": "x"},
            "required_secret_envvars": {"PASSWORD": PASSWORD},
        })
    };
    let input = |parameters: Value| json!({"input_parameters": parameters, "invocation_mode": "regular"});

    let inputs = json!([input(json!({})), input(json!({"leak": true})), input(json!({"leak": true, "fail": true}))]);
    let answer = client.post("tool/test", body(inputs)).await;
    let results = results(answer);

    assert_eq!(results.len(), 3);
    let output: Value = serde_json::from_str(results[0]["output"].as_str().unwrap()).unwrap();
    assert_eq!((&output["place"], &output["password_length"]), (&json!("Ghent"), &json!(PASSWORD.len())));
    assert!(results[1]["output"].as_str().unwrap().contains("the password is "), "{}", results[1]);
    assert_eq!(results[2]["exception_type"], "ValueError");
    assert!(!json!(results).to_string().contains(PASSWORD), "the secret comes back");

    assert!(client.invocations("").await.is_empty());
    assert!(client.tools("").await.is_empty());

    // What was built to be tested is there when it is published.
    let tool = client.create_tool("reads_variables").await;
    let insert =
        |name: &str, value: &str, is_secret: bool| json!({"name": name, "value": value, "is_secret": is_secret});
    let inserts = json!([insert("PLACE", "Ghent", false), insert("PASSWORD", PASSWORD, true)]);
    client.set_envvars(&tool, json!({"inserts": inserts})).await.expect(204);
    author.git(&["push", "--quiet", "origin", "feature/reading:main"]);
    let mut events = Events::publish(client, &tool, "reads_variables", "major").await;
    let mut was_skipped = false;
    while let Some((name, data)) = events.next().await {
        was_skipped |= data["step"] == "import" && data["state"] == "skipped";
        assert_ne!(name, "error", "{data}");
    }
    assert!(was_skipped, "an unchanged project was built again");
}

#[tokio::test]
async fn what_cannot_be_tested_is_refused_with_the_reason() {
    let server = Server::start().await;
    let client = &server.client;
    server.author("work").push(&["reads_variables", "counter", "broken/syntax_error"]);
    let good = json!({
        "inputs": [{"input_parameters": {"step": 4}, "invocation_mode": "regular"}],
        "commit_branch": "main",
        "project_path": "counter",
        "required_envvars": {},
        "required_secret_envvars": {},
    });
    let with = |changes: Value| {
        let mut body = good.clone();
        changes.as_object().unwrap().iter().for_each(|(field, value)| body[field] = value.clone());
        body
    };
    let refusals = [
        (400, json!({"required_envvars": {"A": "1"}, "required_secret_envvars": {"A": "1"}}), "variable A stands in"),
        (
            400,
            json!({"project_path": "reads_variables", "required_secret_envvars": {"PASSWORD": "x"}}),
            "pyproject.toml:9: the project requires the variable PLACE",
        ),
        (
            400,
            json!({"project_path": "reads_variables", "required_envvars": {"PLACE": "x", "PASSWORD": "y"}}),
            "pyproject.toml:10: the project requires the variable PASSWORD",
        ),
        (400, json!({"project_path": "broken/syntax_error"}), "src/syntax_error.py:"),
        (400, json!({"inputs": [{"input_parameters": {"step": "x"}, "invocation_mode": "regular"}]}), "/step"),
        (404, json!({"commit_branch": "feature"}), "feature"),
        (404, json!({"commit_branch": "a..b"}), "a..b"),
        (404, json!({"project_path": "nowhere"}), "nowhere"),
    ];
    for (status, changes, part) in refusals {
        let detail = client.post("tool/test", with(changes)).await.detail(status);
        assert!(detail.contains(part), "`{part}` is not in: {detail}");
    }
    let input = &good["inputs"][0];
    let invalid = [
        (json!({"project_path": "../counter"}), json!(["body", "project_path"])),
        (json!({"project_path": ""}), json!(["body", "project_path"])),
        (json!({"commit_branch": ""}), json!(["body", "commit_branch"])),
        (json!({"inputs": []}), json!(["body", "inputs"])),
        (json!({"inputs": vec![input; 11]}), json!(["body", "inputs"])),
        (json!({"required_envvars": {"a": "1"}}), json!(["body", "required_envvars", "a"])),
        (json!({"required_envvars": {"A": 1}}), json!(["body", "required_envvars", "A"])),
        (json!({"required_secret_envvars": {"A": "a\0b"}}), json!(["body", "required_secret_envvars", "A"])),
        (
            json!({"required_secret_envvars": {"A": "v".repeat(40_000)}}),
            json!(["body", "required_secret_envvars", "A"]),
        ),
        (json!({"tool_id": "0"}), json!(["body", "tool_id"])),
    ];
    for (changes, loc) in invalid {
        let refused = client.post("tool/test", with(changes)).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"], loc, "{refused}");
        assert!(!refused.to_string().contains("vvvv"), "a value comes back: {refused}");
    }
    // The maps may be left out, as those of an input may.
    let mut short = good.clone();
    short.as_object_mut().unwrap().retain(|field, _| !field.starts_with("required"));
    assert_eq!(results(client.post("tool/test", short).await), [succeeded("4")]);
    assert!(client.invocations("").await.is_empty());
}
