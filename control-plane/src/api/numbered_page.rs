//! Pages of the repository's lists, whose tokens are the numbers of pages: the first one is 1.

use utoipa::openapi::path::Parameter;

use super::error::Result;
use super::page::Query;
use super::parameters;
use crate::error::Error;

/// The largest page, and the one when none is asked for.
const MAX_LIMIT: usize = 20;

/// The largest number of a page: what a signed number of 64 bits holds, as the document says.
const MAX_NUMBER: usize = i64::MAX as usize;

/// What the document says of such a page.
pub fn parameters() -> [Parameter; 2] {
    [parameters::limit(MAX_LIMIT, MAX_LIMIT), parameters::continuation_token(1)]
}

/// The part of a list that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct NumberedPage {
    number: usize,
    /// How many entries it may hold.
    pub limit: usize,
}

impl NumberedPage {
    /// Reads `limit` and `continuation_token`.
    pub fn of(query: &Query) -> Result<Self> {
        let number = |key: &'static str, default: usize, max: usize| match query.one(key).map(str::parse) {
            None => Ok(default),
            Some(Ok(number)) if (1..=max).contains(&number) => Ok(number),
            Some(_) => {
                let upper = if max == MAX_NUMBER { String::new() } else { format!(" to {max}") };
                let message = format!("{key} must be a whole number from 1{upper}");
                Err(Error::invalid(["query", key], "int_parsing", message))
            }
        };
        Ok(Self { limit: number("limit", MAX_LIMIT, MAX_LIMIT)?, number: number("continuation_token", 1, MAX_NUMBER)? })
    }

    /// How many entries come before it.
    pub fn skip(self) -> usize {
        (self.number - 1).saturating_mul(self.limit)
    }

    /// The token of the next page.
    pub fn next_token(self, has_more: bool) -> Option<usize> {
        has_more.then_some(self.number.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequestParts;
    use axum::http::Request;

    use super::*;

    async fn page(query: &str) -> Result<(usize, usize, Option<usize>)> {
        let (mut parts, ()) = Request::get(format!("/?{query}")).body(()).unwrap().into_parts();
        let query = Query::from_request_parts(&mut parts, &()).await.unwrap();
        NumberedPage::of(&query).map(|page| (page.skip(), page.limit, page.next_token(true)))
    }

    #[tokio::test]
    async fn pages_are_counted_from_one() {
        assert_eq!(page("").await.unwrap(), (0, 20, Some(2)));
        assert_eq!(page("limit=5&continuation_token=3").await.unwrap(), (10, 5, Some(4)));
        for query in ["limit=0", "limit=21", "limit=x", "continuation_token=0", "continuation_token=-1"] {
            assert!(page(query).await.is_err(), "{query}");
        }
    }
}
