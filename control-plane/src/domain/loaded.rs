//! Tools that are ready to be invoked.

use std::sync::Arc;

use anyhow::Context;
use runtime::cache::Unpacked;

use crate::app::App;
use crate::error::{Error, Result};

impl App {
    /// The tool of a component, unpacked and loaded where it is not in memory.
    pub(crate) async fn loaded_tool(self: &Arc<Self>, component_sha256: &str) -> Result<Unpacked> {
        let entry = self.loaded.entry(component_sha256);
        let outcome = if entry.initialized() { "hit" } else { "miss" };
        self.metrics.tool_cache.with_label_values(&[outcome]).inc();
        let load = || async {
            let (app, sha256) = (Arc::clone(self), component_sha256.to_owned());
            let unpack = move || {
                let path = app.store.blobs().path(&sha256);
                let unpacked = app.cache.unpack(&sha256, || fs_err::read(path))?;
                // The worker only reads the cache, so the code that it maps has to be there.
                app.snapshotters.of(unpacked.base()).map_err(runtime::Error::from)?;
                Ok::<_, Error>(unpacked)
            };
            let unpacked = tokio::task::spawn_blocking(unpack).await.context("failed to load the tool")??;
            self.worker.load(component_sha256).await?;
            Ok::<_, Error>(unpacked)
        };
        entry.get_or_try_init(load).await.cloned()
    }
}
