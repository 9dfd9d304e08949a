//! A tool's failure is an [`Outcome`](crate::outcome::Outcome); only what is not the tool's doing is an [`Error`].

use crate::input::Mismatch;

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The project or the built file is at fault.
    #[error(transparent)]
    Build(#[from] sdk::Error),
    /// The parameters do not conform to the tool's schema. Nothing has run.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Input(Vec<Mismatch>),
    /// The parameters are too many, or lie too deep, to be held against the tool's schema. Nothing has run.
    #[error("the input takes more than {steps} steps to be held against the tool's input_schema: make it smaller")]
    InputTooComplex {
        /// The limit.
        steps: u64,
    },
    /// We are at fault.
    #[error("failed to {operation}")]
    Internal {
        /// What was being done, fit for "failed to …".
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: anyhow::Error,
    },
}

impl Error {
    /// A fault of ours, with the operation that failed.
    pub fn internal(operation: &'static str, source: impl Into<anyhow::Error>) -> Self {
        Self::Internal { operation, source: source.into() }
    }
}
