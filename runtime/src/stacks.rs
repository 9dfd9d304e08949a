//! The native stacks that guests run on, used again and again.
//!
//! A guest cannot read its native stack, so what is left on it from before stays where it is, as in wasmtime's own pool.

use std::io;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use wasmtime::{StackCreator, StackMemory};

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
            let place = idle.iter().rposition(|mapping| mapping.size == size);
            place.map(|place| idle.remove(place))
        };
        let mapping = match waiting {
            Some(mapping) => mapping,
            None => Mapping::new(size)?,
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
        self.mapping().start.as_ptr().wrapping_add(GUARD + self.mapping().size)
    }

    fn range(&self) -> Range<usize> {
        let start = self.mapping().start.as_ptr().addr() + GUARD;
        start..start + self.mapping().size
    }

    fn guard_range(&self) -> Range<*mut u8> {
        let start = self.mapping().start.as_ptr();
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

/// The addresses of one stack, its guard first.
struct Mapping {
    start: NonNull<u8>,
    size: usize,
}

#[expect(unsafe_code, reason = "a mapping is a pointer, and this one has one owner")]
// SAFETY: the addresses are of the process, not of a thread, and nobody else has them.
unsafe impl Send for Mapping {}
#[expect(unsafe_code, reason = "as above")]
// SAFETY: a shared mapping only tells its address and its size.
unsafe impl Sync for Mapping {}

impl Mapping {
    #[expect(unsafe_code, reason = "reserving addresses")]
    fn new(size: usize) -> io::Result<Self> {
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
        // SAFETY: a new mapping at an address that the system chooses.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), GUARD + size, protection, flags) }?;
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("a stack was mapped at nowhere"))?;
        let mapping = Self { start, size };
        // SAFETY: the page is the mapping's.
        unsafe { mprotect(start.as_ptr().cast(), GUARD, MprotectFlags::empty()) }?;
        Ok(mapping)
    }
}

impl Drop for Mapping {
    #[expect(unsafe_code, reason = "the end of the mapping")]
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nobody else has it.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), GUARD + self.size) };
        debug_assert!(unmapped.is_ok());
    }
}
