//! What the process may do from now on: little more than run, read the cache, and connect to servers. Called while it has
//! one thread, so that all later ones are held to it.
//!
//! Whoever breaks out of WebAssembly is in a process that can start no program, open no file but the cache's and the few
//! that names are resolved with, write none, see and signal no other process, and change no setting of the system.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs,
};
use serde::{Deserialize, Serialize};

mod system_calls;

/// What the C library reads to resolve a name. Where there is none of a name, there is nothing to allow.
pub(super) const RESOLVING: [&str; 13] = [
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/run/systemd/resolve",
];

/// What holds a process. Each layer is there where the kernel has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Whether only the system calls on a list can be made.
    pub seccomp: bool,
    /// Whether only the files on a list can be opened.
    pub landlock: bool,
}

/// Confines the calling thread, and all that it starts. An error where it could only be done in part.
pub(super) fn confine(cache: &Path) -> Result<Confinement> {
    // A dump would have the secrets of those who are running.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).context("failed to forbid core dumps")?;
    give_up_capabilities()?;
    set_no_new_privs(true).context("failed to give up gaining privileges")?;
    let landlock = only_files_of(cache).context("failed to restrict files (landlock)")?;
    let seccomp = system_calls::restrict().context("failed to restrict system calls (seccomp)")?;
    Ok(Confinement { seccomp, landlock })
}

/// Whoever else runs as this user can neither trace the process nor read its memory. Afterwards it cannot open some files
/// about itself any more.
pub(super) fn hide() -> Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("failed to forbid that the process is traced")
}

/// Root without capabilities is a user like others.
fn give_up_capabilities() -> Result<()> {
    for capability in CapabilitySet::all().iter() {
        // Only who may give capabilities away can do so, and only those that this kernel knows. Nobody else has any.
        let _ = remove_capability_from_bounding_set(capability);
    }
    // Kernels before 4.3 have none.
    let _ = clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, sets).context("failed to give up capabilities")
}

fn only_files_of(cache: &Path) -> Result<bool> {
    // What later versions restrict is restricted where the kernel has it; what it does not have is left out.
    let abi = ABI::V6;
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(RESOLVING.iter().map(Path::new).chain([cache]), reading))?
        .restrict_self()?;
    ensure!(status.no_new_privs, "the process could gain privileges");
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;
    use std::process::Command;

    use rustix::process::{PidfdFlags, Signal};

    use super::*;

    /// What a thread does does not hold the others back, so each test confines one of its own.
    fn confined<T: Send>(cache: &Path, within: impl FnOnce(Confinement) -> T + Send) -> T {
        std::thread::scope(|scope| scope.spawn(|| within(confine(cache).unwrap())).join().unwrap())
    }

    #[test]
    fn only_the_cache_can_be_read_and_nothing_written() {
        let folder = tempfile::tempdir().unwrap();
        let [cache, beside] = ["cache", "beside"].map(|name| folder.path().join(name));
        for folder in [&cache, &beside] {
            fs_err::create_dir(folder).unwrap();
            fs_err::write(folder.join("file"), "content").unwrap();
        }
        confined(&cache, |confinement| {
            if !confinement.landlock {
                eprintln!("left out: this kernel has no landlock");
                return;
            }
            assert_eq!(fs_err::read(cache.join("file")).unwrap(), b"content");
            let refused = |error: std::io::Error| assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
            refused(fs_err::read(beside.join("file")).unwrap_err());
            refused(fs_err::read(cache.join("../beside/file")).unwrap_err());
            refused(fs_err::read("/etc/passwd").unwrap_err());
            refused(fs_err::read("/proc/self/environ").unwrap_err());
            refused(fs_err::write(cache.join("file"), "changed").unwrap_err());
            refused(fs_err::write(cache.join("new"), "").unwrap_err());
            // Those that change names are calls that are not there at all.
            assert!(fs_err::remove_file(cache.join("file")).is_err());
            assert!(fs_err::rename(cache.join("file"), cache.join("other")).is_err());
        });
        assert_eq!(fs_err::read(cache.join("file")).unwrap(), b"content");
    }

    #[test]
    fn no_program_can_be_started_and_no_other_process_be_reached() {
        let folder = tempfile::tempdir().unwrap();
        let mut other = Command::new("sleep").arg("60").spawn().unwrap();
        let id = rustix::process::Pid::from_child(&other);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        confined(folder.path(), |confinement| {
            if !confinement.seccomp {
                eprintln!("left out: this kernel has no seccomp");
                return;
            }
            assert!(Command::new("true").status().is_err());
            assert!(rustix::process::kill_process(id, Signal::KILL).is_err());
            assert!(rustix::process::pidfd_open(id, PidfdFlags::empty()).is_err());
            assert!(UnixStream::connect("/run/any.sock").is_err());
            assert!(TcpListener::bind("127.0.0.1:0").is_err(), "it could wait for connections");
            // What tools need is there.
            assert!(std::net::TcpStream::connect(address).is_ok());
            assert!(std::thread::spawn(|| 7).join().is_ok_and(|seven| seven == 7));
            // And it holds for threads that are made later.
            assert!(std::thread::spawn(|| Command::new("true").status().is_err()).join().unwrap());
        });
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
