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

/// The processor time that this process and those that it has started have used so far, in all their threads. It is counted
/// in hundredths of a second.
pub fn processor_time() -> std::io::Result<Duration> {
    const TICKS_PER_SECOND: f64 = 100.0;
    // Behind the name, the 12th and 13th are user and system time.
    let ticks = |id: u32| stat(id).iter().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>();
    let ticks: f64 = family(std::process::id())?.into_iter().map(ticks).sum();
    Ok(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
}

/// A process, and those that it has started and that still run.
pub fn family(process: u32) -> std::io::Result<Vec<u32>> {
    let ids = std::fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // Behind the name, the second is the parent.
    let is_child = |id: &u32| stat(*id).get(1).is_some_and(|parent| *parent == process.to_string());
    Ok(std::iter::once(process).chain(ids.filter(is_child)).collect())
}

/// What the processes hold in memory, in megabytes, by the name of a line of `/proc/…/status`. A page of a file that is
/// mapped twice counts twice.
pub fn memory_mb(processes: &[u32], line: &str) -> f64 {
    let of = |id: &u32| -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let value = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'))?;
        Some(value.trim().trim_end_matches(" kB").parse::<f64>().ok()? * 1024.0 / 1e6)
    };
    processes.iter().filter_map(of).sum()
}

/// What the system says of a process behind its name, which is in parentheses and may hold spaces. Nothing where it has gone.
fn stat(process: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    text.rsplit(')').next().unwrap_or_default().split_whitespace().map(str::to_owned).collect()
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
