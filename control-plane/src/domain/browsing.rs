//! Reading an organization's repository: who may, how many at once, how much, and who pushed what.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::app::App;
use crate::auth::Caller;
use crate::error::Result;
use crate::git::{CommitId, ReadLimits, Reader};
use crate::model::{OrgId, UserRef};

/// Who pushed commits, of those that a user of the system pushed.
pub type Committers = HashMap<CommitId, UserRef>;

impl App {
    /// Reads the caller's organization's repository, beside not too many others.
    pub(crate) async fn browse<T: Send + 'static>(
        &self,
        caller: &Caller,
        read: impl FnOnce(&Reader) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let repository = self.git_repository(caller)?;
        let limits = self.read_limits();
        // The turn ends with the work, which goes on when the client goes away.
        let turn = Arc::clone(&self.readers).acquire_owned().await.context("failed to wait for a reader's turn")?;
        let read = move || {
            let _turn = turn;
            read(&repository.reader(limits)?)
        };
        tokio::task::spawn_blocking(read).await.context("failed to read the repository")?
    }

    /// Who pushed these commits.
    pub(crate) fn committers<'a>(
        &self,
        org: &OrgId,
        commits: impl Iterator<Item = &'a CommitId>,
    ) -> Result<Committers> {
        let mut committers = Committers::new();
        for commit in commits {
            if !committers.contains_key(commit)
                && let Some(user) = self.store.get_pusher(org, commit.as_str())?
            {
                committers.insert(commit.clone(), user);
            }
        }
        Ok(committers)
    }

    fn read_limits(&self) -> ReadLimits {
        let settings = &self.config.browse;
        ReadLimits {
            max_commits: settings.max_commits,
            wall_clock: Duration::from_secs(settings.wall_clock_s),
            max_entries: settings.max_entries,
            max_changed_files: settings.max_changed_files,
            max_compared_bytes: settings.max_compared_kib << 10,
            max_message_bytes: settings.max_message_kib << 10,
        }
    }
}
