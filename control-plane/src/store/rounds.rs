//! What a round does: records go into the journal and then to sled; everything else is in sled, which is made durable.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Options;
use super::durability::Round;
use super::engine::EngineFiles;
use super::entries::Target;
use super::journal::{Journal, Pending};
use super::mark::Mark;
use crate::error::Result;
use crate::failpoint::Place;

/// All that it takes to make changes durable. It belongs to the flusher's thread.
pub(super) struct Rounds {
    db: sled::Db,
    files: EngineFiles,
    pending: Arc<Pending>,
    target: Target,
    /// None while something is lost that nobody has accepted yet. Nothing is recorded then.
    noted: Option<(Mark, Journal)>,
    options: Options,
}

impl Rounds {
    pub(super) fn new(
        (db, files): (sled::Db, EngineFiles),
        (pending, target): (Arc<Pending>, Target),
        options: Options,
    ) -> Self {
        Self { db, files, pending, target, noted: None, options }
    }

    /// Begins to count rounds, and to keep a journal. What it holds has to be in sled.
    pub(super) fn begin(&mut self, folder: &Path) -> Result<()> {
        let mark = Mark::open(&self.db, folder)?;
        let journal = Journal::open(folder, mark.rounds())?;
        self.noted = Some((mark, journal));
        Ok(())
    }

    /// Makes durable what was written before.
    pub(super) fn run(&mut self, what: Round) -> io::Result<()> {
        let _timer = self.options.flushes.clone().map(|durations| durations.start_timer());
        let entries = self.pending.take();
        let mut rest = entries.as_slice();
        while let Some((mark, journal)) = &mut self.noted
            && !rest.is_empty()
        {
            let (now, later) = rest.split_at(journal.room_for(rest));
            if now.is_empty() {
                self.everything()?;
                continue;
            }
            self.options.failpoint.pass(Place::RecordsWaiting);
            journal.append(now)?;
            self.options.failpoint.pass(Place::RecordsJournaled);
            mark.note(journal.entries())?;
            now.iter().try_for_each(|entry| self.target.write(entry)).map_err(io::Error::other)?;
            self.options.failpoint.pass(Place::RecordsConfirmed);
            rest = later;
        }
        if !rest.is_empty() {
            return Err(io::Error::other("something is lost, so nothing is recorded until that is accepted"));
        }
        match what {
            Round::Records => Ok(()),
            Round::Everything => self.everything(),
        }
    }

    fn everything(&mut self) -> io::Result<()> {
        let failpoint = &self.options.failpoint;
        failpoint.pass(Place::RowsWritten);
        if let Some((mark, _)) = &mut self.noted {
            mark.begin()?;
        }
        self.db.flush()?;
        failpoint.pass(Place::RowsFlushed);
        self.files.sync()?;
        failpoint.pass(Place::RowsSynced);
        if let Some((mark, journal)) = &mut self.noted {
            journal.begin(mark.rounds());
            mark.note(0)?;
        }
        failpoint.pass(Place::RowsConfirmed);
        Ok(())
    }
}
