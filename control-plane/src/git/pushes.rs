//! Which commits a push brought: what its new tips lead to and no reference led to before.

use std::collections::{BinaryHeap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use gix::ObjectId;
use tokio::io::{AsyncRead, ReadBuf};

use super::read::{CommitId, object_id};
use super::reader::{Budget, Reader};
use crate::error::{Error, Result};

/// How much of a push is looked at, in bytes. What it asks for stands at its beginning, some hundred bytes for each
/// reference.
const MAX_LOOKED_AT_BYTES: usize = 1 << 20;

/// What a push wants references to lead to, read from its body while that passes by.
#[derive(Debug, Clone)]
pub struct PushedTips(Arc<Mutex<Commands>>);

/// The body of a push, unchanged.
pub struct Watched<R> {
    body: R,
    tips: PushedTips,
}

#[derive(Debug)]
struct Commands {
    /// What was read and is no whole line yet.
    rest: Vec<u8>,
    tips: Vec<ObjectId>,
    left_bytes: usize,
}

impl PushedTips {
    /// Nothing was read yet.
    #[expect(clippy::new_without_default, reason = "it is made to watch one push")]
    pub fn new() -> Self {
        let commands = Commands { rest: Vec::new(), tips: Vec::new(), left_bytes: MAX_LOOKED_AT_BYTES };
        Self(Arc::new(Mutex::new(commands)))
    }

    /// The body of a push, which is looked at while it is read.
    pub fn watch<R>(&self, body: R) -> Watched<R> {
        Watched { body, tips: self.clone() }
    }

    /// What was seen so far.
    pub fn get(&self) -> Vec<CommitId> {
        self.lock().tips.iter().copied().map(CommitId::from).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Commands> {
        // No code that holds this lock can panic, so a poisoned one is as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Commands {
    /// Reads lines of `old new reference`, each behind its length in four digits, until the length is zero.
    fn read(&mut self, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(self.left_bytes)];
        self.left_bytes -= bytes.len();
        self.rest.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(digits) = self.rest.get(start..start + 4) {
            let length = std::str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
            let Some(length) = length.filter(|length| *length >= 4) else {
                self.left_bytes = 0;
                self.rest = Vec::new();
                return;
            };
            let Some(line) = self.rest.get(start + 4..start + length) else { break };
            start += length;
            let new = line.get(41..81).and_then(|new| ObjectId::from_hex(new).ok());
            self.tips.extend(new.filter(|new| !new.is_null()));
        }
        self.rest.drain(..start);
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let filled_before = buf.filled().len();
        ready!(Pin::new(&mut this.body).poll_read(cx, buf))?;
        let mut commands = this.tips.lock();
        if commands.left_bytes > 0 {
            commands.read(&buf.filled()[filled_before..]);
        }
        Poll::Ready(Ok(()))
    }
}

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
    /// What all references lead to.
    pub fn tips(&self) -> Result<Vec<CommitId>> {
        let mut tips: Vec<_> = self.references("refs/")?.into_iter().map(|(_, tip)| CommitId::from(tip)).collect();
        tips.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        tips.dedup();
        Ok(tips)
    }

    /// The commits that new tips lead to and old ones do not: so many at most, the newest first.
    ///
    /// It walks no further than to where all is old, and no further than the reader's limits. Where dates are wrong, it
    /// may take an old commit for a new one.
    pub fn brought(&self, new: &[CommitId], old: &[CommitId], limit: usize) -> Result<Vec<CommitId>> {
        let mut states = HashMap::new();
        let mut queue = BinaryHeap::new();
        let mut waiting = 0_usize;
        for (tips, state) in [(old, State::Old), (new, State::New)] {
            for tip in tips {
                let id = self.peeled(object_id(tip.as_str())?)?;
                if let Some(id) = id.filter(|id| !states.contains_key(id)) {
                    states.insert(id, state);
                    queue.push((self.node(id)?.committed_at, id));
                    waiting += usize::from(state == State::New);
                }
            }
        }
        let mut brought = Vec::new();
        while waiting > 0 && brought.len() < limit && self.spend_commit() == Budget::Left {
            let Some((_, id)) = queue.pop() else { break };
            let state = states.get_mut(&id);
            let is_new = state.as_ref().is_some_and(|state| **state == State::New);
            if let Some(state) = state.filter(|_| is_new) {
                *state = State::Brought;
                waiting -= 1;
                brought.push(id);
            }
            for parent in self.node(id)?.parents {
                match states.get_mut(&parent) {
                    None => {
                        states.insert(parent, if is_new { State::New } else { State::Old });
                        queue.push((self.node(parent)?.committed_at, parent));
                        waiting += usize::from(is_new);
                    }
                    Some(state) if !is_new => {
                        waiting -= usize::from(*state == State::New);
                        *state = State::Old;
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
    use tokio::io::AsyncReadExt;

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

    #[tokio::test]
    async fn the_tips_of_a_push_are_seen_however_it_is_cut() {
        let (one, two, none) = ("1".repeat(40), "2".repeat(40), "0".repeat(40));
        let line = |text: String| format!("{:04x}{text}", text.len() + 4);
        let body = [
            line(format!("{none} {one} refs/heads/a\0 report-status")),
            line(format!("{one} {none} refs/heads/b\n")),
            line(format!("{one} {two} refs/heads/c\n")),
            "0000PACK".to_owned() + &line(format!("{none} {one} refs/heads/d")),
        ];
        let body = body.concat();
        for chunk in [1, 7, 1000] {
            let tips = PushedTips::new();
            let stream = tokio_util::io::StreamReader::new(futures::stream::iter(
                body.as_bytes().chunks(chunk).map(|chunk| std::io::Result::Ok(bytes::Bytes::copy_from_slice(chunk))),
            ));
            let mut read = String::new();
            tips.watch(stream).read_to_string(&mut read).await.unwrap();
            assert_eq!(read, body);
            let seen: Vec<_> = tips.get().iter().map(ToString::to_string).collect();
            assert_eq!(seen, [one.clone(), two.clone()], "{chunk}");
        }
    }

    #[test]
    fn what_is_brought_is_what_nothing_led_to_before() {
        let fixture = Fixture::new();
        let first = fixture.commit(&[("a", "1")]);
        let second = fixture.commit(&[("a", "2")]);
        fixture.push("main");
        fixture.git(&["switch", "--quiet", "--create", "side", &first]);
        let side = fixture.commit(&[("b", "1")]);
        fixture.git(&["merge", "--quiet", "--message=merge", "main"]);
        let merge = fixture.git(&["rev-parse", "HEAD"]);

        let before = fixture.repository.reader(LIMITS).unwrap().tips().unwrap();
        assert_eq!(before, [CommitId::parse(&second).unwrap()]);
        fixture.push("side");
        let reader = fixture.repository.reader(LIMITS).unwrap();
        let brought = |new: &str, old: &[CommitId], limit| {
            let mut brought: Vec<_> = reader.brought(&[CommitId::parse(new).unwrap()], old, limit).unwrap();
            brought.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
            brought.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let mut expected = [side.clone(), merge.clone()];
        expected.sort_unstable();
        assert_eq!(brought(&merge, &before, 10), expected);
        assert_eq!(brought(&merge, &before, 1).len(), 1);
        assert_eq!(brought(&first, &before, 10), Vec::<String>::new());
        assert_eq!(brought(&merge, &[], 10).len(), 4);
        assert_eq!(brought(&"1".repeat(40), &before, 10), Vec::<String>::new());
    }
}
