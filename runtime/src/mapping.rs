//! Addresses of this process that have one owner, who unmaps them.

use std::io;
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

/// A mapping. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

#[expect(unsafe_code, reason = "a mapping is a pointer, and this one has one owner")]
// SAFETY: the addresses are of the process, not of a thread, and nobody else has them.
unsafe impl Send for Mapping {}
#[expect(unsafe_code, reason = "as above")]
// SAFETY: a shared mapping only tells its address and its length.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Memory of nobody's yet, full of zeros where it is accessible. What is never touched takes no memory.
    #[expect(unsafe_code, reason = "reserving addresses")]
    pub(crate) fn anonymous(len: usize, protection: ProtFlags) -> io::Result<Self> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address that the system chooses.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), len, protection, flags) }?;
        Self::at(start.cast(), len)
    }

    /// The beginning of a file, for reading.
    #[expect(unsafe_code, reason = "mapping a file")]
    pub(crate) fn file(file: impl AsFd, len: usize) -> io::Result<Self> {
        // SAFETY: as above.
        let start = unsafe { mmap(ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, file, 0) }?;
        Self::at(start.cast(), len)
    }

    /// The beginning of a file, to be read and written; what is written is this mapping's alone.
    #[expect(unsafe_code, reason = "mapping a file")]
    pub(crate) fn private(file: impl AsFd, len: usize) -> io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: as above.
        let start = unsafe { mmap(ptr::null_mut(), len, protection, MapFlags::PRIVATE, file, 0) }?;
        Self::at(start.cast(), len)
    }

    fn at(start: *mut u8, len: usize) -> io::Result<Self> {
        let start = NonNull::new(start).ok_or_else(|| io::Error::other("a mapping is at address zero"))?;
        Ok(Self { start, len })
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Mapping {
    #[expect(unsafe_code, reason = "the end of the mapping")]
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nobody else has it.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok());
    }
}
