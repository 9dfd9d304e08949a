//! Rate limits: how many requests a user may make at one endpoint within a minute.
//!
//! A counter's minute begins with its first request. `governor` does not fit the contract: its
//! cells fill up again all the time, so a new user makes nearly twice the limit in a first minute; it does not say when
//! a cell is full, which `X-RateLimit-Reset` has to; and its table of keys has no bound.
//!
//! Signing in is limited before anybody is known, so what is counted is what a stranger claims. A counter for the
//! claimed user alone would let anybody who knows a user's id, which is no secret, lock that user out with five wrong
//! keys a minute. So the five are counted for the user and the address together: who wants to lock somebody out has to
//! sit behind the same address. Another counter holds for the address alone, whoever is claimed. What is left to many
//! addresses at once is to try keys, and those have 256 random bits.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::app::App;
use crate::auth::Caller;
use crate::config;
use crate::model::{OrgId, UserId, UserRef};

/// The window of every limit.
const WINDOW_MS: u64 = 60_000;

/// What kind of endpoint is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It changes nothing.
    Read,
    /// It changes something.
    Write,
    /// It builds.
    Publish,
    /// It trades a key for a token.
    SignIn,
    /// Git's own protocol.
    Git,
    /// It builds and runs, and keeps nothing.
    Test,
    /// It runs a version.
    Invoke,
}

/// An endpoint: a method and a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The method's name.
    pub method: &'static str,
    /// The route, with the names of parameters and not their values.
    pub route: String,
}

/// Where a counter stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How many requests a window has.
    pub limit: u32,
    /// How many of them are left.
    pub remaining: u32,
    /// When the window ends, in milliseconds since 1970.
    pub resets_at_ms: u64,
}

impl Standing {
    /// When the window ends, in whole seconds since 1970: not before it does.
    pub fn resets_at_s(&self) -> u64 {
        self.resets_at_ms.div_ceil(1000)
    }

    /// How long until the window ends, in whole seconds from 1.
    pub fn retry_after_s(&self) -> u64 {
        self.resets_at_ms.saturating_sub(now_ms()).div_ceil(1000).max(1)
    }
}

/// What came of a request's counting: where its counter stands, none where there is no limit; or, as an error, where
/// it stands that has nothing left.
pub type Counted = Result<Option<Standing>, Standing>;

/// The counters of users, and those of strangers, who must not be able to push out a user's.
pub struct RateLimits {
    users: Counters<(OrgId, UserId, Endpoint)>,
    sign_ins: Counters<(OrgId, UserId, IpAddr)>,
    addresses: Counters<IpAddr>,
}

impl RateLimits {
    /// Keeps at least so many counters of each kind, and at most twice as many.
    pub fn new(counters: usize) -> Self {
        Self { users: Counters::new(counters), sign_ins: Counters::new(counters), addresses: Counters::new(counters) }
    }
}

impl App {
    /// Counts a request of a caller.
    pub fn count_request(&self, caller: &Caller, class: Class, endpoint: Endpoint) -> Counted {
        let limit = limit_of(&self.config.rate_limits, class);
        let UserRef { org_id, user_id } = caller.user();
        let counted = self.rate_limits.users.count((org_id, user_id, endpoint), limit, now_ms());
        counted.inspect_err(|_| self.metrics.rate_limited.with_label_values(&[class.name()]).inc())
    }

    /// Counts a sign-in. A user whose id is not valid is nobody, and then the address alone counts.
    pub fn count_sign_in(&self, org: Option<OrgId>, user: Option<UserId>, address: IpAddr) -> Counted {
        let settings = &self.config.rate_limits;
        let (address, now_ms) = (network_of(address), now_ms());
        let of_address = || self.rate_limits.addresses.count(address, settings.sign_ins_of_address_per_minute, now_ms);
        let of_user = match org.zip(user) {
            None => Ok(None),
            Some((org, user)) => {
                self.rate_limits.sign_ins.count((org, user, address), settings.sign_ins_per_minute, now_ms)
            }
        };
        let counted = of_user.and_then(|of_user| {
            let standings = [of_user, of_address()?];
            Ok(standings.into_iter().flatten().min_by_key(|standing| standing.remaining))
        });
        counted.inspect_err(|_| self.metrics.rate_limited.with_label_values(&[Class::SignIn.name()]).inc())
    }
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Publish => "publish",
            Self::SignIn => "sign_in",
            Self::Git => "git",
            Self::Test => "test",
            Self::Invoke => "invoke",
        }
    }
}

fn limit_of(settings: &config::RateLimits, class: Class) -> u32 {
    match class {
        Class::Read => settings.reads_per_minute,
        Class::Write => settings.writes_per_minute,
        Class::Publish => settings.publishes_per_minute,
        Class::SignIn => settings.sign_ins_per_minute,
        Class::Git => settings.git_per_minute,
        Class::Test => settings.tests_per_minute,
        Class::Invoke => settings.invokes_per_minute,
    }
}

