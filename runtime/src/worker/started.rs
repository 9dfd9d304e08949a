//! A process that was started, and connections to it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::net::UnixStream;

use super::confinement::Confinement;
use super::handover;
use super::process::{Greeting, Settings};

/// The unit of processor time. Linux has had no other on any machine for twenty years.
const TICKS_PER_SECOND: u64 = 100;

/// What a worker takes of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Which process it is.
    pub pid: u32,
    /// Memory that is in use. A page of a file that several processes have mapped counts for each.
    pub resident_bytes: u64,
    /// Processor time, in user and system mode.
    pub processor: Duration,
}

/// A running worker. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Started {
    /// Over which connections are sent. The process ends with it.
    socket: net::UnixStream,
    /// The process, whatever else has its number once it is gone.
    handle: OwnedFd,
    pid: u32,
    /// What the system says of the process. It is opened before the process hides itself.
    stat: Option<File>,
    /// Connections that nobody is using.
    idle: Mutex<Vec<UnixStream>>,
    is_over: AtomicBool,
    began: Instant,
}

impl Started {
    /// Starts the program, and waits until it is ready. It blocks.
    pub(super) fn start(
        (program, arguments): (&Path, &[String]),
        settings: &Settings,
    ) -> anyhow::Result<(Self, Child, Confinement)> {
        let (socket, theirs) = net::UnixStream::pair().context("failed to make a pair of sockets")?;
        let mut command = Command::new(program);
        // Nothing of this process's environment is the guests' host's business but what it should log.
        command.args(arguments).env_clear().envs(std::env::var_os("RUST_LOG").map(|filter| ("RUST_LOG", filter)));
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::inherit());
        let mut child = command.spawn().with_context(|| format!("failed to start {}", program.display()))?;
        // The command holds their end of the socket, whose closing has to be noticed.
        drop(command);
        let stat = File::open(format!("/proc/{}/stat", child.id())).ok();
        let greet = || {
            handover::say(&socket, settings)?;
            handover::hear::<Greeting>(&socket)
        };
        let confinement = match greet() {
            Ok(Ok(confinement)) => confinement,
            refused => {
                let status = child.kill().and_then(|()| child.wait()).map(|status| status.to_string());
                let why = match refused {
                    Ok(Err(why)) => why,
                    _ => format!("it ended ({}); what it printed is above", status.unwrap_or_default()),
                };
                return Err(anyhow!("the process for sandboxes cannot run: {why}"));
            }
        };
        let pid = Pid::from_child(&child);
        let handle = pidfd_open(pid, PidfdFlags::empty()).context("failed to watch the process for sandboxes")?;
        let (idle, is_over) = Default::default();
        let started = Self { socket, handle, pid: child.id(), stat, idle, is_over, began: Instant::now() };
        Ok((started, child, confinement))
    }

    /// A connection that nobody else uses.
    pub(super) fn connection(&self) -> io::Result<UnixStream> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(idle) = idle {
            return Ok(idle);
        }
        let (ours, theirs) = net::UnixStream::pair()?;
        handover::send(&self.socket, &theirs)?;
        ours.set_nonblocking(true)?;
        UnixStream::from_std(ours)
    }

    /// Gives a connection back over which everything was answered. There are never more than were used at once.
    pub(super) fn give_back(&self, connection: UnixStream) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// Ends the process at once.
    pub(super) fn kill(&self) {
        self.is_over.store(true, Ordering::Release);
        // It may have ended by itself.
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
    }

    /// To wait for its end by.
    pub(super) fn handle(&self) -> io::Result<OwnedFd> {
        self.handle.try_clone()
    }

    /// What it takes of the machine, where the system says so.
    pub(super) fn usage(&self) -> Option<Usage> {
        let mut text = [0; 1024];
        let len = self.stat.as_ref()?.read_at(&mut text, 0).ok()?;
        // The name of the program, in parentheses, may hold spaces. What follows it begins with the third field.
        let text = String::from_utf8_lossy(text.get(..len)?).into_owned();
        let fields: Vec<_> = text.rsplit(')').next()?.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let ticks = number(14)? + number(15)?;
        let processor = Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND);
        Some(Usage { pid: self.pid, resident_bytes: number(24)? * rustix::param::page_size() as u64, processor })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// Whether it has neither ended nor been told to. The system knows at once, which costs a microsecond to ask; what is
    /// given to a process that has just ended would be believed to have run.
    pub(super) fn runs(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        !self.is_over.load(Ordering::Acquire)
            && poll(&mut [PollFd::new(&self.handle, PollFlags::IN)], Some(&now)) == Ok(0)
    }
}
