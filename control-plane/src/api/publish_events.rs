//! The events of a publish: its steps as they happen, then what came of it.

use std::convert::Infallible;

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};

use super::error::ApiError;
use crate::domain::publish::Publishing;
use crate::domain::steps::Progress;
use crate::error::Result;
use crate::model::Version;

/// Whether the client asks for events.
pub fn wanted(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|value| value.split(','));
    types.any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream")))
}

/// `event: step` with `{step, state, duration_ms}` for each step, and at the end `event: result` with `{new_version}` or
/// `event: error` with `{status, detail}`. Who stops listening stops nothing.
pub fn stream(publishing: Publishing) -> Response {
    let events = stream::unfold(Some(publishing), |publishing| async move {
        let mut publishing = publishing?;
        Some(match publishing.steps.recv().await {
            Some(progress) => (step(progress), Some(publishing)),
            None => (end(publishing.ended().await), None),
        })
    });
    let events = futures::StreamExt::map(events, Ok::<_, Infallible>);
    // A comment every 15 seconds keeps proxies from closing the connection while a tool is compiled.
    let mut response = Sse::new(events).keep_alive(KeepAlive::default()).into_response();
    // What nginx and those who follow it call not collecting an answer before it is passed on.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn step(progress: Progress) -> Event {
    let duration_ms = progress.duration.map(|duration| (duration.as_secs_f64() * 1e6).round() / 1e3);
    event("step", &json!({"step": progress.step, "state": progress.state, "duration_ms": duration_ms}))
}

fn end(published: Result<Version>) -> Event {
    match published {
        Ok(version) => event("result", &json!({"new_version": version.to_string()})),
        Err(error) => {
            let (status, body) = ApiError::from(error).described();
            event("error", &json!({"status": status.as_u16(), "detail": body["detail"]}))
        }
    }
}

fn event(name: &str, data: &Value) -> Event {
    // JSON on one line, so that it is one line of data.
    Event::default().event(name).data(data.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_for_those_who_ask_for_them() {
        let accepting = |value: &'static str| HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))]);
        assert!(wanted(&accepting("text/event-stream")));
        assert!(wanted(&accepting("application/json, Text/Event-Stream;q=0.5")));
        assert!(!wanted(&accepting("application/json")));
        assert!(!wanted(&accepting("*/*")));
        assert!(!wanted(&HeaderMap::new()));
    }
}
