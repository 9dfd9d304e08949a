//! Searching what is on record, and keeping the index up with the store.
//!
//! One thread indexes what was recorded, in the order of the store's numbers and off every request's path. A search
//! indexes what that thread has not come to yet, so it finds whatever was answered before it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};

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
        let done = self.search.next(&caller.org);
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
            let behind = |app: &Self| app.store.count_invocations(&org).saturating_sub(app.search.next(&org));
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
        self.search.advance(org, |first| self.store.invocations_from(org, first, BATCH))
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
    pub(crate) fn wake(&self) {
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
    while woken.recv().is_ok() {
        let Some(app) = app.upgrade() else { return };
        // Where nobody else has the app any more it is closing, and the next start goes on.
        if let Err(error) = app.index_recorded(|| Arc::strong_count(&app) > 1) {
            let fault = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            tracing::error!(%error, fault, "Could not index invocations; the next search or invocation tries again");
        }
    }
}
