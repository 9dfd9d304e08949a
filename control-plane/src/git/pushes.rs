//! Which commits a push brought: what its new tips lead to and no reference led to before.

use std::collections::{BinaryHeap, HashMap, HashSet};

use gix::ObjectId;

use super::RefUpdate;
use super::read::CommitId;
use super::reader::{Budget, Reader};
use crate::error::{Error, Result};

/// Where a walk is with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It waits, and so far only new tips lead to it.
    New,
    /// An old tip leads to it.
    Old,
    /// It was visited as a new one.
    Brought,
}

impl Reader {
    /// The commits that a push brought: so many at most, the newest first. What another push brings at the same moment
    /// may be missing.
    ///
    /// It walks no further than to where all is old, and no further than the reader's limits. Where dates are wrong, it
    /// may take an old commit for a new one.
    pub fn brought(&self, updates: &[RefUpdate], limit: usize) -> Result<Vec<CommitId>> {
        let parse = |name: &String| ObjectId::from_hex(name.as_bytes()).ok();
        let new: Vec<_> = updates.iter().filter_map(|update| update.new.as_ref()).filter_map(parse).collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let changed: HashSet<_> = updates.iter().map(|update| update.name.as_bytes()).collect();
        let others = self.references("refs/")?.into_iter().filter(|(name, _)| !changed.contains(name.as_slice()));
        let old = updates.iter().filter_map(|update| update.old.as_ref()).filter_map(parse);
        let old: Vec<_> = others.map(|(_, tip)| tip).chain(old).collect();

        let mut states = HashMap::new();
        let mut queue = BinaryHeap::new();
        let mut waiting = 0_usize;
        for (tips, state) in [(old, State::Old), (new, State::New)] {
            for tip in tips {
                let id = self.peeled(tip)?;
                if let Some(id) = id.filter(|id| !states.contains_key(id)) {
                    states.insert(id, state);
                    queue.push((self.node(id)?.committed_at, id));
                    waiting += usize::from(state == State::New);
                }
            }
        }
        let mut brought = Vec::new();
        let mut oldest = None;
        while let Some((time, id)) = queue.pop() {
            // Commits of one second come in any order, so an old one that is not younger may still lead to a new one.
            let is_done = waiting == 0 || brought.len() == limit;
            if is_done && oldest.is_none_or(|oldest| time < oldest) || self.spend_commit() == Budget::Spent {
                break;
            }
            let is_new = states.get(&id) == Some(&State::New);
            if is_new && is_done {
                continue;
            }
            if is_new {
                states.insert(id, State::Brought);
                waiting -= 1;
                brought.push(id);
                oldest = Some(time);
            }
            for parent in self.node(id)?.parents {
                match states.get(&parent) {
                    None => {
                        states.insert(parent, if is_new { State::New } else { State::Old });
                        queue.push((self.node(parent)?.committed_at, parent));
                        waiting += usize::from(is_new);
                    }
                    Some(state @ (State::New | State::Brought)) if !is_new => {
                        waiting -= usize::from(*state == State::New);
                        // What was visited as a new one has to be visited again, for what it leads to.
                        if *state == State::Brought {
                            queue.push((self.node(parent)?.committed_at, parent));
                        }
                        states.insert(parent, State::Old);
                    }
                    Some(_) => {}
                }
            }
        }
        brought.retain(|id| states.get(id) == Some(&State::Brought));
        Ok(brought.into_iter().map(CommitId::from).collect())
    }

    /// The commit that an object is or, being a tag, leads to. None for one that did not arrive.
    fn peeled(&self, id: ObjectId) -> Result<Option<ObjectId>> {
        let failed = |error| Error::internal(error, "follow a tag");
        let Some(object) = self.repository.try_find_object(id).map_err(failed)? else { return Ok(None) };
        Ok(object.peel_to_commit().ok().map(|commit| commit.id))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::super::reader::ReadLimits;
    use super::*;

    const LIMITS: ReadLimits = ReadLimits {
        max_commits: 1000,
        wall_clock: std::time::Duration::from_secs(60),
        max_entries: 100,
        max_changed_files: 100,
        max_compared_bytes: 1 << 20,
        max_message_bytes: 1000,
    };

    #[test]
    fn what_is_brought_is_what_nothing_led_to_before() {
        let fixture = Fixture::new();
        let first = fixture.commit(&[("a", "1")]);
        fixture.commit(&[("a", "2")]);
        fixture.push("main");
        fixture.git(&["switch", "--quiet", "--create", "side", &first]);
        let side = fixture.commit(&[("b", "1")]);
        fixture.git(&["merge", "--quiet", "--message=merge", "main"]);
        let merge = fixture.git(&["rev-parse", "HEAD"]);

        fixture.push("side");
        let reader = fixture.repository.reader(LIMITS).unwrap();
        let brought = |old: Option<&str>, new: Option<&str>, limit| {
            let [old, new] = [old, new].map(|name| name.map(str::to_owned));
            let updates = [RefUpdate { name: "refs/heads/side".to_owned(), old, new }];
            let mut brought: Vec<_> =
                reader.brought(&updates, limit).unwrap().iter().map(ToString::to_string).collect();
            brought.sort_unstable();
            brought
        };
        let mut expected = vec![side.clone(), merge.clone()];
        expected.sort_unstable();
        assert_eq!(brought(None, Some(&merge), 10), expected);
        assert_eq!(brought(Some(&side), Some(&merge), 10), [merge.as_str()]);
        assert_eq!(brought(Some(&merge), Some(&side), 10), Vec::<String>::new());
        assert_eq!(brought(None, Some(&merge), 1).len(), 1);
        assert_eq!(brought(None, Some(&first), 10), Vec::<String>::new());
        assert_eq!(brought(Some(&merge), None, 10), Vec::<String>::new());
        // It was announced and did not arrive.
        assert_eq!(brought(None, Some(&"1".repeat(40)), 10), Vec::<String>::new());
    }
}
