//! The entries of the journal: the rows of some records, and those of an idempotency key where there was one.

use sled::Tree;

use crate::error::{Error, Result};

/// The trees that entries speak of. Their numbers are written, so they stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// `invocations`.
    Record = 0,
    /// `idempotency_keys`.
    Key = 1,
    /// `idempotency_expiries`.
    Expiry = 2,
}

/// The names of the trees, in the order of the kinds.
const TREES: [&str; 3] = ["invocations", "idempotency_keys", "idempotency_expiries"];

/// Adds a row to an entry.
pub(super) fn add(entry: &mut Vec<u8>, kind: Kind, key: &[u8], value: &[u8]) {
    entry.push(kind as u8);
    for part in [key, value] {
        entry.extend((part.len() as u32).to_le_bytes());
        entry.extend(part);
    }
}

/// Where entries go once they are durable.
pub(super) struct Target([Tree; TREES.len()]);

impl Target {
    pub(super) fn open(db: &sled::Db) -> Result<Self> {
        let [records, keys, expiries] = TREES.map(|name| db.open_tree(name));
        Ok(Self([records?, keys?, expiries?]))
    }

    /// Writes an entry's rows. To write them again changes nothing. There is no transaction, since sled would write its
    /// log twice for each, and none is needed: what is cut off by a crash is written again from the journal.
    pub(super) fn write(&self, entry: &[u8]) -> Result<()> {
        let cut_off = || Error::internal(anyhow::anyhow!("an entry is cut off"), "read the journal");
        for (tree, key, value) in rows(entry).ok_or_else(cut_off)? {
            self.0[tree].insert(key, value)?;
        }
        Ok(())
    }
}

/// The place of the tree, key and value.
type Row<'a> = (usize, &'a [u8], &'a [u8]);

fn rows(mut entry: &[u8]) -> Option<Vec<Row<'_>>> {
    let mut rows = Vec::new();
    while let Some((kind, rest)) = entry.split_first() {
        let (key, rest) = part(rest)?;
        let (value, rest) = part(rest)?;
        rows.push((usize::from(*kind), key, value));
        entry = rest;
    }
    rows.iter().all(|(tree, ..)| *tree < TREES.len()).then_some(rows)
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, ToSpan};

    use super::super::scope_key;
    use super::super::testing::{EVERYTHING, acme, conversation, ids, invocation, open_in, someone};
    use super::*;
    use crate::model::{FirstResult, ToolId, Version};

    /// Enough for the journal to begin anew some times.
    const REQUESTS: usize = 120;

    #[tokio::test]
    async fn what_was_answered_is_there_however_the_process_ends() {
        let folder = tempfile::tempdir().unwrap();
        let (data, killed) = (folder.path().join("data"), folder.path().join("killed"));
        let store = open_in(&data);
        let (tool, user) = (ToolId::new(), someone());
        let scope = |number: usize| scope_key(&user, tool, &number.to_string());
        let mut only_in_the_journal = 0;
        for number in 0..REQUESTS {
            let invocations: Vec<_> = (0..2).map(|_| invocation(tool, conversation("a"), 1000)).collect();
            let first_result = FirstResult {
                fingerprint: number.to_string(),
                version: Version::FIRST,
                invocations: invocations.iter().map(|invocation| invocation.id).collect(),
                expires_at: Timestamp::now() + 1.hour(),
            };
            store.record_once(&acme(), &invocations, Some((&scope(number), &first_result))).await.unwrap();
            if number % 13 > 0 {
                continue;
            }
            // What a process leaves that is killed now.
            crate::files::copy_folder(&data, &killed).unwrap();
            let (rows, _) = super::super::engine::open(&killed.join("store")).unwrap();
            let in_sled = rows.open_tree("invocations").unwrap().len();
            drop(rows);
            only_in_the_journal += 2 * (number + 1) - in_sled;
            for opening in 0..2 {
                let again = open_in(&killed);
                assert_eq!(ids(&again, &EVERYTHING), ids(&store, &EVERYTHING), "{number}, opening {opening}");
                for known in 0..=number {
                    let found = again.get_first_result(&acme(), &scope(known)).unwrap().unwrap();
                    assert_eq!(found.fingerprint, known.to_string());
                }
                again.close().await.unwrap();
            }
            fs_err::remove_dir_all(&killed).unwrap();
        }
        assert!(only_in_the_journal > 0, "the journal was never needed");
    }

    #[test]
    fn an_entry_gives_the_rows_that_were_added() {
        let mut entry = Vec::new();
        add(&mut entry, Kind::Record, b"key", b"value");
        add(&mut entry, Kind::Expiry, b"", b"");
        assert_eq!(rows(&entry).unwrap(), [(0, &b"key"[..], &b"value"[..]), (2, b"", b"")]);
        for cut in [1, 3, 8, entry.len() - 1] {
            assert_eq!(rows(&entry[..cut]), None, "{cut}");
        }
    }
}
