//! Opening sled, and making its files durable, which it does not do itself.
//!
//! `Db::flush` writes sled's log with `sync_file_range`, which leaves the file's size and its blocks to chance when the
//! power goes: measured, 1 of 40 power cuts was survived. With our own `fsync` after it, 40 of 40 were.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::blobs::sync_folder;
use super::{StoreError, format};
use crate::error::Result;
use crate::locks;

/// What sled keeps of its pages in memory, in bytes. By itself it would keep a gigabyte; what it does not keep it reads
/// from its file, which the system caches.
const CACHE_BYTES: u64 = 128 << 20;

/// How long to wait for a store that this very process has just closed: sled's worker threads may hold its file a
/// moment longer than its handle lives.
const CLOSING_TAKES_AT_MOST: Duration = Duration::from_secs(5);

/// Opens sled and checks that this program can read what is in it.
pub(super) fn open(folder: &Path) -> Result<(sled::Db, EngineFiles)> {
    let db = open_engine(folder)?;
    format::settle(&db, folder)?;
    let files = EngineFiles::open(folder).map_err(|e| StoreError::file("open the storage engine's files", e))?;
    Ok((db, files))
}

/// The same without looking at what is in it.
pub(super) fn open_engine(folder: &Path) -> Result<sled::Db> {
    // No flushing in the background: the flusher does it, and nobody else may believe that sled's own is enough.
    let config = sled::Config::new().path(folder).flush_every_ms(None).cache_capacity(CACHE_BYTES);
    // The data folder's own lock is ours by now, so no other process can be the one that holds sled's.
    let is_busy = |error: &sled::Error| error.to_string().contains("could not acquire lock");
    // sled panics where it finds what it did not expect, and has changed nothing by then.
    let open = || {
        panic::catch_unwind(AssertUnwindSafe(|| config.open()))
            .unwrap_or_else(|_| Err(sled::Error::ReportableBug("it panicked while it read its files".to_owned())))
    };
    let opened = locks::take(CLOSING_TAKES_AT_MOST, is_busy, open);
    opened.map_err(|source| StoreError::Unreadable { folder: folder.to_owned(), source }.into())
}

/// The files that sled writes.
pub(super) struct EngineFiles {
    folder: PathBuf,
    /// The log, which changes in every round. Its handle stays open, since the system reports a failed write-back only
    /// to handles that were open when it happened.
    log: File,
    /// What the other files looked like when they were last synced.
    synced: HashMap<PathBuf, Stamp>,
}

#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl From<&Metadata> for Stamp {
    fn from(file: &Metadata) -> Self {
        Self { inode: file.ino(), size: file.size(), modified: (file.mtime(), file.mtime_nsec()) }
    }
}

impl EngineFiles {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let (log, _) = fs_err::File::open(folder.join("db"))?.into_parts();
        Ok(Self { folder: folder.to_owned(), log, synced: HashMap::new() })
    }

    /// Makes durable what `Db::flush` wrote.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        // Its size and its blocks are made durable too. Only the time of its change, which nobody reads, is not waited
        // for, which spares the file system a commit of its journal wherever no block was added.
        self.log.sync_data()?;

        // The configuration, the snapshots and sled's own blobs change rarely, most of them never, and a needless
        // `fsync` costs as much as a flush of the disk's cache: they are synced when they look different.
        let blobs_folder = self.folder.join("blobs");
        let mut found = HashMap::new();
        for folder in [&self.folder, &blobs_folder] {
            for entry in fs_err::read_dir(folder)? {
                let path = entry?.path();
                if path.file_name().is_none_or(|name| name == "db") {
                    continue;
                }
                // sled may have removed or renamed it since it was listed.
                let metadata = match fs_err::metadata(&path) {
                    Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                    metadata => metadata?,
                };
                if metadata.is_dir() {
                    continue;
                }
                // The stamp is older than the sync, so a write in between is seen as a difference in the next round.
                let stamp = Stamp::from(&metadata);
                if self.synced.get(&path) != Some(&stamp) {
                    sync_if_present(&path)?;
                }
                found.insert(path, stamp);
            }
        }

        let same_names = found.len() == self.synced.len() && found.keys().all(|path| self.synced.contains_key(path));
        let renamed_over = || found.iter().any(|(path, stamp)| self.synced[path].inode != stamp.inode);
        if !same_names || renamed_over() {
            sync_folder(&blobs_folder)?;
            sync_folder(&self.folder)?;
            if let Some(parent) = self.folder.parent() {
                sync_folder(parent)?;
            }
        }
        self.synced = found;
        Ok(())
    }
}

fn sync_if_present(path: &Path) -> io::Result<()> {
    match fs_err::File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        file => file?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_but_the_log_are_synced_once() {
        let folder = tempfile::tempdir().unwrap();
        let (db, mut files) = open(&folder.path().join("store")).unwrap();
        db.insert("key", "value").unwrap();
        db.flush().unwrap();
        files.sync().unwrap();
        assert!(files.synced.keys().any(|path| path.ends_with("conf")));

        let names = files.synced.len();
        files.sync().unwrap();
        assert_eq!(files.synced.len(), names);
    }
}
