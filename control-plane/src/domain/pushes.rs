//! Who pushed which commits: taken down when a push ends, so that a commit can be told to come from a user.

use crate::app::App;
use crate::auth::Caller;
use crate::error::Result;
use crate::git::RefUpdate;

impl App {
    /// Takes down who pushed the commits that a push brought. Git has accepted it by now, so that this fails is for the
    /// log: the commits are then told to come from nobody known.
    pub async fn record_push(&self, caller: &Caller, updates: Vec<RefUpdate>) {
        if let Err(error) = self.try_record_push(caller, updates).await {
            let source = std::error::Error::source(&error);
            let error = source.map_or_else(|| error.to_string(), |source| format!("{source:#}"));
            tracing::warn!(org = %caller.org, error, "Could not take down who pushed commits");
        }
    }

    async fn try_record_push(&self, caller: &Caller, updates: Vec<RefUpdate>) -> Result<()> {
        if updates.iter().all(|update| update.new.is_none()) {
            return Ok(());
        }
        let limit = self.config.browse.max_recorded_commits;
        let brought = self.browse(caller, move |reader| reader.brought(&updates, limit)).await?;
        if brought.is_empty() {
            return Ok(());
        }
        let commits = brought.iter().map(ToString::to_string).collect();
        self.store.put_pusher(&caller.org, commits, &caller.user()).await
    }
}
