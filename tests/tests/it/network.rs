//! What a tool does with the network: through the host, to the hosts that its project names, and nowhere else.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::client::succeeded;
use crate::networked::{self, Networked};
use crate::programs;
use crate::server::{Installation, Server};
use crate::web::Web;

/// The tool `network`.
pub struct Built(pub Networked);

impl Built {
    pub async fn new() -> Self {
        Self(Networked::new("network").await)
    }

    /// Runs one of the tool's functions, and answers the whole report.
    pub async fn run(&self, what: &str, port: u16) -> Value {
        self.0.run(&json!({"what": what, "port": port}), &[]).await
    }

    /// What a function returned, as JSON.
    pub async fn returned(&self, what: &str, port: u16) -> Value {
        networked::output(&self.run(what, port).await)
    }

    /// The type and message of what a function raised.
    async fn raised(&self, what: &str, port: u16) -> (String, String) {
        let report = self.run(what, port).await;
        let text =
            |name: &str| report["result"][name].as_str().unwrap_or_else(|| panic!("{what}: {report}")).to_owned();
        (text("exception_type"), text("exception_message"))
    }
}

#[tokio::test]
async fn the_standard_library_reaches_the_hosts_that_the_project_names() {
    let tool = Built::new().await;
    let Web { http, https, lines, .. } = tool.0.web;

    // Nothing that was tried while the tool was imported is in the way now. 2 is WASI's `EACCES`.
    let refusal = "there is no network while a tool is imported: use it inside the function";
    assert_eq!(tool.returned("while_built", http).await, json!([refusal, 2, refusal]));
    let got = tool.returned("get", http).await;
    assert_eq!((got["method"].as_str(), got["path"].as_str()), (Some("GET"), Some("/a%20path")));
    assert_eq!(got["headers"]["host"], format!("api.test:{http}"));
    let posted = tool.returned("post_securely", https).await;
    assert_eq!((posted["method"].as_str(), posted["size"].as_u64()), (Some("POST"), Some(100_000)));
    assert_eq!(posted["headers"]["x-own"], "yes");
    assert_eq!(tool.returned("twice", https).await, json!([2000, 3000]));
    assert_eq!(tool.returned("redirected", https).await, format!("https://x.below.test:{https}/echo"));
    assert_eq!(tool.returned("concurrently", https).await, json!(["/0", "/1", "/2"]));
    // What may be said twice is, by the host; the rest is the author's to decide.
    assert_eq!(tool.returned("closed_meanwhile", https).await, json!([200, "disconnected"]));
    let conversation = json!(["welcome", "hello", "STARTTLS", "secret", "TLSv1.3"]);
    assert_eq!(tool.returned("starttls", lines).await, conversation);

    let report = tool.run("twice", https).await;
    assert_eq!(report["network"]["requests"], 2);
    assert_eq!(report["network"]["sent_bytes"], 5000);
    assert_eq!(report["network"]["denied"], json!([]));
}

#[tokio::test]
async fn what_goes_wrong_is_told_as_the_library_tells_it() {
    let tool = Built::new().await;
    let Web { http, https, untrusted, .. } = tool.0.web;

    let (kind, message) = tool.raised("times_out", http).await;
    assert_eq!((kind.as_str(), message.as_str()), ("TimeoutError", "timed out"));
    let (kind, message) = tool.raised("untrusted", untrusted).await;
    assert_eq!(kind, "urllib.error.URLError");
    assert!(
        message.contains("CERTIFICATE_VERIFY_FAILED") && message.contains("unable to get local issuer"),
        "{message}"
    );
    let (_, message) = tool.raised("unverified", https).await;
    assert!(message.contains("certificates cannot go unchecked in the sandbox"), "{message}");
    let (kind, message) = tool.raised("no_such_name", https).await;
    assert_eq!(kind, "urllib.error.URLError", "{message}");
    assert_eq!(tool.returned("another_host", http).await, 421);
}

#[tokio::test]
async fn nothing_else_can_be_reached_and_the_message_says_what_to_write() {
    let tool = Built::new().await;
    let Web { http, https, .. } = tool.0.web;

    for (what, port, named) in [
        ("unnamed", https, format!("\"other.test:{https}\"")),
        ("another_port", http, format!("\"api.test:{}\"", http + 1)),
        ("by_address", http, format!("\"127.0.0.1:{http}\"")),
        ("redirected_elsewhere", https, "\"other.test\"".to_owned()),
    ] {
        let (kind, message) = tool.raised(what, port).await;
        assert_eq!(kind, "EgressDenied", "{what}: {message}");
        assert!(message.contains(&named) && message.contains("[tool.toolplane.egress]"), "{what}: {message}");
    }
    let requests = tool.0.web.requests.load(Ordering::SeqCst);
    assert_eq!(requests, 1, "only the redirect's first request may have come");
    let report = tool.run("by_address", http).await;
    assert_eq!(report["network"]["denied"], json!([format!("127.0.0.1:{http}")]));
    let (kind, _) = tool.raised("listens", http).await;
    assert_eq!(kind, "PermissionError");
}

#[tokio::test]
async fn an_address_of_the_operators_own_networks_is_refused_even_where_its_name_is_allowed() {
    let tool = Built::new().await;
    let port = tool.0.web.http;
    let mut command = tokio::process::Command::from(programs::command("runtime"));
    command.arg("run").arg(&tool.0.file).args(["--json", "--resolve", "api.test=127.0.0.1", "--input"]);
    let output = command.arg(json!({"what": "get", "port": port}).to_string()).output().await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["result"]["exception_type"], "EgressDenied", "{report}");
    let message = report["result"]["exception_message"].as_str().unwrap();
    assert!(message.contains("its address is one that the service keeps tools from"), "{message}");
    assert_eq!(tool.0.web.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn published_tools_share_connections_and_a_second_request_costs_no_handshake() {
    let web = Web::start().await;
    let installation = Installation::new();
    let config = format!(
        "[network]\nmax_requests = 2\nca_files = [{:?}]\nallow_networks = [\"127.0.0.0/8\"]\n[network.hosts]\n\"api.test\" = \"127.0.0.1\"\n",
        web.ca()
    );
    installation.configure(&config);
    let server = Server::start_on(installation).await;
    let author = server.author("work");
    web.write_tool(&programs::tool("network"), &author.folder().join("network"));
    author.push(&[]);
    let tool = server.client.create_tool("network").await;
    server.client.publish(&tool, "network", "major").await.expect(201);

    for _ in 0..3 {
        let result = server.client.result(&tool, json!({"what": "twice", "port": web.https})).await;
        assert_eq!(result, succeeded("[2000,3000]"));
    }
    assert_eq!(web.requests.load(Ordering::SeqCst), 6);
    let result = server.client.result(&tool, json!({"what": "thrice", "port": web.https})).await;
    let limit = "toolplane: the invocation has reached its limit of 2 HTTP requests (`network.max_requests` of the service's configuration)\\n";
    assert_eq!(result, succeeded(&format!("[200,200,429,\"{limit}\"]")));
    assert_eq!(web.handshakes.load(Ordering::SeqCst), 1);
}
