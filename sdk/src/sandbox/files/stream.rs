//! A file of `/tmp` as `wasi:io` streams. Nothing ever waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

use super::handle::Handle;

/// What one call carries at most. It bounds what a guest can make the host allocate at once.
const CALL_BYTES: usize = 256 << 10;

/// The place in a file at which it is read and written.
///
/// The C library keeps one for both directions and tells it when it opens a stream; but the stream of the other
/// direction, which may be open already, would stay behind: what is written after a read would go to where the last
/// write ended. So both streams of a descriptor share it.
#[derive(Clone, Default)]
pub struct Place(Arc<AtomicU64>);

impl Place {
    pub fn set(&self, offset: u64) {
        self.0.store(offset, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is read.
pub struct Input {
    pub handle: Handle,
    pub place: Place,
}

#[async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {}
}

#[async_trait]
impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let offset = self.place.get();
        let bytes = self.handle.tree().read(self.handle.id, offset, size.min(CALL_BYTES)).map_err(failed)?;
        if bytes.is_empty() && size > 0 {
            return Err(StreamError::Closed);
        }
        self.place.set(offset + bytes.len() as u64);
        Ok(bytes)
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.read(size)
    }
}

/// What is written.
pub struct Output {
    pub handle: Handle,
    pub place: Place,
    pub mode: Mode,
}

/// Where what is written goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// To the descriptor's place.
    Place,
    /// To the end of the file, wherever that is by then.
    Append,
}

impl Output {
    fn offset(&self) -> Result<u64, ErrorCode> {
        match self.mode {
            Mode::Place => Ok(self.place.get()),
            Mode::Append => Ok(self.handle.tree().stat(self.handle.id)?.size),
        }
    }

    fn room(&self) -> Result<usize, ErrorCode> {
        let offset = self.offset()?;
        self.handle.tree().room(self.handle.id, offset)
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let offset = self.offset().map_err(failed)?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let done = (bytes.len() - rest.len()) as u64;
            let written = self.handle.tree().write(self.handle.id, offset + done, rest).map_err(failed)?;
            rest = &rest[written..];
        }
        self.place.set(offset + bytes.len() as u64);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    /// As much as there is room for, so that a write which does not fit ends at the last byte that does.
    fn check_write(&mut self) -> StreamResult<usize> {
        match self.room().map_err(failed)? {
            0 => Err(failed(ErrorCode::InsufficientSpace)),
            room => Ok(room.min(CALL_BYTES)),
        }
    }

    /// Asked for after each write: the one that took the last byte has not failed.
    async fn write_ready(&mut self) -> StreamResult<usize> {
        Ok(CALL_BYTES)
    }
}

fn failed(error: ErrorCode) -> StreamError {
    StreamError::LastOperationFailed(error.into())
}
