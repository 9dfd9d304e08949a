//! Group commit: one flush serves everybody who waits for one.
//!
//! Who has written takes a ticket, after the write. The flusher thread notes the highest ticket taken, makes everything
//! written so far durable, and publishes that ticket as completed. Tickets taken while it works are for its next round.
//! Where all who wait have written records, a round need only make those durable, which is quicker.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::StoreError;
use crate::error::{Error, Result};

/// The flusher and those who wait for it.
pub(super) struct Durability {
    requests: Arc<Requests>,
    progress: watch::Receiver<Progress>,
    flusher: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Requests {
    state: Mutex<State>,
    changed: Condvar,
}

/// What has to be durable at the end of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// Records.
    Records,
    /// All that was written.
    Everything,
}

#[derive(Default)]
struct State {
    /// The last ticket that was taken.
    taken: u64,
    /// The last one that asks for everything.
    everything: u64,
    /// Nobody will take another.
    closed: bool,
}

#[derive(Debug, Clone, Default)]
struct Progress {
    /// What every ticket up to this one waits for is durable.
    completed: u64,
    /// There are no rounds after one that failed: the system may have dropped the pages that it could not write, and a
    /// second `fsync` would then report a success that is none.
    failure: Option<Arc<io::Error>>,
}

impl Durability {
    /// Starts the thread. `round` makes durable what was written before it is called.
    pub(super) fn start(mut round: impl FnMut(Round) -> io::Result<()> + Send + 'static) -> Self {
        let requests = Arc::new(Requests::default());
        let (sender, progress) = watch::channel(Progress::default());
        let flusher = std::thread::Builder::new()
            .name("store-flusher".to_owned())
            .spawn({
                let requests = Arc::clone(&requests);
                move || run(&requests, &sender, &mut round)
            })
            .expect("a process that is starting can start a thread");
        Self { requests, progress, flusher: Some(flusher) }
    }

    /// Returns once what was written before the call is durable.
    pub(super) async fn durable(&self, what: Round) -> Result<()> {
        let ticket = self.take_ticket(what);
        self.completed(ticket).await
    }

    /// Refuses once a round has failed.
    pub(super) fn check(&self) -> Result<()> {
        if self.progress.borrow().failure.is_none() {
            return Ok(());
        }
        Err(Error::Unavailable(
            "the data folder could not be written and takes no more changes: see the log, mend the disk, then restart \
             the service"
                .to_owned(),
        ))
    }

    fn take_ticket(&self, what: Round) -> u64 {
        let mut state = self.requests.lock();
        state.taken += 1;
        if what == Round::Everything {
            state.everything = state.taken;
        }
        self.requests.changed.notify_one();
        state.taken
    }

