//! What was answered is there after the process has ended, however it ended.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::json;

use crate::author::files_below;
use crate::client::succeeded;
use crate::programs;
use crate::server::Server;
use crate::worker::worker;

#[tokio::test]
async fn what_was_answered_is_there_after_a_kill() {
    let (server, tool) = Server::with_tool("counter").await;
    let result = server.client.result(&tool, json!({"step": 7})).await;
    let installation = server.kill();

    let server = Server::start_on(installation).await;

    assert_eq!(result, succeeded("7"));
    let recorded = server.client.invocations("").await;
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded[0]["invocation_status"], result);
    assert_eq!(recorded[0]["inputs"], json!({"step": 7}));
    assert_eq!(server.client.versions(&tool).await.len(), 1);
    let tools = server.client.get("tool/").await.expect(200);
    assert_eq!(tools["tools"][0]["id"], tool);
    assert_eq!(server.client.result(&tool, json!({"step": 8})).await, succeeded("8"));

    let author = server.author("after");
    author.git(&["pull", "--quiet", "origin", "main"]);
    let pulled = server.installation.path("after").join("counter");
    assert_eq!(files_below(&pulled), files_below(&programs::tool("counter")));
    author.push(&["counter"]);
    let published = server.client.publish(&tool, "counter", "patch").await.expect(201);
    assert_eq!(published, json!({"new_version": "1.0.1"}));
}

#[tokio::test]
async fn sigterm_ends_the_server_cleanly_and_gives_the_folder_back() {
    let server = Server::start().await;
    let tool = server.client.create_tool("counter").await;
    let installation = Arc::clone(&server.installation);

    assert_eq!(server.stop().code(), Some(0));

    let server = Server::start_on(installation).await;
    let tools = server.client.get("tool/").await.expect(200);
    assert_eq!(tools["tools"][0]["id"], tool);
}

#[tokio::test]
async fn sigterm_lets_an_invocation_end_and_says_at_once_that_nothing_more_is_taken() {
    let (server, tool) = Server::with_tool("sleeps_forever").await;
    let client = server.client.clone();
    let sleeping = tokio::spawn({
        let (client, tool) = (client.clone(), tool.clone());
        async move { client.result(&tool, json!({"seconds": 2.2})).await }
    });
    while !client.page("/metrics").await.1.contains("toolplane_invocations_running 1") {}

    let installation = Arc::clone(&server.installation);
    // A terminal and a service manager tell all processes at once.
    for signal in [Signal::TERM, Signal::INT] {
        kill_process(worker(&server), signal).unwrap();
    }
    server.terminate();
    // The signal arrives when it arrives; from then on nothing is taken. Each time over a new connection, since the server
    // closes those that are idle.
    let strangers = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    let ask = |path: &str| strangers.get(format!("{}{path}", client.server)).send();
    while ask("/readyz").await.unwrap().status() == 200 {}
    assert!(!sleeping.is_finished(), "it said so only after the work in flight");
    let refused = ask("/v1/acme/tool/").await.unwrap();
    assert!(refused.status() == 503 && refused.headers().contains_key("retry-after"), "{refused:?}");
    assert!(refused.text().await.unwrap().contains("shutting down"));
    assert_eq!(sleeping.await.unwrap(), succeeded("good morning"));
    assert_eq!(server.ended().code(), Some(0));

    let server = Server::start_on(installation).await;
    assert_eq!(server.client.invocations("").await[0]["invocation_status"]["output"], "good morning");
}

#[tokio::test]
async fn sigterm_waits_no_longer_than_configured() {
    let installation = crate::server::Installation::new();
    installation.configure("shutdown_timeout_s = 1\n");
    let server = Server::start_on(installation).await;
    server.author("work").push(&["loops_forever"]);
    let tool = server.client.create_tool("loops_forever").await;
    server.client.publish(&tool, "loops_forever", "major").await.expect(201);
    let (client, id) = (server.client.clone(), tool.clone());
    let looping = tokio::spawn(async move {
        let input = json!({"inputs": [{"input_parameters": {"forever": true}, "invocation_mode": "regular"}]});
        let request = client.anonymous(reqwest::Method::POST, &format!("tool/{id}/version/1.0.0/invoke"));
        request.bearer_auth(&client.token).json(&input).send().await.map(drop)
    });
    while !server.client.page("/metrics").await.1.contains("toolplane_invocations_running 1") {}
    let began = std::time::Instant::now();
    assert_eq!(server.stop().code(), Some(0));
    // Its own limit of 5 s would have ended it later.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    // It may have ended by its own time limit, or have been dropped.
    let _ = looping.await.unwrap();
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused() {
    let server = Server::start().await;
    let mut second = programs::command("control-plane");
    second.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(server.installation.data());
    second.stdin(Stdio::null());

    let mut second = tokio::process::Command::from(second);
    let ended = tokio::time::timeout(Duration::from_secs(60), second.kill_on_drop(true).output()).await;

    let refused = ended.expect("it gives up").unwrap();

    assert!(!refused.status.success());
    assert!(refused.stdout.is_empty(), "it says that it listens: {}", String::from_utf8_lossy(&refused.stdout));
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(stderr.contains("in use by another process"), "{stderr}");
    // The first one goes on as if nothing had happened.
    server.client.create_tool("counter").await;
}
