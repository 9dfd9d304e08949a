//! Files that a command line names.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// The text of a file, or why it cannot be had, in words for a person.
pub fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| why(path, &error))
}

/// A file of certificates, for a value of the command line.
pub fn certificates(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match read(&path)?.contains("-----BEGIN CERTIFICATE-----") {
        true => Ok(path),
        false => Err("it holds no certificate: they are expected in the PEM form".to_owned()),
    }
}

fn why(path: &Path, error: &Error) -> String {
    let path = path.display();
    match error.kind() {
        ErrorKind::NotFound => format!("there is no file `{path}`"),
        ErrorKind::IsADirectory => format!("`{path}` is a folder"),
        ErrorKind::PermissionDenied => format!("`{path}` may not be read by you"),
        ErrorKind::InvalidData => format!("`{path}` is no text in UTF-8"),
        _ => format!("`{path}` cannot be read: {error}"),
    }
}
