//! Query strings of lists: filters, sorting, paging.

use std::cmp::Ordering;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::error::ApiError;
use crate::error::{Error, Result};
use crate::store::Order;

/// The pairs of a query string. Arrays are repeated keys.
pub struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

impl Query {
    /// Every value of a key.
    pub fn many(&self, key: &str) -> Vec<&str> {
        self.0.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str()).collect()
    }

    /// Every value of a key, parsed.
    pub fn parsed<T, E: std::fmt::Display>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> std::result::Result<T, E>,
    ) -> Result<Vec<T>> {
        let values = self.many(key).into_iter().enumerate();
        values
            .map(|(index, value)| {
                let loc = ["query", key, &index.to_string()].map(str::to_owned);
                parse(value).map_err(|error| Error::invalid(&loc.each_ref().map(String::as_str), "value_error", error))
            })
            .collect()
    }

    /// The same, where no value may stand twice.
    pub fn unique<T, E: std::fmt::Display>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> std::result::Result<T, E>,
    ) -> Result<Vec<T>> {
        self.check_unique(key)?;
        self.parsed(key, parse)
    }

    /// Refuses a key that has the same value twice.
    pub fn check_unique(&self, key: &str) -> Result<()> {
        let values = self.many(key);
        let mut seen = std::collections::HashSet::new();
        match values.iter().position(|value| !seen.insert(*value)) {
            None => Ok(()),
            Some(index) => {
                let message = format!("`{}` is there twice: leave one out", values[index]);
                Err(Error::invalid(&["query", key, &index.to_string()], "value_error", message))
            }
        }
    }

    /// A key that may stand once.
    pub fn one(&self, key: &str) -> Option<&str> {
        self.many(key).last().copied()
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.one(key) {
            None => Ok(None),
            Some("true" | "True" | "1") => Ok(Some(true)),
            Some("false" | "False" | "0") => Ok(Some(false)),
            Some(_) => Err(Error::invalid(&["query", key], "bool_parsing", format!("{key} must be true or false"))),
        }
    }

    /// The part of the list that is asked for.
    pub fn page(&self, default_limit: usize, max_limit: usize) -> Result<Page> {
        let number = |key: &str| -> Result<Option<usize>> {
            let parse = |text: &str| {
                let message = || format!("{key} must be a whole number from 0 to {}", i64::MAX);
                let number = text.parse::<i64>().ok().and_then(|number| usize::try_from(number).ok());
                number.ok_or_else(|| Error::invalid(&["query", key], "int_parsing", message()))
            };
            self.one(key).map(parse).transpose()
        };
        let limit = number("limit")?.unwrap_or(default_limit);
        if limit == 0 || limit > max_limit {
            let message = format!("limit must be from 1 to {max_limit}");
            return Err(Error::invalid(&["query", "limit"], "less_than_equal", message));
        }
        Ok(Page { skip: number("continuation_token")?.unwrap_or(0), limit })
    }

    /// The fields to sort by, the first one first.
    pub fn sort<F>(&self, field: impl Fn(&str) -> Option<F>) -> Result<Vec<(F, Order)>> {
        let parse = |text: &str| {
            let (order, name) = match text.split_at_checked(1) {
                Some(("-", name)) => (Order::NewestFirst, name),
                // A plus that was not escaped arrives as a space.
                Some(("+" | " ", name)) => (Order::OldestFirst, name),
                _ => (Order::OldestFirst, text),
            };
            let unknown = || format!("`{name}` is no field to sort by");
            field(name).map(|field| (field, order)).ok_or_else(unknown)
        };
        self.parsed("sort_by", parse)
    }
}

/// The part of a list that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// How many entries come before it.
    pub skip: usize,
    /// How many it may hold.
    pub limit: usize,
}

impl Page {
    /// Cuts the page out of a whole list; says whether there is more.
    pub fn cut<T>(self, all: Vec<T>) -> (Vec<T>, bool) {
        let has_more = all.len() > self.skip.saturating_add(self.limit);
        (all.into_iter().skip(self.skip).take(self.limit).collect(), has_more)
    }

    /// The token of the next page.
    pub fn next_token(self, has_more: bool) -> Option<usize> {
        has_more.then(|| self.skip + self.limit)
    }

    /// Whether this is the first page.
    pub fn is_first(self) -> bool {
        self.skip == 0
    }
}

/// The order of two entries by the fields that are asked for, later ones breaking ties.
pub fn compare<T, F: Copy>(a: &T, b: &T, sort: &[(F, Order)], by_field: impl Fn(&T, &T, F) -> Ordering) -> Ordering {
    let by_fields = sort.iter().map(|(field, order)| {
        let ordering = by_field(a, b, *field);
        if *order == Order::NewestFirst { ordering.reverse() } else { ordering }
    });
    by_fields.fold(Ordering::Equal, Ordering::then)
}
