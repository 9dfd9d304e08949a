//! What came of an invocation, as the tool's caller sees it.

use std::time::Duration;

use sdk::sandbox::{self, OutOfTime};

use crate::invoke::Limits;
use crate::network::NetworkUse;

/// What came of an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The tool returned.
    Returned {
        /// What it returned, as text.
        output: String,
    },
    /// The tool raised, or was stopped.
    Failed(Failure),
}

/// Why a tool failed, in words for the caller.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// The exception's type, or one of the names below.
    pub exception_type: String,
    /// The exception's message.
    pub message: String,
    /// The author's own frames.
    pub stack_trace: Vec<String>,
}

/// The tool ran past its deadline.
pub const TIMEOUT: &str = "ToolTimeout";
/// The tool asked for more memory than it may have, and did not survive the refusal.
pub const OUT_OF_MEMORY: &str = "ToolOutOfMemory";
/// The tool's result is longer than a result may be.
pub const OUTPUT_TOO_LARGE: &str = "ToolOutputTooLarge";
/// The tool ended its own interpreter.
pub const CRASHED: &str = "ToolCrashed";
/// The tool asked for a connection that its project does not name.
pub const EGRESS_DENIED: &str = "EgressDenied";

/// How much longer than an output an exception may be with its frames: the SDK's own bounds together are less.
pub(crate) const MOST_FAILURE_BYTES: usize = 1 << 20;

/// The names that are no exception of the tool's own.
pub const STOPPED: [&str; 5] = [TIMEOUT, OUT_OF_MEMORY, OUTPUT_TOO_LARGE, CRASHED, EGRESS_DENIED];

/// An outcome with what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What came of it.
    pub outcome: Outcome,
    /// What the tool printed, cut at the limit.
    pub logs: String,
    /// How long it took until the tool could be called; the first part of `duration`.
    pub startup: Duration,
    /// From the start of the instance to the result.
    pub duration: Duration,
    /// The most linear memory that the instance had.
    pub peak_memory_bytes: usize,
    /// What it used of the network.
    pub network: NetworkUse,
}

impl Report {
    /// Of a tool that did not get to run.
    pub(crate) fn of(failure: Failure) -> Self {
        Self {
            outcome: Outcome::Failed(failure),
            logs: String::new(),
            startup: Duration::ZERO,
            duration: Duration::ZERO,
            peak_memory_bytes: 0,
            network: NetworkUse::default(),
        }
    }
}

impl Failure {
    fn stopped(exception_type: &str, message: String) -> Self {
        Self { exception_type: exception_type.to_owned(), message, stack_trace: Vec::new() }
    }

    /// The process that the tool ran in has ended.
    pub(crate) fn lost() -> Self {
        Self::stopped(CRASHED, "the process that the tool ran in ended before the tool did".to_owned())
    }

    pub(crate) fn out_of_time(limits: &Limits) -> Self {
        let limit = limits.wall_clock;
        Self::stopped(TIMEOUT, format!("the tool was stopped at its time limit of {limit:?}"))
    }

    fn out_of_memory(limits: &Limits) -> Self {
        let limit = limits.memory_bytes >> 20;
        Self::stopped(OUT_OF_MEMORY, format!("the tool needed more than its memory limit of {limit} MiB"))
    }

    /// The tool's image alone is larger than its memory may be.
    pub(crate) fn no_room(image_bytes: usize, limits: &Limits) -> Self {
        let [image, limit] = [image_bytes, limits.memory_bytes].map(|bytes| bytes >> 20);
        let message =
            format!("the tool takes {image} MiB before it is called, which is over its memory limit of {limit} MiB");
        Self::stopped(OUT_OF_MEMORY, message)
    }

    pub(crate) fn output_too_large(limits: &Limits) -> Self {
        let limit = limits.output_bytes;
        Self::stopped(OUTPUT_TOO_LARGE, format!("the tool's output is longer than its limit of {limit} bytes"))
    }

    /// An exception that left the tool. A `MemoryError` after a refusal is our limit speaking.
    pub(crate) fn raised(failure: sandbox::Failure, memory_refused: bool, limits: &Limits) -> Self {
        let sandbox::Failure { exception_type, message, stack_trace } = failure;
        if memory_refused && exception_type == "MemoryError" {
            return Self { stack_trace, ..Self::out_of_memory(limits) };
        }
        // The SDK keeps it short; what a tool has put in the SDK's place may not.
        let length = exception_type.len() + message.len() + stack_trace.iter().map(String::len).sum::<usize>();
        if length > limits.output_bytes.saturating_add(MOST_FAILURE_BYTES) {
            return Self::output_too_large(limits);
        }
        Self { exception_type, message, stack_trace }
    }

    /// The end of an instance that did not get to answer.
    pub(crate) fn crashed(error: &wasmtime::Error, memory_refused: bool, limits: &Limits) -> Self {
        if error.is::<OutOfTime>() {
            return Self::out_of_time(limits);
        }
        if memory_refused {
            return Self::out_of_memory(limits);
        }
        if error.to_string().contains("too much data is being copied") {
            return Self::output_too_large(limits);
        }
        Self::stopped(CRASHED, format!("the tool {}", sandbox::why_ended(error)))
    }
}
