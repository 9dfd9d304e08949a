//! The clock that ends a guest which runs: the engine's epoch, raised by a thread of its own.

use std::future::poll_fn;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use wasmtime::Engine;

/// How often a running guest looks up. It is the longest that one guest keeps a processor from others, about as long as a
/// short call takes, and costs a running guest less than a hundredth.
const TICK: Duration = Duration::from_millis(2);

/// Raises an engine's epoch for as long as the engine lives.
pub struct Ticker;

impl Ticker {
    /// Starts the thread. It holds the engine weakly and ends when the engine does.
    pub fn start(engine: &Engine) -> std::io::Result<()> {
        let engine = engine.weak();
        thread::Builder::new().name("epoch".to_owned()).spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::park_timeout(TICK);
            }
        })?;
        Ok(())
    }
}

/// The guest ran past its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("out of time")]
pub struct OutOfTime;

/// Lets others go on and asks at once to be next. tokio's `yield_now` asks only when its thread has nothing else to do, and
/// whoever shares the thread with endless loops would wait for all of them.
pub async fn give_way() {
    let mut has_given_way = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_given_way, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
