//! What operators look at.

use serde_json::{Value, json};

use crate::programs;
use crate::server::Server;

#[tokio::test]
async fn a_running_server_is_healthy_and_ready() {
    let server = Server::start().await;
    assert_eq!(server.client.page("/healthz").await.0, 200);
    assert_eq!(server.client.page("/readyz").await.0, 200);
    assert_eq!(server.client.page("/nowhere").await.0, 404);

    // A signal that would end other programs is about the certificate, of which there is none.
    server.signal(rustix::process::Signal::HUP);
    let log = || fs_err::read_to_string(server.installation.path("server.log")).unwrap();
    while !log().contains("there is no certificate to read again") {}
    assert_eq!(server.client.page("/healthz").await.0, 200);

    // It may have as many files open as the system lets it.
    let limits = fs_err::read_to_string(format!("/proc/{}/limits", server.process_id())).unwrap();
    let open_files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let open_files: Vec<u64> = open_files.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(matches!(open_files[..], [soft, hard] if soft == hard.min(1 << 20)), "{limits}");
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_refuses_writes_and_nothing_else() {
    let server = Server::start_with("[store]\nreserve_mib = 1000000000000\n").await;
    let client = &server.client;
    let refused = client.post("tool/", json!({"name": "a", "description": "A tool."})).await;
    assert!(refused.headers.contains_key("retry-after"));
    assert!(refused.detail(503).contains("is nearly full"));
    let (status, text) = client.page("/readyz").await;
    assert!(status == 503 && text.contains("is nearly full"), "{text}");
    assert!(client.tools("").await.is_empty());
    assert_eq!(client.page("/healthz").await.0, 200);
}

#[tokio::test]
async fn metrics_count_invocations_and_publishes() {
    let (server, tool) = Server::with_tool("counter").await;
    server.client.results(&tool, &[json!({}), json!({}), json!({})]).await;
    server.client.publish(&tool, "nowhere", "minor").await.detail(404);

    let (status, metrics) = server.client.page("/metrics").await;

    assert_eq!(status, 200);
    for (counter, least) in [("toolplane_invocations_total", 3.0), ("toolplane_publishes_total", 1.0)] {
        assert!(metrics.contains(&format!("# TYPE {counter} counter")), "{metrics}");
        assert!(sum(&metrics, counter) >= least, "{metrics}");
    }
    assert_eq!(sum(&metrics, "toolplane_invocations_total"), 3.0, "{metrics}");
}

#[tokio::test]
async fn the_contract_is_served_and_shown_without_asking_anybody_outside() {
    let server = Server::start().await;
    let (status, document) = server.client.page("/openapi.json").await;
    assert_eq!(status, 200);
    let document: Value = serde_json::from_str(&document).unwrap();
    let printed = programs::command("control-plane").arg("openapi").output().unwrap();
    assert_eq!(document, serde_json::from_slice::<Value>(&printed.stdout).unwrap());

    for path in ["/docs", "/docs/swagger-initializer.js", "/docs/index.css"] {
        let (status, text) = server.client.page(path).await;
        assert_eq!(status, 200, "{path}");
        assert!(!text.contains("://"), "{path} names an address: {text}");
    }
    let (_, settings) = server.client.page("/docs/swagger-initializer.js").await;
    assert!(settings.contains(r#""url": "/openapi.json""#), "{settings}");
    assert!(settings.contains(r#""validatorUrl": "none""#), "{settings}");
}

/// The sum of a counter over all its labels.
fn sum(metrics: &str, counter: &str) -> f64 {
    metrics
        .lines()
        .filter_map(|line| line.strip_prefix(counter))
        .filter(|rest| rest.starts_with(['{', ' ']))
        .map(|rest| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}
