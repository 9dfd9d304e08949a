//! Reading a repository with gix. Everything here blocks, so it is called from `spawn_blocking`.

use std::fmt;

use gix::objs::tree::EntryKind;

use super::Repository;
use crate::error::{Error, Result};
use crate::model::Invalid;

macro_rules! object_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// Parses 40 lowercase hexadecimal digits.
            pub fn parse(text: &str) -> Result<Self, Invalid> {
                let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
                if text.len() != 40 || !text.bytes().all(is_digit) {
                    return Err(Invalid(format!("object name `{text}` must be 40 lowercase hexadecimal digits")));
                }
                Ok(Self(text.to_owned()))
            }

            /// The 40 digits.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<gix::ObjectId> for $name {
            fn from(id: gix::ObjectId) -> Self {
                Self(id.to_string())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

object_name!(
    /// The name of a commit.
    CommitId
);
object_name!(
    /// The name of a tree: equal content, equal name.
    TreeId
);

/// The longest name of a branch. It is a path on the disk, and those end at 4096 bytes, the data folder included.
const MAX_BRANCH_BYTES: usize = 2048;

/// The longest part of such a name between slashes, that of a file's name.
const MAX_PART_BYTES: usize = 255;

impl Repository {
    /// The commit that a branch points to. A branch that cannot exist, because no branch may have that name, does not.
    pub fn branch_tip(&self, branch: &str) -> Result<Option<CommitId>> {
        let is_too_long = branch.len() > MAX_BRANCH_BYTES || branch.split('/').any(|part| part.len() > MAX_PART_BYTES);
        if is_too_long {
            return Ok(None);
        }
        let Ok(name) = gix::refs::FullName::try_from(format!("refs/heads/{branch}")) else { return Ok(None) };
        let repository = self.open_for_reading()?;
        let found = repository.try_find_reference(&name).map_err(|error| Error::internal(error, "look up a branch"))?;
        // The lookup goes on to other places when there is no such branch.
        let Some(mut reference) = found.filter(|reference| reference.name().as_bstr() == name.as_bstr()) else {
            return Ok(None);
        };
        let commit = reference.peel_to_id().map_err(|error| Error::internal(error, "follow a branch"))?;
        Ok(Some(CommitId(commit.to_string())))
    }

    /// Whether the one commit is among the ancestors of the other. A commit is not its own ancestor, and a commit that
    /// is not in the repository is nobody's.
    pub fn is_ancestor(&self, ancestor: &str, of: &str) -> Result<bool> {
        let (ancestor, of) = (object_id(ancestor)?, object_id(of)?);
        let repository = self.open_for_reading()?;
        if ancestor == of || !repository.has_object(ancestor) || !repository.has_object(of) {
            return Ok(false);
        }
        // Not a walk through the ancestors: the usual answer is no, and then the walk would visit all of them.
        let base =
            repository.merge_base(ancestor, of).map_err(|error| Error::internal(error, "compare two commits"))?;
        Ok(base.is_some_and(|base| base.detach() == ancestor))
    }

    /// The tree of a folder in a commit. The empty path and `.` are the root. None when there is no such folder.
    pub fn folder_tree(&self, commit: &CommitId, folder: &str) -> Result<Option<TreeId>> {
        let repository = self.open_for_reading()?;
        let root = repository
            .find_commit(object_id(&commit.0)?)
            .and_then(|commit| commit.tree_id().map(|tree| tree.detach()))
            .map_err(|error| Error::internal(error, "read a commit"))?;
        let found = find(&repository, root, folder)?;
        Ok(found.and_then(|(kind, id)| (kind == EntryKind::Tree).then(|| TreeId(id.to_string()))))
    }

    /// A regular file of a tree. None when there is no such file.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] for a file of more than `max_bytes`.
    pub fn read_file(&self, tree: &TreeId, path: &str, max_bytes: u64) -> Result<Option<Vec<u8>>> {
        let repository = self.open_for_reading()?;
        let Some((EntryKind::Blob | EntryKind::BlobExecutable, id)) = find(&repository, object_id(&tree.0)?, path)?
        else {
            return Ok(None);
        };
        let size_bytes = blob_size_bytes(&repository, id)?;
        if size_bytes > max_bytes {
            return Err(Error::BadRequest(format!("`{path}` has {size_bytes} bytes, at most {max_bytes} are allowed")));
        }
        read_blob(&repository, id).map(Some)
    }

    /// Opens the repository anew, which costs less than a millisecond and never sees an outdated list of packs.
    pub(super) fn open_for_reading(&self) -> Result<gix::Repository> {
        // Isolated: no configuration but the repository's own, nothing from the environment.
        let options = gix::open::Options::isolated().open_path_as_is(true);
        gix::open_opts(&self.path, options).map_err(|error| Error::internal(error, "open a repository"))
    }
}

/// Parses an object's name that was stored or read by us, so that a name that is none is our fault.
pub(super) fn object_id(name: &str) -> Result<gix::ObjectId> {
    gix::ObjectId::from_hex(name.as_bytes()).map_err(|error| Error::internal(error, "read an object's name"))
}

pub(super) fn find_tree(repository: &gix::Repository, id: gix::ObjectId) -> Result<gix::Tree<'_>> {
    repository.find_tree(id).map_err(|error| Error::internal(error, "read a folder"))
}