/// The address, or the network that one household or machine has of IPv6: whoever has one has all of its addresses.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}

/// Counters by key. They live in two generations: who asks finds a counter in either and keeps it in the younger one;
/// the older one is forgotten as a whole when the younger one is full or a window old. So memory is bounded, and
/// nothing is ever searched for what has expired.
struct Counters<K> {
    capacity: usize,
    generations: Mutex<Generations<K>>,
}

struct Generations<K> {
    young: HashMap<K, Window>,
    old: HashMap<K, Window>,
    turned_at_ms: u64,
}

#[derive(Clone, Copy)]
struct Window {
    ends_at_ms: u64,
    count: u32,
}

impl<K: Eq + Hash> Counters<K> {
    fn new(capacity: usize) -> Self {
        let generations = Generations { young: HashMap::new(), old: HashMap::new(), turned_at_ms: 0 };
        Self { capacity: capacity.max(1), generations: Mutex::new(generations) }
    }

    /// Counts one. A limit of 0 is none, and then nothing is kept.
    fn count(&self, key: K, limit: u32, now_ms: u64) -> Counted {
        if limit == 0 {
            return Ok(None);
        }
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.turn(self.capacity, now_ms);
        let known = generations.old.remove(&key);
        let fresh = Window { ends_at_ms: now_ms + WINDOW_MS, count: 0 };
        let window = generations.young.entry(key).or_insert(known.unwrap_or(fresh));
        // A window that ends later than one that begins now was made before the clock was set back.
        if window.ends_at_ms <= now_ms || window.ends_at_ms > fresh.ends_at_ms {
            *window = fresh;
        }
        let left = limit.saturating_sub(window.count);
        let standing = |remaining| Standing { limit, remaining, resets_at_ms: window.ends_at_ms };
        if left == 0 {
            return Err(standing(0));
        }
        let standing = standing(left - 1);
        window.count += 1;
        Ok(Some(standing))
    }
}

impl<K> Generations<K> {
    fn turn(&mut self, capacity: usize, now_ms: u64) {
        if self.young.len() >= capacity || now_ms.abs_diff(self.turned_at_ms) >= WINDOW_MS {
            self.old = std::mem::take(&mut self.young);
            self.turned_at_ms = now_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn remaining(counters: &Counters<u32>, key: u32, limit: u32, now_ms: u64) -> Option<u32> {
        counters.count(key, limit, now_ms).ok().map(|standing| standing.map_or(u32::MAX, |standing| standing.remaining))
    }

    #[test]
    fn a_window_has_its_limit_and_begins_anew_when_it_ends() {
        let counters = Counters::new(10);
        let counted: Vec<_> = (0..4).map(|_| remaining(&counters, 1, 3, NOW)).collect();
        assert_eq!(counted, [Some(2), Some(1), Some(0), None]);
        assert_eq!(remaining(&counters, 2, 3, NOW), Some(2), "another key has its own");
        assert_eq!(remaining(&counters, 1, 3, NOW + WINDOW_MS - 1), None);
        assert_eq!(remaining(&counters, 1, 3, NOW + WINDOW_MS), Some(2));
        let refused = Standing { limit: 1, remaining: 0, resets_at_ms: NOW + WINDOW_MS };
        counters.count(3, 1, NOW).unwrap();
        assert_eq!(counters.count(3, 1, NOW), Err(refused));
        assert_eq!(Standing { resets_at_ms: 1001, ..refused }.resets_at_s(), 2);
    }

    #[test]
    fn without_a_limit_nothing_is_kept() {
        let counters = Counters::new(10);
        assert_eq!(remaining(&counters, 1, 0, NOW), Some(u32::MAX));
        assert!(counters.generations.lock().unwrap().young.is_empty());
    }

    #[test]
    fn a_counter_outlives_the_turn_of_a_generation_and_forgotten_ones_cost_nothing() {
        let counters = Counters::new(4);
        remaining(&counters, 0, 3, NOW);
        for key in 1..=100 {
            remaining(&counters, key, 3, NOW);
            assert_eq!(remaining(&counters, 0, 200, NOW), Some(199 - key), "who keeps asking is not forgotten");
            let generations = counters.generations.lock().unwrap();
            assert!(generations.young.len() <= 4 && generations.old.len() <= 4);
        }
        remaining(&counters, 1, 3, NOW + WINDOW_MS);
        remaining(&counters, 1, 3, NOW + 2 * WINDOW_MS);
        let generations = counters.generations.lock().unwrap();
        assert_eq!((generations.young.len(), generations.old.len()), (1, 0));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let counters = Counters::new(10);
        remaining(&counters, 1, 1, NOW + 3_600_000);
        assert_eq!(remaining(&counters, 1, 1, NOW + 3_600_000), None);
        assert_eq!(remaining(&counters, 1, 1, NOW), Some(0));
    }

    #[test]
    fn a_network_is_one_address() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.2"), network("192.0.2.1"));
    }
}
