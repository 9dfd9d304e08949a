//! The linear memory of guests: copy-on-write images of tools, in slots that are used again once they are as they were.
//!
//! Wasmtime's own pool resets a slot by copying while what was written lies in at most 32 runs of pages, and gives the
//! rest back to the system. CPython counts references all over its heap: a small tool writes 240 pages in 190 runs, so
//! nearly all of them had to be faulted in again at the next call, each with an interrupt to every other processor that
//! runs a guest. Here a slot keeps whatever it has written, and a reset is copies alone: no page fault, no system call
//! but the scan that finds the pages, nothing that other threads wait for.

mod image;
mod pagemap;
mod protection;
mod slot;
mod slots;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;

use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

pub(crate) use image::Image;
use slot::Slot;
pub use slots::IdleMemory;
pub(crate) use slots::Slots;

thread_local! {
    /// The image of the instance that this thread makes.
    static WANTED: RefCell<Option<Arc<Image>>> = const { RefCell::new(None) };
}

/// Makes an instance whose memory is an image: what the future allocates when it is polled has the image's content.
pub(crate) async fn with_image<T>(image: &Arc<Image>, instantiate: impl Future<Output = T>) -> T {
    let mut instantiate = pin!(instantiate);
    poll_fn(|context| {
        let _unset = Unset(WANTED.replace(Some(Arc::clone(image))));
        instantiate.as_mut().poll(context)
    })
    .await
}

/// Puts back what was wanted before, also when a poll panics.
struct Unset(Option<Arc<Image>>);

impl Drop for Unset {
    fn drop(&mut self) {
        WANTED.set(self.0.take());
    }
}

/// Gives wasmtime memories out of the slots.
pub(crate) struct Creator(pub(crate) Arc<Slots>);

#[expect(unsafe_code, reason = "the trait is: the memory has to be reserved, guarded and accessible as it says")]
// SAFETY: a slot reserves what wasmtime asks for and its guard behind it, all of it inaccessible but the memory itself.
unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let image = WANTED.with_borrow(Clone::clone).ok_or("a memory is made outside of an invocation")?;
        let Some(reserved) = reserved.filter(|reserved| *reserved >= minimum && minimum == image.len()) else {
            return Err(format!("the memory has {minimum} bytes, and its image {}", image.len()));
        };
        let slot = self.0.take(image, reserved, guard).map_err(|source| source.to_string())?;
        Ok(Box::new(Memory { slot: Some(slot), slots: Arc::clone(&self.0), reserved }))
    }
}

/// A memory in use.
struct Memory {
    /// Always there, until the memory is dropped.
    slot: Option<Slot>,
    slots: Arc<Slots>,
    reserved: usize,
}

impl Memory {
    fn slot(&self) -> &Slot {
        self.slot.as_ref().expect("a memory has its slot until it is dropped")
    }
}

#[expect(unsafe_code, reason = "the trait is: sizes and addresses have to be true")]
// SAFETY: the slot's address never changes, and it is accessible up to what `byte_size` answers.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.slot().accessible()
    }

    fn byte_capacity(&self) -> usize {
        self.reserved
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        wasmtime::ensure!(new_size <= self.reserved, "a memory cannot have {new_size} bytes");
        let slot = self.slot.as_mut().expect("a memory has its slot until it is dropped");
        Ok(slot.grow(new_size)?)
    }

    fn as_ptr(&self) -> *mut u8 {
        self.slot().address()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.slots.give_back(slot);
        }
    }
}