/// Known before the content is read, so that nothing too large is ever in memory.
pub(super) fn blob_size_bytes(repository: &gix::Repository, id: gix::ObjectId) -> Result<u64> {
    let header = repository.find_header(id).map_err(|error| Error::internal(error, "look up a file"))?;
    Ok(header.size())
}

pub(super) fn read_blob(repository: &gix::Repository, id: gix::ObjectId) -> Result<Vec<u8>> {
    let mut blob = repository.find_blob(id).map_err(|error| Error::internal(error, "read a file"))?;
    Ok(blob.take_data())
}

/// What is at a path. gix has such a lookup, but it fails on a path that leads through a submodule.
fn find(repository: &gix::Repository, root: gix::ObjectId, path: &str) -> Result<Option<(EntryKind, gix::ObjectId)>> {
    let mut found = (EntryKind::Tree, root);
    for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
        let (EntryKind::Tree, id) = found else { return Ok(None) };
        let tree = find_tree(repository, id)?;
        let Some(entry) = tree.find_entry(name) else { return Ok(None) };
        found = (entry.kind(), entry.object_id());
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    fn tip(fixture: &Fixture, branch: &str) -> Option<String> {
        fixture.repository.branch_tip(branch).unwrap().map(|commit| commit.to_string())
    }

    #[test]
    fn a_branch_has_a_tip() {
        let fixture = Fixture::new();
        assert_eq!(tip(&fixture, "main"), None);
        let commit = fixture.commit(&[("a", "1")]);
        fixture.push("main");
        fixture.push("main:refs/heads/feature/x");
        fixture.push("main:refs/tags/v1");
        assert_eq!(tip(&fixture, "main"), Some(commit.clone()));
        assert_eq!(tip(&fixture, "feature/x"), Some(commit));
        for branch in ["feature", "v1", "main/x", "", "..", "../tags/v1", "a b", "-", "main.lock", "a\0b"] {
            assert_eq!(tip(&fixture, branch), None, "{branch:?}");
        }
        for long in ["a".repeat(255), "a".repeat(256), "a/".repeat(1000), "a/".repeat(10_000)] {
            assert_eq!(tip(&fixture, &long), None, "{} bytes", long.len());
        }
    }

    #[test]
    fn a_tag_with_the_full_name_of_a_branch_is_no_branch() {
        let fixture = Fixture::new();
        fixture.commit(&[("a", "1")]);
        fixture.push("main:refs/tags/refs/heads/x");
        assert_eq!(tip(&fixture, "x"), None);
    }

    #[test]
    fn ancestors_are_found_through_merges() {
        let fixture = Fixture::new();
        let first = fixture.commit(&[("a", "1")]);
        fixture.git(&["switch", "--quiet", "--create", "side"]);
        let side = fixture.commit(&[("b", "1")]);
        fixture.git(&["switch", "--quiet", "main"]);
        let main = fixture.commit(&[("a", "2")]);
        fixture.git(&["merge", "--quiet", "--message=merge", "side"]);
        let merge = fixture.git(&["rev-parse", "HEAD"]);
        fixture.git(&["switch", "--quiet", "--orphan", "unrelated"]);
        let unrelated = fixture.commit(&[("c", "1")]);
        fixture.push("main");
        fixture.push("unrelated");

        let is_ancestor = |ancestor: &str, of: &str| fixture.repository.is_ancestor(ancestor, of).unwrap();
        for ancestor in [&first, &side, &main] {
            assert!(is_ancestor(ancestor, &merge), "{ancestor}");
            assert!(!is_ancestor(&merge, ancestor), "{ancestor}");
        }
        assert!(!is_ancestor(&side, &main));
        assert!(!is_ancestor(&merge, &merge));
        assert!(!is_ancestor(&unrelated, &merge));
        assert!(!is_ancestor(&"0".repeat(40), &merge));
    }

    #[test]
    fn folders_and_files_are_found() {
        let fixture = Fixture::new();
        fixture.commit(&[("tools/one/tool.py", "print()"), ("tools/README", "read me")]);
        fixture.push("main");
        let commit = fixture.repository.branch_tip("main").unwrap().unwrap();
        let folder = |path: &str| fixture.repository.folder_tree(&commit, path).unwrap();
        let one = folder("tools/one").unwrap();
        assert_eq!(one.as_str(), fixture.git(&["rev-parse", "HEAD:tools/one"]));
        assert_eq!(folder("/tools//one/"), Some(one.clone()));
        assert_eq!(folder(".").unwrap().as_str(), fixture.git(&["rev-parse", "HEAD^{tree}"]));
        for path in ["tool", "tools/two", "tools/README", "tools/README/x", "..", "tools/.."] {
            assert_eq!(folder(path), None, "{path}");
        }

        let read = |path: &str, max_bytes| fixture.repository.read_file(&one, path, max_bytes);
        assert_eq!(read("tool.py", 7).unwrap().unwrap(), b"print()");
        assert_eq!(read("other.py", 7).unwrap(), None);
        assert_eq!(read("tool.py", 6).unwrap_err().to_string(), "`tool.py` has 7 bytes, at most 6 are allowed");
    }

    #[test]
    fn an_object_name_is_forty_digits() {
        assert!(CommitId::parse(&"0a".repeat(20)).is_ok());
        for text in ["", "HEAD", &"0A".repeat(20), &"0a".repeat(32)] {
            assert!(TreeId::parse(text).is_err(), "{text}");
        }
    }
}
