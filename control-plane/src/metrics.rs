//! Every metric. A field's help text is its doc comment in the list below.

use anyhow::Result;
use prometheus::{
    Counter, Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// From a quarter of a millisecond, what an invocation takes, to the half minute that it may take.
const SECONDS: [f64; 16] =
    [0.000_25, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0, 30.0];

macro_rules! metrics {
    ($($field:ident: $type:ident = $name:literal, $help:literal, [$($label:literal),*];)+) => {
        /// Every metric, and the registry that writes them out.
        pub struct Metrics {
            registry: Registry,
            $(#[doc = $help] pub $field: $type,)+
        }

        /// The names of all metrics.
        pub const NAMES: &[&str] = &[$($name),+];

        impl Metrics {
            /// Registers every metric.
            pub fn new() -> Result<Self> {
                let registry = Registry::new();
                $(
                    let $field = metrics!(@make $type, $name, $help, [$($label),*]);
                    registry.register(Box::new($field.clone()))?;
                )+
                Ok(Self { registry, $($field),+ })
            }
        }
    };
    (@make IntCounterVec, $name:literal, $help:literal, [$($label:literal),*]) => {
        IntCounterVec::new(Opts::new($name, $help), &[$($label),*])?
    };
    (@make HistogramVec, $name:literal, $help:literal, [$($label:literal),*]) => {
        HistogramVec::new(HistogramOpts::new($name, $help).buckets(SECONDS.to_vec()), &[$($label),*])?
    };
    (@make Histogram, $name:literal, $help:literal, []) => {
        Histogram::with_opts(HistogramOpts::new($name, $help).buckets(SECONDS.to_vec()))?
    };
    (@make IntGaugeVec, $name:literal, $help:literal, [$($label:literal),*]) => {
        IntGaugeVec::new(Opts::new($name, $help), &[$($label),*])?
    };
    (@make Counter, $name:literal, $help:literal, []) => {
        Counter::new($name, $help)?
    };
    (@make Gauge, $name:literal, $help:literal, []) => {
        Gauge::new($name, $help)?
    };
    (@make IntGauge, $name:literal, $help:literal, []) => {
        IntGauge::new($name, $help)?
    };
}

metrics! {
    http_requests: IntCounterVec = "toolplane_http_requests_total", "Requests answered, by route", ["method", "route", "status"];
    http_request_duration: HistogramVec = "toolplane_http_request_duration_seconds", "From a request to the head of its answer", ["method", "route"];
    http_in_flight: IntGauge = "toolplane_http_requests_in_flight", "Requests not yet answered", [];
    rate_limited: IntCounterVec = "toolplane_rate_limited_total", "Requests refused with 429, by the class of their endpoint", ["class"];
    invocations: IntCounterVec = "toolplane_invocations_total", "Invocations that ran, by tool, by how they ran and by what came of them. Tools beyond metrics.max_tools are `other`", ["tool", "mode", "outcome"];
    invocations_stopped: IntCounterVec = "toolplane_invocations_stopped_total", "Invocations that a limit ended, by its exception type", ["exception_type"];
    invocation_duration: HistogramVec = "toolplane_invocation_duration_seconds", "From the start of an instance to its result", ["outcome"];
    invocation_phase: HistogramVec = "toolplane_invocation_phase_duration_seconds", "What an invocation spends its time on: queue (waiting for its turn), start (until the tool can be called), run (the call), record (making all results of a request durable)", ["phase"];
    invocations_running: IntGauge = "toolplane_invocations_running", "Invocations that run now, each in an instance of its own; none is kept in stock", [];
    invocations_refused: IntCounterVec = "toolplane_invocations_refused_total", "Requests to invoke that were refused since too many were running or waiting, by whose they were", ["whose"];
    tools_loaded: IntGauge = "toolplane_tools_loaded", "Tools that are ready in memory", [];
    tool_cache: IntCounterVec = "toolplane_tool_cache_total", "Looks for a tool in memory, by whether it was there", ["outcome"];
    build_cache: IntCounterVec = "toolplane_build_cache_total", "Looks for what the same inputs were built to before, by whether there was such a build", ["outcome"];
    build_step: HistogramVec = "toolplane_build_step_duration_seconds", "Steps of publishes that were carried out, by what came of them", ["step", "outcome"];
    egress: IntCounterVec = "toolplane_egress_total", "Connections that tools asked for, by what was said", ["outcome"];
    resealed: IntCounterVec = "toolplane_vault_resealed_total", "Variables that were sealed anew with the current key", [];
    publishes: IntCounterVec = "toolplane_publishes_total", "Publishes, by what came of them", ["outcome"];
    git_operations: IntCounterVec = "toolplane_git_operations_total", "What Git clients asked for, by whether it was begun", ["operation", "outcome"];
    git_pushes: IntCounterVec = "toolplane_git_pushes_total", "Pushes that changed a branch or a tag", [];
    git_maintenance: IntCounterVec = "toolplane_git_maintenance_total", "Maintenance of repositories, by what came of it", ["outcome"];
    publish_duration: HistogramVec = "toolplane_publish_duration_seconds", "From a publish request to its answer", ["outcome"];
    store_flush: Histogram = "toolplane_store_flush_duration_seconds", "Rounds in which everything that was written is made durable, for all who wait", [];
    store_size: IntGauge = "toolplane_store_size_bytes", "What the files of rows take on the disk", [];
    blobs_size: IntGauge = "toolplane_blobs_size_bytes", "What built tools and long values take on the disk; soon after the start less, until they are counted", [];
    data_free: IntGauge = "toolplane_data_free_bytes", "What is free on the disk of the data folder", [];
    last_backup: Gauge = "toolplane_last_backup_timestamp_seconds", "When this process last made a backup, in seconds since 1970; 0 when it has made none", [];
    store_writable: IntGauge = "toolplane_store_writable", "1 while writes are taken, 0 while the disk is nearly full or broken", [];
    records: IntGauge = "toolplane_records", "Invocations on record", [];
    records_removed: IntCounterVec = "toolplane_records_removed_total", "Invocations that were removed since they were old", [];
    blobs_removed: IntCounterVec = "toolplane_blobs_removed_total", "Files that were removed since no record named them any more", [];
    search_behind: IntGauge = "toolplane_search_behind_records", "Invocations on record that the search index does not hold yet", [];
    worker_memory: IntGauge = "toolplane_worker_resident_memory_bytes", "Memory of the process that tools run in; 0 while there is none", [];
    worker_time: Counter = "toolplane_worker_cpu_seconds_total", "Processor time of the process that tools run in, and of those before it", [];
    worker_starts: Counter = "toolplane_worker_starts_total", "How often the process that tools run in was started", [];
    memory: IntGauge = "process_resident_memory_bytes", "Memory of the process that is in use", [];
    open_files: IntGauge = "process_open_fds", "Files that the process has open", [];
    max_files: IntGauge = "process_max_fds", "Files that the process may have open", [];
    processor_time: Counter = "process_cpu_seconds_total", "Processor time of the process, in user and system mode", [];
    started_at: Gauge = "process_start_time_seconds", "When the process started, in seconds since 1970", [];
    info: IntGaugeVec = "toolplane_build_info", "1, with the version of the program", ["version"];
}

impl Metrics {
    /// All of them in Prometheus' text format.
    pub fn text(&self) -> Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8(text)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn whatever_dashboard_and_alerts_name_exists() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
        let text = ["dashboard.json", "alerts.yml"].map(|name| fs_err::read_to_string(folder.join(name)).unwrap());
        let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let words = text.iter().flat_map(|text| text.split(|c| !is_of_a_name(c)));
        let named: BTreeSet<_> =
            words.filter(|word| word.starts_with("toolplane_") || word.starts_with("process_")).collect();
        assert!(named.len() > 20, "only {named:?}");
        let exists = |name: &str| {
            // A histogram is three series.
            let of_histogram = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix));
            NAMES.contains(&name) || of_histogram.is_some_and(|name| NAMES.contains(&name))
        };
        let missing: Vec<_> = named.into_iter().filter(|name| !exists(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
