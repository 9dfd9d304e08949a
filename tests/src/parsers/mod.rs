//! What every parser of bytes from outside promises, whatever the bytes: it ends without a panic, and what it lets pass
//! has the shape that the rest counts on. Each function takes any bytes and panics where a promise is broken.
//!
//! `fuzz` looks for such bytes, and keeps what it found in `fuzz/corpus`; the end-to-end tests try those at every run.

mod credentials;
mod folder;
mod git;
mod guests;
mod projects;
mod queries;
mod requests;
mod tools;
mod wheels;

/// A name under which corpora are kept, and what is tried.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 13] = [
    ("artifact", tools::artifact),
    ("constraint", queries::constraint),
    ("git_path", git::path),
    ("guest_http", guests::http),
    ("json", queries::json),
    ("library", wheels::library),
    ("lock", projects::lock),
    ("manifest", projects::manifest),
    ("push", git::push),
    ("query", queries::query),
    ("search", queries::search),
    ("token", credentials::token),
    ("wheel", wheels::wheel),
];

/// Tries bytes on the parser of that name.
///
/// # Panics
///
/// A promise is broken, or there is no such name.
pub fn try_bytes(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("there is no parser `{name}`")).1(bytes);
}
