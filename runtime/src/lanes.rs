//! Threads that stand back, for guests that compute for long.
//!
//! What answers a request takes a few short steps on several threads, and each step that finds a loop on its processor
//! waits until the system lets it on. The system does so at once where the loop's thread has a lower priority. A thread may
//! lower its own, and not raise it again, so it is the guest that changes threads, once, when it has run for longer than
//! most ever do. It has the same share of the processors there.

use std::future::poll_fn;
use std::panic;
use std::sync::Arc;
use std::task::Poll;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::shares::Spent;

/// The executor of those threads, where there is one.
#[derive(Default)]
pub(crate) struct Lanes(Option<Handle>);

impl Lanes {
    pub(crate) fn new(standing_back: Option<Handle>) -> Self {
        Self(standing_back)
    }

    /// Carries out a future on this task, until what it spends is long, and from then on on one of those threads.
    pub(crate) async fn run<F>(&self, spent: &Arc<Spent>, future: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let Some(standing_back) = &self.0 else { return future.await };
        let mut future = Box::pin(future);
        let done = poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if spent.is_long() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        if let Some(output) = done.await {
            return output;
        }
        let mut moved = Moved(standing_back.spawn(future));
        match (&mut moved.0).await {
            Ok(output) => output,
            Err(error) => match error.try_into_panic() {
                Ok(payload) => panic::resume_unwind(payload),
                // Its executor is ending, and so is the process.
                Err(_cancelled) => std::future::pending().await,
            },
        }
    }
}

/// A future that goes on elsewhere, and ends when nobody waits for it any more.
struct Moved<T>(JoinHandle<T>);

impl<T> Drop for Moved<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::shares::Shares;

    #[test]
    fn whoever_computes_for_long_goes_on_elsewhere() {
        let here = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let there = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("there").build().unwrap();
        let lanes = Lanes::new(Some(there.handle().clone()));
        let shares = Shares::new(1, || {});
        let run = |turns: u32| {
            let (shares, spent) = (Arc::clone(&shares), Arc::<Spent>::default());
            let steps = {
                let spent = Arc::clone(&spent);
                async move {
                    let steps = async {
                        for _ in 0..turns {
                            thread::sleep(Duration::from_millis(6));
                            tokio::task::yield_now().await;
                        }
                        thread::current().name().unwrap_or_default() == "there"
                    };
                    shares.fair(&Arc::from("tenant"), &spent, steps).await
                }
            };
            here.block_on(lanes.run(&spent, steps))
        };
        assert!(!run(1));
        assert!(run(4));
        assert!(
            !here.block_on(Lanes::default().run(&Arc::default(), async { thread::current().name() == Some("there") }))
        );
    }
}
