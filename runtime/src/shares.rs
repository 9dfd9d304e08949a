//! Equal shares of the processors for all tenants, whoever has how many guests running.
//!
//! A guest yields at every tick and whenever it waits, so each poll of its future is a short turn. [`Shares::fair`] lets a
//! future be polled only while it holds a processor, and gives it up after each poll. There are as many as the machine
//! has; where all are taken, the next one goes to the tenant whose last turn is the longest ago, and among its guests to the
//! one that asked first. So whoever has one guest among another's hundred loops waits for a tick, and not for a hundred.
//!
//! Their executor needs more threads than there are processors here: it is the others that find out who else wants to run.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

/// The processors, and who waits for one.
#[derive(Debug)]
pub struct Shares {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
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
    /// Shares of so many processors; at least one.
    pub fn new(processors: usize) -> Arc<Self> {
        let state = State { free: processors.max(1), turns: 0, tenants: HashMap::new() };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Carries out a future that is polled only when it is the tenant's turn.
    pub async fn fair<F: Future>(self: &Arc<Self>, tenant: &Arc<str>, future: F) -> F::Output {
        let turn = Turn::new(self, tenant);
        let mut future = pin!(future);
        poll_fn(|context| {
            ready!(turn.poll(context));
            let _held = Held(&turn);
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
}

impl Turn {
    fn new(shares: &Arc<Shares>, tenant: &Arc<str>) -> Self {
        shares.state().tenants.entry(Arc::clone(tenant)).or_default().guests += 1;
        let place = Arc::new(Place { status: Mutex::new(Status::Idle) });
        Self { shares: Arc::clone(shares), tenant: Arc::clone(tenant), place }
    }

    /// Takes a processor, or asks to be woken when there is one.
    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.shares.state();
        let State { free, turns, tenants } = &mut *state;
        let tenant = tenants.entry(Arc::clone(&self.tenant)).or_default();
        let mut status = self.place.status();
        match &mut *status {
            Status::Granted => {
                *status = Status::Idle;
                Poll::Ready(())
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
                Poll::Ready(())
            }
            Status::Idle => {
                *status = Status::Waiting(context.waker().clone());
                tenant.queue.push_back(Arc::clone(&self.place));
                Poll::Pending
            }
        }
    }

    fn give_back(&self) {
        let mut state = self.shares.state();
        state.free += 1;
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
struct Held<'a>(&'a Turn);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(turn: &Turn) -> bool {
        turn.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_tenant_with_one_guest_has_every_other_turn_beside_one_with_twenty() {
        let shares = Shares::new(1);
        let [crowd, single]: [Arc<str>; 2] = ["crowd", "single"].map(Arc::from);
        let mut guests: Vec<_> = (0..20).map(|_| Turn::new(&shares, &crowd)).collect();
        assert_eq!(guests.iter().filter(|guest| asks(guest)).count(), 1);
        guests.push(Turn::new(&shares, &single));
        assert!(!asks(&guests[20]));
        let mut runs = 0;
        let mut order = Vec::new();
        for _ in 0..50 {
            guests[runs].give_back();
            let next = guests.iter().position(asks).expect("somebody waits");
            // Whoever has run asks again at once.
            assert!(!asks(&guests[runs]) || next == runs);
            runs = next;
            order.push(Arc::clone(&guests[runs].tenant));
        }
        assert_eq!(order.iter().filter(|tenant| **tenant == single).count(), 25);
        assert!(order.windows(2).all(|two| two[0] != two[1]), "{order:?}");

        // Those that are ended give back what they had, and what they asked for.
        guests[runs].give_back();
        drop(guests);
        let state = shares.state();
        assert_eq!((state.free, state.tenants.len()), (1, 0));
    }

    #[tokio::test]
    async fn who_waits_in_the_host_holds_no_processor() {
        let shares = Shares::new(1);
        let tenant: Arc<str> = Arc::from("one");
        let (told, heard) = tokio::sync::oneshot::channel();
        let waiting = shares.fair(&tenant, async { heard.await.unwrap() });
        let telling = shares.fair(&tenant, async { told.send(7).unwrap() });
        assert_eq!(tokio::join!(waiting, telling), (7, ()));
    }
}
