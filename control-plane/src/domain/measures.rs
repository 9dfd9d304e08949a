//! What is measured when somebody asks, and the bounds of what is counted by name.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;

use crate::app::App;
use crate::error::Result;

/// The label of tools beyond the limit.
const OTHER: &str = "other";

/// The label of runs of what is not published.
const TEST: &str = "test";

/// How many digits the id of a tool has.
const TOOL_ID_LENGTH: usize = 24;

/// The processor time that the system counts, in seconds. Linux has had no other on any machine for twenty years.
const TICK_S: f64 = 0.01;

/// Which tools have a label of their own: the first so many that are invoked. A label is a series for ever, so however many
/// tools there are, there are no more of these.
pub struct ToolLabels {
    most: usize,
    known: Mutex<HashSet<String>>,
}

impl ToolLabels {
    /// So many tools.
    pub fn new(most: usize) -> Self {
        Self { most, known: Mutex::default() }
    }

    /// The label of a tool's id, or of the hash of what a test runs.
    pub(crate) fn of(&self, tool: &str) -> String {
        if tool.len() != TOOL_ID_LENGTH {
            return TEST.to_owned();
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(tool) {
            if known.len() >= self.most {
                return OTHER.to_owned();
            }
            known.insert(tool.to_owned());
        }
        tool.to_owned()
    }
}

impl App {
    /// Every metric in Prometheus' text format. It blocks.
    pub fn metrics_text(&self) -> Result<String> {
        let metrics = &self.metrics;
        metrics.info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        metrics.tools_loaded.set(signed(self.loaded.len() as u64));
        metrics.store_size.set(signed(self.store.size_bytes()?));
        metrics.blobs_size.set(signed(self.store.blobs().size_bytes()));
        metrics.data_free.set(signed(self.store.free_bytes()?));
        metrics.store_writable.set(i64::from(self.store.check_writable().is_ok()));
        let (mut records, mut behind) = (0, 0);
        for org in self.store.organizations_with_invocations() {
            let total = self.store.count_invocations(&org);
            let first = self.store.first_invocation(&org);
            records += total.saturating_sub(first);
            behind += total.saturating_sub(self.search.next(&org).max(first));
        }
        metrics.records.set(signed(records));
        metrics.search_behind.set(signed(behind));
        // Systems without `/proc` show zeros.
        if let Ok(process) = Process::look() {
            metrics.memory.set(signed(process.resident_bytes));
            metrics.open_files.set(signed(process.open_files));
            metrics.max_files.set(signed(process.max_files));
            // It counts up alone, and two who ask at once may count one tick twice.
            metrics.processor_time.inc_by((process.processor_s - metrics.processor_time.get()).max(0.0));
            metrics.started_at.set(process.started_at_s);
        }
        let starts = &metrics.worker_starts;
        starts.inc_by((self.worker.starts() as f64 - starts.get()).max(0.0));
        let worker = self.worker.usage();
        metrics.worker_memory.set(worker.map_or(0, |worker| signed(worker.resident_bytes)));
        if let Some(worker) = worker {
            let spent_s = self.worker_time.since_last(worker.pid, worker.processor.as_secs_f64());
            metrics.worker_time.inc_by(spent_s);
        }
        Ok(metrics.text()?)
    }
}

/// How far the processor time of the process that tools run in was counted.
#[derive(Debug, Default)]
pub struct WorkerTime(Mutex<(u32, f64)>);

impl WorkerTime {
    /// What a process has spent since it was looked at last, or since it was started.
    fn since_last(&self, pid: u32, spent_s: f64) -> f64 {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = if last.0 == pid { last.1 } else { 0.0 };
        *last = (pid, spent_s);
        (spent_s - before).max(0.0)
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What the system says of this process.
struct Process {
    resident_bytes: u64,
    open_files: u64,
    max_files: u64,
    processor_s: f64,
    started_at_s: f64,
}

impl Process {
    fn look() -> anyhow::Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        let kibibytes: u64 = resident.context("no resident memory")?.parse()?;
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        // The name of the program, in parentheses, may hold spaces. What follows it begins with the third field.
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |field: usize| -> anyhow::Result<f64> { Ok(fields.get(field - 3).context("too few")?.parse()?) };
        let system = std::fs::read_to_string("/proc/stat")?;
        let booted: f64 =
            system.lines().find_map(|line| line.strip_prefix("btime ")?.parse().ok()).context("no time of boot")?;
        Ok(Self {
            resident_bytes: kibibytes << 10,
            open_files: std::fs::read_dir("/proc/self/fd")?.count() as u64,
            max_files: rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX),
            processor_s: (ticks(14)? + ticks(15)?) * TICK_S,
            started_at_s: booted + ticks(22)? * TICK_S,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_tools_have_a_label_than_the_limit_allows() {
        let labels = ToolLabels::new(2);
        let id = |number: u8| format!("{number:024x}");
        assert_eq!([1, 2, 3, 1].map(|number| labels.of(&id(number))), [id(1), id(2), OTHER.to_owned(), id(1)]);
        assert_eq!(labels.of(&"a".repeat(64)), TEST);
    }

    #[test]
    fn the_time_of_another_process_begins_anew() {
        let time = WorkerTime::default();
        let looks = [(7, 1.0), (7, 1.5), (8, 0.25), (8, 0.25)];
        assert_eq!(looks.map(|(pid, spent_s)| time.since_last(pid, spent_s)), [1.0, 0.5, 0.25, 0.0]);
    }

    #[test]
    fn the_system_says_what_this_process_takes() {
        let process = Process::look().unwrap();
        assert!(process.resident_bytes > 1 << 20 && process.open_files > 2 && process.max_files > 2);
        assert!(process.started_at_s > 1.6e9);
    }
}
