//! All the slots: those that wait for their next use, the least recently used first.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::image::Image;
use super::pagemap::PageMap;
use super::slot::Slot;

/// Slots that are used again and again, by the same tool where they can.
pub(crate) struct Slots {
    idle: Mutex<VecDeque<Slot>>,
    /// The most that wait. A slot in use is none of them, and its user counts it.
    max_idle: usize,
    /// What one of them keeps of what it has written, in bytes.
    keep_resident: usize,
    /// Nothing where the kernel has no such scan: what was written is then given back to the system each time.
    pages: Option<PageMap>,
    /// Where to write what a memory holds when it comes back.
    dump: Option<PathBuf>,
}

/// Memories that wait for their next invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdleMemory {
    /// How many there are.
    pub memories: usize,
    /// Bytes that they keep resident, since invocations have written there: what the next ones need not fault in, and
    /// what has to be copied to make a memory clean.
    pub resident_bytes: usize,
}

impl Slots {
    pub(crate) fn new(max_idle: usize, keep_resident: usize, dump: Option<PathBuf>) -> Self {
        Self { idle: Mutex::default(), max_idle, keep_resident, pages: PageMap::open(), dump }
    }

    /// A slot with this image: one that had it before, else the one that was not used for the longest time, else a new
    /// one.
    pub(super) fn take(&self, image: Arc<Image>, reserved: usize, guard: usize) -> io::Result<Slot> {
        let needed = reserved.saturating_add(guard);
        if let Some(slot) = self.find(|slot| slot.has(&image) && slot.fits(needed)) {
            return Ok(slot);
        }
        // Mapping anew costs about what reserving does, and drops what was resident for a tool that may come back.
        let mut slot = match self.surplus(needed) {
            Some(slot) => slot,
            None => Slot::reserve(needed)?,
        };
        slot.map(image, self.pages.as_ref())?;
        Ok(slot)
    }

    /// Takes the slot that was used last among those that are wanted.
    fn find(&self, wanted: impl Fn(&Slot) -> bool) -> Option<Slot> {
        let mut idle = self.idle();
        let place = idle.iter().rposition(wanted)?;
        idle.remove(place)
    }

    /// Takes the least recently used slot when there are as many as there may be.
    fn surplus(&self, needed: usize) -> Option<Slot> {
        let mut idle = self.idle();
        let full = idle.len() >= self.max_idle;
        if full { idle.pop_front().filter(|slot| slot.fits(needed)) } else { None }
    }

    /// Makes a slot what it was, and keeps it for its next use.
    pub(super) fn give_back(&self, mut slot: Slot) {
        if let Some(path) = &self.dump
            && let Err(error) = fs_err::write(path, slot.content())
        {
            tracing::warn!(%error, "a memory cannot be written");
        }
        if let Err(error) = slot.reset(self.pages.as_ref(), self.keep_resident) {
            // It is unmapped then, and nobody sees what is in it.
            tracing::warn!(%error, "a memory cannot be reset");
            return;
        }
        let surplus = {
            let mut idle = self.idle();
            idle.push_back(slot);
            if idle.len() > self.max_idle { idle.pop_front() } else { None }
        };
        drop(surplus);
    }

    pub(crate) fn idle_memory(&self) -> IdleMemory {
        let idle = self.idle();
        IdleMemory { memories: idle.len(), resident_bytes: idle.iter().map(Slot::resident).sum() }
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Slot>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_gets_its_own_slot_again_and_no_more_wait_than_may() {
        let folder = tempfile::tempdir().unwrap();
        let image = |name: &str| {
            let path = folder.path().join(name);
            Image::write(&path, 1 << 16, [(0, name.as_bytes())]).unwrap();
            Arc::new(Image::open(&path).unwrap())
        };
        let (one, two, three) = (image("one"), image("two"), image("three"));
        let slots = Slots::new(2, 1 << 20, None);
        let take = |image: &Arc<Image>| slots.take(Arc::clone(image), 1 << 17, 1 << 16).unwrap();
        let (first, second) = (take(&one), take(&two));
        let (at_one, at_two) = (first.address(), second.address());
        slots.give_back(first);
        slots.give_back(second);
        let again = take(&one);
        assert_eq!(again.address(), at_one);
        slots.give_back(again);
        // The one that was used least recently is mapped anew.
        let third = take(&three);
        assert_eq!(third.address(), at_two);
        let fourth = take(&one);
        assert_eq!(fourth.address(), at_one);
        let fifth = take(&two);
        for slot in [third, fourth, fifth] {
            slots.give_back(slot);
        }
        assert_eq!(slots.idle().len(), 2);
    }
}
