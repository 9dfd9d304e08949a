//! The reserve of free space below which nothing is written.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::StoreError;
use crate::error::{Error, Result};

/// How long a measurement stands. In a tenth of a second a disk takes far less than a sensible reserve, and asking the
/// system each time would cost every write a call.
const MEASURED_FOR: Duration = Duration::from_millis(100);

/// What has to be free for a store to be opened, in bytes: the storage engine writes while it opens, and cannot be opened
/// again where that failed.
const ROOM_TO_OPEN_BYTES: u64 = 16 << 20;

const BYTES_PER_MEGABYTE: u64 = 1_000_000;

/// Watches the free space of one file system.
#[derive(Debug)]
pub(super) struct Reserve {
    folder: PathBuf,
    reserve_bytes: u64,
    measured: Mutex<Option<(Instant, u64)>>,
}

impl Reserve {
    pub(super) fn new(folder: PathBuf, reserve_bytes: u64) -> Self {
        Self { folder, reserve_bytes, measured: Mutex::new(None) }
    }

    /// Refuses when less is free than the reserve.
    pub(super) fn check(&self) -> Result<()> {
        self.check_for(0)
    }

    /// Refuses when less would be free than the reserve, once so many bytes are written.
    pub(super) fn check_for(&self, bytes: u64) -> Result<()> {
        let free_bytes = self.free_bytes()?;
        if free_bytes >= self.reserve_bytes.saturating_add(bytes) {
            return Ok(());
        }
        Err(Error::Unavailable(format!(
            "the data folder {} is nearly full: {} MB are free and {} MB are kept in reserve, so nothing is written \
             until there is more space",
            self.folder.display(),
            free_bytes / BYTES_PER_MEGABYTE,
            self.reserve_bytes / BYTES_PER_MEGABYTE,
        )))
    }

    /// Refuses when there is no room to open a store, whatever the reserve is.
    pub(super) fn check_to_open(&self) -> Result<()> {
        let free_bytes = self.free_bytes()?;
        if free_bytes >= ROOM_TO_OPEN_BYTES {
            return Ok(());
        }
        Err(Error::Unavailable(format!(
            "the disk of the data folder {} is full: {} MB are free, and {} MB have to be to open it without harm. Make \
             space and start again; nothing was changed",
            self.folder.display(),
            free_bytes / BYTES_PER_MEGABYTE,
            ROOM_TO_OPEN_BYTES / BYTES_PER_MEGABYTE,
        )))
    }

    /// How many bytes may be written until the reserve is reached.
    pub(super) fn room_bytes(&self) -> Result<u64> {
        Ok(self.free_bytes()?.saturating_sub(self.reserve_bytes))
    }

    /// What is free now, or was a moment ago.
    pub(super) fn free_bytes(&self) -> Result<u64> {
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, free_bytes)) = *measured
            && at.elapsed() < MEASURED_FOR
        {
            return Ok(free_bytes);
        }
        let system = rustix::fs::statvfs(self.folder.as_path())
            .map_err(|e| StoreError::file("measure the free space of the data folder", e.into()))?;
        // What is available to us, not what is free: the rest belongs to root.
        let free_bytes = system.f_bavail.saturating_mul(system.f_frsize);
        *measured = Some((Instant::now(), free_bytes));
        Ok(free_bytes)
    }
}
