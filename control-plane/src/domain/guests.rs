//! Where guests run: on threads of their own, so that no loop of theirs keeps a request, a push or a health check waiting.

use std::future::Future;

use anyhow::Context;
use rustix::process::setpriority_process;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::error::Result;

/// Threads beside those that guests keep busy: for timers and connections, and for asking who else wants to run.
const HOST_THREADS: usize = 2;

/// How much the guests' threads stand back behind those that serve requests and write records: each of these has little to
/// do and much that waits for it, and would otherwise wait for a loop's turn of the system's own.
const NICENESS: i32 = 5;

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
            .on_thread_start(stand_back)
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

fn stand_back() {
    // Linux takes this for the calling thread alone. Where it is refused, everything works, only less evenly.
    if let Err(error) = setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "Could not lower the priority of a thread for tools");
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
