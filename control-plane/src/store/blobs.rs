//! Blobs: files named by the SHA-256 of what they hold.
//!
//! `blobs/ab/cdef…` for the name `abcdef…`. A file appears under its name whole and synced, or not at all, and it never
//! changes. Equal content is one file, whoever put it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::StoreError;
use super::reserve::Reserve;
use crate::error::Result;
use crate::failpoint::{Failpoint, Place};

/// The folder of blobs. Its methods wait for the disk: call them from `spawn_blocking` where the content is large.
#[derive(Debug, Clone)]
pub struct Blobs {
    folder: PathBuf,
    /// Where files are written before they have their name: in the same file system, so that a rename moves them.
    unfinished: PathBuf,
    reserve: Arc<Reserve>,
    failpoint: Failpoint,
    /// Read by who puts, written by who removes.
    removing: Arc<RwLock<()>>,
    /// What all of them take, in bytes, as far as they were counted.
    size: Arc<AtomicI64>,
}

impl Blobs {
    /// Opens the folder and removes what a process that was stopped left unfinished.
    pub(super) fn open(folder: &Path, reserve: Arc<Reserve>, failpoint: Failpoint) -> Result<Self> {
        let unfinished = folder.join("unfinished");
        prepare(folder, &unfinished).map_err(|e| StoreError::file("prepare the folder of blobs", e))?;
        let (removing, size) = Default::default();
        let blobs = Self { folder: folder.to_owned(), unfinished, reserve, failpoint, removing, size };
        let (counting, opened) = (blobs.clone(), SystemTime::now());
        // There may be a million of them, and nobody waits for their size.
        std::thread::Builder::new()
            .name("blob sizes".to_owned())
            .spawn(move || counting.count(opened))
            .map_err(|e| StoreError::file("count blobs", e))?;
        Ok(blobs)
    }

    /// What all of them take, in bytes. Soon after the start it is less than that.
    pub fn size_bytes(&self) -> u64 {
        self.size.load(Ordering::Relaxed).try_into().unwrap_or_default()
    }

    /// Counts those that were put before. Files may go meanwhile, and what cannot be read is not counted.
    fn count(&self, opened: SystemTime) {
        let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
        let shards = entries(&self.folder).filter(|shard| shard.path() != self.unfinished);
        for metadata in shards.flat_map(|shard| entries(&shard.path())).filter_map(|blob| blob.metadata().ok()) {
            if metadata.is_file() && metadata.modified().is_ok_and(|put_at| put_at < opened) {
                self.grow(metadata.len());
            }
        }
    }

