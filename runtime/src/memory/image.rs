//! What a tool's memory holds when an invocation begins: a file, mapped once for reading and privately by each slot.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use fs_err::File;
use fs_err::os::unix::fs::FileExt;

use crate::mapping::Mapping;

/// An image, open and mapped.
#[derive(Debug)]
pub(crate) struct Image {
    file: File,
    /// The content, for reading.
    pristine: Mapping,
}

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
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        if len == 0 || !len.is_multiple_of(1 << 16) {
            return Err(io::Error::other(format!("{} is no image of a memory", path.display())));
        }
        Ok(Self { pristine: Mapping::file(&file, len)?, file })
    }

    /// Its size in bytes, a multiple of the 64 KiB of a page of WebAssembly.
    pub(crate) fn len(&self) -> usize {
        self.pristine.len()
    }

    /// Where its content can be read.
    pub(super) fn pristine(&self) -> *const u8 {
        self.pristine.start()
    }

    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
