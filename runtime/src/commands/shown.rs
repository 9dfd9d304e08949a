//! What an invocation has come to: for a person, and as JSON.

use runtime::network::NetworkUse;
use runtime::outcome::{Failure, Outcome, Report};
use serde_json::{Value, json};

/// The result on stdout, a failure on stderr, and a line on what it took; `more` ends that line. The logs were shown as
/// they came.
pub fn print_text(report: &Report, more: &str) {
    match &report.outcome {
        Outcome::Returned { output } => println!("{output}"),
        Outcome::Failed(failure) => print_failure(failure),
    }
    let milliseconds = report.duration.as_secs_f64() * 1e3;
    let network = network(&report.network);
    eprintln!("{milliseconds:.1} ms, {} MiB at the most{network}{more}", report.peak_memory_bytes >> 20);
}

/// A failure as Python prints one.
pub fn print_failure(failure: &Failure) {
    let Failure { exception_type, message, stack_trace } = failure;
    stack_trace.iter().for_each(|frame| eprintln!("  {frame}"));
    eprintln!("{exception_type}: {message}");
}

fn network(used: &NetworkUse) -> String {
    if used.connections == 0 && used.denied == 0 {
        return String::new();
    }
    let NetworkUse { requests, sent_bytes, received_bytes, .. } = used;
    let denied = if used.denied > 0 { format!("; refused: {}", used.denied_hosts.join(", ")) } else { String::new() };
    format!("; {requests} HTTP requests, {sent_bytes} bytes sent, {received_bytes} bytes received{denied}")
}

/// The whole report.
pub fn json(report: &Report) -> Value {
    let outcome = match &report.outcome {
        Outcome::Returned { output } => json!({"succeeded": true, "output": output}),
        Outcome::Failed(failure) => json!({
            "succeeded": false,
            "exception_type": failure.exception_type,
            "exception_message": failure.message,
            "exception_stack_trace": failure.stack_trace,
        }),
    };
    json!({
        "result": outcome,
        "logs": report.logs,
        "duration_ms": report.duration.as_secs_f64() * 1e3,
        "peak_memory_bytes": report.peak_memory_bytes,
        "network": {
            "connections": report.network.connections,
            "requests": report.network.requests,
            "sent_bytes": report.network.sent_bytes,
            "received_bytes": report.network.received_bytes,
            "denied": report.network.denied_hosts,
        },
    })
}
