//! Secret values, taken out of everything that a tool says.

use runtime::outcome::{Failure, Outcome, Report};

use crate::vault::SecretString;

/// A shorter value would be found by chance in ordinary text, and scrubbing it would tell where it stands.
const SHORTEST_BYTES: usize = 4;

/// What stands in a value's place.
const MARK: &str = "[secret]";

/// Takes the values out of a report.
pub fn scrub(report: Report, secrets: &[SecretString]) -> Report {
    let mut secrets: Vec<_> = secrets.iter().map(SecretString::expose).filter(|s| s.len() >= SHORTEST_BYTES).collect();
    // A secret that holds another one goes first, or its rest would stay.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let clean = |text: String| {
        secrets.iter().fold(text, |text, secret| if text.contains(secret) { text.replace(secret, MARK) } else { text })
    };
    let outcome = match report.outcome {
        Outcome::Returned { output } => Outcome::Returned { output: clean(output) },
        Outcome::Failed(failure) => Outcome::Failed(Failure {
            exception_type: clean(failure.exception_type),
            message: clean(failure.message),
            stack_trace: failure.stack_trace.into_iter().map(clean).collect(),
        }),
    };
    Report { outcome, logs: clean(report.logs), ..report }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_stays_anywhere() {
        let failure = Failure {
            exception_type: "Error".to_owned(),
            message: "no hunter22".to_owned(),
            stack_trace: vec!["raise E('hunter2')".to_owned()],
        };
        let report = Report {
            outcome: Outcome::Failed(failure),
            logs: "it is hunter2, yes".to_owned(),
            duration: std::time::Duration::ZERO,
            peak_memory_bytes: 0,
        };
        let scrubbed =
            scrub(report, &["hunter2".to_owned().into(), "hunter22".to_owned().into(), "e".to_owned().into()]);
        let Outcome::Failed(failure) = &scrubbed.outcome else { panic!("{scrubbed:?}") };
        assert_eq!(failure.message, "no [secret]");
        assert_eq!(failure.stack_trace, ["raise E('[secret]')"]);
        assert_eq!(scrubbed.logs, "it is [secret], yes");
    }
}
