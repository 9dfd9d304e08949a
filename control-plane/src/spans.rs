//! Spans of requests, sent to a collector as OTLP over HTTP in JSON.
//!
//! No request waits for it: what there is no room for is dropped and counted. The format is a few fields of JSON, which cost
//! less than the crates that write it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::config;

/// The most spans of one message.
const SENT_AT_ONCE: usize = 512;

/// How long a span waits for others to be sent with.
const SENT_WITHIN: Duration = Duration::from_secs(1);

/// How long the collector may take.
const COLLECTOR_TAKES_AT_MOST: Duration = Duration::from_secs(10);

/// OTLP's number for what serves a request.
const SERVER: u8 = 2;

/// OTLP's number for a failure.
const FAILED: u8 = 2;

/// One request.
#[derive(Debug)]
pub struct Span {
    /// The trace that it belongs to.
    pub trace_id: [u8; 16],
    /// Its own id.
    pub span_id: [u8; 8],
    /// The caller's span.
    pub parent_id: Option<[u8; 8]>,
    /// The request's method and route.
    pub name: String,
    /// When it came.
    pub started_at: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// What else is known of it.
    pub attributes: Vec<(&'static str, String)>,
    /// Whether it failed by our own fault.
    pub failed: bool,
}

/// Where spans go.
#[derive(Debug)]
pub struct Spans {
    sender: Option<Sender<Span>>,
    dropped: AtomicU64,
}

impl Spans {
    /// Nowhere, unless the settings name a collector. Within an executor.
    pub fn start(settings: &config::Tracing) -> Self {
        let sender = settings.otlp_endpoint.as_ref().map(|endpoint| {
            let (sender, receiver) = channel(settings.waiting_spans.max(1));
            let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
            tokio::spawn(send(url, receiver));
            sender
        });
        Self { sender, dropped: AtomicU64::new(0) }
    }

    /// Whether anybody wants spans.
    pub fn are_wanted(&self) -> bool {
        self.sender.is_some()
    }

    /// Hands a span on.
    pub fn offer(&self, span: Span) {
        if self.sender.as_ref().is_some_and(|sender| sender.try_send(span).is_err()) {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                tracing::warn!(dropped, "The collector does not take spans as fast as they come; the rest is dropped");
            }
        }
    }
}

async fn send(url: String, mut receiver: Receiver<Span>) {
    let Ok(client) = reqwest::Client::builder().timeout(COLLECTOR_TAKES_AT_MOST).no_proxy().build() else {
        tracing::error!("Could not make a client for the collector of spans; none is sent");
        return;
    };
    let mut is_well = true;
    while let Some(first) = receiver.recv().await {
        let mut spans = vec![first];
        let more = async {
            while spans.len() < SENT_AT_ONCE
                && let Some(span) = receiver.recv().await
            {
                spans.push(span);
            }
        };
        // What has come until then goes together.
        let _ = tokio::time::timeout(SENT_WITHIN, more).await;
        let sent = client.post(&url).json(&message(&spans)).send().await.and_then(reqwest::Response::error_for_status);
        if let Err(error) = &sent
            && is_well
        {
            tracing::warn!(%error, "The collector did not take spans; no more is said of it until it does");
        }
        is_well = sent.is_ok();
    }
}

fn message(spans: &[Span]) -> Value {
    let spans: Vec<_> = spans.iter().map(span).collect();
    let service = [attribute("service.name", "toolplane"), attribute("service.version", env!("CARGO_PKG_VERSION"))];
    let scope = json!({"scope": {"name": "toolplane"}, "spans": spans});
    json!({"resourceSpans": [{"resource": {"attributes": service}, "scopeSpans": [scope]}]})
}

fn span(span: &Span) -> Value {
    let started = span.started_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanoseconds = |at: Duration| at.as_nanos().to_string();
    json!({
        "traceId": hex::encode(span.trace_id),
        "spanId": hex::encode(span.span_id),
        "parentSpanId": span.parent_id.map(hex::encode).unwrap_or_default(),
        "name": span.name,
        "kind": SERVER,
        "startTimeUnixNano": nanoseconds(started),
        "endTimeUnixNano": nanoseconds(started + span.duration),
        "attributes": span.attributes.iter().map(|(key, value)| attribute(key, value)).collect::<Vec<_>>(),
        "status": if span.failed { json!({"code": FAILED}) } else { json!({}) },
    })
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}
