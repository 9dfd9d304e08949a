//! What is asked of a worker, and what it answers. Secrets, inputs and outputs are no part of the heads: they are a
//! frame's parts.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sdk::Problem;
use sdk::snapshot::Import;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::frames::Parts;
use crate::invoke::{Call, Hidden, Limits, Mode};
use crate::network::NetworkUse;
use crate::outcome::{Failure, Outcome, Report};

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    /// To load a tool that the cache has.
    Load { sha256: String },
    /// To run it once.
    Invoke(Box<Invocation>),
    /// To import a project in the base of this key. Both are in the cache.
    Import { base_key: String, import: Box<Import> },
}

/// An invocation without its values: a frame's parts are the input, and the values of `env` and of
/// `sensitive_user_variables` in their order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Invocation {
    pub(super) sha256: String,
    mode: Mode,
    env: Vec<String>,
    user_variables: BTreeMap<String, String>,
    sensitive_user_variables: Vec<String>,
    invocation_id: String,
    tenant: Arc<str>,
    pub(super) limits: Limits,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Told {
    /// It was done.
    Done,
    /// What came of an invocation. A frame's parts are the output, where the tool returned, and the log.
    Report(Box<Reported>),
    /// A project was imported. A frame's parts are its memory, what it printed, and what it says of itself, in JSON: a
    /// stranger's, which lies as deep as it lies.
    Imported,
    /// What was asked for is refused, for its author to mend.
    Refused(Vec<Problem>),
    /// It could not be done, for these reasons, each the reason of the one before.
    Failed(Vec<String>),
}

/// A report without its texts.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reported {
    failure: Option<Failure>,
    startup: Duration,
    duration: Duration,
    peak_memory_bytes: usize,
    network: NetworkUse,
}

impl Invocation {
    /// A call, and the values that go beside it, behind the input.
    pub(super) fn of<'a>(sha256: &str, call: &'a Call<'_>, limits: &Limits) -> (Self, impl Iterator<Item = &'a [u8]>) {
        let names = |variables: &BTreeMap<String, Hidden>| variables.keys().cloned().collect();
        let invocation = Self {
            sha256: sha256.to_owned(),
            mode: call.mode,
            env: names(&call.env),
            user_variables: call.user_variables.clone(),
            sensitive_user_variables: names(&call.sensitive_user_variables),
            invocation_id: call.invocation_id.clone(),
            tenant: Arc::clone(&call.tenant),
            limits: limits.clone(),
        };
        let values = call.env.values().chain(call.sensitive_user_variables.values());
        (invocation, values.map(|value| value.expose().as_bytes()))
    }

    /// The call again.
    pub(super) fn call(self, parts: &Parts) -> io::Result<Call<'_>> {
        let parameters: &RawValue = serde_json::from_str(parts.text(0)?)?;
        let mut place = 0;
        let mut values = |names: Vec<String>| {
            let value = |name| {
                place += 1;
                Ok((name, Hidden::from(parts.text(place)?.to_owned())))
            };
            names.into_iter().map(value).collect::<io::Result<BTreeMap<_, _>>>()
        };
        Ok(Call {
            env: values(self.env)?,
            sensitive_user_variables: values(self.sensitive_user_variables)?,
            user_variables: self.user_variables,
            invocation_id: self.invocation_id,
            tenant: self.tenant,
            ..Call::new(parameters, self.mode)
        })
    }
}

impl Reported {
    /// A report, and the texts that go beside it.
    pub(super) fn of(report: Report) -> (Self, Vec<Vec<u8>>) {
        let Report { outcome, logs, startup, duration, peak_memory_bytes, network } = report;
        let (failure, texts) = match outcome {
            Outcome::Returned { output } => (None, vec![output.into_bytes(), logs.into_bytes()]),
            Outcome::Failed(failure) => (Some(failure), vec![Vec::new(), logs.into_bytes()]),
        };
        (Self { failure, startup, duration, peak_memory_bytes, network }, texts)
    }

    /// The report again.
    pub(super) fn report(self, parts: &Parts) -> io::Result<Report> {
        let outcome = match self.failure {
            Some(failure) => Outcome::Failed(failure),
            None => Outcome::Returned { output: parts.text(0)?.to_owned() },
        };
        Ok(Report {
            outcome,
            logs: parts.text(1)?.to_owned(),
            startup: self.startup,
            duration: self.duration,
            peak_memory_bytes: self.peak_memory_bytes,
            network: self.network,
        })
    }
}
