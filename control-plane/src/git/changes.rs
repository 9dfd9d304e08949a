//! What a commit changes, held against its first parent: what `git diff --numstat -M` says.

use std::collections::HashSet;

use gix::bstr::BString;
use gix::diff::blob::Platform;
use gix::diff::blob::pipeline::{Mode, WorktreeRoots};
use gix::object::tree::diff::{Action, Change, ChangeDetached};
use gix::prelude::TreeDiffChangeExt;
use gix::worktree::stack::state::attributes::Source;
use gix::{ObjectId, Tree};

use super::paths::shown;
use super::reader::{Budget, Reader};
use crate::error::{Error, Result};

/// How alike a deleted and an added file are at least that is told as renamed: what Git has by default.
const SIMILARITY: f32 = 0.5;

/// How many bytes of one commit may be compared to find out what is like what: about a second's worth. Above that only
/// files that are the same, byte by byte, are told as renamed.
const MAX_SIMILARITY_BYTES: u64 = 64 << 20;

/// What a commit changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// In the order of their paths.
    pub files: Vec<ChangedFile>,
    /// The sums over the files that have lines. None when some were not counted, because that would have been too much.
    pub stats: Option<Stats>,
}

/// Lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// How many are new.
    pub additions: u64,
    /// How many are gone.
    pub deletions: u64,
}

/// One changed file, link or submodule.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedFile {
    /// Where it is, or was.
    pub path: String,
    /// Where it was, if it was renamed.
    pub previous_path: Option<String>,
    /// What happened to it.
    pub change: ChangeType,
    /// None for a binary file, and for one that is too large.
    pub stats: Option<Stats>,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeType {
    /// It is new.
    Added,
    /// Its content, its mode or its type is another one.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another path, and perhaps some other lines.
    Renamed,
}

impl Reader {
    /// What a commit changes. None when that is more than the reader's limits allow.
    pub(super) fn changes(&self, id: ObjectId) -> Result<Option<Changes>> {
        let node = self.node(id)?;
        let new = self.tree(node.tree)?;
        let old = match node.parents.first() {
            Some(parent) => self.tree(self.node(*parent)?.tree)?,
            None => self.repository.empty_tree(),
        };
        let mut cache = self.diff_cache()?;
        let Some(plain) = self.plain_changes(&old, &new, &mut cache)? else { return Ok(None) };
        let percentage = self.is_affordable(&plain)?.then_some(SIMILARITY);
        let mut changes = renamed(&old, &new, &mut cache, percentage)?;
        changes.sort_by(|a, b| a.location().cmp(b.location()));

        let mut files = Vec::with_capacity(changes.len());
        let mut sum = Some(Stats::default());
        for change in &changes {
            let stats = match self.time_left() {
                Budget::Left => self.count(change, &mut cache),
                Budget::Spent => None,
            };
            match stats {
                Some(stats) => {
                    if let Some(sum) = &mut sum {
                        sum.additions += stats.additions;
                        sum.deletions += stats.deletions;
                    }
                }
                None if self.has_lines(change)? => sum = None,
                None => {}
            }
            files.push(changed_file(change, stats));
        }
        Ok(Some(Changes { files, stats: sum }))
    }

    /// The changes without a look at contents. None when there are too many.
    fn plain_changes(&self, old: &Tree, new: &Tree, cache: &mut Platform) -> Result<Option<Vec<ChangeDetached>>> {
        let mut changes = Vec::new();
        // Folders are counted, too: a few hundred bytes can make more of them than there are numbers.
        let mut seen = 0;
        let diff = |error| Error::internal(error, "compare two folders");
        let mut platform = old.changes().map_err(diff)?;
        platform.options(|options| {
            options.track_rewrites(None);
        });
        let visit = |change: Change| {
            seen += 1;
            if seen > self.limits.max_changed_files || self.time_left() == Budget::Spent {
                seen = usize::MAX;
                return Ok(Action::Break(()));
            }
            if !change.entry_mode().is_tree() {
                changes.push(change.detach());
            }
            Ok(Action::Continue(()))
        };
        let outcome = platform.for_each_to_obtain_tree_with_cache(new, cache, visit);
        if seen == usize::MAX {
            return Ok(None);
        }
        outcome.map_err(diff)?;
        Ok(Some(changes))
    }

    /// Whether it may be found out which of the added files are like which of the deleted ones.
    fn is_affordable(&self, changes: &[ChangeDetached]) -> Result<bool> {
        let ids = |is_wanted: fn(&ChangeDetached) -> bool| -> HashSet<ObjectId> {
            changes.iter().filter(|change| is_wanted(change)).map(|change| *new_id(change)).collect()
        };
        let added = ids(|change| matches!(change, ChangeDetached::Addition { .. }));
        let deleted = ids(|change| matches!(change, ChangeDetached::Deletion { .. }));
        let size = |id: &ObjectId| Ok(self.header(*id)?.map_or(0, |(_, size_bytes)| size_bytes));
        // What is the same needs no comparing, and what is too large is not compared.
        let sum = |ids: &HashSet<ObjectId>, others: &HashSet<ObjectId>| -> Result<(u64, u64)> {
            let sizes = ids.difference(others).map(size).collect::<Result<Vec<_>>>()?;
            let compared = sizes.iter().filter(|size_bytes| **size_bytes <= self.limits.max_compared_bytes);
            Ok((sizes.len() as u64, compared.sum()))
        };
        let (count_added, bytes_added) = sum(&added, &deleted)?;
        let (count_deleted, bytes_deleted) = sum(&deleted, &added)?;
        Ok(count_added * bytes_deleted + count_deleted * bytes_added <= MAX_SIMILARITY_BYTES)
    }

