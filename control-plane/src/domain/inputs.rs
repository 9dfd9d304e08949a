//! Inputs against a tool's schema. Nothing runs unless every input conforms.

use anyhow::Context;
use runtime::cache::Unpacked;
use runtime::input::InputLimits;
use serde_json::Value;

use crate::app::App;
use crate::domain::invoke::Input;
use crate::error::{Error, Result};

/// How much is done on a thread that serves requests, which is less than a millisecond: nearly all inputs are small.
const QUICK_STEPS: u64 = 10_000;

impl App {
    /// Holds all inputs against the tool's schema and says everything that does not conform.
    pub(crate) async fn check_inputs(&self, loaded: &Unpacked, inputs: &[Input]) -> Result<()> {
        let settings = &self.config.invoke;
        let limits = InputLimits { steps: settings.schema_steps, mismatches: settings.schema_mismatches };
        let quick = InputLimits { steps: QUICK_STEPS.min(limits.steps), ..limits };
        let checked = check(loaded, inputs.iter().map(|input| &input.parameters), &quick);
        if quick == limits || !matches!(checked, Err(Unchecked::TooComplex { .. })) {
            return Ok(checked?);
        }
        let (loaded, parameters) = (loaded.clone(), parameters(inputs));
        let check = move || check(&loaded, parameters.iter(), &limits);
        Ok(tokio::task::spawn_blocking(check).await.context("failed to check the input")??)
    }
}

fn parameters(inputs: &[Input]) -> Vec<Value> {
    inputs.iter().map(|input| input.parameters.clone()).collect()
}

/// Why inputs are not taken.
enum Unchecked {
    /// With more steps they might be.
    TooComplex {
        message: String,
    },
    Refused(Error),
}

impl From<Unchecked> for Error {
    fn from(unchecked: Unchecked) -> Self {
        match unchecked {
            Unchecked::TooComplex { message } => Self::BadRequest(message),
            Unchecked::Refused(error) => error,
        }
    }
}

fn check<'a>(
    loaded: &Unpacked,
    inputs: impl Iterator<Item = &'a Value>,
    limits: &InputLimits,
) -> Result<(), Unchecked> {
    let mut problems = Vec::new();
    for (index, parameters) in inputs.enumerate() {
        let place = format!("inputs[{index}].input_parameters");
        match loaded.check_input(parameters, limits) {
            Ok(()) => {}
            Err(runtime::Error::Input(mismatches)) => {
                problems.extend(
                    mismatches.iter().map(|mismatch| format!("{place}{}: {}", mismatch.path, mismatch.message)),
                );
            }
            Err(error @ runtime::Error::InputTooComplex { .. }) => {
                return Err(Unchecked::TooComplex { message: format!("{place}: {error} (`invoke.schema_steps`)") });
            }
            Err(error) => return Err(Unchecked::Refused(error.into())),
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let message = format!("the input does not conform to the tool's input_schema: {}", problems.join("; "));
    Err(Unchecked::Refused(Error::BadRequest(message)))
}
