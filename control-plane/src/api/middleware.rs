//! What happens to every request: it is counted and timed, by its route and never by its path.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

use crate::app::App;

/// Counts and times.
pub async fn measure(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = name_of(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let in_flight = InFlight::enter(&app);
    let response = next.run(request).await;
    drop(in_flight);

    let status = response.status().as_u16().to_string();
    let metrics = &app.metrics;
    metrics.http_requests.with_label_values(&[method, &route, &status]).inc();
    let elapsed = started.elapsed();
    metrics.http_request_duration.with_label_values(&[method, &route]).observe(elapsed.as_secs_f64());
    tracing::debug!(%method, %route, %status, duration_ms = elapsed.as_secs_f64() * 1e3, "Answered a request");
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
