//! The libraries that everybody uses for HTTP, unmodified, with real servers: what they do, what they refuse, and how
//! they say it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::fetched;
use crate::networked::{Networked, output};
use crate::web::Web;
use crate::web::answers::CHUNKED_BYTES;

/// What the tool `clients` needs, each in one version.
const PINS: &str = include_str!("../../tools/clients/wheels.txt");

/// A form with a field `name` and a file `file`, as each library writes it.
const FORM: [(&str, u64); 2] =
    [("form-data; name=\"name\"", 5), ("form-data; name=\"file\"; filename=\"a.txt\"", 100_000)];

/// A folder with those wheels, or None where they cannot be had.
pub fn wheels() -> Option<PathBuf> {
    fetched::wheels("clients", &PINS.lines().collect::<Vec<_>>())
}

/// The tool, and the ports of its servers.
struct Clients {
    tool: Networked,
    ports: Value,
}

impl Clients {
    async fn new(wheels: &Path) -> Self {
        let tool = Networked::with("clients", Web::start().await, &[], Some(wheels)).await;
        let Web { http, https, untrusted, expired, misnamed, .. } = tool.web;
        let ports =
            json!({"http": http, "https": https, "untrusted": untrusted, "expired": expired, "misnamed": misnamed});
        Self { tool, ports }
    }

    async fn run(&self, library: &str, what: &str, env: &[(&str, &str)]) -> Value {
        self.tool.run(&json!({"library": library, "what": what, "ports": self.ports}), env).await
    }

    fn api(&self) -> String {
        format!("https://api.test:{}", self.tool.web.https)
    }

    async fn used(&self, library: &str, what: &str) -> Value {
        output(&self.run(library, what, &[]).await)
    }
}

#[tokio::test]
async fn unmodified_libraries_work_and_fail_as_they_do_everywhere() {
    let Some(wheels) = wheels() else { return };
    let clients = Clients::new(&wheels).await;

    requests_and_urllib3(&clients).await;
    httpx(&clients).await;
    aiohttp(&clients).await;
    anyio(&clients).await;
    vendors(&clients).await;
    what_goes_wrong_is_told(&clients).await;
    proxies_lead_nowhere(&clients).await;
}

async fn requests_and_urllib3(clients: &Clients) {
    let report = clients.run("requests", "works", &[]).await;
    let expected = json!({
        "query": ["/a%20path", "q=%C3%B6%26", "yes", "gzip, deflate"],
        "redirected": [true, [302]],
        "moved": ["POST", 8],
        "cookies": ["a=b", "first=1", "second=2"],
        "gzip": ["gzip", "/gzip"],
        "streamed": ["chunked", CHUNKED_BYTES],
        "chunked": ["chunked", 300_000],
        "form": FORM,
        "expecting": 1000,
        "head": [200, true],
        "error": "HTTPError",
    });
    assert_eq!(output(&report), expected);
    assert_eq!(report["network"]["connections"], 1, "a session keeps its connection: {report:#}");

    let seen = clients.used("urllib3", "works").await;
    let expected = json!({
        "gzip": "/gzip",
        "redirected": [200, true],
        "form": [["form-data; name=\"name\"", 5], ["form-data; name=\"file\"; filename=\"a.bin\"", 1000]],
        "streamed": CHUNKED_BYTES,
        "chunked": 2000,
        "connections": 1,
    });
    assert_eq!(seen, expected);
}

async fn httpx(clients: &Clients) {
    let seen = clients.used("httpx", "works").await;
    let expected = json!({
        // HTTP/2 was asked for, and the host speaks HTTP/1.1.
        "query": ["HTTP/1.1", "q=%C3%B6"],
        "redirected": [format!("{}/echo", clients.api()), [302]],
        "moved": ["POST", 7],
        "cookies": ["a=b", "first=1", "second=2"],
        "gzip": ["gzip", "/gzip"],
        "streamed": CHUNKED_BYTES,
        "chunked": 300_000,
        "form": FORM,
    });
    assert_eq!(seen, expected);

    let seen = clients.used("httpx", "works_async").await;
    let expected = json!({
        "several": ["/0", "/1", "/2", "/3"],
        "redirected": format!("{}/echo", clients.api()),
        "streamed": CHUNKED_BYTES,
        "chunked": 300_000,
        "form": FORM,
    });
    assert_eq!(seen, expected);
}

async fn aiohttp(clients: &Clients) {
    let seen = clients.used("aiohttp", "works").await;
    let expected = json!({
        "several": ["/0", "/1", "/2", "/3"],
        "redirected": [true, 1],
        "cookies": ["a=b", "first=1", "second=2"],
        "gzip": "/gzip",
        "streamed": CHUNKED_BYTES,
        "chunked": 300_000,
        "form": FORM,
        "expecting": 1000,
    });
    assert_eq!(seen, expected);
}