    fn grow(&self, bytes: u64) {
        self.size.fetch_add(bytes.try_into().unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    fn shrink(&self, bytes: u64) {
        self.size.fetch_sub(bytes.try_into().unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Keeps the content and gives its name. It is durable when this returns.
    pub fn put(&self, content: &[u8]) -> Result<String> {
        let sha256 = name_of(content);
        self.keep(&sha256, content.len() as u64, |target| {
            let mut file = NamedTempFile::new_in(&self.unfinished)?;
            file.write_all(content)?;
            finish(file, target)
        })?;
        Ok(sha256)
    }

    /// Keeps a file's content and gives its name. The file is moved where that is possible, so afterwards it may be
    /// gone; nobody may write to it meanwhile.
    pub fn put_file(&self, file: &Path) -> Result<String> {
        let unreadable = |e| StoreError::file("read a file that is to be a blob", e);
        let sha256 = name_of_file(file).map_err(unreadable)?;
        let size_bytes = fs_err::metadata(file).map_err(unreadable)?.len();
        self.keep(&sha256, size_bytes, |target| match fs_err::rename(file, target) {
            Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {
                let mut copy = NamedTempFile::new_in(&self.unfinished)?;
                io::copy(&mut fs_err::File::open(file)?, &mut copy)?;
                finish(copy, target)
            }
            moved => moved,
        })?;
        Ok(sha256)
    }

    /// The content of a name that `put` gave.
    pub fn get(&self, sha256: &str) -> Result<Vec<u8>> {
        match fs_err::read(self.path(sha256)) {
            Ok(content) if name_of(&content) == sha256 => Ok(content),
            Ok(_) => Err(StoreError::BlobDamaged { sha256: sha256.to_owned() }.into()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Err(StoreError::BlobMissing { sha256: sha256.to_owned() }.into())
            }
            Err(e) => Err(StoreError::file("read a blob", e).into()),
        }
    }

    /// Where the content of a name is. The name has to be one that `put` gave.
    pub fn path(&self, sha256: &str) -> PathBuf {
        debug_assert!(sha256.len() == 64 && sha256.bytes().all(|c| c.is_ascii_hexdigit()), "{sha256} names no blob");
        let (shard, rest) = sha256.split_at_checked(2).unwrap_or((sha256, ""));
        self.folder.join(shard).join(rest)
    }

    /// Where all of them are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether there is content of that name.
    pub fn contains(&self, sha256: &str) -> bool {
        self.path(sha256).is_file()
    }

    /// Removes the content of a name, which nothing may name any more and nobody may be putting.
    pub(super) fn remove(&self, sha256: &str) -> Result<()> {
        let path = self.path(sha256);
        let removed = fs_err::metadata(&path).and_then(|metadata| {
            fs_err::remove_file(&path)?;
            self.shrink(metadata.len());
            Ok(())
        });
        match removed {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::file("remove a blob", e).into()),
            _ => Ok(()),
        }
    }

    /// Removes the content of a name unless it was put within a time. Nothing may name it.
    pub(super) fn remove_if_older(&self, sha256: &str, now: SystemTime, age: Duration) -> io::Result<bool> {
        // Whoever puts the same content meanwhile finds it and says so, or finds it gone and writes it.
        let _alone = self.removing.write().unwrap_or_else(PoisonError::into_inner);
        let path = self.path(sha256);
        let metadata = fs_err::metadata(&path)?;
        if now.duration_since(metadata.modified()?).unwrap_or_default() < age {
            return Ok(false);
        }
        fs_err::remove_file(path)?;
        self.shrink(metadata.len());
        Ok(true)
    }

    /// Brings the content under its name with `write`, unless it is there, and makes the name durable.
    fn keep(&self, sha256: &str, size_bytes: u64, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
        let target = self.path(sha256);
        let is_there = {
            let _not_removed = self.removing.read().unwrap_or_else(PoisonError::into_inner);
            // It was put now, whenever it was put first.
            match fs_err::File::open(&target) {
                Ok(file) => file.file().set_modified(SystemTime::now()).map(|()| true),
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(e) => Err(e),
            }
        };
        if !is_there.map_err(|e| StoreError::file("look for a blob", e))? {
            self.reserve.check_for(size_bytes)?;
            write(&target).map_err(|e| StoreError::file("write a blob", e))?;
            self.grow(size_bytes);
            self.failpoint.pass(Place::BlobWritten);
        }
        // Also when it was there: whoever is putting the same content may not have come as far as this.
        let shard = target.parent().expect("a blob is in a folder");
        sync_folder(shard).map_err(|e| StoreError::file("make a blob durable", e))?;
        Ok(())
    }
}

/// The name of a content.
pub(super) fn name_of(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    fs_err::File::open(folder)?.sync_all()
}

/// The name that a file's content should have.
pub(super) fn hash_of_file(file: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut fs_err::File::open(file)?, &mut hasher)?;
    Ok(hex::encode(hasher.finalize()))
}

fn name_of_file(file: &Path) -> io::Result<String> {
    let mut file = fs_err::File::open(file)?;
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut hasher)?;
    // Before it can be seen under its name, what it holds has to be durable.
    file.sync_all()?;
    Ok(hex::encode(hasher.finalize()))
}

fn finish(file: NamedTempFile, target: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(target).map_err(|e| e.error)?;
    Ok(())
}

/// Makes all folders that will ever be needed, so that putting a blob has one folder to sync and not two.
fn prepare(folder: &Path, unfinished: &Path) -> io::Result<()> {
    match fs_err::remove_dir_all(unfinished) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => fs_err::create_dir_all(unfinished)?,
    }
    for shard in 0..=u8::MAX {
        fs_err::create_dir_all(folder.join(format!("{shard:02x}")))?;
    }
    sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path) -> Blobs {
        let reserve = Arc::new(Reserve::new(folder.to_owned(), 0));
        Blobs::open(&folder.join("blobs"), reserve, Failpoint::NONE).unwrap()
    }

    #[test]
    fn content_is_found_by_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = open(folder.path());
        let name = blobs.put(b"abc").unwrap();
        assert_eq!(name, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(blobs.path(&name).ends_with(format!("blobs/ba/{}", &name[2..])));
        assert_eq!(blobs.get(&name).unwrap(), b"abc");
        assert!(blobs.contains(&name));
    }

    #[test]
    fn equal_content_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = open(folder.path());
        let name = blobs.put(b"abc").unwrap();
        let inode = |name: &str| std::os::unix::fs::MetadataExt::ino(&fs_err::metadata(blobs.path(name)).unwrap());
        let written = inode(&name);
        assert_eq!(blobs.put(b"abc").unwrap(), name);
        assert_eq!(inode(&name), written);
    }

    #[test]
    fn a_file_is_moved_under_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = open(folder.path());
        let file = folder.path().join("component.wasm");
        fs_err::write(&file, b"abc").unwrap();
        let name = blobs.put_file(&file).unwrap();
        assert_eq!(name, name_of(b"abc"));
        assert!(!file.exists());
        assert_eq!(blobs.get(&name).unwrap(), b"abc");
    }

    #[test]
    fn what_is_missing_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = open(folder.path());
        assert!(!blobs.contains(&name_of(b"abc")));
        assert!(blobs.get(&name_of(b"abc")).is_err());
    }

    #[test]
    fn what_was_left_unfinished_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let left = open(folder.path()).unfinished.join(".tmp123");
        fs_err::write(&left, b"half of it").unwrap();
        open(folder.path());
        assert!(!left.exists());
    }
}
