//! What was recorded last, in a file that is quick to make durable.
//!
//! A flush of sled takes threads of its own, a write at the end of a growing file and an `fsync` of whatever else it keeps,
//! and an invocation would wait for all of that. So the rows of records go to this file first, whose blocks are there
//! already: one write over what is old, one `fdatasync`, and they are durable. Then sled gets them, which has them in
//! memory. Every so often a round makes sled durable, and the file begins anew. Its entries belong to that round, by its
//! number; what is found behind them is of earlier rounds. A start gives the entries to sled again.
//!
//! The file stays small, so that sled is never left for long: it writes over segments that it takes for free, and has not
//! made durable what it has put elsewhere.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::blobs::sync_folder;
use super::{StoreError, rows};
use crate::error::Result;

/// The file's name in the data folder.
const NAME: &str = "journal";

/// How long it is, in bytes: a hundred records or so, for which sled takes about half of one of its segments.
const CAPACITY: usize = 128 << 10;

/// Before an entry's content: its length in 4 bytes, the round in 8, the entry's number in the round in 8.
const HEAD: usize = 4 + 8 + 8;
/// Behind it: the first half of a SHA-256.
const DIGEST: usize = 16;

/// Entries that wait for the flusher.
#[derive(Default)]
pub(super) struct Pending(Mutex<Vec<Vec<u8>>>);

impl Pending {
    /// Adds an entry, behind all others.
    pub(super) fn push(&self, entry: Vec<u8>) {
        self.lock().push(entry);
    }

    /// All that wait.
    pub(super) fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file, to be written.
pub(super) struct Journal {
    file: File,
    /// The number of the last round that made sled durable.
    round: u64,
    /// How many entries there are of it, and where the next one begins.
    entries: u64,
    end: usize,
}

impl Journal {
    /// Opens the file, and makes it where there is none. What is in it has to be in sled, and durable.
    pub(super) fn open(folder: &Path, round: u64) -> Result<Self> {
        let path = folder.join(NAME);
        let open = || -> io::Result<File> {
            let options = fs_err::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
            let (file, _) = options.into_parts();
            if file.metadata()?.len() < CAPACITY as u64 {
                // Written and not merely made as long: who writes over it later has no blocks to wait for.
                file.write_all_at(&[0; CAPACITY], 0)?;
                file.sync_all()?;
                sync_folder(folder)?;
            }
            Ok(file)
        };
        let file = open().map_err(|error| StoreError::file("open the journal", error))?;
        Ok(Self { file, round, entries: 0, end: 0 })
    }

    /// How many of these entries there is room for. An empty file takes any first one.
    pub(super) fn room_for(&self, contents: &[Vec<u8>]) -> usize {
        let mut end = self.end;
        let fits = |content: &&Vec<u8>| {
            let is_first = end == 0;
            end += HEAD + content.len() + DIGEST;
            is_first || end <= CAPACITY
        };
        contents.iter().take_while(fits).count()
    }

    /// Makes entries durable.
    pub(super) fn append(&mut self, contents: &[Vec<u8>]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (number, content) in (self.entries..).zip(contents) {
            encode(self.round, number, content, &mut bytes);
        }
        self.file.write_all_at(&bytes, self.end as u64)?;
        self.file.sync_data()?;
        self.entries += contents.len() as u64;
        self.end += bytes.len();
        Ok(())
    }

    /// Begins anew: a round has made durable what the entries say.
    pub(super) fn begin(&mut self, round: u64) {
        (self.round, self.entries, self.end) = (round, 0, 0);
    }

    /// How many entries there are of the last round.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }
}

/// What the file holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entries {
    /// The round that they follow.
    pub(super) round: u64,
    /// What they say, as far as they are whole.
    pub(super) contents: Vec<Vec<u8>>,
}

/// The entries of the file; none where there is no file, or no entry.
pub(super) fn read(folder: &Path) -> Result<Option<Entries>> {
    let bytes = match fs_err::read(folder.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|error| StoreError::file("read the journal", error))?,
    };
    let mut rest = bytes.as_slice();
    let Some((round, 0, first)) = decode(&mut rest) else { return Ok(None) };
    let mut contents = vec![first.to_vec()];
    while let Some((of, number, content)) = decode(&mut rest) {
        if (of, number) != (round, contents.len() as u64) {
            break;
        }
        contents.push(content.to_vec());
    }
    Ok(Some(Entries { round, contents }))
}

