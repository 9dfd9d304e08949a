//! Lists whose rows are removed and changed: a page goes on after where its last row stood when the page was given, whatever
//! has become of that row since.
//!
//! A token is a hash of what the row is sorted by. What it stands for is remembered for the newest some thousands of pages,
//! and found among the rows otherwise, as after a restart. Where neither knows it, the page is refused: nothing is skipped or
//! repeated without a word.

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::model::{ApiKey, OrgId, Role, User};

/// How many pages are remembered, of all organizations together. Each takes some hundred bytes.
const REMEMBERED: usize = 4096;

/// Tokens are numbers that every reader of JSON reads exactly.
const TOKEN_BITS: u32 = 53;

/// What such lists hold.
pub trait Marked: Clone + Serialize + DeserializeOwned {
    /// The list's name.
    const LIST: &'static str;

    /// The row as far as lists are sorted by it, without what has to be kept nowhere else.
    fn mark(&self) -> Self;

    /// The order that breaks the last tie: of two different rows, none is equal.
    fn by_name(&self, other: &Self) -> Ordering;
}

impl Marked for User {
    const LIST: &'static str = "users";

    fn mark(&self) -> Self {
        self.clone()
    }

    fn by_name(&self, other: &Self) -> Ordering {
        self.id.cmp(&other.id)
    }
}

impl Marked for Role {
    const LIST: &'static str = "roles";

    fn mark(&self) -> Self {
        Self { name: self.name.clone(), permission_grants: Vec::new() }
    }

    fn by_name(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name)
    }
}

impl Marked for ApiKey {
    const LIST: &'static str = "api_keys";

    fn mark(&self) -> Self {
        Self { key_sha256: String::new(), ..self.clone() }
    }

    fn by_name(&self, other: &Self) -> Ordering {
        self.id.cmp(&other.id)
    }
}

/// The rows that pages ended with.
#[derive(Debug, Default)]
pub struct Bookmarks(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    rows: HashMap<usize, Vec<u8>>,
    /// The oldest first.
    tokens: VecDeque<usize>,
}

impl Bookmarks {
    /// So many rows in an order whose last tie the names break, from the first or from after what `token` stands for; and
    /// the token that goes on from there, if there is more.
    pub fn page<T: Marked>(
        &self,
        org: &OrgId,
        mut rows: Vec<T>,
        token: usize,
        limit: usize,
        by: impl Fn(&T, &T) -> Ordering,
    ) -> Result<(Vec<T>, Option<usize>)> {
        let order = |a: &T, b: &T| by(a, b).then_with(|| a.by_name(b));
        if token > 0 {
            let last = self.row::<T>(org, &rows, token)?;
            rows.retain(|row| order(row, &last).is_gt());
        }
        rows.sort_by(order);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let token = rows.last().filter(|_| has_more).map(|row| self.remember(org, row));
        Ok((rows, token.transpose()?))
    }

    fn row<T: Marked>(&self, org: &OrgId, rows: &[T], token: usize) -> Result<T> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner).rows.get(&token).cloned();
        if let Some(text) = remembered.filter(|text| token_of::<T>(org, text) == token) {
            return serde_json::from_slice(&text).map_err(|error| Error::internal(error, "read a bookmark"));
        }
        let is_meant = |row: &&T| text_of(*row).is_ok_and(|text| token_of::<T>(org, &text) == token);
        rows.iter().find(is_meant).cloned().ok_or_else(no_such_page)
    }

    fn remember<T: Marked>(&self, org: &OrgId, row: &T) -> Result<usize> {
        let text = text_of(row)?;
        let token = token_of::<T>(org, &text);
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.rows.insert(token, text).is_none() {
            remembered.tokens.push_back(token);
        }
        if remembered.tokens.len() > REMEMBERED
            && let Some(oldest) = remembered.tokens.pop_front()
        {
            remembered.rows.remove(&oldest);
        }
        Ok(token)
    }
}

fn text_of<T: Marked>(row: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(&row.mark()).map_err(|error| Error::internal(error, "write a bookmark"))
}

/// A token is of one list of one organization.
fn token_of<T: Marked>(org: &OrgId, text: &[u8]) -> usize {
    let mut hash = Sha256::new();
    for part in [T::LIST.as_bytes(), org.as_str().as_bytes(), text] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let bytes = hash.finalize();
    let number = bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    // 0 is the first page.
    usize::try_from(number >> (u64::BITS - TOKEN_BITS)).unwrap_or(usize::MAX).max(1)
}

fn no_such_page() -> Error {
    let message = "continuation_token must be 0, or the one of a page that was given not long ago: begin with 0";
    Error::invalid(["query", "continuation_token"], "value_error", message)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{RoleName, UserId};

    fn user(name: &str) -> User {
        let role_name = RoleName::parse("guide").unwrap();
        User {
            id: UserId::new(),
            home: None,
            name: Some(name.to_owned()),
            created_at: Timestamp::UNIX_EPOCH,
            role_name,
        }
    }

    fn org(name: &str) -> OrgId {
        OrgId::parse(name).unwrap()
    }

    /// The names of a page of two, and the token of the next one.
    fn page(bookmarks: &Bookmarks, rows: &[User], token: usize) -> (String, Option<usize>) {
        let by = |a: &User, b: &User| a.name.cmp(&b.name);
        let (page, next) = bookmarks.page(&org("acme"), rows.to_vec(), token, 2, by).unwrap();
        (page.into_iter().filter_map(|user| user.name).collect(), next)
    }

    #[test]
    fn pages_go_on_where_they_ended_whatever_has_become_of_their_rows() {
        let mut rows: Vec<_> = ["d", "a", "c", "b", "a", "e"].map(user).into();
        let bookmarks = Bookmarks::default();
        let (first, token) = page(&bookmarks, &rows, 0);
        assert_eq!(first, "aa");
        // Of the page's rows one is gone and one is called otherwise, and there is one more behind them.
        rows.remove(4);
        rows[1].name = Some("z".to_owned());
        rows.push(user("aa"));
        let (second, token) = page(&bookmarks, &rows, token.unwrap());
        assert_eq!(second, "aab");
        // Another process remembers nothing, and the row is there.
        let bookmarks = Bookmarks::default();
        let (third, token) = page(&bookmarks, &rows, token.unwrap());
        assert_eq!(third, "cd");
        assert_eq!(page(&bookmarks, &rows, token.unwrap()), ("ez".to_owned(), None));
        // And where it is not: the page is refused.
        rows.retain(|row| row.name.as_deref() != Some("d"));
        let gone = Bookmarks::default().page(&org("acme"), rows, token.unwrap(), 2, |a, b| a.name.cmp(&b.name));
        assert!(matches!(gone, Err(Error::Invalid(_))));
    }

    #[test]
    fn a_token_is_of_one_list_of_one_organization_and_not_all_are_remembered() {
        let bookmarks = Bookmarks::default();
        let rows: Vec<_> = ["a", "b", "c"].map(user).into();
        let token = page(&bookmarks, &rows, 0).1.unwrap();
        assert!(token < 1 << TOKEN_BITS);
        let other = bookmarks.page(&org("globex"), rows.clone(), token, 2, |_, _| Ordering::Equal);
        assert!(matches!(other, Err(Error::Invalid(_))));
        for _ in 0..=REMEMBERED {
            bookmarks.remember(&org("acme"), &user("x")).unwrap();
        }
        let remembered = bookmarks.0.lock().unwrap();
        assert_eq!((remembered.rows.len(), remembered.tokens.len()), (REMEMBERED, REMEMBERED));
        assert!(!remembered.rows.contains_key(&token));
    }
}
