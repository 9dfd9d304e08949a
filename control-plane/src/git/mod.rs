//! The organizations' Git repositories, one bare repository each.
//!
//! [`serve`] speaks the wire protocol with the `git` program; [`read`] and [`export`] read objects with gix.
//! Browsing, which reads whatever was pushed, is bounded: [`reader`] bounds it, and [`revisions`], [`branches`],
//! [`commits`], [`directories`] and [`files`] are what can be asked for. [`pushes`] says which commits a push brought.

pub mod branches;
mod changes;
pub mod commits;
pub mod directories;
pub mod export;
pub mod files;
mod history;
mod last_commits;
mod paths;
pub mod push_commands;
pub mod pushes;
pub mod read;
pub mod reader;
pub mod revisions;
pub mod serve;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use export::ExportLimits;
pub use read::{CommitId, TreeId};
pub use reader::{ReadLimits, Reader};
pub use serve::{Answer, Service};

use crate::error::{Error, Result};
use crate::model::OrgId;

/// The oldest `git` that is served with: the first one that knows `core.fsync`.
const OLDEST_GIT: (u32, u32) = (2, 36);

/// The settings of every repository. `max_pack_bytes` is not among them: it is given with each command, so that a
/// changed configuration holds for repositories that exist already.
///
/// - `unpackLimit`: a push stays the one pack that it arrived as, so it costs three syncs and not one per object.
/// - `bigFileThreshold`: larger files are streamed and never held in memory to look for deltas.
/// - `gc`: nothing repacks beside a push, and commits that versions were published from stay readable for ever.
const CONFIG: &str = "\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tfsync = loose-object,pack,pack-metadata,reference
\tfsyncMethod = fsync
\thooksPath = /dev/null
\tbigFileThreshold = 16m
[transfer]
\tfsckObjects = true
[receive]
\tdenyNonFastForwards = false
\tdenyDeletes = false
\tadvertisePushOptions = true
\tunpackLimit = 1
\tautogc = false
[uploadpack]
\tallowFilter = true
\tallowReachableSHA1InWant = true
[gc]
\tauto = 0
";

/// What one repository may ask of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest pack that a push may send, in bytes as sent, that is compressed.
    pub max_pack_bytes: u64,
    /// The longest that one fetch or push may take, the transfer included. A command that takes longer is ended.
    pub command_timeout: Duration,
}

/// The folder of all repositories.
#[derive(Debug, Clone)]
pub struct Repositories {
    folder: PathBuf,
    program: PathBuf,
    limits: Limits,
}

/// One organization's repository: where it is, not that it exists.
#[derive(Debug, Clone)]
pub struct Repository {
    path: PathBuf,
    program: PathBuf,
    limits: Limits,
}

impl Repositories {
    /// Opens the folder, which is made if it does not exist, and finds the `git` program. Blocks.
    ///
    /// # Errors
    ///
    /// `git` is not installed or too old; the folder cannot be made.
    pub fn open(folder: PathBuf, limits: Limits) -> Result<Self> {
        let program = find_git()?;
        // The path goes to a program, so it must hold whatever the working directory is.
        let folder = fs_err::create_dir_all(&folder)
            .and_then(|()| fs_err::canonicalize(&folder))
            .map_err(|error| Error::internal(error, "open the folder of repositories"))?;
        Ok(Self { folder, program, limits })
    }

    /// Makes the organization's repository, durably, unless it exists. Blocks.
    pub fn create(&self, organization: &OrgId) -> Result<()> {
        let path = self.repository(organization).path;
        if path.exists() {
            return Ok(());
        }
        make_repository(&self.folder, &path).map_err(|error| Error::internal(error, "make a repository"))
    }

    /// The organization's repository.
    pub fn repository(&self, organization: &OrgId) -> Repository {
        let path = self.folder.join(format!("{organization}.git"));
        Repository { path, program: self.program.clone(), limits: self.limits }
    }
}

impl Repository {
    /// Makes durable where a push has put things: git syncs the content of its files and never the folders that
    /// name them, so a power cut could still take back the renaming of a branch that was confirmed.
    fn sync_names(&self) -> io::Result<()> {
        let mut folders = folders_below(&self.path.join("refs"))?;
        folders.extend([self.path.clone(), self.path.join("objects"), self.path.join("objects/pack")]);
        folders.iter().try_for_each(|folder| match sync_folder(folder) {
            // Git removes the folder of a deleted branch, perhaps another push's.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            synced => synced,
        })
    }

