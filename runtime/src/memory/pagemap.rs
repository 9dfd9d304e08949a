//! Which pages of a private mapping were written, asked of the kernel: `PAGEMAP_SCAN`, which Linux has since 6.7.
//!
//! The structures and numbers are those of `linux/fs.h`.

use std::ffi::c_void;
use std::io;
use std::mem;
use std::ops::Range;

use fs_err::File;
use rustix::ioctl::{self, Ioctl, IoctlOutput, Opcode, opcode};

use super::protection::Protection;

/// Runs that one scan can answer. More of them take another scan.
const RUNS: usize = 512;

const WRITTEN: u64 = 1 << 1;
const FILE: u64 = 1 << 2;
const PRESENT: u64 = 1 << 3;
const SWAPPED: u64 = 1 << 4;
const PFNZERO: u64 = 1 << 5;

/// Fail at addresses where writes are not noticed.
const CHECK_WRITE_PROTECTION: u64 = 1 << 1;

/// This process's page map.
#[derive(Debug)]
pub(super) struct PageMap {
    file: File,
    /// Where the kernel notes writes itself, a scan need not look at what each page is: it is fifteen times as quick.
    protection: Option<Protection>,
}

impl PageMap {
    /// Opens the page map, where the kernel can scan it and is seen to answer truly: that a page is not written before,
    /// and is after it was.
    pub(super) fn open() -> Option<Self> {
        let protected = || Self::tried(Some(Protection::open().ok()?));
        protected().or_else(Self::without_protection)
    }

    /// The same for kernels that do not note writes, or not for this process.
    pub(super) fn without_protection() -> Option<Self> {
        Self::tried(None)
    }

    fn tried(protection: Option<Protection>) -> Option<Self> {
        let pages = Self { file: File::open("/proc/self/pagemap").ok()?, protection };
        trial::of(&pages).unwrap_or(false).then_some(pages)
    }

    /// Takes note of a private mapping of a file: from here on, what is written to it is found.
    pub(super) fn watch(&self, within: Range<usize>) -> io::Result<()> {
        self.protection.as_ref().map_or(Ok(()), |protection| protection.watch(within))
    }

    /// Shows the runs of pages, as addresses, that were written since they were watched. A page that the system has
    /// swapped out is among them. Where writes are not noted, it is those that are neither the file's any more nor zeros
    /// that were only read.
    #[expect(unsafe_code, reason = "a system call that writes into memory of ours")]
    pub(super) fn written(&self, within: Range<usize>, mut show: impl FnMut(Range<usize>)) -> io::Result<()> {
        let mut runs = [Run { start: 0, end: 0, categories: 0 }; RUNS];
        let wanted = match self.protection {
            Some(_) => Arguments {
                flags: CHECK_WRITE_PROTECTION,
                category_mask: WRITTEN,
                return_mask: WRITTEN,
                ..Arguments::default()
            },
            None => Arguments {
                category_inverted: FILE | PFNZERO,
                category_mask: FILE | PFNZERO,
                category_anyof_mask: PRESENT | SWAPPED,
                ..Arguments::default()
            },
        };
        let mut start = within.start as u64;
        while start < within.end as u64 {
            let arguments = Arguments {
                size: mem::size_of::<Arguments>() as u64,
                start,
                end: within.end as u64,
                runs: runs.as_mut_ptr().addr() as u64,
                runs_len: RUNS as u64,
                ..wanted
            };
            // SAFETY: the arguments are laid out as the kernel wants them, and it writes no more runs than there are.
            let (found, walk_end) = unsafe { ioctl::ioctl(&self.file, Scan(arguments)) }?;
            for run in runs.iter().take(found) {
                show(usize::try_from(run.start).unwrap_or(0)..usize::try_from(run.end).unwrap_or(0));
            }
            if walk_end <= start {
                return Err(io::Error::other("the scan of the page map does not come forward"));
            }
            start = walk_end;
        }
        Ok(())
    }
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Arguments {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    runs: u64,
    runs_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Run {
    start: u64,
    end: u64,
    categories: u64,
}

struct Scan(Arguments);

#[expect(unsafe_code, reason = "the trait is: the opcode and its argument belong together")]
// SAFETY: this opcode reads and writes such arguments, and answers how many runs it has written.
unsafe impl Ioctl for Scan {
    type Output = (usize, u64);

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::read_write::<Arguments>(b'f', 16)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        (&raw mut self.0).cast()
    }

    unsafe fn output_from_ptr(found: IoctlOutput, arguments: *mut c_void) -> rustix::io::Result<Self::Output> {
        // SAFETY: it is what `as_ptr` answered.
        let arguments = unsafe { &*arguments.cast::<Arguments>() };
        Ok((usize::try_from(found).unwrap_or(0), arguments.walk_end))
    }
}

/// Whether the kernel answers truly: it is tried before it is relied on.
mod trial {
    use std::io;

    use rustix::fs::{MemfdFlags, memfd_create};

    use super::PageMap;
    use crate::mapping::Mapping;
    use crate::memory::slot::PAGE;

    /// Tries it on two pages of a file: neither is written before, and after one was, it is that one.
    #[expect(unsafe_code, reason = "reading and writing pages to try it on")]
    pub(super) fn of(pages: &PageMap) -> io::Result<bool> {
        let file = fs_err::File::from_parts(memfd_create("trial", MemfdFlags::CLOEXEC)?.into(), "trial");
        file.set_len(2 * PAGE as u64)?;
        let mapping = Mapping::private(&file, 2 * PAGE)?;
        let start = mapping.start();
        let within = start.addr()..start.addr() + 2 * PAGE;
        pages.watch(within.clone())?;
        let written = || {
            let mut runs = Vec::new();
            pages.written(within.clone(), |run| runs.push(run)).map(|()| runs)
        };
        // SAFETY: both pages are mapped, and nobody else has them.
        let _zero = unsafe { start.read_volatile() };
        let before = written()?;
        // SAFETY: as above.
        unsafe { start.write_volatile(1) };
        let one = within.start..within.start + PAGE;
        Ok(before.is_empty() && written()? == [one.clone()] && written()? == [one])
    }
}
