//! Who may run now: so many at once, of one organization, and of one tool, and so much memory together. The rest waits,
//! each organization in a queue of its own, and organizations come round one after another.
//!
//! A request is admitted as a whole: where there is no room for all of its parts to run or to wait, it is refused before
//! any of them has begun. What is admitted is sure to have its turn.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use tokio::sync::oneshot;

use crate::config;
use crate::error::{Error, Result};
use crate::model::OrgId;

/// What may run and wait. The names are those of settings, for messages.
#[derive(Debug, Clone)]
pub struct Limits {
    /// What is counted, such as "invocations".
    pub what: &'static str,
    /// The table of the settings.
    pub table: &'static str,
    /// How many run at once.
    pub concurrent: usize,
    /// Of one organization.
    pub concurrent_per_organization: usize,
    /// Of one tool.
    pub concurrent_per_tool: usize,
    /// How many wait.
    pub waiting: usize,
    /// Of one organization.
    pub waiting_per_organization: usize,
    /// How much memory all that run may take together.
    pub memory_bytes: u64,
}

/// The limits of invocations.
pub fn of_invocations(settings: &config::Invoke) -> Result<Limits> {
    let memory_bytes = match settings.total_memory_mib {
        0 => memory_of_the_machine()? / 2,
        mebibytes => mebibytes << 20,
    };
    Ok(Limits {
        what: "invocations",
        table: "invoke",
        concurrent: settings.concurrent as usize,
        concurrent_per_organization: settings.concurrent_per_organization,
        concurrent_per_tool: settings.concurrent_per_tool,
        waiting: settings.waiting,
        waiting_per_organization: settings.waiting_per_organization,
        memory_bytes,
    })
}

/// The limits of builds. So few run at once that there is no need to divide them, except by turns.
pub fn of_builds(settings: &config::Build) -> Limits {
    Limits {
        what: "builds",
        table: "build",
        concurrent: settings.concurrent,
        concurrent_per_organization: settings.concurrent,
        concurrent_per_tool: settings.concurrent,
        waiting: settings.waiting,
        waiting_per_organization: settings.waiting_per_organization,
        memory_bytes: u64::MAX,
    }
}

fn memory_of_the_machine() -> Result<u64> {
    let text = fs_err::read_to_string("/proc/meminfo").context("failed to find out how much memory there is")?;
    let kibibytes =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse().ok());
    let kibibytes: u64 =
        kibibytes.context("failed to find out how much memory there is: set invoke.total_memory_mib")?;
    Ok(kibibytes << 10)
}

/// What is to run.
#[derive(Debug, Clone)]
pub struct Party {
    /// Whose it is.
    pub org: OrgId,
    /// Which tool's.
    pub tool: Arc<str>,
    /// How much memory it may take.
    pub memory_bytes: u64,
}

/// Lets parties in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Admission {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    waiting: usize,
    memory_bytes: u64,
    by_organization: HashMap<OrgId, usize>,
    by_tool: HashMap<Arc<str>, usize>,
    queues: HashMap<OrgId, VecDeque<Waiter>>,
    /// The organizations that have a queue, in the order of their turns.
    round: VecDeque<OrgId>,
}

#[derive(Debug)]
struct Waiter {
    party: Party,
    turn: oneshot::Sender<()>,
}

/// A place in a queue, and once its turn has come the right to run. Given back when it is dropped.
#[derive(Debug)]
pub struct Ticket {
    shared: Arc<Shared>,
    party: Party,
    turn: oneshot::Receiver<()>,
    has_turn: bool,
}

/// How long whoever is refused should wait. Invocations take a second or less, mostly.
const RETRY_AFTER_S: u64 = 1;

impl Admission {
    /// Lets in what the limits allow.
    pub fn new(limits: Limits) -> Self {
        Self { shared: Arc::new(Shared { limits, state: Mutex::default() }) }
    }

    /// A ticket for each of so many parties of a kind, or none where there is no room for all of them to wait.
    pub fn admit(&self, party: &Party, count: usize) -> Result<Vec<Ticket>> {
        let (shared, limits) = (&self.shared, &self.shared.limits);
        let mut state = shared.state();
        let queued = state.queues.get(&party.org).map_or(0, VecDeque::len);
        // Whoever waits has come before, so nobody runs at once where one of their own waits.
        let room = state.room(party, limits).min(state.memory(party, limits));
        let at_once = if queued > 0 { 0 } else { room.min(count) };
        let waiting = count - at_once;
        let Limits { what, table, .. } = limits;
        if queued + waiting > limits.waiting_per_organization {
            let [running, waits] = ["concurrent_per_organization", "waiting_per_organization"];
            let message = format!(
                "the organization has as many {what} running and waiting as it may have ({table}.{running}, {table}.{waits}): \
                 try again in {RETRY_AFTER_S} s"
            );
            return Err(Error::Crowded { message, retry_after_s: RETRY_AFTER_S });
        }
        if state.waiting + waiting > limits.waiting {
            let message =
                format!("as many {what} as may wait are waiting ({table}.waiting): try again in a few seconds");
            return Err(Error::Unavailable(message));
        }
        let tickets = (0..count).map(|_| state.enqueue(shared, party.clone())).collect();
        state.dispatch(limits);
        Ok(tickets)
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.shared.state().waiting
    }
}

