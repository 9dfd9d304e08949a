//! Where guests run: on threads of their own, so that no loop of theirs keeps a request, a push or a health check waiting.

use std::future::Future;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::error::Result;

/// Threads beside those that guests keep busy: for timers and connections, and for asking who else wants to run.
const HOST_THREADS: usize = 2;

/// The guests' executor.
pub struct Guests {
    /// None only while this is dropped.
    executor: Option<Runtime>,
}

impl Guests {
    /// Starts the threads. So many guests may run at the same time.
    pub fn start(processors: usize) -> Result<Self> {
        let executor = Builder::new_multi_thread()
            .worker_threads(processors + HOST_THREADS)
            .thread_name("guests")
            .enable_all()
            .build()
            .context("failed to start the executor of tools")?;
        Ok(Self { executor: Some(executor) })
    }

    /// Runs something there.
    pub fn spawn<T: Send + 'static>(&self, run: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        match &self.executor {
            Some(executor) => executor.spawn(run),
            None => tokio::spawn(run),
        }
    }
}

impl Drop for Guests {
    /// An executor may not wait for another one's threads, and whoever waited for a guest has gone by now.
    fn drop(&mut self) {
        if let Some(executor) = self.executor.take() {
            executor.shutdown_background();
        }
    }
}
