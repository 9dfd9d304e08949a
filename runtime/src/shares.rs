//! Equal shares of the processors for all tenants, whoever has how many guests running.
//!
//! A guest yields at every tick and whenever it waits, so each poll of its future is a short turn. [`Shares::fair`] lets a
//! future be polled only while it holds a processor, and gives it up after each poll. There are as many as the machine
//! has; where all are taken, the next one goes to the tenant whose last turn is the longest ago, and among its guests to the
//! one that asked first. So whoever has one guest among another's hundred loops waits for a tick, and not for a hundred.
//!
//! A guest that computes for long would still keep the processor for its tick. So when somebody waits while such a guest has
//! one, all running guests are asked to look up at once.
//!
//! Their executor needs more threads than there are processors here: it is the others that find out who else wants to run.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

/// How much a guest has to have run until it is taken for one that computes for long. Nearly all answer sooner.
const LONG: Duration = Duration::from_millis(10);

/// How long a guest has run on processors.
#[derive(Debug, Default)]
pub struct Spent(AtomicU64);

impl Spent {
    fn add(&self, time: Duration) {
        self.0.fetch_add(time.as_micros().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether it computes for long.
    pub fn is_long(&self) -> bool {
        u128::from(self.0.load(Ordering::Relaxed)) >= LONG.as_micros()
    }
}

/// The processors, and who waits for one.
pub struct Shares {
    state: Mutex<State>,
    /// Has all running guests look up.
    hurry: Box<dyn Fn() + Send + Sync>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// How many processors guests have that compute for long.
    long: usize,
    /// How many turns there were.
    turns: u64,
    /// Those who have a guest.
    tenants: HashMap<Arc<str>, Tenant>,
}

#[derive(Debug, Default)]
struct Tenant {
    guests: usize,
    /// The number of its last turn.
    last_turn: u64,
    queue: VecDeque<Arc<Place>>,
}

/// One future's place in its tenant's queue.
#[derive(Debug)]
struct Place {
    status: Mutex<Status>,
}

#[derive(Debug)]
enum Status {
    /// It waits for the processor.
    Waiting(Waker),
    /// It has been given one, and not used it yet.
    Granted,
    /// It runs, or waits for something else.
    Idle,
}

impl Shares {
    /// Shares of so many processors; at least one. What is called has all running guests look up, and must not wait.
    pub fn new(processors: usize, hurry: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let state = State { free: processors.max(1), long: 0, turns: 0, tenants: HashMap::new() };
        Arc::new(Self { state: Mutex::new(state), hurry: Box::new(hurry) })
    }

    /// Carries out a future that is polled only when it is the tenant's turn, and counts what it spends.
    pub async fn fair<F: Future>(self: &Arc<Self>, tenant: &Arc<str>, spent: &Arc<Spent>, future: F) -> F::Output {
        let turn = Turn::new(self, tenant, spent);
        let mut future = pin!(future);
        poll_fn(|context| {
            let is_long = ready!(turn.poll(context));
            let _held = Held { turn: &turn, is_long, since: Instant::now() };
            future.as_mut().poll(context)
        })
        .await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Gives free processors to those whose last turn is the longest ago. There are never many tenants to choose from.
    fn grant(&mut self) {
        while self.free > 0 {
            let waiting = self.tenants.values_mut().filter(|tenant| !tenant.queue.is_empty());
            let Some(tenant) = waiting.min_by_key(|tenant| tenant.last_turn) else { return };
            if let Some(waker) = tenant.queue.pop_front().and_then(|place| place.grant()) {
                self.turns += 1;
                tenant.last_turn = self.turns;
                self.free -= 1;
                waker.wake();
            }
        }
    }
}

impl Place {
    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grant(&self) -> Option<Waker> {
        let mut status = self.status();
        match std::mem::replace(&mut *status, Status::Idle) {
            Status::Waiting(waker) => {
                *status = Status::Granted;
                Some(waker)
            }
            other => {
                *status = other;
                None
            }
        }
    }
}

/// A future's right to a processor. What it has is given back when it goes.
struct Turn {
    shares: Arc<Shares>,
    tenant: Arc<str>,
    place: Arc<Place>,
    spent: Arc<Spent>,
}

impl Turn {
    fn new(shares: &Arc<Shares>, tenant: &Arc<str>, spent: &Arc<Spent>) -> Self {
        shares.state().tenants.entry(Arc::clone(tenant)).or_default().guests += 1;
        let place = Arc::new(Place { status: Mutex::new(Status::Idle) });
        Self { shares: Arc::clone(shares), tenant: Arc::clone(tenant), place, spent: Arc::clone(spent) }
    }

    /// Takes a processor, or asks to be woken when there is one. Answers whether it is taken for long.
    fn poll(&self, context: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.shares.state();
        let State { free, long, turns, tenants } = &mut *state;
        let tenant = tenants.entry(Arc::clone(&self.tenant)).or_default();
        let mut status = self.place.status();
        let is_long = self.spent.is_long();
        match &mut *status {
            Status::Granted => {
                *status = Status::Idle;
                *long += usize::from(is_long);
                Poll::Ready(is_long)
            }
            Status::Waiting(waker) => {
                waker.clone_from(context.waker());
                Poll::Pending
            }
            // Where a processor is free, nobody waits.
            Status::Idle if *free > 0 => {
                *free -= 1;
                *turns += 1;
                tenant.last_turn = *turns;
                *long += usize::from(is_long);
                Poll::Ready(is_long)
            }
            Status::Idle => {
                *status = Status::Waiting(context.waker().clone());
                tenant.queue.push_back(Arc::clone(&self.place));
                // Not for one that computes for long itself: it can wait for a tick.
                if *long > 0 && !is_long {
                    (self.shares.hurry)();
                }
                Poll::Pending
            }
        }
    }

    fn give_back(&self, is_long: bool) {
        let mut state = self.shares.state();
        state.free += 1;
        state.long -= usize::from(is_long);
        state.grant();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.shares.state();
        if let Some(tenant) = state.tenants.get_mut(&self.tenant) {
            tenant.guests -= 1;
            tenant.queue.retain(|place| !Arc::ptr_eq(place, &self.place));
            if tenant.guests == 0 {
                state.tenants.remove(&self.tenant);
            }
        }
        if let Status::Granted = *self.place.status() {
            state.free += 1;
            state.grant();
        }
    }
}

/// Gives a processor back after a poll, even where that panics.
struct Held<'a> {
    turn: &'a Turn,
    is_long: bool,
    since: Instant,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.turn.spent.add(self.since.elapsed());
        self.turn.give_back(self.is_long);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(turn: &Turn) -> Poll<bool> {
        turn.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn asks(turn: &Turn) -> bool {
        poll(turn).is_ready()
    }

    #[test]
    fn a_tenant_with_one_guest_has_every_other_turn_beside_one_with_twenty() {
        let shares = Shares::new(1, || {});
        let [crowd, single]: [Arc<str>; 2] = ["crowd", "single"].map(Arc::from);
        let mut guests: Vec<_> = (0..20).map(|_| Turn::new(&shares, &crowd, &Arc::default())).collect();
        assert_eq!(guests.iter().filter(|guest| asks(guest)).count(), 1);
        guests.push(Turn::new(&shares, &single, &Arc::default()));
        assert!(!asks(&guests[20]));
        let mut runs = 0;
        let mut order = Vec::new();
        for _ in 0..50 {
            guests[runs].give_back(false);
            let next = guests.iter().position(asks).expect("somebody waits");
            // Whoever has run asks again at once.
            assert!(!asks(&guests[runs]) || next == runs);
            runs = next;
            order.push(Arc::clone(&guests[runs].tenant));
        }
        assert_eq!(order.iter().filter(|tenant| **tenant == single).count(), 25);
        assert!(order.windows(2).all(|two| two[0] != two[1]), "{order:?}");

        // Those that are ended give back what they had, and what they asked for.
        guests[runs].give_back(false);
        drop(guests);
        let state = shares.state();
        assert_eq!((state.free, state.tenants.len()), (1, 0));
    }

    #[tokio::test]
    async fn who_waits_in_the_host_holds_no_processor() {
        let shares = Shares::new(1, || {});
        let tenant: Arc<str> = Arc::from("one");
        let spent = Arc::default();
        let (told, heard) = tokio::sync::oneshot::channel();
        let waiting = shares.fair(&tenant, &spent, async { heard.await.unwrap() });
        let telling = shares.fair(&tenant, &spent, async { told.send(7).unwrap() });
        assert_eq!(tokio::join!(waiting, telling), (7, ()));
    }

    #[test]
    fn who_waits_for_one_that_computes_for_long_has_it_look_up() {
        let hurried = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&hurried);
        let shares = Shares::new(1, move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let [loops, other]: [Arc<str>; 2] = ["loops", "other"].map(Arc::from);
        let (looping, short) =
            (Turn::new(&shares, &loops, &Arc::default()), Turn::new(&shares, &other, &Arc::default()));
        assert_eq!(poll(&looping), Poll::Ready(false));
        assert!(poll(&short).is_pending());
        assert_eq!(hurried.load(Ordering::Relaxed), 0, "it has just begun");
        looping.spent.add(LONG);
        looping.give_back(false);
        assert_eq!(poll(&short), Poll::Ready(false));
        assert!(poll(&looping).is_pending());
        short.give_back(false);
        assert_eq!(poll(&looping), Poll::Ready(true));
        assert!(poll(&short).is_pending());
        assert_eq!(hurried.load(Ordering::Relaxed), 1);
        looping.give_back(true);
        drop((looping, short));
        let state = shares.state();
        assert_eq!((state.free, state.long), (1, 0));
    }
}
