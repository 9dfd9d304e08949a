//! Secret values, taken out of everything that a tool says, in every form in which tools write them down ([`runtime::secret_forms`]).
//!
//! It is one pass over a text, however many values and forms there are. A value is found over the end of a line, too, and
//! over the level that logging writes before each line: so none gets out in two halves.
//! A tool that wants to give a value away can: by any other code. This is for those that do not.

use runtime::network::NetworkUse;
use runtime::outcome::{Failure, Outcome, Report};
use runtime::secret_forms::{self, SHORTEST_BYTES};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::vault::SecretString;

/// What stands in a value's place.
const MARK: &str = "[secret]";

/// How many bytes are looked at for each byte of a text. Values that begin like the text itself, for thousands of bytes and
/// at each of its places, would keep a processor for minutes; nothing else comes near this.
const LOOKS_PER_BYTE: usize = 64;

/// What stands in the place of a text that would take more.
const LEFT_OUT: &str = "[left out: it takes too long to look for secrets in it]";

/// What `logging` may write before a message, by the SDK's own format and by Python's.
const LEVELS: [&[u8]; 6] = [b"DEBUG ", b"INFO ", b"WARNING ", b"ERROR ", b"CRITICAL ", b"INFO:root:"];

/// Takes values out of texts.
pub struct Scrubber {
    /// All forms of all values, without line ends, in order.
    patterns: Vec<Zeroizing<Vec<u8>>>,
    /// Whether any pattern begins with this byte, which is all that most places of a text are asked.
    first: [bool; 256],
}

/// What may stand within a value.
#[derive(Clone, Copy)]
enum Between {
    /// The end of a line.
    LineEnds,
    /// The end of a line and the level before the next one.
    LineEndsAndLevels,
}

/// Takes the values out of a report.
pub fn scrub(report: Report, secrets: &[SecretString]) -> Report {
    let scrubber = Scrubber::new(secrets);
    let clean = |text| scrubber.text(text);
    let outcome = match report.outcome {
        Outcome::Returned { output } => Outcome::Returned { output: clean(output) },
        Outcome::Failed(failure) => Outcome::Failed(Failure {
            exception_type: clean(failure.exception_type),
            message: clean(failure.message),
            stack_trace: failure.stack_trace.into_iter().map(clean).collect(),
        }),
    };
    // Names of hosts are in lower case, whatever the tool wrote.
    let lower = Scrubber::new(&secrets.iter().map(|secret| secret.expose().to_lowercase().into()).collect::<Vec<_>>());
    let denied_hosts = report.network.denied_hosts.into_iter().map(|host| lower.text(clean(host))).collect();
    let network = NetworkUse { denied_hosts, ..report.network };
    Report { outcome, logs: scrubber.logs(report.logs), network, ..report }
}

/// Takes the values out of what a build is refused with: a project may hold a value of its tool's.
pub fn scrub_refusal(error: Error, secrets: &[SecretString]) -> Error {
    match error {
        Error::BadRequest(message) => Error::BadRequest(Scrubber::new(secrets).text(message)),
        other => other,
    }
}

impl Scrubber {
    /// Prepares for some values.
    pub fn new(secrets: &[SecretString]) -> Self {
        let mut patterns: Vec<_> = secrets.iter().flat_map(|secret| secret_forms::of(secret.expose())).collect();
        for pattern in &mut patterns {
            pattern.retain(|byte| !is_line_end(*byte));
        }
        patterns.retain(|pattern| pattern.len() >= SHORTEST_BYTES);
        patterns.sort_by(|one, other| one.cmp(other));
        patterns.dedup();
        let mut first = [false; 256];
        for start in patterns.iter().filter_map(|pattern| pattern.first()) {
            first[usize::from(*start)] = true;
        }
        Self { patterns, first }
    }

    /// Takes the values out of a text.
    pub fn text(&self, text: String) -> String {
        self.clean(text, Between::LineEnds)
    }

    /// Takes the values out of what was logged.
    pub fn logs(&self, logs: String) -> String {
        self.clean(self.clean(logs, Between::LineEnds), Between::LineEndsAndLevels)
    }

    fn clean(&self, text: String, between: Between) -> String {
        if self.patterns.is_empty() {
            return text;
        }
        let bytes = text.as_bytes();
        let (mut clean, mut copied, mut place) = (String::new(), 0, 0);
        let mut looks = bytes.len().saturating_mul(LOOKS_PER_BYTE);
        while place < bytes.len() {
            let (seen, found) = self.find(bytes, place, between);
            let Some(left) = looks.checked_sub(seen - place) else {
                drop(Zeroizing::new(text));
                return LEFT_OUT.to_owned();
            };
            looks = left;
            let Some(end) = found else {
                place += 1;
                continue;
            };
            clean.push_str(text.get(copied..place).unwrap_or_default());
            clean.push_str(MARK);
            clean.extend(bytes[place..end].iter().filter(|byte| is_line_end(**byte)).map(|byte| char::from(*byte)));
            (copied, place) = (end, end);
        }
        if copied == 0 {
            return text;
        }
        clean.push_str(text.get(copied..).unwrap_or_default());
        // The text as it was holds the values.
        drop(Zeroizing::new(text));
        clean
    }

