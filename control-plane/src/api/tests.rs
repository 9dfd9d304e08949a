//! The service's edge without a network: what is refused because of the service's own state, and what no client can
//! bring about at will, such as a body that never arrives.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use futures::stream;
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::app::App;
use crate::config::Config;
use crate::model::{
    Invocation, InvocationId, InvocationSource, InvocationStatus, OrgId, ToolId, UserId, UserRef, Version,
};
use crate::store::scope_key;

/// An organization with its first administrator.
struct Edge {
    app: Arc<App>,
    router: Router,
    org: OrgId,
    user: UserId,
    token: String,
    _folder: TempDir,
}

impl Edge {
    async fn new(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let org = OrgId::parse("acme").unwrap();
        let mut config = Config::for_folder(folder.path()).unwrap();
        change(&mut config);
        let app = App::open(config).unwrap();
        let user = app.init_organization(&org).await.unwrap().user_id;
        let token = app.tokens.sign(&org, user).unwrap().0;
        Self { router: super::router(Arc::clone(&app)), app, org, user, token, _folder: folder }
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_str(&text).unwrap_or(json!(text)),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    async fn create_tool(&self) -> Answer {
        let body = json!({"name": "weather", "description": "Forecasts."}).to_string();
        self.send(Method::POST, "/v1/acme/tool/", &[], Body::from(body)).await
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    /// The sentence of a refusal with that status.
    #[track_caller]
    fn refused(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{}", self.body);
        self.body["detail"].as_str().unwrap_or_else(|| panic!("no sentence in {}", self.body))
    }

    /// The same of one that will pass.
    #[track_caller]
    fn unavailable(&self, why: &str) {
        let detail = self.refused(503);
        assert!(detail.contains(why), "{detail}");
        assert!(self.headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn in_maintenance_only_operators_are_answered() {
    let edge = Edge::new(|config| config.http.maintenance = true).await;
    let sign_in = edge.send(Method::POST, "/v1/acme/user/signin_with_api_key", &[], Body::empty()).await;
    for answer in [edge.get("/v1/acme/tool/").await, edge.create_tool().await, sign_in, edge.get("/readyz").await] {
        answer.unavailable("the service is in maintenance");
    }
    for path in ["/healthz", "/metrics", "/openapi.json"] {
        assert_eq!(edge.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn whoever_comes_while_the_service_starts_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Config::for_folder(folder.path()).unwrap().http;
    let listener = super::Listener::from(tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap());
    let url = format!("http://{}", listener.local_addr().unwrap());
    // The library asks for one even where nothing speaks TLS. It fails only where there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = async {
        for (path, status) in [("/readyz", 503), ("/v1/acme/tool/", 503), ("/healthz", 200)] {
            let answer = http.get(format!("{url}{path}")).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{path}");
            assert_eq!(answer.headers().contains_key("retry-after"), status == 503, "{path}");
            let text = answer.text().await.unwrap();
            assert_eq!(text.contains("the service is starting"), status == 503, "{text}");
        }
        "open"
    };
    assert_eq!(super::serve_starting(&settings, &listener, asked).await, "open");
}

#[tokio::test]
async fn whoever_comes_while_the_service_ends_is_told_so() {
    let edge = Edge::new(|_| {}).await;
    assert_eq!(edge.get("/v1/acme/tool/").await.status, 200);
    assert_eq!(edge.get("/readyz").await.body, "ready\n");
    edge.app.stop_taking_requests();
    for path in ["/v1/acme/tool/", "/v1/acme/nowhere", "/readyz"] {
        edge.get(path).await.unavailable("the service is shutting down");
    }
    assert_eq!(edge.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_too_long_or_does_not_arrive_is_refused() {
    let edge = Edge::new(|config| (config.http.max_body_kib, config.http.body_timeout_s) = (1, 0)).await;
    let post = async |body: Body| edge.send(Method::POST, "/v1/acme/tool/", &[], body).await;
    let long = "x".repeat(1025);
    let announced = post(Body::from(long.clone())).await;
    assert_eq!(announced.refused(413), "the body is longer than 1024 bytes, which no request may be");
    let chunks: Vec<_> = long.as_bytes().chunks(100).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
    assert!(post(Body::from_stream(stream::iter(chunks))).await.refused(413).contains("1024 bytes"));
    let never = post(Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>())).await;
    assert_eq!(never.refused(408), "the body did not arrive within 0 s: send it faster");
}

#[tokio::test]
async fn headers_that_some_clients_send_mean_nothing() {
    let edge = Edge::new(|_| {}).await;
    let headers = [("x-mongo-cluster-name", "nowhere"), ("sec-websocket-protocol", "bearer, garbage")];
    let answer = edge.send(Method::GET, "/v1/acme/tool/", &headers, Body::empty()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn a_key_whose_first_request_runs_is_409_and_says_when_to_come_back() {
    let edge = Edge::new(|_| {}).await;
    let tool = edge.create_tool().await.body["id"].as_str().unwrap().to_owned();
    let user = UserRef { org_id: edge.org.clone(), user_id: edge.user };
    let invoke = async || {
        let body = json!({"inputs": [{"input_parameters": {}, "invocation_mode": "regular"}]}).to_string();
        let path = format!("/v1/acme/tool/{tool}/version/1.0.0/invoke");
        edge.send(Method::POST, &path, &[("idempotency-key", "k")], Body::from(body)).await
    };
    let scope = (edge.org.clone(), scope_key(&user, ToolId::parse(&tool).unwrap(), "k"));
    let running = edge.app.running_keys.try_take(scope).expect("nobody has it");
    let refused = invoke().await;
    assert!(refused.refused(409).contains("still running"));
    assert_eq!(refused.headers["retry-after"], "1");
    drop(running);
    assert!(invoke().await.refused(404).contains("1.0.0"), "now it has its turn, and there is no such version");
}

#[tokio::test]
async fn old_records_go_while_requests_are_answered() {
    const OLD: usize = 4096;
    const YOUNG: usize = 5;
    let edge = Edge::new(|config| config.store.keep_invocations_d = 1).await;
    let record = |created_at: Timestamp| Invocation { created_at, ..invocation(&edge.org) };
    let two_days_ago = Timestamp::now() - jiff::SignedDuration::from_hours(48);
    let mut records: Vec<_> = (0..OLD).map(|_| record(two_days_ago)).collect();
    records.extend((0..YOUNG).map(|_| record(Timestamp::now())));
    for batch in records.chunks(1000) {
        edge.app.store.record_invocations(&edge.org, batch).await.unwrap();
    }
    let list = async |rest: &str| edge.get(&format!("/v1/acme/tool/invocation?sort_by=created_at{rest}")).await;
    let first = list("&limit=1").await.body;
    assert_eq!(first["tool_invocations"][0]["id"], json!(records[0].id));
    let token = &first["continuation_token"];

    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async { stopped.await.map_or((), drop) };
    let serving = tokio::spawn(super::serve(Arc::clone(&edge.app), listener.into(), stopped));
    let young: Vec<_> = records[OLD..].iter().map(|record| record.id).collect();
    loop {
        // Whenever one asks, there are all of them or the young ones.
        let page = list("&limit=100").await;
        assert_eq!(page.status, 200, "{}", page.body);
        if page.body["has_more"] == false {
            let left: Vec<_> =
                page.body["tool_invocations"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
            assert_eq!(json!(left), json!(young));
            break;
        }
        tokio::task::yield_now().await;
    }
    let stale = list(&format!("&continuation_token={token}")).await;
    assert_eq!(stale.status, 422, "{}", stale.body);
    edge.get(&format!("/v1/acme/tool/invocation/{}", records[0].id)).await.refused(404);
    while !edge.get("/metrics").await.body.as_str().unwrap().contains("toolplane_records_removed_total 4096") {
        tokio::task::yield_now().await;
    }
    drop(stop);
    serving.await.unwrap().unwrap();
}

/// A record of an organization, of now.
fn invocation(org: &OrgId) -> Invocation {
    Invocation {
        id: InvocationId::new(),
        org_id: org.clone(),
        created_at: Timestamp::now(),
        invocation_status: InvocationStatus::Succeeded { output: "theirs".to_owned() },
        invocation_source: InvocationSource::RegularConversation {
            user_id: UserId::new(),
            conversation_id: None,
            interaction_id: None,
            invocation_metadata: None,
        },
        duration_ms: 1.0,
        tool_id: ToolId::new(),
        tool_version: Version::FIRST,
        inputs: json!({}),
        logs: String::new(),
    }
}

#[tokio::test]
async fn what_another_organization_has_does_not_exist() {
    let edge = Edge::new(|_| {}).await;
    let other = OrgId::parse("umbrella").unwrap();
    let theirs = edge.app.init_organization(&other).await.unwrap();
    let invocation = invocation(&other);
    edge.app.store.record_invocations(&other, std::slice::from_ref(&invocation)).await.unwrap();
    for path in [format!("tool/invocation/{}", invocation.id), format!("user/{}", theirs.user_id)] {
        edge.get(&format!("/v1/acme/{path}")).await.refused(404);
    }
    for path in [format!("user/{}", theirs.user_id), format!("organization/api_key/{}/", theirs.api_key_id)] {
        edge.send(Method::DELETE, &format!("/v1/acme/{path}"), &[], Body::empty()).await.refused(404);
    }
    assert_eq!(edge.get("/v1/acme/tool/invocation").await.body["tool_invocations"], json!([]));
    assert_eq!(edge.get("/v1/acme/tool/invocation/search?query=theirs").await.body["tool_invocations"], json!([]));
}
