//! A repository in a temporary folder and an author's working copy beside it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures::TryStreamExt;

use super::*;

pub(crate) const LIMITS: Limits = Limits {
    max_pack_bytes: 64 << 20,
    command_timeout: Duration::from_secs(60),
    stall_timeout: Duration::from_secs(60),
    concurrent: 8,
    concurrent_per_organization: 8,
    memory_bytes: 512 << 20,
    max_commands: 100,
    max_refs: 100,
    max_fetch_request_bytes: 1 << 20,
    maintenance_packs: 4,
    maintenance_timeout: Duration::from_secs(60),
    prune_after_h: 24,
    prune_every: Duration::from_secs(3600),
};

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
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.work())
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

/// All of an answer.
pub(crate) async fn text(answer: Answer) -> String {
    let chunks: Vec<bytes::Bytes> = answer.try_collect().await.unwrap();
    String::from_utf8_lossy(&chunks.concat()).into_owned()
}
