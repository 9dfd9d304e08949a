//! A tool author: a working copy, and the real `git`, with no settings but the ones given here.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::programs;

/// A working copy whose `origin` is a server's repository.
pub struct Author {
    folder: PathBuf,
}

impl Author {
    /// Makes an empty working copy of a repository.
    pub fn new(folder: &Path, remote: &str) -> Self {
        let author = Self { folder: folder.to_owned() };
        fs_err::create_dir_all(folder).unwrap();
        author.git(&["init", "--quiet", "--initial-branch=main"]);
        author.git(&["remote", "add", "origin", remote]);
        author
    }

    /// A working copy that was made before.
    pub fn existing(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Copies tool projects into the working copy, commits, and pushes to `main`. Answers the commit, which is a new
    /// one even when the files are the same as before.
    pub fn push(&self, projects: &[&str]) -> String {
        self.push_to("main", projects)
    }

    /// The same, from the branch that is checked out to one of the server's.
    pub fn push_to(&self, branch: &str, projects: &[&str]) -> String {
        for project in projects {
            copy_folder(&programs::tool(project), &self.folder.join(project));
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "change"]);
        self.git(&["push", "--quiet", "origin", &format!("HEAD:refs/heads/{branch}")]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// The working copy.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes commits from a stream as `git fast-import` reads it, which takes a second for thousands.
    pub fn import(&self, stream: &[u8]) {
        let file = self.folder.join(".git/stream");
        fs_err::write(&file, stream).unwrap();
        let stream = fs_err::File::open(&file).unwrap().into_file();
        let arguments = ["fast-import", "--quiet", "--force"];
        let output = command(&self.folder, &arguments).stdin(stream).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs git, which has to succeed, and answers what it printed, byte by byte.
    pub fn git_bytes(&self, arguments: &[&str]) -> Vec<u8> {
        let output = run(&self.folder, arguments);
        assert!(output.status.success(), "git {arguments:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Runs git, which has to succeed, and answers what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.folder, arguments)
    }

    /// Runs git, which has to fail, and answers what it complained about.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let output = run(&self.folder, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "git {arguments:?} succeeded:\n{stderr}");
        stderr
    }

    /// Writes a file of the working copy.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        fs_err::write(self.folder.join(path), content).unwrap();
    }

    /// Commits everything, and answers the commit, which is a new one even when nothing changed.
    pub fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "change"]);
        self.git(&["rev-parse", "HEAD"])
    }
}

/// Runs git in a folder, which has to succeed, and answers what it printed.
#[track_caller]
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "git {arguments:?} failed:\n{stderr}");
    stdout.trim().to_owned()
}

/// Runs git in a folder with something on its standard input; it has to succeed. Answers what it printed.
pub fn git_with_input(folder: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = command(folder, arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Beside it, or both could wait for the other.
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "git {arguments:?} failed");
    output.stdout
}

/// Runs git in a folder, and neither asks anybody anything nor reads the machine's configuration.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().expect("git is installed")
}

/// The same, not yet started.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut command = Command::new("git");
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", path)
        .env("HOME", folder)
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .envs(["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].map(|name| (name, "Ada")))
        .envs(["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].map(|name| (name, "ada@example.com")));
    command
}

/// Every file below a folder with its content, in the order of their names; hidden ones are left out.
pub fn files_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "__pycache__" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            let below = files_below(&entry.path());
            files.extend(below.into_iter().map(|(path, content)| (Path::new(&name).join(path), content)));
        } else {
            files.push((name.into(), fs_err::read(entry.path()).unwrap()));
        }
    }
    files.sort();
    files
}

fn copy_folder(from: &Path, to: &Path) {
    for (path, content) in files_below(from) {
        let target = to.join(path);
        fs_err::create_dir_all(target.parent().unwrap()).unwrap();
        fs_err::write(target, content).unwrap();
    }
}