impl Ticket {
    /// Waits for the turn.
    pub async fn turn(&mut self) {
        // The other end is kept until the turn has come: whoever waits is in a queue.
        self.has_turn = self.has_turn || (&mut self.turn).await.is_ok();
    }
}

impl Ticket {
    /// Which tool's it is.
    pub(crate) fn tool(&self) -> &str {
        &self.party.tool
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Turns are given under the same lock, so none comes between these lines.
        let mut state = self.shared.state();
        if self.has_turn || self.turn.try_recv().is_ok() {
            state.left(&self.party);
        } else {
            self.turn.close();
            state.forget_whoever_left(&self.party.org);
        }
        state.dispatch(&self.shared.limits);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many parties of a kind could begin now, memory aside.
    fn room(&self, party: &Party, limits: &Limits) -> usize {
        let of = |count: Option<&usize>| count.copied().unwrap_or(0);
        limits
            .concurrent
            .saturating_sub(self.running)
            .min(limits.concurrent_per_organization.saturating_sub(of(self.by_organization.get(&party.org))))
            .min(limits.concurrent_per_tool.saturating_sub(of(self.by_tool.get(&party.tool))))
    }

    /// For how many parties of a kind there is memory now. One that asks for more than there ever is may run alone.
    fn memory(&self, party: &Party, limits: &Limits) -> usize {
        let left = limits.memory_bytes.saturating_sub(self.memory_bytes);
        match left.checked_div(party.memory_bytes) {
            None => usize::MAX,
            Some(0) if self.running == 0 => 1,
            Some(count) => usize::try_from(count).unwrap_or(usize::MAX),
        }
    }

    fn enqueue(&mut self, shared: &Arc<Shared>, party: Party) -> Ticket {
        let (sender, turn) = oneshot::channel();
        let queue = self.queues.entry(party.org.clone()).or_default();
        if queue.is_empty() {
            self.round.push_back(party.org.clone());
        }
        queue.push_back(Waiter { party: party.clone(), turn: sender });
        self.waiting += 1;
        Ticket { shared: Arc::clone(shared), party, turn, has_turn: false }
    }

    /// Lets in whoever may run, one of each organization in turn.
    fn dispatch(&mut self, limits: &Limits) {
        let mut passed_over = 0;
        while passed_over < self.round.len() {
            let Some(org) = self.round.pop_front() else { return };
            let Some(queue) = self.queues.get(&org) else { continue };
            // Within a queue, those whose tool may run pass by those whose tool may not.
            let Some(next) = queue.iter().position(|waiter| self.room(&waiter.party, limits) > 0) else {
                passed_over += 1;
                self.round.push_back(org);
                continue;
            };
            if self.memory(&queue[next].party, limits) == 0 {
                // Nobody passes by: whoever asks for much would wait for ever behind those who ask for little.
                self.round.push_front(org);
                return;
            }
            passed_over = 0;
            self.begin(&org, next);
            if self.queues.contains_key(&org) {
                self.round.push_back(org);
            }
        }
    }

    fn begin(&mut self, org: &OrgId, index: usize) {
        let Some(queue) = self.queues.get_mut(org) else { return };
        let Some(Waiter { party, turn }) = queue.remove(index) else { return };
        if queue.is_empty() {
            self.queues.remove(org);
        }
        self.waiting -= 1;
        self.running += 1;
        self.memory_bytes += party.memory_bytes;
        *self.by_organization.entry(party.org.clone()).or_default() += 1;
        *self.by_tool.entry(Arc::clone(&party.tool)).or_default() += 1;
        if turn.send(()).is_err() {
            self.left(&party);
        }
    }

    fn left(&mut self, party: &Party) {
        self.running -= 1;
        self.memory_bytes -= party.memory_bytes;
        decrement(&mut self.by_organization, &party.org);
        decrement(&mut self.by_tool, &party.tool);
    }

    fn forget_whoever_left(&mut self, org: &OrgId) {
        let Some(queue) = self.queues.get_mut(org) else { return };
        let before = queue.len();
        queue.retain(|waiter| !waiter.turn.is_closed());
        self.waiting -= before - queue.len();
        if queue.is_empty() {
            self.queues.remove(org);
            self.round.retain(|other| other != org);
        }
    }
}

fn decrement<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const LIMITS: Limits = Limits {
        what: "invocations",
        table: "invoke",
        concurrent: 4,
        concurrent_per_organization: 3,
        concurrent_per_tool: 2,
        waiting: 5,
        waiting_per_organization: 3,
        memory_bytes: 100,
    };

