//! Folders for work in progress, in the cache, where a rename moves them into their place.
//!
//! Several processes may share a cache. Each keeps a folder of its own there and holds the lock of a file in it; the
//! kernel gives the lock back however the process ends. So a folder whose lock is free is what a killed process left,
//! and the next process removes it.

use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::TempDir;

/// The file in a process's folder that it holds the lock of.
const LOCK: &str = "lock";

/// A process's own folder. It goes when this is dropped.
#[derive(Debug)]
pub struct Work {
    folder: TempDir,
    _lock: File,
}

impl Work {
    /// Makes a folder, and removes those of processes that are gone.
    pub fn open(cache: &Path) -> io::Result<Self> {
        let all = cache.join("work");
        fs_err::create_dir_all(&all)?;
        // Held meanwhile, so that nobody removes a folder between its making and its locking.
        let gate = File::create(cache.join("work.lock"))?;
        gate.lock()?;
        remove_dead(&all)?;
        let folder = tempfile::tempdir_in(&all)?;
        let lock = File::create(folder.path().join(LOCK))?;
        lock.lock()?;
        Ok(Self { folder, _lock: lock })
    }

    /// An empty folder, which goes when it is dropped, unless it was moved away.
    pub fn folder(&self) -> io::Result<TempDir> {
        tempfile::tempdir_in(self.folder.path())
    }
}

fn remove_dead(all: &Path) -> io::Result<()> {
    for entry in fs_err::read_dir(all)? {
        let folder = entry?.path();
        let is_alive = File::open(folder.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_err());
        if is_alive {
            continue;
        }
        match fs_err::remove_dir_all(&folder) {
            // Its owner is ending just now and removes it itself.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "Could not remove what a killed process left in the cache");
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let cache = tempfile::tempdir().unwrap();
        let alive = Work::open(cache.path()).unwrap();
        let in_use = alive.folder().unwrap();
        // Dead: its lock is free. Younger than its lock: it died before it had one.
        let [dead, younger] = ["dead", "younger"].map(|name| cache.path().join("work").join(name));
        fs_err::create_dir_all(dead.join("half/done")).unwrap();
        fs_err::write(dead.join(LOCK), "").unwrap();
        fs_err::create_dir(&younger).unwrap();

        let next = Work::open(cache.path()).unwrap();

        assert!(in_use.path().is_dir());
        assert!(!dead.exists() && !younger.exists());
        let kept = in_use.path().to_owned();
        drop((in_use, alive, next));
        assert!(!kept.exists());
        assert_eq!(fs_err::read_dir(cache.path().join("work")).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_may_be_moved_away() {
        let cache = tempfile::tempdir().unwrap();
        let work = Work::open(cache.path()).unwrap();
        let made = work.folder().unwrap();
        fs_err::write(made.path().join("content"), "1").unwrap();
        fs_err::rename(made.path(), cache.path().join("kept")).unwrap();
        drop((made, work));
        assert!(cache.path().join("kept/content").is_file());
    }
}
