//! What the benches share: a distribution, and how it is printed.

use std::time::Duration;

/// Durations of one measurement, sorted.
pub struct Distribution(Vec<Duration>);

impl Distribution {
    /// Sorts the durations.
    pub fn new(mut durations: Vec<Duration>) -> Self {
        durations.sort();
        Self(durations)
    }

    /// The duration that so many of a hundred do not exceed; zero where nothing was measured.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(rank).copied().unwrap_or_default()
    }

    /// What was measured, the shortest first.
    pub fn durations(&self) -> &[Duration] {
        &self.0
    }

    /// One line: the name, p50, p90, p99, and how many there were.
    pub fn line(&self, name: &str) -> String {
        let millisecond = |percent| format!("{:.3} ms", self.percentile(percent).as_secs_f64() * 1e3);
        let (p50, p90, p99) = (millisecond(50), millisecond(90), millisecond(99));
        format!("{name:<44} p50 {p50:>11}   p90 {p90:>11}   p99 {p99:>11}   n {}", self.0.len())
    }
}

/// The processor time that this process has used so far, in all its threads. It is counted in hundredths of a second.
pub fn processor_time() -> std::io::Result<Duration> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let text = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in parentheses, may hold spaces. Behind it, the 12th and 13th are user and system time.
    let fields: Vec<_> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = fields.iter().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>();
    Ok(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let distribution = Distribution::new((1..=100).rev().map(Duration::from_millis).collect());
        assert_eq!(distribution.percentile(50), Duration::from_millis(50));
        assert_eq!(distribution.percentile(99), Duration::from_millis(99));
        assert_eq!(distribution.percentile(100), Duration::from_millis(100));
        assert_eq!(Distribution::new(Vec::new()).percentile(50), Duration::ZERO);
    }
}
