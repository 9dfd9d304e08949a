//! What a push wants to change, seen while its body goes to git.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use gix::ObjectId;
use tokio::io::{AsyncRead, ReadBuf};

use super::pushes::RefUpdate;

/// How much of a push is looked at, in bytes. What it asks for stands at its beginning, some hundred bytes for each
/// reference.
const MAX_LOOKED_AT_BYTES: usize = 1 << 20;

/// What a push wants to change, read from its body while that passes by.
#[derive(Debug, Clone)]
pub struct PushCommands(Arc<Mutex<Commands>>);

/// The body of a push, unchanged.
pub struct Watched<R> {
    body: R,
    commands: PushCommands,
}

#[derive(Debug)]
struct Commands {
    /// What was read and is no whole line yet.
    rest: Vec<u8>,
    updates: Vec<RefUpdate>,
    left_bytes: usize,
}

impl PushCommands {
    /// Nothing was read yet.
    #[expect(clippy::new_without_default, reason = "it is made to watch one push")]
    pub fn new() -> Self {
        let commands = Commands { rest: Vec::new(), updates: Vec::new(), left_bytes: MAX_LOOKED_AT_BYTES };
        Self(Arc::new(Mutex::new(commands)))
    }

    /// The body of a push, which is looked at while it is read.
    pub fn watch<R>(&self, body: R) -> Watched<R> {
        Watched { body, commands: self.clone() }
    }

    /// What was seen so far.
    pub fn get(&self) -> Vec<RefUpdate> {
        self.lock().updates.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Commands> {
        // No code that holds this lock can panic, so a poisoned one is as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Commands {
    /// Reads lines, each behind its length in four digits, until the length is zero.
    fn read(&mut self, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(self.left_bytes)];
        self.left_bytes -= bytes.len();
        self.rest.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(digits) = self.rest.get(start..start + 4) {
            let length = std::str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
            let Some(length) = length.filter(|length| *length >= 4) else {
                self.left_bytes = 0;
                self.rest = Vec::new();
                return;
            };
            let Some(line) = self.rest.get(start + 4..start + length) else { break };
            start += length;
            self.updates.extend(update(line));
        }
        self.rest.drain(..start);
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let filled_before = buf.filled().len();
        ready!(Pin::new(&mut this.body).poll_read(cx, buf))?;
        let mut commands = this.commands.lock();
        if commands.left_bytes > 0 {
            commands.read(&buf.filled()[filled_before..]);
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads `old new reference`, behind which the first line has what the client can do.
fn update(line: &[u8]) -> Option<RefUpdate> {
    let id = |digits: &[u8]| ObjectId::from_hex(digits).ok();
    let (old, new) = (id(line.get(..40)?)?, id(line.get(41..81)?)?);
    let name = line.get(82..)?.split(|byte| matches!(byte, 0 | b'\n')).next()?;
    let [old, new] = [old, new].map(|id| (!id.is_null()).then(|| id.to_string()));
    Some(RefUpdate { name: String::from_utf8_lossy(name).into_owned(), old, new })
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn what_a_push_wants_is_seen_however_it_is_cut() {
        let (one, two, none) = ("1".repeat(40), "2".repeat(40), "0".repeat(40));
        let line = |text: String| format!("{:04x}{text}", text.len() + 4);
        let body = [
            line(format!("{none} {one} refs/heads/a\0 report-status")),
            line(format!("{one} {none} refs/heads/b\n")),
            line(format!("{one} {two} refs/heads/c\n")),
            "0000PACK".to_owned() + &line(format!("{none} {one} refs/heads/d")),
        ];
        let body = body.concat();
        for chunk in [1, 7, 1000] {
            let commands = PushCommands::new();
            let stream = tokio_util::io::StreamReader::new(futures::stream::iter(
                body.as_bytes().chunks(chunk).map(|chunk| std::io::Result::Ok(bytes::Bytes::copy_from_slice(chunk))),
            ));
            let mut read = String::new();
            commands.watch(stream).read_to_string(&mut read).await.unwrap();
            assert_eq!(read, body);
            let update = |name: &str, old: Option<&String>, new: Option<&String>| RefUpdate {
                name: name.to_owned(),
                old: old.cloned(),
                new: new.cloned(),
            };
            let expected = [
                update("refs/heads/a", None, Some(&one)),
                update("refs/heads/b", Some(&one), None),
                update("refs/heads/c", Some(&one), Some(&two)),
            ];
            assert_eq!(commands.get(), expected, "{chunk}");
        }
    }
}
