//! A program in a sandbox of the operating system, by bubblewrap: it sees the system's programs and libraries, read-only,
//! and one folder of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::dependencies::uv;
use crate::error::{Error, Problem};

/// Where it sees the folder of its own.
pub const FOLDER: &str = "/build";

/// Whether it has the machine's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// To fetch what a lock names.
    Shared,
    /// None at all.
    None,
}

/// What of the system it sees. What is not there is left out.
const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives"];
/// What it sees besides where it has the network.
const FOR_NETWORK: [&str; 5] =
    ["/etc/ssl", "/etc/ca-certificates", "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"];

/// A program to be run in a sandbox.
pub struct Confined {
    command: Command,
}

impl Confined {
    /// Runs a program in a folder below [`FOLDER`], which is `folder` outside.
    pub fn new(folder: &Path, inner: &str, network: Network) -> Self {
        let mut command = Command::new("/usr/bin/bwrap");
        command.env_clear().args(["--die-with-parent", "--new-session", "--unshare-all"]);
        let mut seen: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
        if network == Network::Shared {
            command.arg("--share-net");
            seen.extend(FOR_NETWORK.iter().map(PathBuf::from));
            for name in uv::NETWORK {
                let Ok(value) = std::env::var(name) else { continue };
                if name.starts_with("SSL_") {
                    seen.push(value.clone().into());
                }
                command.env(name, &value);
            }
        }
        for path in seen {
            match fs_err::read_link(&path) {
                // `/lib` is a link to `usr/lib` on systems of today.
                Ok(target) if target.is_relative() => command.arg("--symlink").arg(target).arg(&path),
                _ => command.arg("--ro-bind-try").arg(&path).arg(&path),
            };
        }
        command.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind"]).arg(folder).arg(FOLDER);
        let mut confined = Self { command };
        confined.command.arg("--chdir").arg(format!("{FOLDER}/{inner}"));
        confined.set("PATH", "/usr/bin:/bin").set("HOME", "/tmp").set("LC_ALL", "C.UTF-8")
    }

    /// Sets a variable. It is no argument of any program: those can be seen by every user of the machine.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Lets it see a file or a folder of the machine, read-only.
    pub fn see(mut self, outside: &Path, inside: &str) -> Self {
        self.command.arg("--ro-bind").arg(outside).arg(inside);
        self
    }

    /// Runs it to its end, or to the deadline. `log` is a folder for what it prints, of which the end is told where it fails.
    pub fn run(mut self, program: &[&str], what: &str, log: &Path, limit: Duration) -> Result<(), Error> {
        self.command.arg("--").args(program);
        let ended = uv::run_bounded(self.command, log, limit)?;
        if ended.succeeded {
            return Ok(());
        }
        let why = match ended.out_of_time {
            true => format!("it took longer than {} s", limit.as_secs()),
            false => last_lines(&fs_err::read(log.join("stderr")).unwrap_or_default()),
        };
        let remedy = "read what it says: a package may need what the sandbox does not have, or another version of Rust";
        Err(Problem::new(format!("{what} failed: {why}"), remedy).into())
    }
}

/// The end of what was printed, from its first error on where that is near.
fn last_lines(printed: &[u8]) -> String {
    const LINES: usize = 20;
    let text = String::from_utf8_lossy(printed);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LINES);
    lines[from..].join("\n  ")
}
