//! The native stacks that guests run on, used again and again.
//!
//! A guest cannot read its native stack, so what is left on it from before stays where it is, as in wasmtime's own pool.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::mm::{MprotectFlags, ProtFlags, mprotect};
use wasmtime::{StackCreator, StackMemory};

use crate::mapping::Mapping;

/// The inaccessible page at a stack's end, which makes an overflow a trap.
const GUARD: usize = 4096;

/// Stacks that wait for their next guest.
#[derive(Default)]
pub(crate) struct Stacks {
    idle: Arc<Mutex<Vec<Mapping>>>,
    max_idle: usize,
}

impl Stacks {
    /// So many may wait.
    pub(crate) fn new(max_idle: usize) -> Self {
        Self { idle: Arc::default(), max_idle }
    }
}

#[expect(unsafe_code, reason = "the trait is: the stack has to be as large as is asked for, and guarded")]
// SAFETY: a mapping has the size and one inaccessible page below it.
unsafe impl StackCreator for Stacks {
    fn new_stack(&self, size: usize, zeroed: bool) -> wasmtime::Result<Box<dyn StackMemory>> {
        wasmtime::ensure!(!zeroed, "stacks are not cleared between guests");
        let waiting = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let place = idle.iter().rposition(|mapping| mapping.len() == GUARD + size);
            place.map(|place| idle.remove(place))
        };
        let mapping = match waiting {
            Some(mapping) => mapping,
            None => reserve(size)?,
        };
        Ok(Box::new(Stack { mapping: Some(mapping), idle: Arc::clone(&self.idle), max_idle: self.max_idle }))
    }
}

/// A stack in use.
struct Stack {
    /// Always there, until the stack is dropped.
    mapping: Option<Mapping>,
    idle: Arc<Mutex<Vec<Mapping>>>,
    max_idle: usize,
}

impl Stack {
    fn mapping(&self) -> &Mapping {
        self.mapping.as_ref().expect("a stack has its mapping until it is dropped")
    }
}

#[expect(unsafe_code, reason = "the trait is: addresses have to be true")]
// SAFETY: they are those of the mapping, which lives as long.
unsafe impl StackMemory for Stack {
    fn top(&self) -> *mut u8 {
        self.mapping().start().wrapping_add(self.mapping().len())
    }

    fn range(&self) -> Range<usize> {
        let start = self.mapping().start().addr();
        start + GUARD..start + self.mapping().len()
    }

    fn guard_range(&self) -> Range<*mut u8> {
        let start = self.mapping().start();
        start..start.wrapping_add(GUARD)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.max_idle {
            idle.extend(self.mapping.take());
        }
    }
}

/// Reserves a stack of this size, its guard first.
#[expect(unsafe_code, reason = "changing the protection of addresses of the mapping")]
fn reserve(size: usize) -> io::Result<Mapping> {
    let mapping = Mapping::anonymous(GUARD + size, ProtFlags::READ | ProtFlags::WRITE)?;
    // SAFETY: the page is the mapping's.
    unsafe { mprotect(mapping.start().cast(), GUARD, MprotectFlags::empty()) }?;
    Ok(mapping)
}
