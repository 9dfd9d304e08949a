//! Who pushed which commits: taken down when a push ends, so that a commit can be told to come from a user.

use tokio::io::AsyncRead;

use crate::app::App;
use crate::auth::Caller;
use crate::error::Result;
use crate::git::CommitId;
use crate::git::pushes::{PushedTips, Watched};

/// A push that is under way.
pub struct Push {
    caller: Caller,
    tips_before: Vec<CommitId>,
    tips: PushedTips,
}

impl Push {
    /// The push's body, from which it is seen what the push wants.
    pub fn watch<R: AsyncRead>(&self, body: R) -> Watched<R> {
        self.tips.watch(body)
    }
}

impl App {
    /// Looks at the repository before a push changes it.
    pub async fn begin_push(&self, caller: &Caller) -> Result<Push> {
        let tips_before = self.browse(caller, |reader| reader.tips()).await?;
        Ok(Push { caller: caller.clone(), tips_before, tips: PushedTips::new() })
    }

    /// Takes down who pushed the commits that a push brought. Git has accepted it by now, so that this fails is for the
    /// log: the commits are then told to come from nobody known.
    pub async fn end_push(&self, push: Push) {
        let org = push.caller.org.clone();
        if let Err(error) = self.record_push(push).await {
            let error =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), |source| format!("{source:#}"));
            tracing::warn!(%org, error, "Could not take down who pushed commits");
        }
    }

    async fn record_push(&self, push: Push) -> Result<()> {
        let Push { caller, tips_before, tips } = push;
        let tips = tips.get();
        if tips.is_empty() {
            return Ok(());
        }
        let limit = self.config.browse.max_recorded_commits;
        let brought = self.browse(&caller, move |reader| reader.brought(&tips, &tips_before, limit)).await?;
        if brought.is_empty() {
            return Ok(());
        }
        let commits = brought.iter().map(ToString::to_string).collect();
        self.store.put_pusher(&caller.org, commits, &caller.user()).await
    }
}
