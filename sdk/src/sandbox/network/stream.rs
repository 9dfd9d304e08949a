//! The two directions of a guest's connection as `wasi:io` streams.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

/// What a guest may hand over at once. The C library writes in pieces of at most this size.
const WRITE_BYTES: usize = 64 << 10;

/// What is received.
pub struct Input {
    half: ReadHalf<DuplexStream>,
    /// Read while it was found out whether there is something.
    ready: BytesMut,
    ended: bool,
}

impl Input {
    pub fn new(half: ReadHalf<DuplexStream>) -> Self {
        Self { half, ready: BytesMut::new(), ended: false }
    }

    fn poll_fill(&mut self, context: &mut Context) -> Poll<()> {
        if self.ended || !self.ready.is_empty() {
            return Poll::Ready(());
        }
        let mut space = [0; 16 << 10];
        let mut buffer = ReadBuf::new(&mut space);
        let filled = Pin::new(&mut self.half).poll_read(context, &mut buffer);
        filled.map(|result| {
            self.ended = result.is_err() || buffer.filled().is_empty();
            self.ready.extend_from_slice(buffer.filled());
        })
    }
}

#[async_trait::async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        poll_fn(|context| self.poll_fill(context)).await;
    }
}

#[async_trait::async_trait]
impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let _pending = self.poll_fill(&mut Context::from_waker(Waker::noop()));
        if self.ready.is_empty() && self.ended {
            return Err(StreamError::Closed);
        }
        Ok(self.ready.split_to(size.min(self.ready.len())).freeze())
    }
}

/// What is sent.
pub struct Output {
    half: Option<WriteHalf<DuplexStream>>,
    unsent: BytesMut,
}

impl Output {
    pub fn new(half: WriteHalf<DuplexStream>) -> Self {
        Self { half: Some(half), unsent: BytesMut::new() }
    }

    /// Sends until nothing is left, and then until the other end can take more.
    fn poll_send(&mut self, context: &mut Context) -> Poll<()> {
        while !self.unsent.is_empty() {
            let Some(half) = &mut self.half else { break };
            match Pin::new(half).poll_write(context, &self.unsent) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(sent)) if sent > 0 => self.unsent.advance(sent),
                Poll::Ready(_) => self.half = None,
            }
        }
        Poll::Ready(())
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        poll_fn(|context| self.poll_send(context)).await;
    }
}

#[async_trait::async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.unsent.extend_from_slice(&bytes);
        let _pending = self.poll_send(&mut Context::from_waker(Waker::noop()));
        self.half.as_ref().map(|_| ()).ok_or(StreamError::Closed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.half.as_ref().map(|_| ()).ok_or(StreamError::Closed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let sent = self.poll_send(&mut Context::from_waker(Waker::noop()));
        match (&self.half, sent) {
            (None, _) => Err(StreamError::Closed),
            (Some(_), Poll::Ready(())) => Ok(WRITE_BYTES),
            (Some(_), Poll::Pending) => Ok(0),
        }
    }
}

impl Drop for Output {
    /// A guest that closes its socket expects what it has sent before to arrive.
    fn drop(&mut self) {
        let Some(mut half) = self.half.take() else { return };
        let unsent = std::mem::take(&mut self.unsent);
        if let Ok(executor) = tokio::runtime::Handle::try_current() {
            executor.spawn(async move {
                if half.write_all(&unsent).await.is_ok() {
                    let _closed = half.shutdown().await;
                }
            });
        }
    }
}