    fn party(org: &str, tool: &str) -> Party {
        Party { org: OrgId::parse(org).unwrap(), tool: Arc::from(tool), memory_bytes: 1 }
    }

    /// Which of the tickets may run.
    fn running(tickets: &mut [Ticket]) -> Vec<bool> {
        tickets.iter_mut().map(|ticket| ticket.turn().now_or_never().is_some()).collect()
    }

    #[test]
    fn tools_organizations_and_all_together_run_no_more_than_they_may() {
        let admission = Admission::new(LIMITS);
        let mut one = admission.admit(&party("acme", "a"), 3).unwrap();
        assert_eq!(running(&mut one), [true, true, false], "a tool");
        let mut other = admission.admit(&party("acme", "b"), 2).unwrap();
        assert_eq!(running(&mut other), [true, false], "another tool passes by, up to what the organization may");
        let mut neighbour = admission.admit(&party("globex", "c"), 2).unwrap();
        assert_eq!(running(&mut neighbour), [true, false], "all together");
        assert_eq!(admission.waiting(), 3);

        drop(neighbour.remove(0));
        assert_eq!(running(&mut neighbour), [true], "the own queue goes on");
        drop(one.remove(0));
        assert_eq!((running(&mut one), running(&mut other)), (vec![true, true], vec![true, false]));
        drop((one, other, neighbour));
        let state = admission.shared.state();
        assert_eq!((state.running, state.waiting, state.memory_bytes), (0, 0, 0));
        assert!(state.queues.is_empty() && state.round.is_empty() && state.by_tool.is_empty());
    }

    #[test]
    fn a_request_has_room_for_all_of_its_parts_or_none_of_them_begins() {
        let admission = Admission::new(LIMITS);
        let refused = admission.admit(&party("acme", "a"), 6).unwrap_err();
        let Error::Crowded { message, retry_after_s: 1 } = refused else { panic!("{refused}") };
        assert!(message.contains("invoke.waiting_per_organization"), "{message}");
        assert_eq!(admission.shared.state().running, 0);

        let _mine = admission.admit(&party("acme", "a"), 5).unwrap();
        let _theirs = admission.admit(&party("globex", "b"), 4).unwrap();
        assert_eq!(admission.waiting(), 5);
        let refused = admission.admit(&party("initech", "c"), 1).unwrap_err();
        assert!(matches!(refused, Error::Unavailable(message) if message.contains("invoke.waiting")));
    }

    #[test]
    fn organizations_come_round_one_after_another() {
        let limits = Limits { concurrent: 1, waiting: 10, waiting_per_organization: 10, ..LIMITS };
        let admission = Admission::new(limits);
        let first = admission.admit(&party("acme", "a"), 1).unwrap();
        let mut crowd = admission.admit(&party("acme", "a"), 3).unwrap();
        let mut single = admission.admit(&party("globex", "b"), 2).unwrap();
        drop(first);
        assert_eq!((running(&mut crowd), running(&mut single)), (vec![true, false, false], vec![false, false]));
        drop(crowd.remove(0));
        assert_eq!((running(&mut crowd), running(&mut single)), (vec![false, false], vec![true, false]));
        // Whoever hangs up leaves the queue.
        drop(crowd.remove(0));
        drop(single.remove(0));
        assert_eq!((running(&mut crowd), running(&mut single)), (vec![true], vec![false]));
    }

    #[test]
    fn memory_is_counted_and_nobody_passes_by_who_waits_for_it() {
        let admission = Admission::new(LIMITS);
        let large = |memory_bytes| Party { memory_bytes, ..party("acme", "a") };
        let mut running_now = admission.admit(&large(60), 1).unwrap();
        assert_eq!(running(&mut running_now), [true]);
        let mut waits = admission.admit(&large(50), 1).unwrap();
        let mut small = admission.admit(&Party { memory_bytes: 1, ..party("globex", "b") }, 1).unwrap();
        assert_eq!((running(&mut waits), running(&mut small)), (vec![false], vec![false]));
        drop(running_now);
        assert_eq!((running(&mut waits), running(&mut small)), (vec![true], vec![true]));
        drop((waits, small));
        let mut alone = admission.admit(&large(1000), 2).unwrap();
        assert_eq!(running(&mut alone), [true, false], "what asks for more than there is runs alone");
    }
}