    /// The lines of a change. None when there are none, or when they cannot be counted.
    fn count(&self, change: &ChangeDetached, cache: &mut Platform) -> Option<Stats> {
        if let Some(stats) = submodule(change) {
            return Some(stats);
        }
        let change = change.attach(&self.repository, &self.repository);
        // A file that cannot be read here, for instance since it is made from one that is too large, is not counted.
        let counts = change.diff(cache).and_then(|mut platform| platform.line_counts()).ok().flatten();
        cache.clear_resource_cache_keep_allocation();
        counts.map(|counts| Stats { additions: counts.insertions.into(), deletions: counts.removals.into() })
    }

    /// Whether a change that was not counted may have lines: a binary file has none.
    fn has_lines(&self, change: &ChangeDetached) -> Result<bool> {
        if self.time_left() == Budget::Spent {
            return Ok(true);
        }
        for id in std::iter::once(new_id(change)).chain(old_id(change)) {
            if self.header(*id)?.is_some_and(|(_, size_bytes)| size_bytes > self.limits.max_compared_bytes) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What prepares files for being compared: as they are, whatever attributes the repository has.
    fn diff_cache(&self) -> Result<Platform> {
        let failed = |error| Error::internal(error, "prepare for comparing files");
        // gix would make an index of all files of `HEAD` to read attributes from.
        let no_index = gix::index::State::new(self.repository.object_hash());
        let attributes = self.repository.attributes_only(&no_index, Source::IdMapping).map_err(failed)?;
        gix::diff::resource_cache(&self.repository, Mode::ToGit, attributes.detach(), WorktreeRoots::default())
            .map_err(failed)
    }
}

/// Git shows a submodule as one line: the commit that it is at.
fn submodule(change: &ChangeDetached) -> Option<Stats> {
    let (mode, additions, deletions) = match change {
        ChangeDetached::Addition { entry_mode, .. } => (entry_mode, 1, 0),
        ChangeDetached::Deletion { entry_mode, .. } => (entry_mode, 0, 1),
        ChangeDetached::Modification { entry_mode, previous_entry_mode, .. } if previous_entry_mode.is_commit() => {
            (entry_mode, 1, 1)
        }
        ChangeDetached::Rewrite { entry_mode, .. } => (entry_mode, 0, 0),
        ChangeDetached::Modification { .. } => return None,
    };
    mode.is_commit().then_some(Stats { additions, deletions })
}

/// The changes with what was renamed told as such.
fn renamed(old: &Tree, new: &Tree, cache: &mut Platform, percentage: Option<f32>) -> Result<Vec<ChangeDetached>> {
    let mut changes = Vec::new();
    let diff = |error| Error::internal(error, "find what was renamed");
    let mut platform = old.changes().map_err(diff)?;
    // No limit of the number of files: their sizes were looked at.
    let rewrites = gix::diff::Rewrites { copies: None, percentage, limit: 0, track_empty: true };
    platform.options(|options| {
        options.track_rewrites(Some(rewrites));
    });
    let visit = |change: Change| {
        if !change.entry_mode().is_tree() {
            changes.push(change.detach());
        }
        Ok(Action::Continue(()))
    };
    platform.for_each_to_obtain_tree_with_cache(new, cache, visit).map_err(diff)?;
    cache.clear_resource_cache_keep_allocation();
    Ok(changes)
}

fn changed_file(change: &ChangeDetached, stats: Option<Stats>) -> ChangedFile {
    let (kind, previous): (_, Option<&BString>) = match change {
        ChangeDetached::Addition { .. } => (ChangeType::Added, None),
        ChangeDetached::Deletion { .. } => (ChangeType::Deleted, None),
        ChangeDetached::Modification { .. } => (ChangeType::Modified, None),
        ChangeDetached::Rewrite { source_location, .. } => (ChangeType::Renamed, Some(source_location)),
    };
    let previous_path = previous.map(|path| shown(path.as_ref()));
    ChangedFile { path: shown(change.location()), previous_path, change: kind, stats }
}

fn new_id(change: &ChangeDetached) -> &ObjectId {
    match change {
        ChangeDetached::Addition { id, .. }
        | ChangeDetached::Deletion { id, .. }
        | ChangeDetached::Modification { id, .. }
        | ChangeDetached::Rewrite { id, .. } => id,
    }
}

fn old_id(change: &ChangeDetached) -> Option<&ObjectId> {
    match change {
        ChangeDetached::Modification { previous_id, .. } => Some(previous_id),
        ChangeDetached::Rewrite { source_id, .. } => Some(source_id),
        _ => None,
    }
}
