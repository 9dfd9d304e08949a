//! What is wrong, for a person: each problem with the line of code that it is about.

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::Path;

use runtime::Error;
use sdk::Problem;

/// Longer lines are shown in part, and larger files not at all.
const LINE_CHARACTERS: usize = 120;
const FILE_BYTES: u64 = 1 << 20;

const RED: &str = "31";
const YELLOW: &str = "33";

/// Prints an error: what is wrong, then, for faults of ours, the chain of reasons. The files that problems name are
/// looked for in the folder.
pub fn print(error: &Error, folder: &Path) {
    let paint = paint(RED);
    let label = paint("error");
    if let Error::Build(sdk::Error::Refused(problems)) = error {
        problems.iter().for_each(|problem| eprintln!("{label}: {}", without_numbers(&told(problem, folder, &paint))));
        return;
    }
    if let Error::Input(mismatches) = error {
        mismatches.iter().for_each(|mismatch| eprintln!("{label}: {mismatch}"));
        eprintln!("  to do: give an input as `runtime schema` shows it, with `--input JSON`");
        return;
    }
    eprintln!("{label}: {}", without_numbers(&error.to_string()));
    let mut source = std::error::Error::source(error);
    while let Some(reason) = source {
        eprintln!("  because: {}", without_numbers(&reason.to_string()));
        source = reason.source();
    }
}

/// Without the numbers that the operating system has for errors beside their words.
pub fn without_numbers(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |told, part| told + part.split_once(')').map_or("", |(_, behind)| behind))
}

/// Prints what is no error.
pub fn print_warning(problem: &Problem, folder: &Path) {
    let paint = paint(YELLOW);
    eprintln!("{}: {}", paint("warning"), told(problem, folder, &paint));
}

/// Colours text, on a terminal alone and where nobody minds (no-color.org: an empty variable is none).
fn paint(colour: &str) -> impl Fn(&str) -> String {
    let is_minded = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_colourful = std::io::stderr().is_terminal() && !is_minded;
    move |text| if is_colourful { format!("\x1b[1;{colour}m{text}\x1b[0m") } else { text.to_owned() }
}

/// The problem with its line between what is wrong and what to do.
fn told(problem: &Problem, folder: &Path, paint: &impl Fn(&str) -> String) -> String {
    let mut told = Problem { remedy: None, ..problem.clone() }.to_string();
    if let Some((number, line)) = line_of(problem, folder) {
        let (line, start, length) = shown(&line, &problem.message);
        let gutter = " ".repeat(number.to_string().len());
        // Tabs stay tabs, so that what is below them stands below them.
        let before: String = line.chars().take(start).map(|c| if c == '\t' { c } else { ' ' }).collect();
        let carets = paint(&"^".repeat(length));
        let _never_fails = write!(told, "\n  {number} | {line}\n  {gutter} | {before}{carets}");
    }
    if let Some(remedy) = &problem.remedy {
        let _never_fails = write!(told, "\n  to do: {remedy}");
    }
    told
}

/// The line that a problem names, unless its message shows it already.
fn line_of(problem: &Problem, folder: &Path) -> Option<(u32, String)> {
    let (file, number) = (problem.file.as_ref()?, problem.line?);
    let path = folder.join(file);
    let is_readable = fs_err::metadata(&path).is_ok_and(|file| file.is_file() && file.len() <= FILE_BYTES);
    if !is_readable || problem.message.contains('\n') {
        return None;
    }
    let text = fs_err::read_to_string(path).ok()?;
    let line = text.lines().nth(number.checked_sub(1)? as usize)?;
    (!line.trim().is_empty()).then(|| (number, line.trim_end().to_owned()))
}

