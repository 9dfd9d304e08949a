//! A server that is another program: it runs in a temporary folder, on ports of loopback, until it is dropped.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::interval;

/// None of the programs can be told to choose a port and say which, so one that is free is tried, and another when it
/// was taken meanwhile.
const ATTEMPTS: usize = 5;

/// How often it is asked whether it answers, and how often at most: a minute in all.
const BETWEEN_CONNECTS: Duration = Duration::from_millis(20);
const CONNECTS: usize = 3000;

/// How long a program may take to end by itself, before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// The file in its folder that takes what it says. A pipe would fill up, or be held open by processes of its own.
const OUTPUT: &str = "output";

pub struct Program {
    pub ports: Vec<u16>,
    child: Child,
    stop: Signal,
    folder: TempDir,
}

impl Program {
    /// Starts a command on ports that are free, with as many as it says; `stop` is the signal that ends it. Returns when
    /// all of them take connections.
    pub async fn start(folder: TempDir, stop: Signal, count: usize, command: impl Fn(&[u16]) -> Command) -> Self {
        for _ in 0..ATTEMPTS {
            let ports = free_ports(count);
            let mut command = command(&ports);
            let mut child = logged(&mut command, folder.path()).process_group(0).spawn().unwrap();
            if answers(&mut child, &ports).await {
                return Self { ports, child, stop, folder };
            }
            // It ended, or never answers; either way it is gone before the next.
            end(&mut child, Signal::KILL);
        }
        panic!("a server does not start: {}", output(folder.path()))
    }

    /// A file in its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        end(&mut self.child, self.stop);
    }
}

/// Has all that it says written into the folder. It reads nothing.
pub fn logged<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    let file = fs_err::OpenOptions::new().create(true).append(true).open(folder.join(OUTPUT)).unwrap().into_file();
    command.current_dir(folder).stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file)
}

/// What programs in that folder have said.
pub fn output(folder: &Path) -> String {
    fs_err::read_to_string(folder.join(OUTPUT)).unwrap_or_default()
}

/// Whether all ports take connections before it ends.
async fn answers(child: &mut Child, ports: &[u16]) -> bool {
    let mut ticks = interval(BETWEEN_CONNECTS);
    for _ in 0..CONNECTS {
        ticks.tick().await;
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        let mut open = 0;
        for port in ports {
            open += usize::from(TcpStream::connect(("127.0.0.1", *port)).await.is_ok());
        }
        if open == ports.len() {
            return true;
        }
    }
    false
}

/// Ends it and its group, by force where the signal does not, and waits for itself alone. Processes that it made and that
/// have left its group end when they miss it.
fn end(child: &mut Child, signal: Signal) {
    let group = Pid::from_child(child);
    let (ended, end) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || ended.send(child.wait()));
        let _gone = kill_process_group(group, signal);
        if end.recv_timeout(GRACE).is_err() {
            let _gone = kill_process_group(group, Signal::KILL);
        }
    });
}

fn free_ports(count: usize) -> Vec<u16> {
    // All are held until the last is found, so that none is found twice.
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}
