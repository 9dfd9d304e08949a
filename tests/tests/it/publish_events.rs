//! A publish tells its steps as events to who asks for them.

use serde_json::{Value, json};

use crate::client::{Client, succeeded};
use crate::server::Server;

/// The events of a publish, read one by one.
pub struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    /// Begins a publish. It has to be accepted: from then on it is under way.
    pub async fn publish(client: &Client, tool: &str, project: &str, bump: &str) -> Self {
        let response = request(client, tool, project, bump).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        Self { response, text: String::new() }
    }

    /// The next event: its name and its data. None when there are no more.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                // What has no name is a comment that keeps the connection open.
                let Some(name) = field("event:") else { continue };
                return Some((name.to_owned(), serde_json::from_str(field("data:").unwrap()).unwrap()));
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Reads until a step has begun.
    pub async fn until_started(&mut self, step: &str) {
        loop {
            let (name, data) = self.next().await.expect("the step comes before the end");
            assert_eq!(name, "step", "{data}");
            if data["step"] == step && data["state"] == "started" {
                return;
            }
        }
    }

    /// Reads to the end: the steps, each as `step state`, and the last event.
    async fn rest(mut self) -> (Vec<String>, String, Value) {
        let mut steps = Vec::new();
        while let Some((name, data)) = self.next().await {
            if name != "step" {
                assert!(self.next().await.is_none(), "something comes after {name}");
                return (steps, name, data);
            }
            let has_ended = ["succeeded", "failed"].contains(&data["state"].as_str().unwrap());
            assert_eq!(data["duration_ms"].is_number(), has_ended, "{data}");
            steps.push(format!("{} {}", data["step"].as_str().unwrap(), data["state"].as_str().unwrap()));
        }
        panic!("the events end without saying how: {steps:?}");
    }
}

fn request(client: &Client, tool: &str, project: &str, bump: &str) -> reqwest::RequestBuilder {
    let path = format!("tool/{tool}/version");
    let body = json!({"project_path": project, "bump_type": bump});
    let request = client.anonymous(reqwest::Method::POST, &path).bearer_auth(&client.token).json(&body);
    request.header("accept", "text/event-stream")
}

#[tokio::test]
async fn the_steps_come_as_they_happen_and_the_result_at_the_end() {
    let server = Server::start().await;
    let client = &server.client;
    server.author("work").push(&["counter", "broken/missing_module"]);
    let tool = client.create_tool("counter").await;

    let (steps, name, data) = Events::publish(client, &tool, "counter", "major").await.rest().await;

    assert_eq!((name.as_str(), data), ("result", json!({"new_version": "1.0.0"})));
    let all =
        ["locate", "check", "queue", "prepare", "export", "resolve", "install", "import", "store", "compile", "record"];
    let both = |step: &&str| [format!("{step} started"), format!("{step} succeeded")];
    assert_eq!(steps, all.iter().flat_map(both).collect::<Vec<_>>());
    assert_eq!(client.result(&tool, json!({"step": 2})).await, succeeded("2"));

    // The same files again: there is nothing to build.
    let (steps, name, data) = Events::publish(client, &tool, "counter", "minor").await.rest().await;
    assert_eq!((name.as_str(), data), ("result", json!({"new_version": "1.1.0"})));
    let skipped: Vec<_> = steps.iter().filter_map(|step| step.strip_suffix(" skipped")).collect();
    assert_eq!(skipped, all[2..9]);

    let (steps, name, data) = Events::publish(client, &tool, "broken/missing_module", "minor").await.rest().await;
    assert_eq!((name.as_str(), &data["status"]), ("error", &json!(400)));
    assert!(data["detail"].as_str().unwrap().contains("src/missing_module.py:3"), "{data}");
    assert_eq!(steps.last().unwrap(), "import failed");
    let (steps, name, data) = Events::publish(client, &tool, "nowhere", "minor").await.rest().await;
    assert_eq!((name.as_str(), &data["status"]), ("error", &json!(404)));
    assert_eq!(steps, ["locate started", "locate failed"]);
    assert_eq!(client.versions(&tool).await.len(), 2);

    // What is wrong with the request itself is an answer like any other.
    for (tool, project, status) in [(&"0".repeat(24), "counter", 404), (&tool, "../counter", 422)] {
        let refused = crate::client::answer(request(client, tool, project, "minor")).await;
        assert_eq!(refused.headers["content-type"], "application/json");
        refused.expect(status);
    }
}

#[tokio::test]
async fn a_publish_goes_on_when_its_listener_hangs_up() {
    let server = Server::start().await;
    let client = &server.client;
    server.author("work").push(&["greeting"]);
    let tool = client.create_tool("greeting").await;

    let mut events = Events::publish(client, &tool, "greeting", "major").await;
    events.until_started("import").await;
    drop(events);

    while client.versions(&tool).await.is_empty() {
        tokio::task::yield_now().await;
    }
    let result = client.result(&tool, json!({"name": "Ada"})).await;
    assert_eq!(result["succeeded"], true, "{result}");
}