async fn anyio(clients: &Clients) {
    let seen = clients.used("anyio", "works").await;
    let expected = json!({
        "order": ["first", "second"],
        "failures": "ExceptionGroup",
        "in_thread": [7, true],
        "asks_back": [3, 4],
        "fail_after": "TimeoutError",
        "moved_on": [true, true],
        "received": [0, 1, 2, 3, 4],
        "raises_in_thread": "ValueError",
    });
    assert_eq!(seen, expected);
    assert_eq!(clients.used("anyio", "runs_itself").await, json!({"portal": true, "future": 3}));
    assert_eq!(clients.used("anyio", "connects").await, json!({"answer": "HTTP/1.1 200 OK"}));
}

async fn vendors(clients: &Clients) {
    let stored = clients.used("vendors", "stores").await;
    assert_eq!(stored["put"], json!(["\"0\"", "100000"]));
    assert_eq!(stored["got"], json!([7, "0 bytes"]));
    assert_eq!(stored["never"], "ReadTimeoutError");
    told(&stored["unverified"], "SSLError", UNVERIFIED);

    let paid = clients.used("vendors", "pays").await;
    assert_eq!(paid["made"], json!(["cus_1", "name=Ada&metadata[a]=b"]));
    told(&paid["refused"], "AuthenticationError", "no such key");
    assert_eq!(clients.used("vendors", "pays_async").await, json!({"made": "cus_1"}));
}

const UNVERIFIED: &str = "certificates cannot go unchecked in the sandbox (verify=False, CERT_NONE)";

/// What every library says of a certificate, in OpenSSL's words, and of hosts that the project does not name.
const TEXTS: [(&str, &str); 6] = [
    ("unverified", UNVERIFIED),
    ("untrusted", "certificate verify failed: unable to get local issuer certificate"),
    ("expired", "certificate verify failed: certificate has expired"),
    ("misnamed", "certificate verify failed: Hostname mismatch, certificate is not valid for 'api.test'."),
    ("unnamed", "the tool may not connect to other.test:"),
    ("by_address", "the tool may not connect to 127.0.0.1:"),
];

async fn what_goes_wrong_is_told(clients: &Clients) {
    // The type for no answer, for one that stops in the middle, and then in the order of the texts.
    let cases = [
        (
            "requests",
            "fails",
            "ReadTimeout ConnectionError SSLError SSLError SSLError SSLError ConnectionError ConnectionError",
        ),
        (
            "urllib3",
            "fails",
            "ReadTimeoutError ReadTimeoutError SSLError SSLError SSLError SSLError NewConnectionError NewConnectionError",
        ),
        (
            "httpx",
            "fails",
            "ReadTimeout ReadTimeout ConnectError ConnectError ConnectError ConnectError ConnectError ConnectError",
        ),
        (
            "httpx",
            "fails_async",
            "ReadTimeout ReadTimeout ConnectError ConnectError ConnectError ConnectError ConnectError ConnectError",
        ),
        (
            "aiohttp",
            "fails",
            "SocketTimeoutError SocketTimeoutError ClientConnectorSSLError ClientConnectorCertificateError \
             ClientConnectorCertificateError ClientConnectorCertificateError ClientConnectorDNSError ClientConnectorError",
        ),
    ];
    for (library, what, kinds) in cases {
        let seen = clients.used(library, what).await;
        let mut kinds = kinds.split_whitespace();
        for name in ["never", "slow"] {
            assert_eq!(seen[name][0], kinds.next().unwrap(), "{library}.{what}: {seen:#}");
        }
        for ((name, text), kind) in TEXTS.into_iter().zip(kinds) {
            // anyio has one text for all failures to connect; the refusal is its cause.
            let is_told = (what, name) != ("fails_async", "by_address");
            told(&seen[name], kind, if is_told { text } else { "All connection attempts failed" });
        }
    }
    // Whatever the library makes of a refusal, the caller of the tool reads what to write.
    for (library, host) in [("requests", "other.test"), ("httpx", "127.0.0.1"), ("aiohttp", "127.0.0.1")] {
        let report = clients.run(library, "raises", &[]).await;
        assert_eq!(report["result"]["exception_type"], "EgressDenied", "{library}: {report:#}");
        let message = report["result"]["exception_message"].as_str().unwrap();
        assert!(message.contains(&format!("add \"{host}:")), "{library}: {message}");
    }
}

async fn proxies_lead_nowhere(clients: &Clients) {
    let proxy = "http://proxy.test:3128";
    let variables = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, proxy));
    for library in ["requests", "httpx", "aiohttp"] {
        let report = clients.run(library, "asks_a_proxy", &variables).await;
        let seen = output(&report);
        assert_eq!(seen["by_variable"], "/echo", "{library}: {seen:#}");
        if library != "aiohttp" {
            assert!(
                seen["by_code"].to_string().contains("the tool may not connect to proxy.test"),
                "{library}: {seen:#}"
            );
        }
        if library == "requests" {
            assert_eq!(seen["through_the_server"], 421);
        }
    }
}

#[track_caller]
fn told(seen: &Value, kind: &str, text: &str) {
    assert_eq!(seen[0], kind, "{seen:#}");
    assert!(seen[1].as_str().unwrap().contains(text), "`{text}` is not in {seen:#}");
}
