//! Searching what is on record, and keeping the index up with the store.
//!
//! One thread indexes what was recorded, in the order of the store's numbers and off every request's path, and commits
//! it once nothing more comes. A search does what that thread has not come to yet, so it finds whatever was answered
//! before it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::app::App;
use crate::auth::Caller;
use crate::domain::invocations::visible;
use crate::error::{Error, Result};
use crate::model::{Invocation, OrgId, SourceType};
use crate::search::{Kinds, Reached, SearchQuery};
use crate::store::Store;

/// How many records are indexed at once, while the index is held.
const BATCH: usize = 500;

/// The most records that a search indexes before it answers; some ten thousand are indexed in a second.
const MAX_BEHIND: u64 = 5_000;

/// How long nothing may come before what was indexed is committed, so that a search finds it done. A commit takes about
/// as long as that.
const QUIET: Duration = Duration::from_millis(50);

/// The longest that it waits for that. More commits than that would be work for searches that nobody makes.
const COMMITTED_AFTER: Duration = Duration::from_secs(1);

/// How many records lie between two lines of progress in the log.
const PROGRESS: u64 = 50_000;

impl App {
    /// The best matches that the caller may see, the best first. `Error::Unavailable` while the index is made again.
    pub fn search_invocations(&self, caller: &Caller, mut query: SearchQuery) -> Result<Vec<Invocation>> {
        let visible = visible(caller)?;
        query.kinds = Kinds {
            regular: query.kinds.regular && visible.contains(&SourceType::RegularConversation),
            simulation: query.kinds.simulation && visible.contains(&SourceType::SimulationConversation),
        };
        let total = self.store.count_invocations(&caller.org);
        let done = self.search.next(&caller.org).max(self.store.first_invocation(&caller.org));
        if total.saturating_sub(done) > MAX_BEHIND {
            return Err(Error::Unavailable(format!(
                "the search index is being made again and holds {done} of {total} invocations: try again in a moment"
            )));
        }
        while self.search.next(&caller.org) < total && self.index_batch(&caller.org)? > 0 {}
        let found = self.search.find(&caller.org, &query).context("failed to search")?;
        self.store.get_invocations(&caller.org, &found)
    }

    /// Indexes all that is on record and not in the index. It blocks; what is recorded meanwhile may be left.
    pub fn catch_up_search(&self) -> Result<()> {
        self.index_recorded(|| true)
    }

    fn index_recorded(&self, goes_on: impl Fn() -> bool) -> Result<()> {
        for org in self.store.organizations_with_invocations() {
            let behind = |app: &Self| {
                let next = app.search.next(&org).max(app.store.first_invocation(&org));
                app.store.count_invocations(&org).saturating_sub(next)
            };
            let is_far_behind = behind(self) >= PROGRESS;
            let mut unsaid = 0;
            loop {
                let indexed = self.index_batch(&org)? as u64;
                unsaid += indexed;
                let left = behind(self);
                if is_far_behind && (unsaid >= PROGRESS || left == 0) {
                    tracing::info!(organization = %org, indexed = self.search.next(&org), left, "Making the search index");
                    unsaid = 0;
                }
                if indexed == 0 || left == 0 || !goes_on() {
                    break;
                }
            }
        }
        Ok(self.search.commit_if_many()?)
    }

    fn index_batch(&self, org: &OrgId) -> Result<usize> {
        let first = self.store.first_invocation(org);
        self.search.advance(org, first, |next| self.store.invocations_from(org, next, BATCH))
    }
}

/// Whether an index that has come so far was made of this store's records.
pub(crate) fn belongs(store: &Store, org: &OrgId, reached: Reached) -> bool {
    reached.next.checked_sub(1).and_then(|last| store.invocation_id(org, last)) == Some(reached.last)
}

/// Wakes the thread that indexes. It ends when this is dropped.
pub struct Indexing(SyncSender<()>);

impl Indexing {
    /// The waker, and what the thread is started with.
    pub(crate) fn new() -> (Self, Receiver<()>) {
        // One is enough: whoever wakes a thread that is awake has it look once more.
        let (wake, woken) = sync_channel(1);
        (Self(wake), woken)
    }

    /// There is something to index.
    pub fn wake(&self) {
        // When it is full, the thread is about to look anyway.
        let _ = self.0.try_send(());
    }
}

/// Starts the thread.
pub(crate) fn start_indexing(app: &Arc<App>, woken: Receiver<()>) -> Result<()> {
    let weak = Arc::downgrade(app);
    let thread = std::thread::Builder::new().name("search-indexer".to_owned());
    thread.spawn(move || index_when_woken(&weak, &woken)).context("failed to start the thread that indexes")?;
    app.indexing.wake();
    Ok(())
}

fn index_when_woken(app: &Weak<App>, woken: &Receiver<()>) {
    // When that has to be committed which is indexed and is not.
    let mut due: Option<Instant> = None;
    loop {
        let is_quiet = match due {
            None => woken.recv().map(|()| false).ok(),
            Some(due) => match woken.recv_timeout(QUIET.min(due.saturating_duration_since(Instant::now()))) {
                Ok(()) => Some(false),
                Err(RecvTimeoutError::Timeout) => Some(true),
                Err(RecvTimeoutError::Disconnected) => None,
            },
        };
        let (Some(is_quiet), Some(app)) = (is_quiet, app.upgrade()) else { return };
        let is_due = is_quiet || due.is_some_and(|due| due <= Instant::now());
        // Where nobody else has the app any more it is closing, and the next start goes on.
        let indexed = app.index_recorded(|| Arc::strong_count(&app) > 1);
        let ready = indexed.and_then(|()| if is_due { Ok(app.search.get_ready()?) } else { Ok(()) });
        if let Err(error) = ready {
            let fault = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            tracing::error!(%error, fault, "Could not index invocations; the next search or invocation tries again");
        }
        due = match app.search.waiting() {
            0 => None,
            _ if is_due => None,
            _ => due.or_else(|| Some(Instant::now() + COMMITTED_AFTER)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::model::{InvocationId, InvocationSource, InvocationStatus, ToolId, UserId, Version};

    #[tokio::test]
    async fn what_is_indexed_is_committed_once_nothing_more_comes() {
        let folder = tempfile::tempdir().unwrap();
        let app = App::open(Config::for_folder(folder.path()).unwrap()).unwrap();
        let org = OrgId::parse("acme").unwrap();
        let invocation = Invocation {
            id: InvocationId::new(),
            org_id: org.clone(),
            created_at: jiff::Timestamp::now(),
            invocation_status: InvocationStatus::Succeeded { output: "weather".to_owned() },
            invocation_source: InvocationSource::RegularConversation {
                user_id: UserId::new(),
                conversation_id: None,
                interaction_id: None,
                invocation_metadata: None,
            },
            duration_ms: 1.0,
            tool_id: ToolId::new(),
            tool_version: Version::FIRST,
            inputs: serde_json::json!({}),
            logs: String::new(),
        };
        app.store.record_invocations(&org, &[invocation]).await.unwrap();
        app.indexing.wake();
        // Nobody searches: where it were not committed by itself, this would not end.
        while app.search.next(&org) == 0 || app.search.waiting() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
