//! The same work for many packages, a few at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::error::Error;

/// Does the work for each item, on at most so many threads. All problems are told at once, in the same order always.
pub fn each<T: Sync>(items: &[T], at_once: usize, work: impl Fn(&T) -> Result<(), Error> + Sync) -> Result<(), Error> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..at_once.min(items.len()) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = work(item) {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push(error);
                    }
                }
            });
        }
    });
    let mut problems = Vec::new();
    for error in failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        match error {
            Error::Refused(told) => problems.extend(told),
            internal @ Error::Internal { .. } => return Err(internal),
        }
    }
    problems.sort_by(|one, other| one.message.cmp(&other.message));
    if problems.is_empty() { Ok(()) } else { Err(Error::Refused(problems)) }
}
