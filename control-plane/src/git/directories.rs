//! The entries of a folder.

use std::rc::Rc;

use gix::objs::Kind;
use gix::objs::tree::EntryMode;

use super::commits::Commit;
pub use super::last_commits::LastCommits;
use super::paths::{normalized, shown};
use super::read::CommitId;
use super::reader::Reader;
use crate::error::{Error, Result};

/// A folder of a commit.
#[derive(Debug)]
pub struct Directory {
    /// The commit. None when the repository is empty: then the root has no entries.
    pub commit: Option<CommitId>,
    /// Its path, with no more slashes than it needs. The root's is empty.
    pub path: String,
    /// In the order in which Git keeps them.
    pub entries: Vec<Entry>,
}

/// An entry of a folder.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its path from the root.
    pub path: String,
    /// What it is.
    pub entry_type: EntryType,
    /// The size of a file's content, or of the path that a link holds.
    pub size_bytes: Option<u64>,
    /// The name of the object: of a submodule, the commit in the other repository.
    pub object: String,
    /// The commit that changed it last, or anything below it, if that was asked for and found within the limits.
    pub last_commit: Option<Commit>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryType {
    /// A file, executable or not.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A commit of another repository.
    Submodule,
}

impl Reader {
    /// The entries of a folder. Their last commits cost a walk through the history.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for a `ref` that leads nowhere, and for a path that leads to no folder;
    /// [`Error::BadRequest`] for a folder of too many entries.
    pub fn directory(&self, reference: &str, path: &[u8], last_commits: LastCommits) -> Result<Directory> {
        let path_shown = normalized(path);
        let missing = |why: &str| Error::NotFound(format!("`{path_shown}` of `{reference}` {why}"));
        let Some(tip) = self.resolve_id(reference)? else {
            return match path_shown.is_empty() {
                true => Ok(Directory { commit: None, path: path_shown, entries: Vec::new() }),
                false => Err(missing("does not exist")),
            };
        };
        let found = self.find(self.node(tip)?.tree, path)?.ok_or_else(|| missing("does not exist"))?;
        if !found.mode.is_tree() {
            return Err(missing("is no folder: ask for it with /tool/repo/file/"));
        }
        let tree = self.tree(found.id)?;
        let mut entries = Vec::new();
        let mut names = Vec::new();
        for entry in tree.iter() {
            let entry = entry.map_err(|error| Error::internal(error, "read an entry of a folder"))?;
            if entries.len() == self.limits.max_entries {
                return Err(Error::BadRequest(format!(
                    "`{path_shown}` has more than {} entries: clone the repository to see them",
                    self.limits.max_entries
                )));
            }
            let name = shown(entry.filename());
            let entry_path = if path_shown.is_empty() { name.clone() } else { format!("{path_shown}/{name}") };
            let is_blob = entry.mode().is_blob_or_symlink();
            let size = if is_blob { self.header(entry.object_id())? } else { None };
            entries.push(Entry {
                name,
                path: entry_path,
                entry_type: entry_type(entry.mode()),
                size_bytes: size.filter(|(kind, _)| *kind == Kind::Blob).map(|(_, size_bytes)| size_bytes),
                object: entry.object_id().to_string(),
                last_commit: None,
            });
            names.push(entry.filename().to_owned());
        }
        if last_commits == LastCommits::Wanted {
            let last: Vec<Option<Rc<Commit>>> = self.last_commits(tip, path, &names)?;
            for (entry, commit) in entries.iter_mut().zip(last) {
                entry.last_commit = commit.map(|commit| Commit::clone(&commit));
            }
        }
        Ok(Directory { commit: Some(tip.into()), path: path_shown, entries })
    }
}

fn entry_type(mode: EntryMode) -> EntryType {
    if mode.is_tree() {
        EntryType::Directory
    } else if mode.is_link() {
        EntryType::Symlink
    } else if mode.is_commit() {
        EntryType::Submodule
    } else {
        EntryType::File
    }
}
