//! What a tool's memory holds when an invocation begins: a file, mapped once for reading and privately by each slot.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::ptr::{self, NonNull};

use fs_err::File;
use fs_err::os::unix::fs::FileExt;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// An image, open and mapped.
#[derive(Debug)]
pub(crate) struct Image {
    file: File,
    /// The content, for reading.
    pristine: NonNull<u8>,
    len: usize,
}

#[expect(unsafe_code, reason = "a mapping is a pointer, and this one is only read")]
// SAFETY: nobody writes through the pointer.
unsafe impl Send for Image {}
#[expect(unsafe_code, reason = "as above")]
// SAFETY: as above.
unsafe impl Sync for Image {}

impl Image {
    /// Writes the file of an image of so many bytes. What is in none of the runs is zero, and takes no space.
    pub(crate) fn write<'a>(
        path: &Path,
        len: usize,
        runs: impl IntoIterator<Item = (usize, &'a [u8])>,
    ) -> io::Result<()> {
        let file = File::create(path)?;
        file.set_len(len as u64)?;
        runs.into_iter().try_for_each(|(place, bytes)| file.write_all_at(bytes, place as u64))
    }

    /// Opens and maps the file.
    #[expect(unsafe_code, reason = "mapping a file of our own cache")]
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        if len == 0 || !len.is_multiple_of(1 << 16) {
            return Err(io::Error::other(format!("{} is no image of a memory", path.display())));
        }
        // SAFETY: a new mapping at an address that the system chooses.
        let mapped = unsafe { mmap(ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, &file, 0) }?;
        let pristine = NonNull::new(mapped.cast()).ok_or_else(|| io::Error::other("an image was mapped at nowhere"))?;
        Ok(Self { file, pristine, len })
    }

    /// Its size in bytes, a multiple of the 64 KiB of a page of WebAssembly.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Where its content can be read.
    pub(super) fn pristine(&self) -> *const u8 {
        self.pristine.as_ptr()
    }

    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Image {
    #[expect(unsafe_code, reason = "the end of the mapping")]
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and whoever reads it has the image.
        let unmapped = unsafe { munmap(self.pristine.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok());
    }
}
