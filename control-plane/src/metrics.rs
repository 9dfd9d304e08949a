//! Every metric. A field's help text is its doc comment in the list below.

use anyhow::Result;
use prometheus::{Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

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
    (@make IntGauge, $name:literal, $help:literal, []) => {
        IntGauge::new($name, $help)?
    };
}

metrics! {
    http_requests: IntCounterVec = "toolplane_http_requests_total", "Requests answered, by route", ["method", "route", "status"];
    http_request_duration: HistogramVec = "toolplane_http_request_duration_seconds", "From a request to the head of its answer", ["method", "route"];
    http_in_flight: IntGauge = "toolplane_http_requests_in_flight", "Requests not yet answered", [];
    rate_limited: IntCounterVec = "toolplane_rate_limited_total", "Requests refused with 429, by the class of their endpoint", ["class"];
    invocations: IntCounterVec = "toolplane_invocations_total", "Invocations that ran, by what came of them", ["outcome"];
    invocations_stopped: IntCounterVec = "toolplane_invocations_stopped_total", "Invocations that a limit ended, by its exception type", ["exception_type"];
    invocation_duration: HistogramVec = "toolplane_invocation_duration_seconds", "From the start of an instance to its result", ["outcome"];
    invocations_running: IntGauge = "toolplane_invocations_running", "Invocations that run now", [];
    invocations_refused: IntCounterVec = "toolplane_invocations_refused_total", "Requests to invoke that were refused since too many were running or waiting, by whose they were", ["whose"];
    egress: IntCounterVec = "toolplane_egress_total", "Connections that tools asked for, by what was said", ["outcome"];
    resealed: IntCounterVec = "toolplane_vault_resealed_total", "Variables that were sealed anew with the current key", [];
    publishes: IntCounterVec = "toolplane_publishes_total", "Publishes, by what came of them", ["outcome"];
    git_pushes: IntCounterVec = "toolplane_git_pushes_total", "Pushes that changed a branch or a tag", [];
    git_maintenance: IntCounterVec = "toolplane_git_maintenance_total", "Maintenance of repositories, by what came of it", ["outcome"];
    publish_duration: HistogramVec = "toolplane_publish_duration_seconds", "From a publish request to its answer", ["outcome"];
}

impl Metrics {
    /// All of them in Prometheus' text format.
    pub fn text(&self) -> Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8(text)?)
    }
}
