//! A tool author's working copy, and the `git` program.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use control_plane::vault::SecretString;
use tokio::process::Command;

use super::client::Client;

/// A repository on this machine whose remote is the organization's.
pub struct WorkingCopy {
    folder: PathBuf,
    home: PathBuf,
    remote: String,
    header: SecretString,
}

impl WorkingCopy {
    /// Makes one within a folder, where nothing of this machine's own Git configuration applies.
    pub async fn init(within: &Path, client: &Client) -> anyhow::Result<Self> {
        let (folder, home) = (within.join("tools"), within.join("home"));
        fs_err::create_dir_all(&folder)?;
        fs_err::create_dir_all(&home)?;
        let credentials = STANDARD.encode(client.git_credentials().expose());
        let header = format!("Authorization: Basic {credentials}").into();
        let copy = Self { folder, home, remote: client.remote(), header };
        copy.git(&["init", "--quiet", "--initial-branch=main"]).await?;
        Ok(copy)
    }

    /// Copies the starter project into a folder of the copy, and declares the variables that it requires.
    /// Answers how many files it has.
    pub fn add_starter_project(&self, path: &str, env: &str, secret: &str) -> anyhow::Result<usize> {
        let files = sdk::scaffold::files();
        let project = self.folder.join(path);
        fs_err::create_dir(&project)?;
        files.extract(&project).context("failed to unpack the starter project")?;
        let manifest = project.join("pyproject.toml");
        let mut text = fs_err::read_to_string(&manifest)?;
        for (key, name) in [("env", env), ("secrets", secret)] {
            let empty = format!("\n{key} = []");
            ensure!(text.contains(&empty), "the starter project's manifest has no line `{key} = []`");
            text = text.replace(&empty, &format!("\n{key} = [\"{name}\"]"));
        }
        fs_err::write(&manifest, text)?;
        Ok(count_files(files))
    }

    /// Commits what is there, even if nothing changed, and pushes it to `main`.
    pub async fn push(&self, message: &str) -> anyhow::Result<()> {
        self.git(&["add", "--all"]).await?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]).await?;
        self.git(&["push", "--quiet", &self.remote, "main"]).await
    }

    async fn git(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new("git");
        command
            .args(["-c", "user.name=Demo", "-c", "user.email=demo@localhost"])
            .args(arguments)
            .current_dir(&self.folder)
            // Variables such as GIT_DIR, which a Git hook sets, would lead it elsewhere.
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            // Not on the command line, which every user of the machine can read.
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "http.extraHeader")
            .env("GIT_CONFIG_VALUE_0", self.header.expose())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = command.output().await.context("the program `git` could not be started; is it installed?")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`git {}` ended with {}: {complaint}", arguments.join(" "), output.status);
        Ok(())
    }
}

fn count_files(folder: &include_dir::Dir<'_>) -> usize {
    folder.files().count() + folder.dirs().map(count_files).sum::<usize>()
}