    async fn completed(&self, ticket: u64) -> Result<()> {
        let mut progress = self.progress.clone();
        let reached = progress.wait_for(|now| now.completed >= ticket || now.failure.is_some()).await;
        // The flusher ends without a failure only when the store is dropped, and then nobody holds it to wait here.
        let now = reached.map(|now| now.clone()).map_err(|e| Error::internal(e, "failed to wait for the flusher"))?;
        match now.failure {
            Some(failure) if now.completed < ticket => Err(StoreError::NotDurable(failure).into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Durability {
    fn drop(&mut self) {
        self.requests.lock().closed = true;
        self.requests.changed.notify_one();
        if let Some(flusher) = self.flusher.take() {
            // A round that panics is caught and counts as failed, so there is nothing to learn from the thread's end.
            let _ = flusher.join();
        }
    }
}

impl Requests {
    /// No code that holds this lock can panic, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The highest ticket above `completed`, once there is one, and what its round is about; none when there will be no
    /// more.
    fn next(&self, completed: u64) -> Option<(u64, Round)> {
        let state = self
            .changed
            .wait_while(self.lock(), |state| state.taken == completed && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        let what = if state.everything > completed { Round::Everything } else { Round::Records };
        (state.taken > completed).then_some((state.taken, what))
    }
}

fn run(requests: &Requests, progress: &watch::Sender<Progress>, round: &mut dyn FnMut(Round) -> io::Result<()>) {
    let mut completed = 0;
    while let Some((ticket, what)) = requests.next(completed) {
        // sled panics on some faults of the disk. Whoever waits has to hear of it as of any other.
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| round(what)))
            .unwrap_or_else(|_| Err(io::Error::other("the storage engine panicked")));
        match outcome {
            Ok(()) => {
                completed = ticket;
                progress.send_modify(|now| now.completed = completed);
            }
            Err(error) => {
                tracing::error!(%error, "the data folder cannot be made durable, the store takes no more changes");
                progress.send_modify(|now| now.failure = Some(Arc::new(error)));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::Round::{Everything, Records};
    use super::*;

    /// A flusher whose rounds begin with a message to the test, and end with the result that the test sends.
    fn directed() -> (Durability, mpsc::Receiver<Round>, mpsc::Sender<io::Result<()>>) {
        let (begun, rounds) = mpsc::channel();
        let (results, result) = mpsc::channel();
        let durability = Durability::start(move |what| {
            begun.send(what).unwrap();
            result.recv().unwrap()
        });
        (durability, rounds, results)
    }

    #[tokio::test]
    async fn one_round_serves_all_who_wait() {
        let (durability, rounds, results) = directed();
        let first = durability.take_ticket(Everything);
        rounds.recv().unwrap();
        // The first round is under way: these are too late for it.
        let others: Vec<_> = (0..10).map(|_| durability.take_ticket(Everything)).collect();
        results.send(Ok(())).unwrap();
        durability.completed(first).await.unwrap();
        rounds.recv().unwrap();
        assert!(durability.progress.borrow().completed < others[0]);
        results.send(Ok(())).unwrap();
        for ticket in others {
            durability.completed(ticket).await.unwrap();
        }
        drop(durability);
        assert!(rounds.recv().is_err(), "there was a third round");
    }

    #[tokio::test]
    async fn a_round_is_about_everything_where_one_of_those_who_wait_needs_it() {
        let (durability, rounds, results) = directed();
        for (asked, done) in [
            (vec![Records], Records),
            (vec![Records, Everything, Records], Everything),
            (vec![Records, Records], Records),
            (vec![Everything], Everything),
        ] {
            // While this round is under way, the others gather for the next.
            let first = durability.take_ticket(Records);
            assert_eq!(rounds.recv().unwrap(), Records);
            let tickets: Vec<_> = asked.iter().map(|what| durability.take_ticket(*what)).collect();
            results.send(Ok(())).unwrap();
            durability.completed(first).await.unwrap();
            assert_eq!(rounds.recv().unwrap(), done);
            results.send(Ok(())).unwrap();
            durability.completed(tickets[tickets.len() - 1]).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_failed_round_fails_all_who_wait_and_all_who_come() {
        let (durability, rounds, results) = directed();
        let early = durability.take_ticket(Everything);
        rounds.recv().unwrap();
        let late = durability.take_ticket(Everything);
        assert!(durability.check().is_ok());
        results.send(Err(io::Error::other("the disk is gone"))).unwrap();
        for ticket in [early, late] {
            assert!(matches!(durability.completed(ticket).await, Err(Error::Internal(_))));
        }
        assert!(durability.durable(Everything).await.is_err());
        assert!(matches!(durability.check(), Err(Error::Unavailable(_))));
    }

    #[tokio::test]
    async fn what_was_durable_before_the_failure_stays_so() {
        let (durability, rounds, results) = directed();
        let early = durability.take_ticket(Everything);
        results.send(Ok(())).unwrap();
        durability.completed(early).await.unwrap();
        let late = durability.take_ticket(Everything);
        results.send(Err(io::Error::other("the disk is gone"))).unwrap();
        assert!(durability.completed(late).await.is_err());
        assert!(durability.completed(early).await.is_ok());
        assert_eq!(rounds.try_iter().count(), 2);
    }

    #[tokio::test]
    async fn a_panic_of_the_engine_is_a_failure() {
        let durability = Durability::start(|_| panic!("as sled does"));
        assert!(matches!(durability.durable(Everything).await, Err(Error::Internal(_))));
    }

    #[test]
    fn dropping_completes_what_was_asked_for() {
        let (durability, rounds, results) = directed();
        durability.take_ticket(Everything);
        results.send(Ok(())).unwrap();
        drop(durability);
        assert_eq!(rounds.iter().count(), 1);
    }
}