    /// Removes what a push leaves when it is killed: a lock, which would block its branch for ever, and the objects
    /// that were not accepted yet. No process lives longer than `command_timeout`, so what is older than twice that
    /// belongs to none.
    fn clear_remains(&self) -> io::Result<()> {
        let is_dead = |entry: &fs_err::DirEntry| -> io::Result<bool> {
            let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
            Ok(age > self.limits.command_timeout.saturating_mul(2))
        };
        for entry in fs_err::read_dir(self.path.join("objects"))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("tmp_objdir-") && is_dead(&entry)? {
                fs_err::remove_dir_all(entry.path())?;
            }
        }
        let mut with_locks = folders_below(&self.path.join("refs"))?;
        with_locks.push(self.path.clone());
        for folder in with_locks {
            for entry in fs_err::read_dir(folder)? {
                let entry = entry?;
                // Git allows no branch of this name.
                if entry.file_name().to_string_lossy().ends_with(".lock") && is_dead(&entry)? {
                    fs_err::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }
}

/// The program itself, beside which git keeps the programs that it starts: found once, so that no command needs the
/// `PATH` of this process.
fn find_git() -> Result<PathBuf> {
    let version = ask_git("--version")?;
    if parse_version(&version).is_none_or(|version| version < OLDEST_GIT) {
        let (major, minor) = OLDEST_GIT;
        return Err(Error::Unavailable(format!("`{version}` is too old: install Git {major}.{minor} or newer")));
    }
    Ok(Path::new(&ask_git("--exec-path")?).join("git"))
}

fn ask_git(argument: &str) -> Result<String> {
    let (major, minor) = OLDEST_GIT;
    let no_git = |why: String| {
        Error::Unavailable(format!("the program `git` does not run ({why}): install Git {major}.{minor} or newer"))
    };
    let output = std::process::Command::new("git").arg(argument).output().map_err(|error| no_git(error.to_string()))?;
    if !output.status.success() {
        return Err(no_git(output.status.to_string()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split('.').map(|number| number.parse::<u32>().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Written by hand and not by `git init`, whose templates, hash and reference format follow the installation.
fn make_repository(folder: &Path, path: &Path) -> io::Result<()> {
    // No organization's id begins with a dot.
    let temporary = tempfile::Builder::new().prefix(".new-").tempdir_in(folder)?;
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
fn folders_below(top: &Path) -> io::Result<Vec<PathBuf>> {
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

fn sync_folder(folder: &Path) -> io::Result<()> {
    fs_err::File::open(folder)?.sync_all()
}

/// A repository in a temporary folder and an author's working copy beside it.
#[cfg(test)]
pub(crate) mod fixture {
    use std::process::{Command, Stdio};

    use super::*;

    pub(crate) const LIMITS: Limits = Limits { max_pack_bytes: 64 << 20, command_timeout: Duration::from_secs(60) };

    pub(crate) struct Fixture {
        folder: tempfile::TempDir,
        pub(crate) repository: Repository,
    }

    impl Fixture {
        pub(crate) fn new() -> Self {
            Self::with_limits(LIMITS)
        }

        pub(crate) fn with_limits(limits: Limits) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let repositories = Repositories::open(folder.path().join("repositories"), limits).unwrap();
            let organization = OrgId::parse("acme").unwrap();
            repositories.create(&organization).unwrap();
            let fixture = Self { folder, repository: repositories.repository(&organization) };
            fs_err::create_dir(fixture.work()).unwrap();
            fixture.git(&["init", "--quiet", "--initial-branch=main"]);
            fixture
        }

        pub(crate) fn work(&self) -> PathBuf {
            self.folder.path().join("work")
        }

        /// Runs git in the working copy.
        pub(crate) fn git(&self, arguments: &[&str]) -> String {
            String::from_utf8(self.git_with_input(arguments, b"")).unwrap().trim().to_owned()
        }

        /// Runs git in the working copy with something on its standard input.
        pub(crate) fn git_with_input(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
            let mut child = Command::new("git")
                .args(arguments)
                .current_dir(self.work())
                .env("GIT_CONFIG_NOSYSTEM", "1")
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .envs(["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].map(|name| (name, "Ada")))
                .envs(["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].map(|name| (name, "ada@example.com")))
                .envs(["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"].map(|name| (name, "1700000000 +0000")))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(input).unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "git {arguments:?}");
            output.stdout
        }

        /// Commits files in the working copy, and gives the commit.
        pub(crate) fn commit(&self, files: &[(&str, &str)]) -> String {
            for (path, text) in files {
                let path = self.work().join(path);
                fs_err::create_dir_all(path.parent().unwrap()).unwrap();
                fs_err::write(path, text).unwrap();
            }
            self.git(&["add", "--all"]);
            self.git(&["commit", "--quiet", "--allow-empty", "--message=change"]);
            self.git(&["rev-parse", "HEAD"])
        }

        /// Pushes, over the file system.
        pub(crate) fn push(&self, refspec: &str) {
            self.git(&["push", "--quiet", self.repository.path.to_str().unwrap(), refspec]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::fixture::{Fixture, LIMITS};
    use super::*;

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

    #[test]
    fn what_a_killed_push_left_is_removed_once_it_is_old() {
        let fixture = Fixture::new();
        let path = |name: &str| fixture.repository.path.join(name);
        fs_err::write(path("refs/heads/old.lock"), "").unwrap();
        fs_err::write(path("refs/heads/new.lock"), "").unwrap();
        fs_err::create_dir(path("objects/tmp_objdir-incoming-old")).unwrap();
        for old in ["refs/heads/old.lock", "objects/tmp_objdir-incoming-old"] {
            let file = std::fs::File::open(path(old)).unwrap();
            file.set_modified(SystemTime::now() - 3 * LIMITS.command_timeout).unwrap();
        }
        fixture.repository.clear_remains().unwrap();
        assert!(!path("refs/heads/old.lock").exists());
        assert!(!path("objects/tmp_objdir-incoming-old").exists());
        assert!(path("refs/heads/new.lock").exists());
    }

    #[test]
    fn versions_of_git_are_understood() {
        assert_eq!(parse_version("git version 2.47.3"), Some((2, 47)));
        assert_eq!(parse_version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(parse_version("hub version 1"), None);
    }
}
