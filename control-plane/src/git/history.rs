//! A walk from a commit to its ancestors: the newest first, as `git log` does it.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::rc::Rc;

use gix::ObjectId;
use jiff::Timestamp;

use super::paths::Found;
use super::reader::{Budget, Reader};
use crate::error::Result;

/// Which commits are wanted. What is not set does not restrict.
#[derive(Debug, Clone, Default)]
pub struct HistoryFilter {
    /// Those that change what is at this path. A merge that takes it over from a parent changes nothing, and then only
    /// that parent's history is looked at.
    pub path: Option<Vec<u8>>,
    /// Those committed then or later. An older commit's ancestors are not looked at, whatever their dates say.
    pub on_or_after: Option<Timestamp>,
    /// Those committed then or earlier.
    pub on_or_before: Option<Timestamp>,
}

/// What the walk needs to know of a commit.
pub(super) struct Node {
    pub id: ObjectId,
    pub tree: ObjectId,
    pub parents: Vec<ObjectId>,
    pub committed_at: Timestamp,
}

/// The walk.
pub(super) struct History<'a> {
    reader: &'a Reader,
    filter: &'a HistoryFilter,
    queue: BinaryHeap<Queued>,
    queued: HashSet<ObjectId>,
    nodes: HashMap<ObjectId, Rc<Node>>,
    /// What is at the path, by root.
    places: HashMap<ObjectId, Option<Found>>,
}

/// The newest commit comes first; of equally old ones the one that was found first.
struct Queued(Reverse<usize>, Rc<Node>);

impl<'a> History<'a> {
    pub(super) fn new(reader: &'a Reader, from: ObjectId, filter: &'a HistoryFilter) -> Result<Self> {
        let (queue, queued) = (BinaryHeap::new(), HashSet::new());
        let mut history = Self { reader, filter, queue, queued, nodes: HashMap::new(), places: HashMap::new() };
        history.enqueue(from)?;
        Ok(history)
    }

    /// The next commit that is wanted.
    ///
    /// # Errors
    ///
    /// That the request may not look any further, before it found one.
    pub(super) fn next(&mut self) -> Result<Option<ObjectId>> {
        while let Some(Queued(_, node)) = self.queue.pop() {
            if self.filter.on_or_after.is_some_and(|time| node.committed_at < time) {
                continue;
            }
            let (is_change, followed) = self.judge(&node)?;
            for parent in followed {
                self.enqueue(parent)?;
            }
            if is_change && self.filter.on_or_before.is_none_or(|time| node.committed_at <= time) {
                return Ok(Some(node.id));
            }
        }
        Ok(None)
    }

    /// Whether a commit changes what is at the path, and which of its parents lead on.
    fn judge(&mut self, node: &Node) -> Result<(bool, Vec<ObjectId>)> {
        let Some(path) = &self.filter.path else { return Ok((true, node.parents.clone())) };
        let here = self.place(node.tree, path)?;
        for parent in &node.parents {
            let tree = self.node(*parent)?.tree;
            if self.place(tree, path)? == here {
                return Ok((false, vec![*parent]));
            }
        }
        Ok((!node.parents.is_empty() || here.is_some(), node.parents.clone()))
    }

    fn place(&mut self, root: ObjectId, path: &[u8]) -> Result<Option<Found>> {
        if let Some(place) = self.places.get(&root) {
            return Ok(*place);
        }
        let place = self.reader.find(root, path)?;
        self.places.insert(root, place);
        Ok(place)
    }

    fn enqueue(&mut self, id: ObjectId) -> Result<()> {
        if self.queued.insert(id) {
            let node = self.node(id)?;
            self.queue.push(Queued(Reverse(self.queued.len()), node));
        }
        Ok(())
    }

    fn node(&mut self, id: ObjectId) -> Result<Rc<Node>> {
        if let Some(node) = self.nodes.get(&id) {
            return Ok(Rc::clone(node));
        }
        if self.reader.spend_commit() == Budget::Spent {
            return Err(self.reader.spent());
        }
        let node = Rc::new(self.reader.node(id)?);
        self.nodes.insert(id, Rc::clone(&node));
        Ok(node)
    }
}

impl Reader {
    /// Reads what a walk needs to know of a commit.
    pub(super) fn node(&self, id: ObjectId) -> Result<Node> {
        let commit = self.commit(id)?;
        let tree = commit.tree_id().map_err(|error| self.unreadable(id, error, "read a commit's folder"))?.detach();
        let parents = commit.parent_ids().map(gix::Id::detach).collect();
        let seconds = commit.committer().map_or(0, |committer| committer.seconds());
        Ok(Node { id, tree, parents, committed_at: timestamp(seconds) })
    }
}

/// A commit may have any date, also one that no calendar knows.
pub(super) fn timestamp(seconds: i64) -> Timestamp {
    let seconds = seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(seconds).unwrap_or_default()
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.1.committed_at, self.0).cmp(&(other.1.committed_at, other.0))
    }
}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Queued {}
