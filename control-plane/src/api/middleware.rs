//! What happens to every request: it is counted and timed, by its route and never by its path.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use super::trace::{REQUEST_ID, Trace};
use crate::app::App;
use crate::config::LoggedRequests;
use crate::spans::Span;

/// Counts, times, and gives the request a name that its log lines and its answer carry.
pub async fn measure(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (started, started_at) = (Instant::now(), SystemTime::now());
    let trace = Trace::of(request.headers());
    let method = name_of(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!(
        "request",
        id = trace.request_id(),
        trace_id = hex::encode(trace.trace_id),
        span_id = hex::encode(trace.span_id),
        method,
        route
    );
    let in_flight = InFlight::enter(&app);
    let mut response = next.run(request).instrument(span.clone()).await;
    drop(in_flight);

    response.headers_mut().insert(REQUEST_ID, trace.request_id.clone());
    let failed = response.status().is_server_error();
    let status = response.status().as_u16().to_string();
    let metrics = &app.metrics;
    metrics.http_requests.with_label_values(&[method, &route, &status]).inc();
    let elapsed = started.elapsed();
    metrics.http_request_duration.with_label_values(&[method, &route]).observe(elapsed.as_secs_f64());
    let is_logged = match app.config.log.requests {
        LoggedRequests::None => false,
        LoggedRequests::Failed => failed,
        LoggedRequests::All => true,
    };
    if is_logged {
        let _within = span.enter();
        tracing::info!(%status, duration_ms = elapsed.as_secs_f64() * 1e3, "Answered a request");
    }
    if app.spans.are_wanted() && trace.is_sampled {
        app.spans.offer(Span {
            trace_id: trace.trace_id,
            span_id: trace.span_id,
            parent_id: trace.parent_id,
            name: format!("{method} {route}"),
            started_at,
            duration: elapsed,
            attributes: vec![
                ("http.request.method", method.to_owned()),
                ("http.route", route),
                ("http.response.status_code", status),
                ("toolplane.request_id", trace.request_id().to_owned()),
            ],
            failed,
        });
    }
    response
}

/// A method's name. Those that no route has are one, since a client may make up as many as it likes.
pub fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Counts down when it is dropped, so that a request whose client went away is counted down too.
struct InFlight<'a>(&'a App);

impl<'a> InFlight<'a> {
    fn enter(app: &'a App) -> Self {
        app.metrics.http_in_flight.inc();
        Self(app)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.metrics.http_in_flight.dec();
    }
}
