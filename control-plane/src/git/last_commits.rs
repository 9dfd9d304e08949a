//! Which commit changed each entry of a folder last: one walk for all of them.
//!
//! Every entry follows a path of its own through the history: at a merge the first parent that has it as it is. So a
//! commit that is visited carries the entries that came to it, and hands each on, or is the one that changed it.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::rc::Rc;

use gix::ObjectId;
use gix::bstr::{BStr, BString};
use gix::objs::TreeRef;
use gix::objs::tree::name_order;

use super::commits::{Commit, message};
use super::history::Node;
use super::paths::Found;
use super::reader::{Budget, Reader};
use crate::error::{Error, Result};

/// The longest message here, in bytes: a folder may have thousands of entries.
const MAX_MESSAGE_BYTES: usize = 1024;

/// Whether the last commit of each entry is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastCommits {
    /// It is.
    Wanted,
    /// It is not.
    Unwanted,
}

/// A commit that some entries came to, by when it was made.
type Visit = (jiff::Timestamp, ObjectId);

impl Reader {
    /// For each name of a folder the commit that changed it last; none for those that were not found in time.
    pub(super) fn last_commits(
        &self,
        tip: ObjectId,
        folder: &[u8],
        names: &[BString],
    ) -> Result<Vec<Option<Rc<Commit>>>> {
        let places = names.iter().enumerate().map(|(place, name)| (name.as_ref(), place)).collect();
        let mut last = vec![None; names.len()];
        let mut queue = BinaryHeap::<Visit>::new();
        let mut waiting = HashMap::<ObjectId, (Rc<Node>, Vec<usize>)>::new();
        let first = Rc::new(self.node(tip)?);
        queue.push((first.committed_at, tip));
        waiting.insert(tip, (first, (0..names.len()).collect()));

        while let Some((_, id)) = queue.pop() {
            // A commit with a wrong date may have been visited before some of its entries came.
            let Some((node, mut entries)) = waiting.remove(&id) else { continue };
            let here = self.folder(&node, folder)?;
            for parent in &node.parents {
                if entries.is_empty() {
                    break;
                }
                let parent = match waiting.get(parent) {
                    Some((parent, _)) => Rc::clone(parent),
                    None if self.spend_commit() == Budget::Spent => return Ok(last),
                    None => Rc::new(self.node(*parent)?),
                };
                let same = self.take_same(&here, &self.folder(&parent, folder)?, &mut entries, &places)?;
                if same.is_empty() {
                    continue;
                }
                queue.push((parent.committed_at, parent.id));
                waiting.entry(parent.id).or_insert_with(|| (parent, Vec::new())).1.extend(same);
            }
            if entries.is_empty() {
                continue;
            }
            let mut commit = self.describe(id)?;
            commit.message = message(commit.message.as_bytes(), MAX_MESSAGE_BYTES);
            let commit = Rc::new(commit);
            for entry in entries {
                last[entry] = Some(Rc::clone(&commit));
            }
        }
        Ok(last)
    }

    /// Where the folder is in a commit. None when there is none.
    fn folder(&self, node: &Node, path: &[u8]) -> Result<Option<ObjectId>> {
        let found = self.find(node.tree, path)?;
        Ok(found.filter(|found: &Found| found.mode.is_tree()).map(|found| found.id))
    }

    /// Takes those entries out that are the same in both folders.
    fn take_same(
        &self,
        here: &Option<ObjectId>,
        there: &Option<ObjectId>,
        entries: &mut Vec<usize>,
        places: &HashMap<&BStr, usize>,
    ) -> Result<Vec<usize>> {
        if here == there {
            return Ok(std::mem::take(entries));
        }
        let (Some(here), Some(there)) = (here, there) else { return Ok(Vec::new()) };
        let (here, there) = (self.tree(*here)?, self.tree(*there)?);
        let unreadable = |error| Error::internal(error, "read a folder");
        let (here, there) = (here.decode().map_err(unreadable)?, there.decode().map_err(unreadable)?);
        let mut is_changed = vec![false; places.len()];
        for name in changed_names(&here, &there) {
            if let Some(place) = places.get(name) {
                is_changed[*place] = true;
            }
        }
        let (changed, same) = entries.drain(..).partition(|entry| is_changed[*entry]);
        *entries = changed;
        Ok(same)
    }
}

/// The names of the entries that two folders do not have in common, in one pass: both are sorted.
fn changed_names<'a>(here: &TreeRef<'a>, there: &TreeRef<'a>) -> Vec<&'a BStr> {
    let (mut here, mut there) = (here.entries.iter().peekable(), there.entries.iter().peekable());
    let mut names = Vec::new();
    loop {
        let order = match (here.peek(), there.peek()) {
            (None, None) => return names,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => name_order(a.filename, a.mode.is_tree(), b.filename, b.mode.is_tree()),
        };
        let a = if order.is_le() { here.next() } else { None };
        let b = if order.is_ge() { there.next() } else { None };
        if a.map(|entry| (entry.mode, entry.oid)) != b.map(|entry| (entry.mode, entry.oid)) {
            names.extend(a.or(b).map(|entry| entry.filename));
        }
    }
}
