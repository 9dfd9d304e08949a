//! How many invocations may run and wait, and what those that are too many are told.

use serde_json::json;

use crate::client::{Answer, Client, failed, results, succeeded};
use crate::server::Server;

/// Room for one that runs and one that waits, of each organization, and for one more of all.
const SETTINGS: &str = "[invoke]\nconcurrent = 3\nconcurrent_per_organization = 1\nconcurrent_per_tool = 1\nwaiting = 2\n\
                        waiting_per_organization = 1\n";

#[tokio::test]
async fn what_is_too_much_is_refused_as_a_whole_and_says_when_to_come_again() {
    let server = Server::start_with(SETTINGS).await;
    let client = &server.client;
    server.author("work").push(&["counter"]);
    let tool = client.create_tool("counter").await;
    client.publish(&tool, "counter", "major").await.expect(201);
    let invoke = async |count: usize| client.invoke(&tool, "1.0.0", &vec![json!({}); count]).await;

    assert_eq!(results(invoke(2).await), vec![succeeded("1"); 2], "one ran, and one waited for it");
    let refused = invoke(3).await;
    assert_eq!(refused.headers["retry-after"], "1");
    let detail = refused.detail(429);
    assert!(detail.contains("invoke.concurrent_per_organization") && detail.contains("try again"), "{detail}");
    assert_eq!(client.invocations("").await.len(), 2, "nothing of what was refused has run");
    assert_eq!(results(invoke(1).await), [succeeded("1")]);

    let (_, metrics) = client.page("/metrics").await;
    assert!(metrics.contains("toolplane_invocations_refused_total{whose=\"organization\"} 1"), "{metrics}");

    let tested = json!({
        "inputs": vec![json!({"input_parameters": {}, "invocation_mode": "regular"}); 3],
        "commit_branch": "main",
        "project_path": "counter",
    });
    client.post("tool/test", tested).await.detail(429);
}

#[tokio::test]
async fn a_full_service_says_so_and_an_organization_that_is_busy_keeps_no_other_out() {
    let installation = crate::server::Installation::new();
    installation
        .configure("[invoke]\nconcurrent = 2\nconcurrent_per_organization = 1\nwaiting = 1\nwall_clock_s = 1\n");
    let neighbour = installation.add_organization("globex");
    let server = Server::start_on(installation).await;
    let client = &server.client;
    server.author("work").push(&["loops_forever"]);
    let tool = client.create_tool("loops_forever").await;
    client.publish(&tool, "loops_forever", "major").await.expect(201);
    let refused = client.invoke(&tool, "1.0.0", &vec![json!({"forever": false}); 3]).await;
    assert_eq!(refused.headers["retry-after"], "5");
    assert!(refused.detail(503).contains("invoke.waiting"));

    let neighbour = Client::sign_in(&client.server, &neighbour).await;
    crate::author::Author::new(&server.installation.path("theirs"), &neighbour.remote()).push(&["counter"]);
    let theirs = neighbour.create_tool("counter").await;
    neighbour.publish(&theirs, "counter", "major").await.expect(201);

    // Two loops: one runs for the second that it has, and one waits for it. The neighbour has a slot of its own.
    let loops = [json!({"forever": true}), json!({"forever": true})];
    let mut busy = std::pin::pin!(client.invoke(&tool, "1.0.0", &loops));
    let mut answered = 0;
    let busy: Answer = loop {
        tokio::select! {
            biased;
            answer = &mut busy => break answer,
            result = neighbour.result(&theirs, json!({})), if answered < 50 => {
                assert_eq!(result, succeeded("1"));
                answered += 1;
            }
        }
    };
    let stopped = failed("ToolTimeout", "the tool was stopped at its time limit of 1s", &[]);
    assert_eq!(results(busy), [stopped.clone(), stopped]);
    assert_eq!(answered, 50);
}
