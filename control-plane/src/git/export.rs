//! A tree becomes a folder of plain files: what a build works on.

use std::io::Write;
use std::path::Path;

use gix::bstr::BStr;
use gix::objs::tree::EntryKind;

use super::Repository;
use super::read::{TreeId, blob_size_bytes, find_tree, object_id, read_blob};
use crate::error::{Error, Result};

/// The longest name that Linux file systems take.
const MAX_NAME_BYTES: usize = 255;

/// The longest path within a project; together with the folder that it goes into it stays well below `PATH_MAX`.
const MAX_PATH_BYTES: usize = 1024;

/// How large a project may be.
#[derive(Debug, Clone, Copy)]
pub struct ExportLimits {
    /// Files and folders together: a tree can hold folders without end in a few hundred bytes.
    pub max_files: u64,
    /// The sum of the files' sizes.
    pub max_bytes: u64,
}

impl Repository {
    /// Writes the files of a tree into a folder, which exists and is empty. Blocks.
    ///
    /// Nothing is executable, and nothing is written outside the folder.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] is for the author: it names the path and what to change. Some files may be written then.
    pub fn export(&self, tree: &TreeId, into: &Path, limits: ExportLimits) -> Result<()> {
        let repository = self.open_for_reading()?;
        let mut written = Written { limits, files: 0, bytes: 0 };
        // A list and no recursion, since an author chooses how deep folders go.
        let mut pending = vec![(object_id(tree.as_str())?, String::new())];
        while let Some((id, folder)) = pending.pop() {
            let tree = find_tree(&repository, id)?;
            for entry in tree.iter() {
                let entry = entry.map_err(|error| Error::internal(error, "read an entry of a folder"))?;
                let path = checked_path(&folder, entry.filename())?;
                written.count_file()?;
                match entry.kind() {
                    EntryKind::Tree => {
                        fs_err::create_dir(into.join(&path))
                            .map_err(|error| Error::internal(error, "make a folder of a project"))?;
                        pending.push((entry.object_id(), path));
                    }
                    EntryKind::Blob | EntryKind::BlobExecutable => {
                        written.count_bytes(blob_size_bytes(&repository, entry.object_id())?)?;
                        let content = read_blob(&repository, entry.object_id())?;
                        fs_err::File::create_new(into.join(&path))
                            .and_then(|mut file| file.write_all(&content))
                            .map_err(|error| Error::internal(error, "write a file of a project"))?;
                    }
                    EntryKind::Link => {
                        return refuse(format!(
                            "`{path}` is a symbolic link: replace it with a copy of what it points to"
                        ));
                    }
                    EntryKind::Commit => {
                        return refuse(format!(
                            "`{path}` is a Git submodule: replace it with a copy of the files, since a project is \
                             built from this repository alone"
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

/// What was written so far.
struct Written {
    limits: ExportLimits,
    files: u64,
    bytes: u64,
}

impl Written {
    fn count_file(&mut self) -> Result<()> {
        self.files += 1;
        if self.files <= self.limits.max_files {
            return Ok(());
        }
        refuse(format!(
            "the project has more than {} files and folders: keep out of the repository what the tool does not need, \
             such as virtual environments and caches",
            self.limits.max_files
        ))
    }

    fn count_bytes(&mut self, bytes: u64) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= self.limits.max_bytes {
            return Ok(());
        }
        refuse(format!(
            "the project's files have more than {} bytes: keep out of the repository what the tool does not need, \
             such as data and virtual environments",
            self.limits.max_bytes
        ))
    }
}

/// Git refuses most of these names when they are pushed (`transfer.fsckObjects`); a file system is not the place to
/// find out that it missed one.
fn checked_path(folder: &str, name: &BStr) -> Result<String> {
    let shown = if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") };
    let Ok(name) = std::str::from_utf8(name) else {
        return refuse(format!("the name of `{shown}` is not UTF-8: rename it"));
    };
    let is_special = matches!(name, "" | "." | "..") || name.eq_ignore_ascii_case(".git");
    if is_special || name.contains(['/', '\\', '\0']) {
        return refuse(format!("the name of `{}` is not allowed in a project: rename it", shown.escape_debug()));
    }
    if name.len() > MAX_NAME_BYTES || shown.len() > MAX_PATH_BYTES {
        return refuse(format!(
            "the path `{shown}` is too long: a name has at most {MAX_NAME_BYTES} bytes, a path {MAX_PATH_BYTES}"
        ));
    }
    Ok(shown)
}

fn refuse<T>(why: String) -> Result<T> {
    Err(Error::BadRequest(why))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    const LIMITS: ExportLimits = ExportLimits { max_files: 10, max_bytes: 1000 };

    /// Exports what the working copy's index holds, by way of a push.
    fn export(fixture: &Fixture, limits: ExportLimits) -> Result<tempfile::TempDir> {
        fixture.git(&["commit", "--quiet", "--allow-empty", "--message=change"]);
        fixture.push("main");
        let commit = fixture.repository.branch_tip("main")?.unwrap();
        export_tree(fixture, &fixture.repository.folder_tree(&commit, "")?.unwrap(), limits)
    }

    fn export_tree(fixture: &Fixture, tree: &TreeId, limits: ExportLimits) -> Result<tempfile::TempDir> {
        let folder = tempfile::tempdir().unwrap();
        fixture.repository.export(tree, folder.path(), limits)?;
        Ok(folder)
    }

    fn refusal(exported: Result<tempfile::TempDir>) -> String {
        match exported {
            Err(Error::BadRequest(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn files_are_written_as_they_are() {
        let fixture = Fixture::new();
        fixture.commit(&[("tool.py", "print()\r\n"), ("data/häuser.txt", "1")]);
        let folder = export(&fixture, LIMITS).unwrap();
        assert_eq!(fs_err::read(folder.path().join("tool.py")).unwrap(), b"print()\r\n");
        assert_eq!(fs_err::read(folder.path().join("data/häuser.txt")).unwrap(), b"1");
    }

    #[test]
    fn links_and_submodules_are_refused_by_name() {
        let fixture = Fixture::new();
        fixture.commit(&[("a/b", "1")]);
        let blob = fixture.git(&["rev-parse", "HEAD:a/b"]);
        fixture.git(&["update-index", "--add", "--cacheinfo", &format!("120000,{blob},a/link")]);
        assert!(refusal(export(&fixture, LIMITS)).starts_with("`a/link` is a symbolic link: replace it"));

        fixture.git(&["rm", "--quiet", "--cached", "a/link"]);
        let commit = fixture.git(&["rev-parse", "HEAD"]);
        fixture.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},vendor")]);
        assert!(refusal(export(&fixture, LIMITS)).starts_with("`vendor` is a Git submodule: replace it"));
    }

    #[test]
    fn limits_hold_and_are_named() {
        let fixture = Fixture::new();
        fixture.commit(&[("a/b/c", "12345"), ("d", "12345")]);
        assert!(export(&fixture, ExportLimits { max_files: 4, max_bytes: 10 }).is_ok());
        assert!(refusal(export(&fixture, ExportLimits { max_files: 3, ..LIMITS })).contains("more than 3 files"));
        assert!(refusal(export(&fixture, ExportLimits { max_bytes: 9, ..LIMITS })).contains("more than 9 bytes"));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let fixture = Fixture::new();
        let repository = fixture.repository.path.to_str().unwrap();
        let hash = |kind: &str, content: &[u8]| {
            let arguments = ["--git-dir", repository, "hash-object", "-w", "--literally", "-t", kind, "--stdin"];
            String::from_utf8(fixture.git_with_input(&arguments, content)).unwrap().trim().to_owned()
        };
        let blob = hex::decode(hash("blob", b"1")).unwrap();
        let names: [&[u8]; 8] = [b"..", b".", b".git", b".GIT", b"a\\b", b"/etc", b"\xff", &[b'a'; 256]];
        for name in names {
            let mut content = b"100644 ".to_vec();
            content.extend_from_slice(name);
            content.push(0);
            content.extend_from_slice(&blob);
            let tree = hash("tree", &content);
            let why = refusal(export_tree(&fixture, &TreeId::parse(&tree).unwrap(), LIMITS));
            assert!(why.contains("the name of") || why.contains("too long"), "{why}");
        }
    }
}
