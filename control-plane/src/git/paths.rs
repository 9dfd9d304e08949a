//! Paths within a tree, and how a name that is not UTF-8 is written.
//!
//! A name is written as it is. Bytes that are not UTF-8 are written as `%XX`, and a name is found under that form, too:
//! what an answer shows can be asked for. A file whose name has such a form by itself comes first.

use std::fmt::Write;

use gix::ObjectId;
use gix::bstr::BStr;
use gix::objs::tree::{EntryKind, EntryMode};

use super::reader::{Budget, Reader};
use crate::error::{Error, Result};

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub mode: EntryMode,
    pub id: ObjectId,
}

impl Found {
    /// A commit's root.
    pub(super) fn root(tree: ObjectId) -> Self {
        Self { mode: EntryKind::Tree.into(), id: tree }
    }
}

impl Reader {
    /// What is at a path below a tree. None when there is nothing; a path does not lead through a submodule or a link.
    pub(super) fn find(&self, root: ObjectId, path: &[u8]) -> Result<Option<Found>> {
        let mut found = Found::root(root);
        for name in components(path) {
            if !found.mode.is_tree() {
                return Ok(None);
            }
            // Each name may cost the reading of a large folder.
            if self.time_left() == Budget::Spent {
                return Err(self.spent());
            }
            match self.find_in(found.id, name)? {
                Some(next) => found = next,
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    fn find_in(&self, tree: ObjectId, name: &[u8]) -> Result<Option<Found>> {
        let tree = self.tree(tree)?;
        let mut by_form = None;
        for entry in tree.iter() {
            let entry = entry.map_err(|error| Error::internal(error, "read an entry of a folder"))?;
            let found = Found { mode: entry.mode(), id: entry.object_id() };
            if entry.filename() == name {
                return Ok(Some(found));
            }
            let is_odd = || name.contains(&b'%') && std::str::from_utf8(entry.filename()).is_err();
            if is_odd() && shown(entry.filename()).as_bytes() == name {
                by_form.get_or_insert(found);
            }
        }
        Ok(by_form)
    }
}

/// The names of a path. Slashes at its ends and in a row mean nothing, and neither does `.`; `..` is a name that
/// nothing has.
pub(super) fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".")
}

/// A path with no more slashes than it needs, as it is shown.
pub(super) fn normalized(path: &[u8]) -> String {
    let names: Vec<_> = components(path).map(|name| shown(BStr::new(name))).collect();
    names.join("/")
}

/// A name or a path as it is shown.
pub(super) fn shown(name: &BStr) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_bytes_are_shown_as_percent() {
        for (name, expected) in [
            (&b"caf\xe9.txt"[..], "caf%E9.txt"),
            ("caf\u{e9}.txt".as_bytes(), "caf\u{e9}.txt"),
            (b"100%", "100%"),
            (b"a\nb", "a\nb"),
            (b"\xff\xfe", "%FF%FE"),
        ] {
            assert_eq!(shown(BStr::new(name)), expected);
        }
    }

    #[test]
    fn a_path_is_its_names() {
        for (path, expected) in [("", ""), ("/", ""), ("a//b/", "a/b"), ("./a", "a"), ("../a", "../a")] {
            assert_eq!(normalized(path.as_bytes()), expected);
        }
    }
}
