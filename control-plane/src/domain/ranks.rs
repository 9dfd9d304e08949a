//! Lists whose rows stay: a row that was ever there keeps its place among all of them, its *rank*, so a page can go on
//! after a row whatever has happened to that row meanwhile.

use std::cmp::Ordering;

use crate::error::{Error, Result};
use crate::model::{Tool, ToolVersion};

/// What is never removed, and of whose fields nothing that lists are sorted by changes, but for its deprecation.
pub trait Lasting: Clone {
    /// The same, deprecated or not.
    fn with_deprecation(self, deprecated: bool) -> Self;

    /// Whether it is deprecated.
    fn is_deprecated(&self) -> bool;
}

impl Lasting for Tool {
    fn with_deprecation(self, deprecated: bool) -> Self {
        Self { deprecated, ..self }
    }

    fn is_deprecated(&self) -> bool {
        self.deprecated
    }
}

impl Lasting for ToolVersion {
    fn with_deprecation(self, deprecated: bool) -> Self {
        Self { deprecated, ..self }
    }

    fn is_deprecated(&self) -> bool {
        self.deprecated
    }
}

/// All rows by rank, and which of them pass a filter.
pub struct Ranked<T> {
    rows: Vec<T>,
    passing: Vec<usize>,
}

impl<T: Lasting> Ranked<T> {
    /// The rows in the order in which they were made, of which some pass.
    pub fn new(rows: Vec<T>, passes: impl Fn(&T) -> bool) -> Self {
        let passing = rows.iter().enumerate().filter(|(_, row)| passes(row)).map(|(rank, _)| rank).collect();
        Self { rows, passing }
    }

    /// The rows that pass.
    pub fn passing(&self) -> impl Iterator<Item = &T> {
        self.passing.iter().map(|rank| &self.rows[*rank])
    }

    /// So many of the rows that pass, in an order whose last tie the rank breaks, from the first or from after the row
    /// that `token` names; and the token that goes on from there, if there is more. A token says of its row also
    /// whether it was deprecated then, which is where the row stood.
    pub fn page(self, token: usize, limit: usize, by: impl Fn(&T, &T) -> Ordering) -> Result<(Vec<T>, Option<usize>)> {
        let order =
            |(rank, row): (usize, &T), (other_rank, other): (usize, &T)| by(row, other).then(rank.cmp(&other_rank));
        let last = token.checked_sub(1).map(|place| {
            let (rank, deprecated) = (place / 2, place % 2 == 1);
            let row = self.rows.get(rank).cloned().ok_or_else(no_such_page)?;
            Ok::<_, Error>((rank, row.with_deprecation(deprecated)))
        });
        let last = last.transpose()?;
        let is_ahead =
            |rank: usize| last.as_ref().is_none_or(|(last, row)| order((rank, &self.rows[rank]), (*last, row)).is_gt());
        let mut ahead: Vec<usize> = self.passing.iter().copied().filter(|rank| is_ahead(*rank)).collect();
        ahead.sort_by(|a, b| order((*a, &self.rows[*a]), (*b, &self.rows[*b])));
        let has_more = ahead.len() > limit;
        ahead.truncate(limit);
        let token_of = |rank: &usize| 1 + 2 * rank + usize::from(self.rows[*rank].is_deprecated());
        let token = ahead.last().filter(|_| has_more).map(token_of);
        Ok((ahead.into_iter().map(|rank| self.rows[rank].clone()).collect(), token))
    }
}

fn no_such_page() -> Error {
    let message = "continuation_token must be 0, or the one of the previous page";
    Error::invalid(&["query", "continuation_token"], "value_error", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Row(&'static str, bool);

    impl Lasting for Row {
        fn with_deprecation(self, deprecated: bool) -> Self {
            Self(self.0, deprecated)
        }

        fn is_deprecated(&self) -> bool {
            self.1
        }
    }

    const NAMES: [&str; 6] = ["d", "a", "c", "b", "a", "e"];

    /// The names of a page, and the token of the next one.
    fn page(rows: &[Row], live_only: bool, token: usize, by: fn(&Row, &Row) -> Ordering) -> (String, Option<usize>) {
        let ranked = Ranked::new(rows.to_vec(), |row| !live_only || !row.1);
        let (page, next) = ranked.page(token, 2, by).unwrap();
        (page.iter().map(|row| row.0).collect(), next)
    }

    #[test]
    fn pages_go_on_after_a_row_that_no_longer_passes() {
        let mut rows = NAMES.map(|name| Row(name, false)).to_vec();
        let by_name = |a: &Row, b: &Row| a.0.cmp(b.0);
        let (first, token) = page(&rows, true, 0, by_name);
        assert_eq!(first, "aa");
        // The last one of the page and one before it are gone from the list, and one is new.
        rows[4].1 = true;
        rows[1].1 = true;
        rows.push(Row("bb", false));
        let (second, token) = page(&rows, true, token.unwrap(), by_name);
        assert_eq!(second, "bbb");
        let (third, token) = page(&rows, true, token.unwrap(), by_name);
        assert_eq!(third, "cd");
        assert_eq!(page(&rows, true, token.unwrap(), by_name), ("e".to_owned(), None));
    }

    #[test]
    fn a_row_that_moves_takes_no_page_with_it() {
        let mut rows = NAMES.map(|name| Row(name, false)).to_vec();
        let live_first = |a: &Row, b: &Row| a.1.cmp(&b.1);
        let (first, token) = page(&rows, false, 0, live_first);
        assert_eq!(first, "da");
        rows[1].1 = true;
        assert_eq!(page(&rows, false, token.unwrap(), live_first).0, "cb");
    }

    #[test]
    fn a_token_that_no_page_gave_is_refused() {
        let rows = NAMES.map(|name| Row(name, false)).to_vec();
        for token in [13, usize::MAX] {
            let refused = Ranked::new(rows.clone(), |_| true).page(token, 2, |_, _| Ordering::Equal);
            assert!(matches!(refused, Err(Error::Invalid(_))), "{token}");
        }
    }
}
