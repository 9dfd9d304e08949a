//! How far the store has come, noted beside sled.
//!
//! sled reads its log as far as it makes sense and takes the rest for what was being written when the process ended. So
//! where a file was cut or a bit of it flipped, it opens without a word, and without what was confirmed after that place.
//! Therefore each round that makes changes durable is numbered, in sled and then in a file of its own. Where the file knows
//! a later round than sled, something was lost that had been confirmed. The file is not synced: after a power cut it may know
//! an earlier round, which says nothing.
//!
//! The same goes for the journal: how many entries of the round were durable is noted beside its number.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::blobs::sync_folder;
use super::journal::Entries;
use super::{StoreError, rows};
use crate::error::{Error, Result};

/// The file's name in the data folder.
const NAME: &str = "rounds";

/// The key in sled's default tree.
const KEY: &str = "rounds";

/// What the file says: the number of the last round, and how many entries of the journal followed it; then the first
/// quarter of their SHA-256.
const BYTES: usize = 24;
/// The file of a format before 4 has no entries.
const FORMER_BYTES: usize = 16;

/// The number of the last round, in both places.
pub(super) struct Mark {
    db: sled::Db,
    file: File,
    rounds: u64,
}

/// What both places say of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing is lost that was confirmed.
    Whole,
    /// sled is at the first number, and was at the second.
    Lost(u64, u64),
    /// The journal has the first number of entries, and had the second.
    LostRecords(u64, u64),
    /// The file cannot be read.
    Unreadable,
}

impl Standing {
    /// What is wrong and what to do, unless all is well.
    pub(super) fn problem(self, folder: &Path) -> Option<String> {
        let file = folder.join(NAME);
        match self {
            Self::Whole => None,
            Self::Lost(is, was) => Some(format!(
                "the data folder {} has lost what was written last: round {was} was made durable, and what can be read \
                 ends with round {is}. A file in its folder `store` was damaged or replaced. Put that file back, or \
                 restore a backup. `control-plane verify` looks at what is left, and with --rebuild the loss is accepted",
                folder.display()
            )),
            Self::LostRecords(is, was) => Some(format!(
                "the data folder {} has lost what was recorded last: {was} entries of its file `journal` were made \
                 durable, and {is} can be read. The file was damaged or replaced. Put it back, or restore a backup. \
                 `control-plane verify` looks at what is left, and with --rebuild the loss is accepted",
                folder.display()
            )),
            Self::Unreadable => Some(format!(
                "{} is damaged, so nobody knows whether something was lost. `control-plane verify` looks at everything, \
                 and with --rebuild it writes the file anew",
                file.display()
            )),
        }
    }
}

impl Mark {
    /// Compares what is noted with what sled and the journal have. Nothing is written.
    pub(super) fn look(db: &sled::Db, folder: &Path, journal: Option<&Entries>) -> Result<Standing> {
        let rounds = rounds(db)?;
        let entries =
            journal.filter(|journal| journal.round == rounds).map_or(0, |journal| journal.contents.len() as u64);
        let later = journal.map(|journal| journal.round).filter(|round| *round > rounds);
        Ok(match (read(&folder.join(NAME)), later) {
            (Ok(Some((noted, _))), _) if noted > rounds => Standing::Lost(rounds, noted),
            (Ok(_), Some(later)) => Standing::Lost(rounds, later),
            (Ok(Some((noted, durable))), None) if noted == rounds && durable > entries => {
                Standing::LostRecords(entries, durable)
            }
            // A data folder that was restored has no such file.
            (Ok(_), None) => Standing::Whole,
            (Err(error), _) if error.kind() == io::ErrorKind::InvalidData => Standing::Unreadable,
            (Err(error), _) => return Err(StoreError::file("read how far the store has come", error).into()),
        })
    }

    /// Goes on from what sled says.
    pub(super) fn open(db: &sled::Db, folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let open = || -> io::Result<File> {
            let (file, _) =
                fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(&path)?.into_parts();
            Ok(file)
        };
        let file = open().map_err(|error| StoreError::file("open the file of rounds", error))?;
        let mark = Self { db: db.clone(), file, rounds: rounds(db)? };
        let written = mark.note(0).and_then(|()| mark.file.sync_all()).and_then(|()| sync_folder(folder));
        written.map_err(|error| StoreError::file("write the file of rounds", error))?;
        Ok(mark)
    }

    /// A round begins: its number is among what it makes durable.
    pub(super) fn begin(&mut self) -> sled::Result<()> {
        self.rounds += 1;
        self.db.insert(KEY, &self.rounds.to_be_bytes()).map(drop)
    }

    /// The number of the last round.
    pub(super) fn rounds(&self) -> u64 {
        self.rounds
    }

    /// Everything that the last round is about is durable, and so many entries of the journal after it.
    pub(super) fn note(&self, entries: u64) -> io::Result<()> {
        // As long as ever, and in one place, so a crash leaves what was before or this.
        self.file.write_all_at(&encode(self.rounds, entries), 0)
    }
}

/// The number of the last round, as sled has it.
pub(super) fn rounds(db: &sled::Db) -> Result<u64> {
    let stored = db.get(KEY)?;
    Ok(stored.and_then(|bytes| bytes[..].try_into().ok()).map_or(0, u64::from_be_bytes))
}

fn encode(rounds: u64, entries: u64) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[..8].copy_from_slice(&rounds.to_be_bytes());
    bytes[8..16].copy_from_slice(&entries.to_be_bytes());
    let digest = rows::digest(&[&bytes[..16]]);
    bytes[16..].copy_from_slice(&digest[..8]);
    bytes
}

fn read(path: &PathBuf) -> io::Result<Option<(u64, u64)>> {
    let bytes = match fs_err::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    let number =
        |place: usize| bytes.get(place..).and_then(|rest| rest.first_chunk()).map_or(0, |n| u64::from_be_bytes(*n));
    let (rounds, entries) = (number(0), number(8));
    if bytes.len() == FORMER_BYTES && bytes[8..] == rows::digest(&[&bytes[..8]])[..8] {
        return Ok(Some((rounds, 0)));
    }
    if bytes != encode(rounds, entries) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(Some((rounds, entries)))
}

/// The refusal to open a folder whose rows are not what they were.
pub(super) fn refuse(standing: Standing, folder: &Path) -> Result<()> {
    standing.problem(folder).map_or(Ok(()), |problem| Err(Error::Unavailable(problem)))
}
