//! Searching what is on record.

use std::sync::Arc;

use anyhow::Context;

use crate::app::App;
use crate::auth::Caller;
use crate::domain::invocations::{SourceType, visible};
use crate::error::Result;
use crate::model::{Invocation, InvocationId};
use crate::search::{Kinds, SearchQuery};
use crate::store::{Index, Order};

/// How far behind its neighbours a record may have been written, in seconds: ids are made when an invocation starts
/// and recorded when it ends.
const LATEST_S: u32 = 3600;

/// How many records are indexed at once while catching up.
const BATCH: usize = 500;

impl App {
    /// The best matches that the caller may see, the best first.
    pub fn search_invocations(&self, caller: &Caller, mut query: SearchQuery) -> Result<Vec<Invocation>> {
        let visible = visible(caller)?;
        query.kinds = Kinds {
            regular: query.kinds.regular && visible.contains(&SourceType::RegularConversation),
            simulation: query.kinds.simulation && visible.contains(&SourceType::SimulationConversation),
        };
        if !query.kinds.regular && !query.kinds.simulation {
            return Ok(Vec::new());
        }
        let found = self.search.find(&caller.org, &query).context("failed to search")?;
        let load = |id: InvocationId| self.store.get_invocation(&caller.org, id).transpose();
        found.into_iter().filter_map(load).collect()
    }

    /// Indexes what the store has and the index may not have, after a start. It blocks.
    pub(crate) fn catch_up_search(self: &Arc<Self>) -> Result<()> {
        let after = self.search.newest().map(|newest| newest.earlier_by(LATEST_S));
        for org in self.store.list_organizations()? {
            let mut batch = Vec::with_capacity(BATCH);
            for id in self.store.invocation_ids(&org, &Index::All, Order::OldestFirst, after) {
                batch.extend(self.store.get_invocation(&org, id?)?);
                if batch.len() == BATCH {
                    self.search.add(&batch).context("failed to index")?;
                    batch.clear();
                }
            }
            self.search.add(&batch).context("failed to index")?;
        }
        Ok(())
    }
}
