//! What handlers ask for: the caller, a path's parameters, a body. Each fails in our shape.

use std::sync::Arc;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::ApiError;
pub use super::json::Json;
use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;
use crate::model::{Invalid, OrgId};

/// The organization in the path.
pub struct Organization(pub OrgId);

impl<S: Send + Sync> FromRequestParts<S> for Organization {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = match parts.extensions.get::<MatchedPath>() {
            Some(_) => path_parameter(parts, state, "organization").await?,
            // A path below the organization that nothing listens on.
            None => parts.uri.path().split('/').nth(2).unwrap_or_default().to_owned(),
        };
        let unknown = |_| Error::NotFound(format!("organization `{text}` does not exist"));
        Ok(Self(OrgId::parse(&text).map_err(unknown)?))
    }
}

/// A caller that has proved who it is: at the gate, which asks before anything else of the request is looked at.
pub struct Authenticated(pub Caller);

impl FromRequestParts<Arc<App>> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        if let Some(caller) = parts.extensions.remove::<Caller>() {
            return Ok(Self(caller));
        }
        let token = token(&parts.headers)?;
        // To a stranger no organization exists, so that nobody can ask which ones do.
        let refused = || Error::Unauthenticated("the token is not valid or has expired: sign in again".to_owned());
        let bearer = app.tokens.verify(&token.text).await.ok_or_else(refused)?;
        let Organization(org) = Organization::from_request_parts(parts, app).await?;
        let issuer = match parts.headers.get("x-org-id") {
            None => org.clone(),
            Some(value) => OrgId::parse(&String::from_utf8_lossy(value.as_bytes())).map_err(|_| refused())?,
        };
        let caller = app.authenticate(&bearer, &org, &issuer)?;
        let agrees = token.username.is_none_or(|name| name == format!("{issuer}_{}", caller.user_id));
        if !agrees {
            let message =
                "the username does not agree with the token: it is the organization's id, _, and the user's id";
            return Err(Error::Unauthenticated(message.to_owned()).into());
        }
        Ok(Self(caller))
    }
}

struct Token {
    text: String,
    /// What Git sends along: `{org_id}_{user_id}`.
    username: Option<String>,
}

fn token(headers: &HeaderMap) -> Result<Token, Error> {
    let missing = || Error::Unauthenticated("no credentials: send `Authorization: Bearer <token>`".to_owned());
    let malformed = || Error::Unauthenticated("the Authorization header is neither Bearer nor Basic".to_owned());
    let header = headers.get(AUTHORIZATION).ok_or_else(missing)?.to_str().map_err(|_| malformed())?;
    let (scheme, rest) = header.split_once(' ').ok_or_else(malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Token { text: rest.trim().to_owned(), username: None });
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.ok_or_else(malformed)?;
    let (username, password) = decoded.split_once(':').ok_or_else(malformed)?;
    Ok(Token { text: password.to_owned(), username: Some(username.to_owned()) })
}

/// A parameter of the path, parsed. One that is no valid id is 422.
pub async fn path_parameter<S: Send + Sync>(parts: &mut Parts, state: &S, name: &'static str) -> Result<String, Error> {
    let parameters = RawPathParams::from_request_parts(parts, state).await.map_err(|rejection| no_text(&rejection))?;
    let found = parameters.iter().find(|(parameter, _)| *parameter == name).map(|(_, value)| value.to_owned());
    found.ok_or_else(|| Error::internal(anyhow::anyhow!("the route has no {name}"), "read the path"))
}

/// The parameter that is no UTF-8 may be another than the one that is asked for.
fn no_text(rejection: &RawPathParamsRejection) -> Error {
    let text = rejection.body_text();
    let parameter = text.split('`').nth(1).unwrap_or("path");
    Error::invalid(["path", parameter], "string_unicode", "it is not UTF-8: encode it as UTF-8, then escape its bytes")
}

macro_rules! path_id {
    ($(#[$doc:meta])* $name:ident, $type:ty, $parameter:literal, $parse:expr) => {
        $(#[$doc])*
        pub struct $name(pub $type);

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
                let text = path_parameter(parts, state, $parameter).await?;
                let parse: fn(&str) -> Result<$type, Invalid> = $parse;
                let value = parse(&text);
                Ok(Self(value.map_err(|error| Error::invalid(["path", $parameter], "string_pattern_mismatch", error))?))
            }
        }
    };
}

path_id!(
    /// The tool in the path.
    ToolPath, crate::model::ToolId, "tool_id", crate::model::ToolId::parse
);
path_id!(
    /// The version or constraint in the path, as it stands.
    VersionPath, String, "version", |text| Ok(text.to_owned())
);
path_id!(
    /// The constraint in the path, as it stands.
    VersionsPath, String, "versions", |text| Ok(text.to_owned())
);
path_id!(
    /// The user in the path.
    UserPath, crate::model::UserId, "user_id", crate::model::UserId::parse
);
path_id!(
    /// The role in the path.
    RolePath, crate::model::RoleName, "role_name", crate::model::RoleName::parse
);
path_id!(
    /// The API key in the path.
    ApiKeyPath, crate::model::ApiKeyId, "api_key_id", crate::model::ApiKeyId::parse
);
path_id!(
    /// The branch in the path, as it stands.
    BranchPath, String, "branch_name", |text| Ok(text.to_owned())
);
path_id!(
    /// The invocation in the path.
    InvocationPath, crate::model::InvocationId, "invocation_id", crate::model::InvocationId::parse
);