/// Empties the file: what was lost of it is accepted.
pub(super) fn forget(folder: &Path) -> Result<()> {
    let emptied = match fs_err::OpenOptions::new().write(true).open(folder.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        file => file.and_then(|file| file.set_len(0).and_then(|()| file.sync_all())),
    };
    emptied.map_err(|error| StoreError::file("empty the journal", error).into())
}

fn encode(round: u64, number: u64, content: &[u8], bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes.extend(round.to_le_bytes());
    bytes.extend(number.to_le_bytes());
    bytes.extend(content);
    let digest = rows::digest(&[&bytes[start..]]);
    bytes.extend(&digest[..DIGEST]);
}

/// Takes an entry from the front, where a whole one is.
fn decode<'a>(bytes: &mut &'a [u8]) -> Option<(u64, u64, &'a [u8])> {
    let whole = *bytes;
    let (length, rest) = whole.split_first_chunk()?;
    let (round, rest) = rest.split_first_chunk()?;
    let (number, rest) = rest.split_first_chunk()?;
    let (content, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (digest, rest) = rest.split_at_checked(DIGEST)?;
    let hashed = &whole[..HEAD + content.len()];
    *bytes = rest;
    (rows::digest(&[hashed])[..DIGEST] == *digest)
        .then(|| (u64::from_le_bytes(*round), u64::from_le_bytes(*number), content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(names: &[&str]) -> Vec<Vec<u8>> {
        names.iter().map(|name| name.as_bytes().to_vec()).collect()
    }

    fn of(round: u64, names: &[&str]) -> Option<Entries> {
        Some(Entries { round, contents: entries(names) })
    }

    #[test]
    fn what_was_appended_is_read_until_the_next_round() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        let mut journal = Journal::open(folder.path(), 7).unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        journal.append(&entries(&["one", "two"])).unwrap();
        journal.append(&entries(&["", "four"])).unwrap();
        assert_eq!(read(folder.path()).unwrap(), of(7, &["one", "two", "", "four"]));
        journal.begin(8);
        journal.append(&entries(&["new"])).unwrap();
        assert_eq!(read(folder.path()).unwrap(), of(8, &["new"]), "what is behind it is of round 7");
        journal.append(&entries(&["two"])).unwrap();
        assert_eq!(read(folder.path()).unwrap(), of(8, &["new", "two"]));
    }

    #[test]
    fn what_is_cut_or_changed_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), 1).unwrap();
        journal.append(&entries(&["first", "second", "third"])).unwrap();
        let path = folder.path().join(NAME);
        let whole = fs_err::read(&path).unwrap();
        let ends: Vec<_> =
            ["first", "firstsecond"].iter().zip(1..).map(|(all, n)| all.len() + n * (HEAD + DIGEST)).collect();
        for place in 0..journal.end {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            fs_err::write(&path, &bytes).unwrap();
            let count = || read(folder.path()).unwrap().map_or(0, |entries| entries.contents.len());
            let whole_ones = ends.iter().filter(|end| **end <= place).count();
            assert_eq!(count(), whole_ones, "byte {place} is changed");
            fs_err::write(&path, &whole[..place]).unwrap();
            assert_eq!(count(), whole_ones, "byte {place} is the first that is missing");
        }
    }

    #[test]
    fn it_says_when_it_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), 1).unwrap();
        let third = vec![1; CAPACITY / 3];
        let thirds = vec![third; 4];
        assert_eq!(journal.room_for(&thirds), 2);
        journal.append(&thirds[..1]).unwrap();
        assert_eq!(journal.room_for(&thirds), 1);
        assert_eq!(fs_err::metadata(folder.path().join(NAME)).unwrap().len(), CAPACITY as u64);

        let large = vec![vec![2; 2 * CAPACITY]];
        assert_eq!(journal.room_for(&large), 0);
        journal.begin(2);
        assert_eq!(journal.room_for(&large), 1);
        journal.append(&large).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(Entries { round: 2, contents: large }));
        assert_eq!(journal.room_for(&thirds), 0);
    }
}
