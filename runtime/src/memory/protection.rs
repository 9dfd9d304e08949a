//! Write protection of which the kernel itself takes note: `userfaultfd` in its asynchronous mode, which Linux has since
//! 6.7. The first write to a page removes its protection and goes on, and nobody is asked.
//!
//! The structures and numbers are those of `linux/userfaultfd.h`.

use std::ffi::c_void;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;

use rustix::ioctl::{self, Ioctl, IoctlOutput, Opcode, opcode};
use rustix::mm::{UserfaultfdFlags, userfaultfd};

/// Only what the process itself touches: what a process without rights may ask for.
const USER_MODE_ONLY: u32 = 1;
/// The version of the interface.
const API: u64 = 0xaa;
/// What is asked of it: that pages may be protected that are not there yet, and that writes are noted and go on.
const FEATURES: u64 = 1 << 13 | 1 << 15;
/// To be told of writes to protected pages.
const MODE_WRITE: u64 = 1 << 1;
/// To protect pages, not to remove a protection.
const PROTECT: u64 = 1 << 0;

/// Protects pages. Nobody is told of a write: who wants to know asks the page map.
#[derive(Debug)]
pub(super) struct Protection(OwnedFd);

#[repr(C)]
struct Handshake {
    api: u64,
    features: u64,
    calls: u64,
}

#[repr(C)]
struct Register {
    start: u64,
    len: u64,
    mode: u64,
    calls: u64,
}

#[repr(C)]
struct WriteProtect {
    start: u64,
    len: u64,
    mode: u64,
}

impl Protection {
    /// Asks for it. An error where the kernel does not have it, or does not let this process have it.
    #[expect(unsafe_code, reason = "system calls")]
    pub(super) fn open() -> io::Result<Self> {
        let flags = UserfaultfdFlags::CLOEXEC | UserfaultfdFlags::from_bits_retain(USER_MODE_ONLY);
        // SAFETY: no page is handed to anybody else to fill.
        let file = unsafe { userfaultfd(flags) }?;
        let handshake = Call(Handshake { api: API, features: FEATURES, calls: 0 });
        // SAFETY: the argument is laid out as the kernel wants it.
        unsafe { ioctl::ioctl(&file, handshake) }?;
        Ok(Self(file))
    }

    /// Protects all pages of a mapping. The protection ends with the mapping.
    #[expect(unsafe_code, reason = "system calls")]
    pub(super) fn watch(&self, within: Range<usize>) -> io::Result<()> {
        let (start, len) = (within.start as u64, within.len() as u64);
        // SAFETY: the argument is laid out as the kernel wants it, and all that changes is that writes are noted.
        unsafe { ioctl::ioctl(&self.0, Call(Register { start, len, mode: MODE_WRITE, calls: 0 })) }?;
        // SAFETY: as above.
        unsafe { ioctl::ioctl(&self.0, Call(WriteProtect { start, len, mode: PROTECT })) }?;
        Ok(())
    }
}

/// A call with its argument.
struct Call<T>(T);

/// The number of an argument's call.
trait Numbered {
    const NUMBER: u8;
}

impl Numbered for Handshake {
    const NUMBER: u8 = 0x3f;
}

impl Numbered for Register {
    const NUMBER: u8 = 0x00;
}

impl Numbered for WriteProtect {
    const NUMBER: u8 = 0x06;
}

#[expect(unsafe_code, reason = "the trait is: the opcode and its argument belong together")]
// SAFETY: each number is that of a call that reads and writes such an argument.
unsafe impl<T: Numbered> Ioctl for Call<T> {
    type Output = ();

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::read_write::<T>(0xaa, T::NUMBER)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        (&raw mut self.0).cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}