/// What is shown of a line, and where in it the carets stand, in characters.
fn shown(line: &str, message: &str) -> (String, usize, usize) {
    let (start, length) = place(line, message);
    let characters: Vec<_> = line.chars().collect();
    if characters.len() <= LINE_CHARACTERS {
        return (line.to_owned(), start, length);
    }
    let first = start.saturating_sub(LINE_CHARACTERS / 4);
    let last = characters.len().min(first + LINE_CHARACTERS);
    let cut: String = characters[first..last].iter().collect();
    let (before, behind) = (if first > 0 { "…" } else { "" }, if last < characters.len() { "…" } else { "" });
    let start = start - first + before.chars().count();
    (format!("{before}{cut}{behind}"), start, length.min(last - first))
}

/// The first thing that the message quotes and the line has; else all of the line's code.
fn place(line: &str, message: &str) -> (usize, usize) {
    let quoted = message.split('`').skip(1).step_by(2).chain(message.split('\'').skip(1).step_by(2));
    let found = quoted.filter(|text| !text.is_empty()).find_map(|text| Some((whole(line, text)?, text)));
    let (at, text) = found.unwrap_or_else(|| {
        let code = line.split(" #").next().unwrap_or(line).trim();
        (line.find(code).unwrap_or_default(), code)
    });
    (line[..at].chars().count(), text.chars().count().max(1))
}

/// Where a line has a text, and not as a part of a longer name; where it is quoted before all others.
fn whole(line: &str, text: &str) -> Option<usize> {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let is_cut = |at: usize| {
        let (before, behind) = (&line[..at], &line[at + text.len()..]);
        text.starts_with(is_letter) && before.ends_with(is_letter)
            || text.ends_with(is_letter) && behind.starts_with(is_letter)
    };
    let found: Vec<_> = line.match_indices(text).map(|(at, _)| at).filter(|at| !is_cut(*at)).collect();
    let quoted = found.iter().find(|at| line[..**at].ends_with(['"', '\'']));
    quoted.or(found.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_what_the_message_quotes_or_the_code() {
        for (line, message, marked) in [
            ("key = getenv(\"API_KEY\")", "the variable `API_KEY` is read", "API_KEY"),
            ("def f(days, day, x):", "the parameter `day` of `f` has no type", "day"),
            ("    file = open(\"a\")  # ours", "a socket is left open", "file = open(\"a\")"),
            ("PLACE = environ[\"PLACES\"]", "KeyError: 'PLACES'", "PLACES"),
            ("ä = `b`", "`c` and `ä`", "ä"),
        ] {
            let (start, length) = place(line, message);
            let found: String = line.chars().skip(start).take(length).collect();
            assert_eq!(found, marked, "{line}");
        }
    }

    #[test]
    fn numbers_of_errors_are_left_out() {
        let told = "a: No such file or directory (os error 2); b: Is a directory (os error 21)";
        assert_eq!(without_numbers(told), "a: No such file or directory; b: Is a directory");
        assert_eq!(without_numbers("nothing (of the kind)"), "nothing (of the kind)");
    }

    #[test]
    fn what_is_quoted_in_the_line_is_meant_before_a_name_that_is_the_same() {
        assert_eq!(place("PLACE = environ['PLACE']", "KeyError: 'PLACE'"), (17, 5));
    }

    #[test]
    fn a_problem_is_told_with_its_line_and_a_caret_under_the_place() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(
            folder.path().join("a.py"),
            format!("import os\n\tKEY = os.getenv('KEY')\n\n{}x", "y".repeat(500)),
        )
        .unwrap();
        let told = |line, message: &str| {
            told(&Problem::new(message, "mend it").at("a.py", Some(line)), folder.path(), &str::to_owned)
        };
        assert_eq!(
            told(2, "`getenv` is read"),
            "a.py:2: `getenv` is read\n  2 | \tKEY = os.getenv('KEY')\n    | \t         ^^^^^^\n  to do: mend it"
        );
        assert_eq!(told(3, "empty"), "a.py:3: empty\n  to do: mend it");
        assert_eq!(told(99, "away"), "a.py:99: away\n  to do: mend it");
        assert_eq!(told(2, "with\nits line"), "a.py:2: with\nits line\n  to do: mend it");
        assert!(told(4, "long").lines().all(|line| line.chars().count() < 140));
    }
}
