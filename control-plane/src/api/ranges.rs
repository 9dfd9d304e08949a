//! Conditional requests and ranges of bytes, as RFC 9110 has them in its sections 13 and 14.

use axum::http::HeaderMap;
use axum::http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};

use crate::git::files::Part;

/// What a request wants of a thing whose entity tag and size are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    Whole,
    /// One range.
    Range(Part),
    /// Nothing: what the client has is current.
    NotModified,
    /// A range that the thing does not have.
    Unsatisfiable,
}

/// Reads the headers. `tag` stands in its quotes. Several ranges at once, or none that can be read, are answered with
/// the whole, as a server may.
pub fn wanted(headers: &HeaderMap, tag: &str, size_bytes: u64) -> Wanted {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(IF_NONE_MATCH).is_some_and(|tags| matches_any(tags, tag)) {
        return Wanted::NotModified;
    }
    // A date is no entity tag: whoever sends one gets the whole.
    if text(IF_RANGE).is_some_and(|known| known.trim() != tag) {
        return Wanted::Whole;
    }
    let Some(range) = text(RANGE).and_then(parse) else { return Wanted::Whole };
    let (start, end) = match range {
        Range::Bounded(first, last) => (first, last.saturating_add(1).min(size_bytes)),
        Range::From(first) => (first, size_bytes),
        Range::Last(length) => (size_bytes.saturating_sub(length), size_bytes),
    };
    if start >= end {
        return Wanted::Unsatisfiable;
    }
    Wanted::Range(Part { start, length: end - start })
}

/// Whether a list of tags, each perhaps marked as weak, has this one.
fn matches_any(tags: &str, tag: &str) -> bool {
    let mut tags = tags.split(',').map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    /// From the one to the other, both included.
    Bounded(u64, u64),
    /// From there to the end.
    From(u64),
    /// So many at the end.
    Last(u64),
}

fn parse(text: &str) -> Option<Range> {
    let (unit, range) = text.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    let number = |text: &str| text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse().unwrap_or(u64::MAX));
    let range = match (first, last) {
        ("", "") => return None,
        ("", length) => Range::Last(number(length)?),
        (first, "") => Range::From(number(first)?),
        (first, last) => Range::Bounded(number(first)?, number(last)?),
    };
    let is_backwards = matches!(range, Range::Bounded(first, last) if last < first);
    (unit.trim().eq_ignore_ascii_case("bytes") && !is_backwards).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"abc\"";

    fn of(pairs: &[(&'static str, &str)], size_bytes: u64) -> Wanted {
        let headers = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        wanted(&headers, TAG, size_bytes)
    }

    fn range(start: u64, length: u64) -> Wanted {
        Wanted::Range(Part { start, length })
    }

    #[test]
    fn a_range_is_cut_to_the_size() {
        for (text, expected) in [
            ("bytes=0-3", range(0, 4)),
            ("bytes=2-", range(2, 8)),
            ("bytes=-3", range(7, 3)),
            ("bytes=-30", range(0, 10)),
            ("bytes=8-99999999999999999999", range(8, 2)),
            ("Bytes=9-9", range(9, 1)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=10-20", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=3-2", Wanted::Whole),
            ("bytes=0-1,4-5", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("bytes", Wanted::Whole),
        ] {
            assert_eq!(of(&[("range", text)], 10), expected, "{text}");
        }
        assert_eq!(of(&[("range", "bytes=0-0")], 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn what_the_client_has_is_not_sent() {
        for tags in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert_eq!(of(&[("if-none-match", tags), ("range", "bytes=0-0")], 10), Wanted::NotModified, "{tags}");
        }
        for tags in ["\"x\"", "abc", ""] {
            assert_eq!(of(&[("if-none-match", tags)], 10), Wanted::Whole, "{tags}");
        }
    }

    #[test]
    fn a_range_of_another_state_is_the_whole() {
        assert_eq!(of(&[("if-range", TAG), ("range", "bytes=0-0")], 10), range(0, 1));
        for known in ["\"x\"", "W/\"abc\"", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            assert_eq!(of(&[("if-range", known), ("range", "bytes=0-0")], 10), Wanted::Whole, "{known}");
        }
    }
}
