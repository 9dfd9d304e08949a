//! What git says, on its way to the client.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::error::{Error, Result};

/// How many chunks may wait for the client. Each is at most a packet of Git's, that is 64 KiB.
const WAITING_CHUNKS: usize = 2;

/// What git says, as a stream that ends once git has ended and what it confirmed is durable.
///
/// Dropping it ends a fetch. A push goes on if it has arrived as a whole, and is refused by git if it has not.
#[derive(Debug)]
pub struct Answer {
    first: Option<Bytes>,
    rest: mpsc::Receiver<Result<Bytes>>,
}

/// The other end of an [`Answer`].
#[derive(Debug, Clone)]
pub(super) struct Speaker {
    sender: mpsc::Sender<Result<Bytes>>,
    stall: Duration,
}

impl Answer {
    /// An answer that begins with what the task behind the other end says first.
    ///
    /// Git speaks once it has read what it needs. An answer that began before that would make a client that waits for
    /// `100 Continue` believe that its body is not wanted; and a failure can still be told by a status.
    pub(super) async fn begin(mut rest: mpsc::Receiver<Result<Bytes>>) -> Result<Self> {
        let first = rest.recv().await.transpose()?;
        Ok(Self { first, rest })
    }
}

impl Stream for Answer {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        // The log has why; all that a client can be told by now is that the answer is not whole.
        this.rest.poll_recv(cx).map(|item| item.map(|item| item.map_err(io::Error::other)))
    }
}

/// An answer's two ends. `stall` is how long the client may take for a chunk.
pub(super) fn channel(stall: Duration) -> (Speaker, mpsc::Receiver<Result<Bytes>>) {
    let (sender, receiver) = mpsc::channel(WAITING_CHUNKS);
    (Speaker { sender, stall }, receiver)
}

impl Speaker {
    /// Sends a chunk. An error says that the client is gone or takes nothing.
    pub(super) async fn say(&self, chunk: Bytes) -> io::Result<()> {
        let sent = timeout(self.stall, self.sender.send(Ok(chunk))).await?;
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Says that there is no answer, or that it ends before its time.
    pub(super) async fn fail(&self, error: Error) {
        // A client that is gone needs no reason.
        let _ = timeout(self.stall, self.sender.send(Err(error))).await;
    }

    /// Completes when the client is gone.
    pub(super) async fn gone(&self) {
        self.sender.closed().await;
    }
}
