//! What a guest prints, kept up to a limit.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// How much one write may carry. It bounds what a guest can make the host allocate at once.
const WRITE_BYTES: usize = 64 << 10;

/// Standard output and standard error of one guest, in the order in which they were written.
///
/// Cheap to clone; all clones share the text. A guest that prints more than the limit goes on undisturbed.
#[derive(Clone)]
pub struct Logs {
    shared: Arc<Mutex<Shared>>,
    limit_bytes: usize,
    shown: Shown,
}

/// Where what is printed is shown as it comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Nowhere,
    Stdout,
    Stderr,
}

#[derive(Default)]
struct Shared {
    text: Vec<u8>,
    dropped_bytes: u64,
}

impl Logs {
    /// Logs that keep the first `limit_bytes`.
    pub fn new(limit_bytes: usize) -> Self {
        Self { shared: Arc::default(), limit_bytes, shown: Shown::Nowhere }
    }

    /// Logs that show everything on this process's standard output as it comes, and keep nothing.
    pub fn shown() -> Self {
        Self { shared: Arc::default(), limit_bytes: 0, shown: Shown::Stdout }
    }

    /// Logs that keep the first `limit_bytes`, and show those on this process's standard error as they come.
    pub fn echoed(limit_bytes: usize) -> Self {
        Self { shared: Arc::default(), limit_bytes, shown: Shown::Stderr }
    }

    /// Takes the text out. Where something was dropped, its last line says how much.
    pub fn take(&self) -> String {
        let shared = std::mem::take(&mut *self.shared.lock().unwrap_or_else(PoisonError::into_inner));
        let mut text = String::from_utf8_lossy(&shared.text).into_owned();
        if shared.dropped_bytes > 0 {
            let Shared { dropped_bytes, .. } = shared;
            text.push_str(&format!("\n[{dropped_bytes} more bytes were dropped: the limit is {}]\n", self.limit_bytes));
        }
        text
    }
}

impl OutputStream for Logs {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if self.shown == Shown::Stdout {
            let mut stdout = std::io::stdout().lock();
            let shown = stdout.write_all(&bytes).and_then(|()| stdout.flush());
            return shown.map_err(|error| StreamError::LastOperationFailed(error.into()));
        }
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = bytes.len().min(self.limit_bytes.saturating_sub(shared.text.len()));
        shared.text.extend_from_slice(&bytes[..kept]);
        if self.shown == Shown::Stderr {
            // Where nobody reads it, the tool goes on all the same.
            let _unread = std::io::stderr().write_all(&bytes[..kept]);
        }
        shared.dropped_bytes += (bytes.len() - kept) as u64;
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(WRITE_BYTES)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Logs {
    async fn ready(&mut self) {}
}

impl IsTerminal for Logs {
    fn is_terminal(&self) -> bool {
        self.shown == Shown::Stdout && std::io::IsTerminal::is_terminal(&std::io::stdout())
    }
}

impl StdoutStream for Logs {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for it, and no component of ours imports that.
        Box::new(tokio::io::sink())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_above_the_limit_is_dropped_and_said_to_be() {
        let mut logs = Logs::new(5);
        logs.write(Bytes::from_static(b"abc")).unwrap();
        logs.write(Bytes::from_static(b"defgh")).unwrap();
        assert_eq!(logs.take(), "abcde\n[3 more bytes were dropped: the limit is 5]\n");
        assert_eq!(logs.take(), "");
    }
}
