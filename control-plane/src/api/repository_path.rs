//! The path at the end of a URL, which the root's route does not have.

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;

use super::error::ApiError;
use crate::error::Error;

/// Where the routes of the repository begin, whatever they are nested in.
const REPOSITORY: &str = "/tool/repo/";

/// What stands where the route has its wildcard. Empty when the route ends before it.
pub struct RepositoryPath(pub Vec<u8>);

impl<S: Send + Sync> FromRequestParts<S> for RepositoryPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        let (_, route) = route
            .and_then(|route| route.split_once(REPOSITORY))
            .ok_or_else(|| Error::Internal(anyhow::anyhow!("a route of the repository does not name it")))?;
        let before = format!("{REPOSITORY}{}", route.split_once("{*").map_or(route, |(before, _)| before));
        let path = parts.uri.path().split_once(&before).map_or("", |(_, path)| path);
        Ok(Self(percent_decode_str(path).collect()))
    }
}
