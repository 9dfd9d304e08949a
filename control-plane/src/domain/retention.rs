//! What is removed in the background: records that are older than the operator wants to keep, and files that no record
//! names any more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use crate::app::App;
use crate::error::{Error, Result};
use crate::model::OrgId;

/// When unused files were last looked for.
pub struct Collected(Mutex<Instant>);

impl Default for Collected {
    /// A start counts as one: who starts has enough to read.
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Collected {
    /// Whether it is time again; then it is from now on.
    fn is_due(&self, every: Duration) -> bool {
        let mut at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = at.elapsed() >= every;
        if is_due {
            *at = Instant::now();
        }
        is_due
    }
}

impl App {
    /// Removes what is old, and now and then what is unused. While a backup is made, it is put off.
    pub async fn remove_what_is_old(self: &Arc<Self>) {
        let Ok(_alone) = self.removing.try_lock() else { return };
        let hours = i64::try_from(self.config.store.keep_invocations_d.saturating_mul(24)).unwrap_or(i64::MAX / 3600);
        if hours > 0
            && let Ok(made_before) = Timestamp::now().checked_sub(SignedDuration::from_hours(hours))
        {
            for org in self.store.organizations_with_invocations() {
                if let Err(error) = self.remove_old_records(&org, made_before).await {
                    tracing::warn!(%org, %error, "Could not remove old records; the next sweep goes on");
                }
            }
        }
        if self.collected.is_due(Duration::from_secs(self.config.store.collect_every_h.saturating_mul(3600))) {
            match self.collect_blobs().await {
                Ok(0) => {}
                Ok(files) => tracing::info!(files, "Removed files that no record names"),
                Err(error) => tracing::warn!(%error, "Could not remove unused files; it is tried again"),
            }
        }
    }

    async fn remove_old_records(&self, org: &OrgId, made_before: Timestamp) -> Result<()> {
        let mut count = 0;
        loop {
            let removed = self.store.remove_oldest_chunk(org, made_before).await?;
            if removed.is_empty() {
                break;
            }
            count += removed.len() as u64;
            self.metrics.records_removed.with_label_values::<&str>(&[]).inc_by(removed.len() as u64);
            self.search.forget(&removed);
            self.indexing.wake();
        }
        if count > 0 {
            tracing::info!(%org, count, "Removed old records");
        }
        Ok(())
    }

    async fn collect_blobs(self: &Arc<Self>) -> Result<usize> {
        let app = Arc::clone(self);
        let collected = tokio::task::spawn_blocking(move || app.store.collect_blobs()).await;
        let removed = collected.map_err(|error| Error::internal(error, "collect unused files"))??;
        self.metrics.blobs_removed.with_label_values::<&str>(&[]).inc_by(removed as u64);
        Ok(removed)
    }
}
