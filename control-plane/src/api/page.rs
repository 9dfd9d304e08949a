//! Query strings of lists: filters, sorting, paging.
//!
//! A parameter that an endpoint does not know is ignored, as the web does: only JSON bodies have no room for more.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;

use super::error::ApiError;
use crate::error::{Error, InvalidField, Result};
use crate::store::Order;

/// Every parameter of the contract that has one value. Which of two is meant nobody can know.
const SINGLE: [&str; 13] = [
    "committed_on_or_after",
    "committed_on_or_before",
    "continuation_token",
    "deprecated",
    "include_last_commit_info",
    "limit",
    "path",
    "query",
    "ref",
    "service",
    "show_change_stats",
    "show_changed_files",
    "versions",
];

/// The largest token: what a signed number of 64 bits holds. The document names it.
const MAX_TOKEN: usize = i64::MAX as usize;

/// Every array of the contract that holds ids, each of them once.
const IDS: [&str; 4] = ["conversation_id", "id", "simulation_unit_test_set_run_id", "tool_id"];

/// The pairs of a query string. Arrays are repeated keys.
pub struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default())?)
    }
}

/// Parameters that are no text: not UTF-8, or with a NUL, which no text of ours holds.
fn texts_that_are_none(query: &str) -> Vec<InvalidField> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let problem = |(key, value): (&str, &str)| {
        let name = percent_decode_str(key).decode_utf8_lossy().into_owned();
        let broken = |text: &str| percent_decode_str(text).decode_utf8().is_err();
        let has_nul = |text: &str| text.contains("%00");
        if broken(key) || broken(value) {
            let message = "it is not UTF-8: encode it as UTF-8, then escape its bytes";
            return Some(InvalidField::new(vec!["query".into(), name.into()], "string_unicode", message));
        }
        let message = "it must not hold a NUL character";
        let nul = || InvalidField::new(vec!["query".into(), name.into()], "string_nul", message);
        (has_nul(key) || has_nul(value)).then(nul)
    };
    pairs.filter_map(problem).collect()
}

/// Parameters that stand more than once and may not, and ids that stand twice in one array.
fn repetitions(pairs: &[(String, String)]) -> Vec<InvalidField> {
    let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (key, value) in pairs {
        values.entry(key).or_default().push(value);
    }
    let mut problems = Vec::new();
    for (key, values) in values {
        if SINGLE.contains(&key) && values.len() > 1 {
            let message = format!("{key} has one value, and {} were given: send it once", values.len());
            problems.push(InvalidField::new(vec!["query".into(), key.into()], "repeated", message));
        }
        if IDS.contains(&key) {
            let mut seen = BTreeSet::new();
            for (index, value) in values.iter().enumerate().filter(|(_, value)| !seen.insert(**value)) {
                let message = format!("`{value}` stands twice: send each id once");
                problems.push(InvalidField::new(vec!["query".into(), key.into(), index.into()], "repeated", message));
            }
        }
    }
    problems
}

impl Query {
    /// Reads a query string, and says everything that is wrong with it at once.
    pub fn parse(query: &str) -> Result<Self> {
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut problems = texts_that_are_none(query);
        problems.extend(repetitions(&pairs));
        if problems.is_empty() { Ok(Self(pairs)) } else { Err(Error::Invalid(problems)) }
    }

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
        let (mut parsed, mut problems) = (Vec::new(), Vec::new());
        for (index, value) in self.many(key).into_iter().enumerate() {
            match parse(value) {
                Ok(value) => parsed.push(value),
                Err(error) => {
                    let loc = vec!["query".into(), key.into(), index.into()];
                    problems.push(InvalidField::new(loc, "value_error", error));
                }
            }
        }
        if problems.is_empty() { Ok(parsed) } else { Err(Error::Invalid(problems)) }
    }

    /// A key that may stand once: one of those that `SINGLE` names.
    pub fn one(&self, key: &str) -> Option<&str> {
        self.many(key).last().copied()
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.one(key) {
            None => Ok(None),
            Some("true" | "True" | "1") => Ok(Some(true)),
            Some("false" | "False" | "0") => Ok(Some(false)),
            Some(_) => Err(Error::invalid(["query", key], "bool_parsing", format!("{key} must be true or false"))),
        }
    }

    /// The part of the list that is asked for.
    pub fn page(&self, default_limit: usize, max_limit: usize) -> Result<Page> {
        let mut problems = Vec::new();
        let mut number = |key: &str, default: usize, range: std::ops::RangeInclusive<usize>, rule: String| {
            let number = self.one(key).map_or(Ok(default), str::parse);
            let kind = match number {
                Ok(number) if range.contains(&number) => return number,
                Ok(number) if number < *range.start() => "greater_than_equal",
                Ok(_) => "less_than_equal",
                Err(_) => "int_parsing",
            };
            problems.push(InvalidField::new(vec!["query".into(), key.into()], kind, rule));
            default
        };
        let limit = number("limit", default_limit, 1..=max_limit, format!("limit must be from 1 to {max_limit}"));
        let rule = "continuation_token must be the one of the previous page, or 0".to_owned();
        let token = number("continuation_token", 0, 0..=MAX_TOKEN, rule);
        if problems.is_empty() { Ok(Page { token, limit }) } else { Err(Error::Invalid(problems)) }
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
            let unknown = || match name {
                "" => "it names no field: write it as +field or -field".to_owned(),
                _ => format!("`{name}` is no field to sort by"),
            };
            field(name).map(|field| (field, order)).ok_or_else(unknown)
        };
        self.parsed("sort_by", parse)
    }
}

/// The part of a list that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// The token of the page before it; 0 is none.
    pub token: usize,
    /// How many it may hold.
    pub limit: usize,
}

impl Page {
    /// Whether this is the first page.
    pub fn is_first(self) -> bool {
        self.token == 0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_or_stands_twice_is_refused_by_name() {
        let cases = [
            ("limit=1&limit=2", "limit", "repeated"),
            ("id=a&id=b&id=a", "id", "repeated"),
            ("tag=%ff", "tag", "string_unicode"),
            ("%ff=a", "\u{fffd}", "string_unicode"),
            ("query=a%00b", "query", "string_nul"),
        ];
        for (text, name, kind) in cases {
            let Err(Error::Invalid(problems)) = Query::parse(text) else { panic!("{text} was accepted") };
            assert_eq!((&problems[0].loc[1], problems[0].kind), (&name.into(), kind), "{text}");
        }
        for text in ["", "&&", "tag=a&tag=a", "unknown=1&unknown=2", "query=%F0%9F%98%80+x", "limit"] {
            assert!(Query::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn both_numbers_of_a_page_are_judged() {
        for (text, kind) in [
            ("limit=0", "greater_than_equal"),
            ("limit=21", "less_than_equal"),
            ("limit=-1", "int_parsing"),
            ("limit=", "int_parsing"),
            ("limit=1.0", "int_parsing"),
            ("continuation_token=99999999999999999999", "int_parsing"),
            ("continuation_token=18446744073709551615", "less_than_equal"),
        ] {
            let Err(Error::Invalid(problems)) = Query::parse(text).unwrap().page(10, 20) else {
                panic!("{text} was accepted")
            };
            assert_eq!(problems[0].kind, kind, "{text}");
        }
        let Err(Error::Invalid(both)) = Query::parse("limit=x&continuation_token=y").unwrap().page(10, 20) else {
            panic!()
        };
        assert_eq!(both.len(), 2);
        let page = Query::parse("continuation_token=5").unwrap().page(10, 20).unwrap();
        assert_eq!((page.token, page.limit), (5, 10));
    }
}
