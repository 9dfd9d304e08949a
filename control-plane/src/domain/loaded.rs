//! Tools that are ready in memory. The one that was not used for longest makes room for the next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use runtime::component::Tool;
use tokio::sync::OnceCell;

use crate::app::App;
use crate::error::{Error, Result};

/// Loaded tools by the SHA-256 of their components.
pub struct LoadedTools {
    capacity: usize,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    by_sha256: HashMap<String, Entry>,
    uses: u64,
}

struct Entry {
    /// Set by the first who asks; whoever else asks meanwhile waits for it.
    tool: Arc<OnceCell<Tool>>,
    last_use: u64,
}

impl LoadedTools {
    /// Keeps so many tools.
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), entries: Mutex::default() }
    }

    /// How many there are, or are being loaded.
    pub(crate) fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).by_sha256.len()
    }

    fn entry(&self, sha256: &str) -> Arc<OnceCell<Tool>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.uses += 1;
        let now = entries.uses;
        if !entries.by_sha256.contains_key(sha256) && entries.by_sha256.len() >= self.capacity {
            let oldest = entries.by_sha256.iter().min_by_key(|(_, entry)| entry.last_use).map(|(key, _)| key.clone());
            oldest.and_then(|key| entries.by_sha256.remove(&key));
        }
        let fresh = || Entry { tool: Arc::default(), last_use: now };
        let entry = entries.by_sha256.entry(sha256.to_owned()).or_insert_with(fresh);
        entry.last_use = now;
        Arc::clone(&entry.tool)
    }
}

impl App {
    /// The tool of a component, loaded where it is not in memory.
    pub(crate) async fn loaded_tool(self: &Arc<Self>, component_sha256: &str) -> Result<Tool> {
        let entry = self.loaded.entry(component_sha256);
        let outcome = if entry.initialized() { "hit" } else { "miss" };
        self.metrics.tool_cache.with_label_values(&[outcome]).inc();
        let load = || async {
            let (app, sha256) = (Arc::clone(self), component_sha256.to_owned());
            let load = move || {
                let path = app.store.blobs().path(&sha256);
                app.runtime.load(&sha256, || fs_err::read(path))
            };
            tokio::task::spawn_blocking(load).await.context("failed to load the tool")?.map_err(Error::from)
        };
        entry.get_or_try_init(load).await.cloned()
    }
}
