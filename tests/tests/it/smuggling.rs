//! Requests that are written by hand so that two parsers understand them differently, or so that they reach a host which
//! the project does not name. Whoever judges and counts requests has to see what the server sees.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::network::Built;

/// The trick, the statuses of the answers, and how many requests come to the server.
const TRICKS: [(&str, &[u16], usize); 26] = [
    ("plain", &[200], 1),
    ("pipelined", &[200, 200], 2),
    // The encoding counts, as RFC 9112 has it, what is forwarded has but one of both, and nothing may follow.
    ("length_and_chunks", &[200], 1),
    ("chunks_and_length", &[200], 1),
    ("two_lengths", &[400], 0),
    ("signed_length", &[400], 0),
    ("odd_encoding", &[400], 0),
    ("encoding_not_last", &[400], 0),
    ("space_before_colon", &[400], 0),
    ("folded_header", &[400], 0),
    ("bare_return", &[400], 0),
    ("zero_byte", &[400], 0),
    // Found out while the body is read, of which nothing has been forwarded by then.
    ("large_chunk", &[], 0),
    ("odd_chunk", &[], 0),
    ("foreign_host", &[421], 0),
    ("two_hosts", &[421], 0),
    ("no_host", &[421], 0),
    ("old_without_host", &[421], 0),
    ("host_with_user", &[421], 0),
    ("host_of_another_port", &[421], 0),
    ("absolute", &[421], 0),
    ("absolute_with_user", &[421], 0),
    ("proxy", &[421], 0),
    ("upgrade", &[501], 0),
    ("http2", &[], 0),
    ("hidden_header", &[200], 1),
];

#[tokio::test]
async fn a_server_sees_no_request_that_was_not_judged() {
    let tool = Built::new().await;
    let port = tool.0.web.http;
    let named: Vec<_> = TRICKS.iter().map(|(trick, ..)| *trick).collect();
    assert_eq!(tool.returned("tricks_there_are", port).await, json!(named));
    let mut wrong = Vec::new();
    for (trick, statuses, requests) in TRICKS {
        let before = tool.0.web.requests.load(Ordering::SeqCst);
        let report = tool.run(trick, port).await;
        let came = tool.0.web.requests.load(Ordering::SeqCst) - before;
        let answered: Value =
            report["result"]["output"].as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
        let judged = report["network"]["requests"].as_u64().unwrap_or(0) as usize;
        if answered != json!(statuses) || came != requests || judged < came {
            wrong.push(format!("{trick}: {answered}, {came} came, and the report is {report}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn no_disguise_of_a_host_is_taken_for_one_that_is_allowed() {
    let tool = Built::new().await;
    let port = tool.0.web.http;
    let seen = tool.returned("disguised", port).await;
    let seen = seen.as_array().unwrap();
    assert!(seen.iter().all(|kind| kind == "EgressDenied" || kind == "URLError"), "{seen:?}");
    assert_eq!(tool.returned("injected", port).await, json!(["InvalidURL", "ValueError", "ValueError"]));
    assert_eq!(tool.0.web.requests.load(Ordering::SeqCst), 0);
}
