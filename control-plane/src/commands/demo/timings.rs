//! What was measured, beside what it should be.

use std::time::Duration;

use super::step;

/// From the request for a version to the answer that it is usable.
pub const PUBLISH_GOAL: Duration = Duration::from_secs(10);

/// The same, where the project's folder is what the last version was built of.
pub const REPUBLISH_GOAL: Duration = Duration::from_millis(500);

/// Half of all invocations, with HTTP, a fresh sandbox and the record of it.
pub const INVOKE_GOAL: Duration = Duration::from_millis(5);

/// Times of the same thing, done again and again.
pub struct Timings(Vec<Duration>);

/// One line of the table.
pub struct Row {
    /// What was measured.
    pub figure: &'static str,
    /// The time that it took.
    pub measured: Duration,
    /// The longest that it should take, where that is decided.
    pub goal: Option<Duration>,
}

impl Timings {
    /// Sorts them. There must be one at least.
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that so many percent of all did not exceed, by the nearest rank.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0[rank.saturating_sub(1)]
    }
}

/// Prints a table with one line for each figure. A goal that was missed is told, and is no failure.
pub fn print(rows: &[Row]) {
    println!("\n    {:<28} {:>10} {:>10}", "", "measured", "goal");
    for Row { figure, measured, goal } in rows {
        let measured_text = step::duration(*measured);
        let (goal_text, verdict) = match goal {
            Some(goal) => (format!("≤ {}", round(*goal)), if measured <= goal { "reached" } else { "missed" }),
            None => (String::new(), ""),
        };
        let line = format!("    {figure:<28} {measured_text:>10} {goal_text:>10}  {verdict}");
        println!("{}", line.trim_end());
    }
    println!();
}

/// A goal, with no digit more than it has.
fn round(goal: Duration) -> String {
    let seconds = goal.as_secs_f64();
    if seconds >= 0.1 { format!("{seconds} s") } else { format!("{} ms", seconds * 1e3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let timings = Timings::new((1..=200).rev().map(Duration::from_millis).collect());
        let percentiles = [50, 90, 99, 100].map(|percent| timings.percentile(percent).as_millis());
        assert_eq!(percentiles, [100, 180, 198, 200]);
    }

    #[test]
    fn a_single_time_is_every_percentile() {
        let timings = Timings::new(vec![Duration::from_millis(7)]);
        assert_eq!([0, 50, 100].map(|percent| timings.percentile(percent).as_millis()), [7, 7, 7]);
    }

    #[test]
    fn goals_are_written_as_a_person_would() {
        assert_eq!([PUBLISH_GOAL, REPUBLISH_GOAL, INVOKE_GOAL].map(round), ["10 s", "0.5 s", "5 ms"]);
    }
}
