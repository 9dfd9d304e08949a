//! A running git: started within bounds, fed, listened to, and ended with all that it started.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::turns::Turn;
use crate::error::{Error, Result};

/// What a pipe holds on Linux: little more than this is in memory in either direction.
pub(super) const BUFFER_BYTES: usize = 64 << 10;

/// How much of git's complaints goes to the log.
const MAX_STDERR_BYTES: u64 = 8 << 10;

/// How long git may take to put things in order before it is ended in a harder way.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(5);

/// A running git and the processes that it started. Dropping it ends them all.
pub(super) struct Process {
    child: Option<Leader>,
    turn: Option<Turn>,
}

/// The first process of a group. Dropping it asks the group to end, unless it has ended.
struct Leader(Child);

/// The three pipes to a process.
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

/// How feeding a process ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fed {
    /// It took everything.
    Whole,
    /// There was more than it may have.
    TooMuch,
    /// It stopped to listen.
    Refused,
}

impl Process {
    /// Starts git. The turn is given back once the process has ended.
    pub(super) fn start(command: &mut Command, memory_bytes: u64, turn: Option<Turn>) -> Result<(Self, Pipes)> {
        let mut child = command.spawn().map_err(|error| Error::internal(error, "start the git program"))?;
        bound_memory(&child, memory_bytes);
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let process = Self { child: Some(Leader(child)), turn };
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(Error::Internal(anyhow::anyhow!("a pipe of the git program is missing")));
        };
        Ok((process, Pipes { stdin, stdout, stderr }))
    }

    /// Waits for git's end.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        match &mut self.child {
            Some(leader) => leader.0.wait().await,
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Ends git and waits for it.
    pub(super) async fn end(mut self) {
        if let Some(leader) = self.child.take() {
            leader.end().await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(leader) = self.child.take() else { return };
        // Git has ended and was waited for.
        if leader.0.id().is_none() {
            return;
        }
        let turn = self.turn.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                leader.end().await;
                drop(turn);
            });
        }
    }
}

impl Leader {
    /// Asks the whole group to end, and makes it. Not `SIGKILL` at once: git removes its locks when it is asked. What it
    /// has not accepted yet lies in quarantine, so a push is whole or has not happened; the quarantine itself stays, and
    /// is cleared with what else such a push leaves.
    async fn end(mut self) {
        self.signal(Signal::TERM);
        if timeout(LAST_WORDS, self.0.wait()).await.is_err() {
            self.signal(Signal::KILL);
            // Nothing is left to do where the system knows of no such child.
            let _ = self.0.wait().await;
        }
    }

    /// Sends a signal to the process and those that it started, unless it has ended.
    fn signal(&self, signal: Signal) {
        // The id is gone once the process was waited for, so it cannot be another's by now.
        if let Some(group) = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            // It may have ended a moment ago.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
    }
}

/// What git allocates for a file that unpacks to gigabytes is refused by the system; git says so and ends. Mapped packs
/// do not count. The processes that git starts inherit the bound.
#[cfg(target_os = "linux")]
fn bound_memory(child: &Child, memory_bytes: u64) {
    let bound = Rlimit { current: Some(memory_bytes), maximum: Some(memory_bytes) };
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Err(error) = rustix::process::prlimit(id, Resource::Data, bound) {
        tracing::warn!(%error, "Could not bound the memory of a git process");
    }
}

#[cfg(not(target_os = "linux"))]
fn bound_memory(_child: &Child, _memory_bytes: u64) {}

/// Gives git a body, at most so many bytes of it, and closes its input. A client that goes away is not an error here:
/// git finds its input cut short and refuses it.
pub(super) async fn feed(
    body: &mut (impl AsyncBufRead + Unpin),
    mut stdin: ChildStdin,
    max_bytes: u64,
    stall: Duration,
) -> io::Result<Fed> {
    let mut rest = max_bytes;
    loop {
        let chunk = match timeout(stall, body.fill_buf()).await? {
            Ok(chunk) => chunk,
            Err(error) => {
                tracing::debug!(%error, "A client of Git went away");
                return Ok(Fed::Whole);
            }
        };
        if chunk.is_empty() {
            return Ok(Fed::Whole);
        }
        if rest == 0 {
            return Ok(Fed::TooMuch);
        }
        let length = chunk.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        match stdin.write_all(&chunk[..length]).await {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Fed::Refused),
            written => written?,
        }
        body.consume(length);
        rest -= length as u64;
    }
}

/// Hears a client out that git refused early: one whose upload is cut off never reads why.
pub(super) async fn drain(body: &mut (impl AsyncBufRead + Unpin), max_bytes: u64, stall: Duration) -> io::Result<()> {
    let mut rest = max_bytes;
    while rest > 0 {
        let Ok(chunk) = timeout(stall, body.fill_buf()).await? else { break };
        if chunk.is_empty() {
            break;
        }
        let length = chunk.len();
        body.consume(length);
        rest = rest.saturating_sub(length as u64);
    }
    Ok(())
}

/// The beginning of what git writes to its standard error; the rest is read too, or git would wait for a reader.
pub(super) async fn complaint(mut stderr: ChildStderr) -> io::Result<String> {
    let mut beginning = Vec::new();
    // What could not be read is missing in the log, no more.
    let _ = (&mut stderr).take(MAX_STDERR_BYTES).read_to_end(&mut beginning).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    Ok(String::from_utf8_lossy(&beginning).trim_end().to_owned())
}
