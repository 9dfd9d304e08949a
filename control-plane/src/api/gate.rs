//! The gate before everything below `/v1`: whether requests are taken now, who asks, and how often. What a request says
//! is looked at only behind it, so a stranger learns nothing but 401, not even which paths and organizations exist.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::extract::{Authenticated, Organization};
use super::middleware::name_of;
use crate::app::App;
use crate::auth::Caller;
use crate::domain::rate_limits::{Class, Counted, Endpoint, Standing};
use crate::error::Error;
use crate::model::UserId;

/// What every path of the API begins with.
const API: &str = "/v1/";

/// The address on the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Lets a request pass, or refuses it.
pub async fn pass(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with(API) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let counted = match admit(&app, &mut parts).await {
        Ok(counted) => counted,
        Err(refusal) => return refusal.into_response(),
    };
    let (mut response, standing) = match counted {
        Ok(standing) => (next.run(Request::from_parts(parts, body)).await, standing),
        Err(standing) => {
            let refusal = Error::RateLimited { retry_after_s: standing.retry_after_s() };
            (ApiError::from(refusal).into_response(), Some(standing))
        }
    };
    if let Some(standing) = standing {
        say(response.headers_mut(), &standing);
    }
    response
}

/// Finds out who asks, keeps it for the handler, and counts the request.
async fn admit(app: &Arc<App>, parts: &mut Parts) -> Result<Counted, ApiError> {
    app.check_available()?;
    let route = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().trim_end_matches('/').to_owned());
    let class = route.as_deref().map(|route| class_of(&parts.method, route));
    if class == Some(Class::SignIn) {
        return Ok(count_sign_in(app, parts).await);
    }
    let Authenticated(caller) = Authenticated::from_request_parts(parts, app).await?;
    let counted = match class.zip(route) {
        // No endpoint, no limit: there is nothing to be had.
        None => Ok(None),
        Some((class, route)) => {
            app.count_request(&caller, class, Endpoint { method: endpoint_method(&parts.method), route })
        }
    };
    parts.extensions.insert::<Caller>(caller);
    Ok(counted)
}

async fn count_sign_in(app: &Arc<App>, parts: &mut Parts) -> Counted {
    let Some(Peer(address)) = parts.extensions.get::<Peer>().copied() else { return Ok(None) };
    let org = Organization::from_request_parts(parts, app).await.ok().map(|Organization(org)| org);
    let user = parts.headers.get("x-user-id").and_then(|id| UserId::parse(id.to_str().ok()?).ok());
    app.count_sign_in(org, user, address)
}

/// The class of an endpoint, by its whole route without a slash at the end.
fn class_of(method: &Method, route: &str) -> Class {
    let reads = *method == Method::GET || *method == Method::HEAD;
    match route.strip_prefix("/v1/{organization}").unwrap_or(route) {
        "/user/signin_with_api_key" => Class::SignIn,
        "/tool/test" => Class::Test,
        "/tool/{tool_id}/version/{version}/invoke" => Class::Invoke,
        "/tool/{tool_id}/version" if *method == Method::POST => Class::Publish,
        path if path.starts_with("/tool/git/") => Class::Git,
        _ if reads => Class::Read,
        _ => Class::Write,
    }
}

/// A HEAD does what its GET does.
fn endpoint_method(method: &Method) -> &'static str {
    if *method == Method::HEAD { "GET" } else { name_of(method) }
}

fn say(headers: &mut HeaderMap, standing: &Standing) {
    headers.insert("x-ratelimit-limit", HeaderValue::from(standing.limit));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(standing.remaining));
    headers.insert("x-ratelimit-reset", HeaderValue::from(standing.resets_at_s()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_has_its_class() {
        let cases = [
            ("POST", "/user/signin_with_api_key", Class::SignIn),
            ("GET", "/tool", Class::Read),
            ("HEAD", "/tool", Class::Read),
            ("POST", "/tool", Class::Write),
            ("POST", "/tool/{tool_id}/envvar", Class::Write),
            ("GET", "/tool/{tool_id}/version", Class::Read),
            ("POST", "/tool/{tool_id}/version", Class::Publish),
            ("DELETE", "/tool/{tool_id}/version/{version}", Class::Write),
            ("POST", "/tool/{tool_id}/version/{version}/invoke", Class::Invoke),
            ("POST", "/tool/test", Class::Test),
            ("GET", "/tool/git/{*git_path}", Class::Git),
            ("POST", "/tool/git/{*git_path}", Class::Git),
            ("POST", "/organization/api_key", Class::Write),
        ];
        for (method, path, expected) in cases {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(class_of(&method, &format!("/v1/{{organization}}{path}")), expected, "{method} {path}");
        }
    }
}
