//! Which pages of a private mapping were written, asked of the kernel: `PAGEMAP_SCAN`, which Linux has since 6.7.
//!
//! The structures and numbers are those of `linux/fs.h`.

use std::ffi::c_void;
use std::io;
use std::mem;
use std::ops::Range;

use fs_err::File;
use rustix::ioctl::{self, Ioctl, IoctlOutput, Opcode, opcode};
use rustix::mm::ProtFlags;

use super::slot::PAGE;
use crate::mapping::Mapping;

/// Runs that one scan can answer. More of them take another scan.
const RUNS: usize = 512;

const FILE: u64 = 1 << 2;
const PRESENT: u64 = 1 << 3;
const SWAPPED: u64 = 1 << 4;
const PFNZERO: u64 = 1 << 5;

/// This process's page map.
#[derive(Debug)]
pub(super) struct PageMap(File);

#[repr(C)]
#[derive(Default)]
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

impl PageMap {
    /// Opens the page map, where the kernel can scan it and is seen to answer truly: that a page is not written before,
    /// and is after it was.
    #[expect(unsafe_code, reason = "a page to try it on")]
    pub(super) fn open() -> Option<Self> {
        let map = Self(File::open("/proc/self/pagemap").ok()?);
        let mapping = Mapping::anonymous(PAGE, ProtFlags::READ | ProtFlags::WRITE).ok()?;
        let page = mapping.start();
        let within = page.addr()..page.addr() + PAGE;
        let mut answers = [false, false];
        let scans = answers.iter_mut().enumerate().all(|(number, answer)| {
            if number == 1 {
                // SAFETY: the page is mapped, and nobody else has it.
                unsafe { page.write_volatile(1) };
            }
            map.written(within.clone(), |run| *answer = run == within).is_ok()
        });
        (scans && answers == [false, true]).then_some(map)
    }

    /// Shows the runs of pages, as addresses, that are neither the file's any more nor zeros that were only read. A page
    /// that the system has swapped out is among them: it was written.
    #[expect(unsafe_code, reason = "a system call that writes into memory of ours")]
    pub(super) fn written(&self, within: Range<usize>, mut show: impl FnMut(Range<usize>)) -> io::Result<()> {
        let mut runs = [Run { start: 0, end: 0, categories: 0 }; RUNS];
        let mut start = within.start as u64;
        while start < within.end as u64 {
            let arguments = Arguments {
                size: mem::size_of::<Arguments>() as u64,
                start,
                end: within.end as u64,
                runs: runs.as_mut_ptr().addr() as u64,
                runs_len: RUNS as u64,
                category_inverted: FILE | PFNZERO,
                category_mask: FILE | PFNZERO,
                category_anyof_mask: PRESENT | SWAPPED,
                ..Arguments::default()
            };
            // SAFETY: the arguments are laid out as the kernel wants them, and it writes no more runs than there are.
            let (found, walk_end) = unsafe { ioctl::ioctl(&self.0, Scan(arguments)) }?;
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
