//! Making a repository, and making names durable.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What stands in every repository. All other settings are given with each command (`program::SETTINGS`).
const CONFIG: &str = "\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
";

/// What a repository is called while it is made. No organization's id begins with a dot.
pub(super) const UNFINISHED: &str = ".new-";

/// Written by hand and not by `git init`, whose templates, hash and reference format follow the installation.
pub(super) fn make_repository(folder: &Path, path: &Path) -> io::Result<()> {
    let temporary = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(folder)?;
    let new = temporary.path().join("repository");
    for name in ["objects/info", "objects/pack", "refs/heads", "refs/tags"] {
        fs_err::create_dir_all(new.join(name))?;
    }
    for (name, text) in [("HEAD", "ref: refs/heads/main\n"), ("config", CONFIG)] {
        let mut file = fs_err::File::create_new(new.join(name))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    for made in folders_below(&new)? {
        sync_folder(&made)?;
    }
    match fs_err::rename(&new, path) {
        // Another request was first; its repository is as good.
        Err(_) if path.exists() => {}
        renamed => renamed?,
    }
    sync_folder(folder)
}

/// The folder and all below it.
pub(super) fn folders_below(top: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![top.to_owned()];
    let mut next = 0;
    while let Some(folder) = found.get(next).cloned() {
        next += 1;
        let entries = match fs_err::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

/// Makes the names in a folder durable. One that is gone has none: Git removes the folder of a deleted branch.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    match fs_err::File::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        opened => opened?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Repositories;
    use super::super::fixture::{Fixture, LIMITS};
    use crate::model::OrgId;

    #[test]
    fn a_repository_is_made_once() {
        let fixture = Fixture::new();
        fixture.commit(&[("a", "1")]);
        fixture.push("main");
        let folder = fixture.repository.path.parent().unwrap();
        let repositories = Repositories::open(folder.to_owned(), LIMITS).unwrap();
        repositories.create(&OrgId::parse("acme").unwrap()).unwrap();
        assert!(fixture.repository.path.join("refs/heads/main").exists());
        assert_eq!(fs_err::read_dir(folder).unwrap().count(), 1);
    }
}
