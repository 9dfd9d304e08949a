//! Reading for one request: a repository, and what the request may spend on it.
//!
//! Whoever may push chooses how many commits there are, how large an object is and how deep a folder, so everything
//! here has a bound, and a request that runs into one is told which.

use std::cell::Cell;
use std::time::{Duration, Instant};

use gix::objs::Kind;

use super::Repository;
use crate::error::{Error, Result};

/// The largest commit, tag or folder that is read, in bytes. A folder of a million files is smaller.
const MAX_OBJECT_BYTES: u64 = 64 << 20;

/// How much of what packs are made of is kept for one request, in bytes: neighbours of an object are mostly read next.
const PACK_CACHE_BYTES: u64 = 32 << 20;

/// What one request may read.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimits {
    /// How many commits it may look at.
    pub max_commits: usize,
    /// How long it may take.
    pub wall_clock: Duration,
    /// The most entries of a folder.
    pub max_entries: usize,
    /// Of a commit that changes more files, the changes are not told.
    pub max_changed_files: usize,
    /// In larger files no lines are counted.
    pub max_compared_bytes: u64,
    /// The longest commit message. The rest is cut off.
    pub max_message_bytes: usize,
}

/// A repository that is read for one request.
pub struct Reader {
    pub(super) repository: gix::Repository,
    pub(super) limits: ReadLimits,
    deadline: Instant,
    commits: Cell<usize>,
}

/// Whether a request may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Budget {
    Left,
    Spent,
}

impl Repository {
    /// Opens the repository for one request. Blocks, as everything that the reader does.
    pub fn reader(&self, limits: ReadLimits) -> Result<Reader> {
        // Isolated: no configuration but the repository's own, nothing from the environment.
        let options = gix::open::Options::isolated().open_path_as_is(true).config_overrides([
            format!("gitoxide.objects.allocLimit={MAX_OBJECT_BYTES}"),
            format!("core.deltaBaseCacheLimit={PACK_CACHE_BYTES}"),
            // gix counts no lines in files above it, and compares them with no others.
            format!("core.bigFileThreshold={}", limits.max_compared_bytes),
        ]);
        let repository =
            gix::open_opts(&self.path, options).map_err(|error| Error::internal(error, "open a repository"))?;
        Ok(Reader { repository, limits, deadline: Instant::now() + limits.wall_clock, commits: Cell::new(0) })
    }
}

impl Reader {
    /// Counts a commit that is about to be looked at.
    pub(super) fn spend_commit(&self) -> Budget {
        self.commits.set(self.commits.get() + 1);
        if self.commits.get() > self.limits.max_commits { Budget::Spent } else { self.time_left() }
    }

    /// Whether there is time left.
    pub(super) fn time_left(&self) -> Budget {
        if Instant::now() < self.deadline { Budget::Left } else { Budget::Spent }
    }

    /// What a request is told that looked through as much as it may and is not done.
    pub(super) fn spent(&self) -> Error {
        Error::BadRequest(format!(
            "the answer was not found within {} commits and {} s: ask from an older commit on (`ref`), for less of the \
             history (`committed_on_or_after`), or clone the repository",
            self.limits.max_commits,
            self.limits.wall_clock.as_secs()
        ))
    }

    pub(super) fn commit(&self, id: gix::ObjectId) -> Result<gix::Commit<'_>> {
        self.repository.find_commit(id).map_err(|error| self.unreadable(id, error, "read a commit"))
    }

    pub(super) fn tree(&self, id: gix::ObjectId) -> Result<gix::Tree<'_>> {
        self.repository.find_tree(id).map_err(|error| self.unreadable(id, error, "read a folder"))
    }

    /// What an object is and how large, without reading it. None when there is no such object.
    pub(super) fn header(&self, id: gix::ObjectId) -> Result<Option<(Kind, u64)>> {
        let header =
            self.repository.try_find_header(id).map_err(|error| Error::internal(error, "look up an object"))?;
        Ok(header.map(|header| (header.kind(), header.size())))
    }

    /// An object that is larger than it may be was pushed by somebody; anything else is a fault of ours.
    pub(super) fn unreadable(&self, id: gix::ObjectId, error: gix::Error, operation: &'static str) -> Error {
        match self.header(id) {
            Ok(Some((_, size_bytes))) if size_bytes > MAX_OBJECT_BYTES => Error::BadRequest(format!(
                "object {id} has {size_bytes} bytes, and at most {MAX_OBJECT_BYTES} are read here: clone the repository"
            )),
            _ => Error::internal(error, operation),
        }
    }
}
