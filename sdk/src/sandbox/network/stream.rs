//! The two directions of a guest's connection as `wasi:io` streams.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;
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
    state: State,
}

enum State {
    /// Everything so far is with the other end.
    Idle(WriteHalf<DuplexStream>),
    /// The other end has no room for all of it. A task waits until it has: the guest may do anything else meanwhile.
    Sending(JoinHandle<Option<WriteHalf<DuplexStream>>>),
    Closed,
}

impl Output {
    pub fn new(half: WriteHalf<DuplexStream>) -> Self {
        Self { state: State::Idle(half) }
    }

    /// Waits until nothing is left to send.
    fn poll_settle(&mut self, context: &mut Context) -> Poll<()> {
        if let State::Sending(task) = &mut self.state {
            let Poll::Ready(sent) = Pin::new(task).poll(context) else { return Poll::Pending };
            self.state = sent.ok().flatten().map_or(State::Closed, State::Idle);
        }
        Poll::Ready(())
    }

    fn settle(&mut self) {
        let _pending = self.poll_settle(&mut Context::from_waker(Waker::noop()));
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        poll_fn(|context| self.poll_settle(context)).await;
    }
}

#[async_trait::async_trait]
impl OutputStream for Output {
    fn write(&mut self, mut bytes: Bytes) -> StreamResult<()> {
        self.settle();
        let mut half = match std::mem::replace(&mut self.state, State::Closed) {
            State::Idle(half) => half,
            State::Closed => return Err(StreamError::Closed),
            State::Sending(_) => return Err(StreamError::trap("the guest wrote more than it was allowed to")),
        };
        let context = &mut Context::from_waker(Waker::noop());
        while !bytes.is_empty() {
            match Pin::new(&mut half).poll_write(context, &bytes) {
                Poll::Ready(Ok(sent)) if sent > 0 => bytes.advance(sent),
                Poll::Ready(_) => return Err(StreamError::Closed),
                Poll::Pending => {
                    let send = async move { half.write_all(&bytes).await.is_ok().then_some(half) };
                    self.state = State::Sending(tokio::spawn(send));
                    return Ok(());
                }
            }
        }
        self.state = State::Idle(half);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        if matches!(self.state, State::Closed) { Err(StreamError::Closed) } else { Ok(()) }
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.settle();
        match self.state {
            State::Idle(_) => Ok(WRITE_BYTES),
            State::Sending(_) => Ok(0),
            State::Closed => Err(StreamError::Closed),
        }
    }
}

impl Drop for Output {
    /// A guest that closes its socket expects what it has sent before to arrive.
    fn drop(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Closed);
        let Ok(executor) = tokio::runtime::Handle::try_current() else { return };
        executor.spawn(async move {
            let half = match state {
                State::Idle(half) => Some(half),
                State::Sending(task) => task.await.ok().flatten(),
                State::Closed => None,
            };
            if let Some(mut half) = half {
                let _closed = half.shutdown().await;
            }
        });
    }
}
