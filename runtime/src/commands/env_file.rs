//! Variables from a file: `NAME=VALUE`, one a line, as shells and other programs read such files.

use std::path::Path;

use runtime::Error;
use sdk::Problem;

/// Reads the variables of a file. No message repeats a value.
pub fn read(path: &Path) -> Result<Vec<(String, String)>, Error> {
    let unreadable = |why| sdk::Error::from(Problem::new(why, "name a file of variables as `--env-file FILE`"));
    let text = super::files::read(path).map_err(unreadable)?;
    // No place of its own, or the line would be shown with what may be a secret.
    let wrong = |line: u32| {
        let message = format!("{}:{line}: this is no variable", path.display());
        let remedy = "write it as NAME=VALUE, and text of several lines as \"a\\nb\"";
        Error::from(sdk::Error::from(Problem::new(message, remedy)))
    };
    let mut variables = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        match line.trim() {
            "" => {}
            comment if comment.starts_with('#') => {}
            line => variables.push(variable(line).ok_or_else(|| wrong(number))?),
        }
    }
    Ok(variables)
}

fn variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let name = name.trim();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| Some((name.to_owned(), unquoted(value.trim())?))).flatten()
}

/// `'…'` as it is, `"…"` with its escapes, and anything else up to a comment.
fn unquoted(value: &str) -> Option<String> {
    let is_comment = |rest: &str| rest.trim().is_empty() || rest.trim_start().starts_with('#');
    if let Some(rest) = value.strip_prefix('\'') {
        let (inside, behind) = rest.split_once('\'')?;
        return is_comment(behind).then(|| inside.to_owned());
    }
    let Some(rest) = value.strip_prefix('"') else {
        return Some(value.split(" #").next().unwrap_or_default().trim_end().to_owned());
    };
    let (mut inside, mut characters) = (String::new(), rest.chars());
    loop {
        match characters.next()? {
            '"' => return is_comment(characters.as_str()).then_some(inside),
            '\\' => match characters.next()? {
                'n' => inside.push('\n'),
                'r' => inside.push('\r'),
                't' => inside.push('\t'),
                other @ ('"' | '\\' | '$') => inside.push(other),
                other => inside.extend(['\\', other]),
            },
            other => inside.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_other_programs_read_them() {
        for (line, read) in [
            ("A=1", Some(("A", "1"))),
            ("export A_b2 = two words # and a comment", Some(("A_b2", "two words"))),
            ("A=a=b#c", Some(("A", "a=b#c"))),
            ("A=", Some(("A", ""))),
            ("A='$x \\n' # comment", Some(("A", "$x \\n"))),
            (r#"A="two\nlines \"x\" \\ \d""#, Some(("A", "two\nlines \"x\" \\ \\d"))),
            ("A", None),
            ("=1", None),
            ("A B=1", None),
            ("A=\"open", None),
            ("A='a'b", None),
        ] {
            let expected = read.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(variable(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_without_the_value() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        fs_err::write(&file, "# ours\n\nA=1\nhunter2\n").unwrap();
        let told = read(&file).unwrap_err().to_string();
        assert!(told.contains(".env:4: this is no variable") && !told.contains("hunter2"), "{told}");
        fs_err::write(&file, "\u{feff}A=1\r\nB=2\r\n").unwrap();
        assert_eq!(read(&file).unwrap(), [("A", "1"), ("B", "2")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