    /// How far a text had to be looked at, and where the longest pattern ends that begins at this place. Of the patterns,
    /// which are in order, those that go on like the text are always a range.
    fn find(&self, text: &[u8], place: usize, between: Between) -> (usize, Option<usize>) {
        let (mut end, mut found) = (place, None);
        if !self.first[usize::from(text[place])] {
            return (end, found);
        }
        let mut alike = self.patterns.as_slice();
        for depth in 0.. {
            let next = if depth == 0 { place } else { between.skip(text, end) };
            let Some(byte) = text.get(next) else { break };
            let from = alike.partition_point(|pattern| pattern.get(depth) < Some(byte));
            let to = alike.partition_point(|pattern| pattern.get(depth) <= Some(byte));
            alike = &alike[from..to];
            end = next + 1;
            match alike.first() {
                None => break,
                Some(pattern) if pattern.len() == depth + 1 => found = Some(end),
                Some(_) => {}
            }
        }
        (end, found)
    }
}

impl Between {
    /// The next place that counts.
    fn skip(self, text: &[u8], mut place: usize) -> usize {
        if !text.get(place).copied().is_some_and(is_line_end) {
            return place;
        }
        while text.get(place).copied().is_some_and(is_line_end) {
            place += 1;
        }
        match self {
            Self::LineEnds => place,
            Self::LineEndsAndLevels => {
                let rest = &text[place..];
                place + LEVELS.iter().find(|level| rest.starts_with(level)).map_or(0, |level| level.len())
            }
        }
    }
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber(secrets: &[&str]) -> Scrubber {
        let secrets: Vec<_> = secrets.iter().map(|secret| SecretString::from((*secret).to_owned())).collect();
        Scrubber::new(&secrets)
    }

    #[test]
    fn a_value_is_found_in_every_form() {
        let scrubber = scrubber(&["Correct horse/7731\"é"]);
        for text in [
            "Correct horse/7731\"é",
            // json.dumps, with and without ensure_ascii
            r#"Correct horse/7731\"é"#,
            r#"Correct horse/7731\"\u00e9"#,
            // quote, quote with nothing safe, quote_plus, and lower case
            "Correct%20horse/7731%22%C3%A9",
            "Correct%20horse%2F7731%22%C3%A9",
            "Correct+horse%2F7731%22%C3%A9",
            "Correct+horse%2f7731%22%c3%a9",
            // json_encode of PHP, and html.escape
            r#"Correct horse\/7731\"\u00e9"#,
            "Correct horse/7731&quot;é",
            // hex(), upper case, and reversed
            "436f727265637420686f7273652f3737333122c3a9",
            "436F727265637420686F7273652F3737333122C3A9",
            "é\"1377/esroh tcerroC",
            // in two halves
            "Correct\n horse/7731\"é",
        ] {
            let clean = scrubber.text(format!("<{text}>"));
            assert_eq!(clean.replace('\n', ""), "<[secret]>", "{text}");
        }
    }

    #[test]
    fn base64_is_found_wherever_the_value_stands_in_what_was_encoded() {
        use base64::Engine;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE};

        let secret = "p\u{ff}ss?>wörd-7731";
        let scrubber = scrubber(&[secret]);
        for (before, after) in [("", ""), ("a", ""), ("ab", "c"), ("abc", "de"), ("user:", "@host"), ("12345678", "\n")]
        {
            for engine in [&STANDARD, &URL_SAFE] {
                let encoded = engine.encode(format!("{before}{secret}{after}"));
                let clean = scrubber.text(encoded.clone());
                assert!(clean.contains(MARK), "{encoded}");
                // What is left beside it is of the neighbours, and at most four bits of the value's own.
                assert!(
                    clean.len() <= MARK.len() + encoded.len() - secret.len() * 8 / 6 + 2,
                    "{encoded} became {clean}"
                );
            }
        }
    }

    #[test]
    fn two_halves_in_two_lines_of_a_log_are_found_and_lines_stay() {
        let scrubber = scrubber(&["correct-horse"]);
        let clean = |text: &str| scrubber.logs(text.to_owned());
        assert_eq!(clean("a\ncorrect\n-horse\nb"), "a\n[secret]\n\nb");
        assert_eq!(clean("INFO corr\r\nINFO ect-horse\nINFO b"), "INFO [secret]\r\n\nINFO b");
        assert_eq!(clean("correct\nWARNING -horse"), "[secret]\n");
        assert_eq!(clean("correct\nhorse"), "correct\nhorse");
    }

    #[test]
    fn short_values_are_not_hunted_in_forms_that_ordinary_text_has() {
        let scrubber = scrubber(&["e", "four", ""]);
        assert_eq!(scrubber.text("e four ruof fou\nr".to_owned()), "e [secret] ruof [secret]\n");
        assert!(Scrubber::new(&[]).text("x".to_owned()) == "x");
    }

    #[test]
    fn values_that_begin_alike_are_looked_for_together() {
        let secrets: Vec<_> =
            (0..100).map(|number| SecretString::from(format!("secret value {number} of a hundred"))).collect();
        let scrubber = Scrubber::new(&secrets);
        let text = "secret value 7 of a thousand, ".repeat(5_000);
        assert_eq!(scrubber.text(text.clone()), text);
    }

    #[test]
    fn a_text_that_is_like_a_value_everywhere_is_left_out() {
        let scrubber = scrubber(&[&format!("{}b", "a".repeat(10_000))]);
        assert_eq!(scrubber.text("a".repeat(100_000)), LEFT_OUT);
        assert_eq!(scrubber.logs("a".repeat(100_000)), LEFT_OUT);
        let short = "a".repeat(100);
        assert_eq!(scrubber.text(short.clone()), short);
    }

    #[test]
    fn a_longer_value_goes_before_one_that_it_holds() {
        let scrubber = scrubber(&["hunter2", "hunter22", "e"]);
        assert_eq!(scrubber.text("no hunter22, raise E('hunter2')".to_owned()), "no [secret], raise E('[secret]')");
    }
}
