//! What a process leaves behind that is killed: locks, which would block a branch for ever, and objects that were not
//! accepted yet.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::Repository;
use super::create::{UNFINISHED, folders_below};

/// How long a git process of an earlier server may go on once it is asked to end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long to wait before looking again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Clears all repositories, before anybody uses them: git processes of a server that was killed, and what they left.
/// Blocks.
pub(super) fn clear_all(folder: &Path) -> io::Result<()> {
    end_orphans(folder);
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(UNFINISHED) {
            fs_err::remove_dir_all(entry.path())?;
        } else if name.ends_with(".git") {
            clear(&entry.path(), Duration::ZERO, Duration::ZERO)?;
        }
    }
    Ok(())
}

impl Repository {
    /// Clears what is so old that no process can be using it. Blocks.
    pub(super) fn clear_remains(&self) -> io::Result<()> {
        let push = self.limits.command_timeout;
        let maintenance = self.limits.maintenance_timeout.max(push);
        clear(&self.path, push.saturating_mul(2), maintenance.saturating_mul(2))
    }
}

/// Removes what is at least so old: what a push leaves, and the unfinished packs that maintenance may leave, too.
fn clear(repository: &Path, push: Duration, maintenance: Duration) -> io::Result<()> {
    let objects = repository.join("objects");
    remove_old(&objects, push, |name| name.starts_with("tmp_objdir-"))?;
    remove_old(&objects.join("pack"), maintenance, |name| {
        // A push marks its pack with `.keep` until its branch points there; one that stays is never combined.
        name.starts_with("tmp_") || name.starts_with(".tmp-") || name.ends_with(".keep") || name.ends_with(".lock")
    })?;
    remove_old(&objects.join("info"), maintenance, |name| name.ends_with(".lock"))?;
    // Git allows no branch of such a name.
    remove_old(repository, push, |name| name.ends_with(".lock") || name == "packed-refs.new")?;
    for folder in folders_below(&repository.join("refs"))? {
        remove_old(&folder, push, |name| name.ends_with(".lock"))?;
    }
    Ok(())
}

fn remove_old(folder: &Path, age: Duration, is_remains: impl Fn(&str) -> bool) -> io::Result<()> {
    let entries = match fs_err::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if !is_remains(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let removed = entry.metadata().and_then(|metadata| {
            if metadata.modified()?.elapsed().unwrap_or_default() < age {
                return Ok(());
            }
            if metadata.is_dir() { fs_err::remove_dir_all(entry.path()) } else { fs_err::remove_file(entry.path()) }
        });
        match removed {
            // It was being used after all, and its owner was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
    }
    Ok(())
}

/// Ends the git processes that work in the folder: a server that was killed leaves them, and one that goes on would
/// stumble over what is cleared. Systems without `/proc` show none.
fn end_orphans(folder: &Path) {
    let deadline = Instant::now() + LAST_WORDS;
    let mut signal = Signal::TERM;
    loop {
        let orphans = orphans(folder);
        if orphans.is_empty() {
            return;
        }
        if Instant::now() > deadline {
            signal = Signal::KILL;
        }
        tracing::info!(count = orphans.len(), "Ending git processes of an earlier server");
        for orphan in orphans {
            // It may have ended a moment ago.
            let _ = rustix::process::kill_process(orphan, signal);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// The processes whose working folder is within this one and whose program is git.
fn orphans(folder: &Path) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let is_orphan = |process: &PathBuf| -> io::Result<bool> {
        let works_here = std::fs::read_link(process.join("cwd"))?.starts_with(folder);
        let program = std::fs::read_link(process.join("exe"))?;
        Ok(works_here && program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("git")))
    };
    let processes = entries.filter_map(|entry| Some(entry.ok()?.path()));
    // What cannot be read is another user's, or has ended.
    let orphans = processes.filter(|process| is_orphan(process).unwrap_or(false));
    orphans.filter_map(|process| Pid::from_raw(process.file_name()?.to_str()?.parse().ok()?)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::fixture::{Fixture, LIMITS};
    use super::*;

    #[test]
    fn what_a_killed_push_left_is_removed_once_it_is_old() {
        let fixture = Fixture::new();
        let path = |name: &str| fixture.repository.path.join(name);
        let old =
            ["refs/heads/old.lock", "packed-refs.new", "objects/pack/tmp_pack_x", "objects/tmp_objdir-incoming-old"];
        fs_err::write(path("refs/heads/new.lock"), "").unwrap();
        for name in &old[..3] {
            fs_err::write(path(name), "").unwrap();
        }
        fs_err::create_dir(path(old[3])).unwrap();
        for name in old {
            let file = std::fs::File::open(path(name)).unwrap();
            file.set_modified(SystemTime::now() - 3 * LIMITS.command_timeout).unwrap();
        }
        fixture.repository.clear_remains().unwrap();
        for name in old {
            assert!(!path(name).exists(), "{name}");
        }
        assert!(path("refs/heads/new.lock").exists());

        clear_all(fixture.repository.path.parent().unwrap()).unwrap();
        assert!(!path("refs/heads/new.lock").exists());
    }
}
