//! What is told about a place that does not conform. The value is quoted, and is as long as its sender likes.

use std::fmt::{self, Display};
use std::io::{self, Write};

use serde::Serialize;

/// How much of one value, and of one path, is told, in bytes.
const SHOWN_BYTES: usize = 200;
/// How many unexpected names one message lists.
const SHOWN_NAMES: usize = 3;

/// One place where the parameters do not conform.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Mismatch {
    /// The place as a JSON pointer; empty for the parameters as a whole.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

/// A place within the parameters, as the way to it.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// The parameters as a whole.
    Root,
    /// What has this name within an object.
    Property(&'a Place<'a>, &'a str),
    /// What has this number within an array.
    Item(&'a Place<'a>, usize),
}

impl Place<'_> {
    /// The JSON pointer, which is as long as the names on the way; so it is cut.
    pub fn pointer(&self) -> String {
        let mut pointer = String::new();
        self.write(&mut pointer);
        pointer
    }

    fn write(&self, pointer: &mut String) {
        match self {
            Self::Root => {}
            Self::Property(above, name) => {
                above.write(pointer);
                pointer.push('/');
                pointer.push_str(&cut(name).replace('~', "~0").replace('/', "~1"));
            }
            Self::Item(above, index) => {
                above.write(pointer);
                pointer.push_str(&format!("/{index}"));
            }
        }
        if pointer.len() > SHOWN_BYTES {
            *pointer = cut(pointer);
        }
    }
}

/// A value as JSON, cut.
pub fn quoted(value: &impl Serialize) -> String {
    let mut writer = Bounded(Vec::new());
    // It fails where the value is longer, and the rest of it is not even looked at.
    let is_whole = serde_json::to_writer(&mut writer, value).is_ok();
    let text = String::from_utf8_lossy(&writer.0);
    // What was cut within a character ends with a sign for that.
    if is_whole { text.into_owned() } else { format!("{}…", text.trim_end_matches('\u{fffd}')) }
}

/// The first of some names, in words.
pub fn unexpected(names: &[&str]) -> String {
    let shown = names.iter().take(SHOWN_NAMES).map(|name| format!("'{}'", cut_to(name, SHOWN_BYTES / SHOWN_NAMES)));
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(SHOWN_NAMES);
    let verb = if names.len() == 1 { "was" } else { "were" };
    if more > 0 { format!("{shown} and {more} others {verb} unexpected") } else { format!("{shown} {verb} unexpected") }
}

/// `1 item`, `2 items`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn cut(text: &str) -> String {
    cut_to(text, SHOWN_BYTES)
}

fn cut_to(text: &str, bytes: usize) -> String {
    if text.len() <= bytes { text.to_owned() } else { format!("{}…", &text[..text.floor_char_boundary(bytes)]) }
}

struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let kept = bytes.len().min(SHOWN_BYTES - self.0.len());
        self.0.extend_from_slice(&bytes[..kept]);
        if kept == bytes.len() { Ok(kept) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
