//! Secret values, taken out of everything that a tool says.

use runtime::outcome::{Failure, Outcome, Report};

use zeroize::Zeroizing;

use crate::vault::SecretString;

/// A shorter value would be found by chance in ordinary text, and scrubbing it would tell where it stands.
const SHORTEST_BYTES: usize = 4;

/// What stands in a value's place.
const MARK: &str = "[secret]";

/// Takes the values out of a report.
pub fn scrub(report: Report, secrets: &[SecretString]) -> Report {
    let long = secrets.iter().map(SecretString::expose).filter(|secret| secret.len() >= SHORTEST_BYTES);
    let mut secrets: Vec<_> = long.flat_map(forms).collect();
    // A secret that holds another one goes first, or its rest would stay.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    let clean = |text: String| {
        secrets
            .iter()
            .fold(text, |text, secret| if text.contains(&**secret) { text.replace(&**secret, MARK) } else { text })
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

/// A value as it stands, and as it stands within JSON: a line's end or a quotation mark is escaped there.
fn forms(secret: &str) -> [Zeroizing<String>; 2] {
    let quoted = serde_json::to_string(secret).unwrap_or_default();
    let escaped = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned();
    [Zeroizing::new(secret.to_owned()), Zeroizing::new(escaped)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_json_escapes_is_found_within_json() {
        let report = Report {
            outcome: Outcome::Returned { output: r#"{"text":"it is a\"b\nc, yes"}"#.to_owned() },
            logs: String::new(),
            startup: std::time::Duration::ZERO,
            duration: std::time::Duration::ZERO,
            peak_memory_bytes: 0,
            network: Default::default(),
        };
        let scrubbed = scrub(report, &["a\"b\nc".to_owned().into()]);
        assert_eq!(scrubbed.outcome, Outcome::Returned { output: r#"{"text":"it is [secret], yes"}"#.to_owned() });
    }

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
            startup: std::time::Duration::ZERO,
            duration: std::time::Duration::ZERO,
            peak_memory_bytes: 0,
            network: Default::default(),
        };
        let scrubbed =
            scrub(report, &["hunter2".to_owned().into(), "hunter22".to_owned().into(), "e".to_owned().into()]);
        let Outcome::Failed(failure) = &scrubbed.outcome else { panic!("{scrubbed:?}") };
        assert_eq!(failure.message, "no [secret]");
        assert_eq!(failure.stack_trace, ["raise E('[secret]')"]);
        assert_eq!(scrubbed.logs, "it is [secret], yes");
    }
}
