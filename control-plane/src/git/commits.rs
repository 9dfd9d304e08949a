//! Commits: what is told of one, and lists of them.

use gix::ObjectId;
use jiff::Timestamp;

pub use super::changes::{ChangeType, ChangedFile, Changes, Stats};
pub use super::history::HistoryFilter;
use super::history::{History, timestamp};
use super::paths::normalized;
use super::read::CommitId;
use super::reader::Reader;
use crate::error::{Error, Result};

/// A commit. Its author and its dates are what the author's program wrote, and prove nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Its name.
    pub id: CommitId,
    /// The commits that it was made from: none for the first one, several for a merge.
    pub parents: Vec<CommitId>,
    /// The message without the line ends after it. What is not UTF-8 is replaced, what is too long is cut off.
    pub message: String,
    /// When it was made, in whole seconds.
    pub committed_at: Timestamp,
    /// The author's name.
    pub author_name: String,
    /// The author's address.
    pub author_email: String,
}

/// Which commits are asked for.
#[derive(Debug, Clone)]
pub struct CommitQuery {
    /// Where to start.
    pub reference: String,
    /// Which are wanted.
    pub filter: HistoryFilter,
    /// How many of the wanted ones come before the page.
    pub skip: usize,
    /// How many the page may hold.
    pub limit: usize,
    /// Whether what they change is asked for.
    pub with_changes: bool,
}

/// A page of commits.
#[derive(Debug)]
pub struct CommitPage {
    /// Each with what it changes, if that was asked for and is not too much.
    pub commits: Vec<(Commit, Option<Changes>)>,
    /// Whether there are more.
    pub has_more: bool,
}

impl Reader {
    /// A page of the history of a commit: the commit itself first, then its ancestors, the newest first.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for a `ref` that leads nowhere, and a path that is neither there nor in the history;
    /// [`Error::BadRequest`] when the page was not found within the reader's limits.
    pub fn commits(&self, query: &CommitQuery) -> Result<CommitPage> {
        let mut page = CommitPage { commits: Vec::new(), has_more: false };
        let Some(tip) = self.resolve_id(&query.reference)? else { return Ok(page) };
        let mut history = History::new(self, tip, &query.filter)?;
        let mut found = Vec::new();
        let mut seen = 0;
        while let Some(id) = history.next()? {
            seen += 1;
            if seen > query.skip.saturating_add(query.limit) {
                page.has_more = true;
                break;
            }
            if seen > query.skip {
                found.push(id);
            }
        }
        if seen == 0
            && let Some(path) = &query.filter.path
            && self.find(self.node(tip)?.tree, path)?.is_none()
        {
            let (path, reference) = (normalized(path), &query.reference);
            return Err(Error::NotFound(format!("no commit of `{reference}` that was looked at has `{path}`")));
        }
        for id in found {
            let changes = if query.with_changes { self.changes(id)? } else { None };
            page.commits.push((self.describe(id)?, changes));
        }
        Ok(page)
    }

    /// What is told of a commit.
    pub(super) fn describe(&self, id: ObjectId) -> Result<Commit> {
        let commit = self.commit(id)?;
        let lossy = |text: &gix::bstr::BStr| String::from_utf8_lossy(text).into_owned();
        // Git refuses a commit without these (`transfer.fsckObjects`). One that got here all the same is still shown.
        let seconds = commit.committer().map_or(0, |committer| committer.seconds());
        let (author_name, author_email) =
            commit.author().map_or_else(|_| Default::default(), |author| (lossy(author.name), lossy(author.email)));
        Ok(Commit {
            id: id.into(),
            parents: commit.parent_ids().map(|parent| parent.detach().into()).collect(),
            message: message(commit.message_raw_sloppy(), self.limits.max_message_bytes),
            committed_at: timestamp(seconds),
            author_name,
            author_email,
        })
    }
}

/// A message, no longer than so many bytes and the dots that say that there was more.
pub(super) fn message(raw: &[u8], max_bytes: usize) -> String {
    let end = raw.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    if end <= max_bytes {
        return String::from_utf8_lossy(&raw[..end]).into_owned();
    }
    // The last character may have been cut in two.
    let text = String::from_utf8_lossy(&raw[..max_bytes]);
    format!("{}\u{2026}", text.trim_end_matches('\u{fffd}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_between_characters() {
        for (raw, expected) in [
            ("one\n\ntwo\n", "one\n\ntwo"),
            ("", ""),
            ("0123456789", "01234567\u{2026}"),
            ("1234567\u{e9}", "1234567\u{2026}"),
        ] {
            assert_eq!(message(raw.as_bytes(), 8), expected);
        }
        assert_eq!(message(b"caf\xe9", 8), "caf\u{fffd}");
    }
}
