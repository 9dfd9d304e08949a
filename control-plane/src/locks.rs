//! Locks of files that are free in a moment: what a process has just closed, its worker threads, or a child between
//! its fork and its start, may hold a little longer.

use std::time::{Duration, Instant};

const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Tries to take a lock until it is not busy, or the patience is over: then it answers what the last try did. No system
/// tells when a lock of another process is given back without waiting for it, so it looks again and again.
pub fn take<T, E>(patience: Duration, is_busy: impl Fn(&E) -> bool, take: impl Fn() -> Result<T, E>) -> Result<T, E> {
    let give_up_at = Instant::now() + patience;
    loop {
        match take() {
            Err(error) if is_busy(&error) && Instant::now() < give_up_at => std::thread::sleep(LOOK_AGAIN),
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_is_busy_is_tried_again_and_nothing_else() {
        let tries = Cell::new(0);
        let third_time = || {
            tries.set(tries.get() + 1);
            if tries.get() < 3 { Err("busy") } else { Ok("mine") }
        };
        assert_eq!(take(Duration::from_secs(60), |error| *error == "busy", third_time), Ok("mine"));
        assert_eq!(take(Duration::from_secs(60), |error| *error == "busy", || Err::<(), _>("broken")), Err("broken"));
        assert_eq!(take(Duration::ZERO, |error| *error == "busy", || Err::<(), _>("busy")), Err("busy"));
    }
}
