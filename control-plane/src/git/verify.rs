//! A look at a whole repository.

use super::Repository;
use crate::error::{Error, Result};

/// How many lines of what git found are told.
const TOLD_LINES: usize = 100;

impl Repository {
    /// Whether there is one.
    pub fn exists(&self) -> bool {
        self.path.is_dir()
    }

    /// Has git read every object and follow every reference, and looks for commits that have to be there. Answers what
    /// is wrong. Nobody else may use the repository.
    ///
    /// # Errors
    ///
    /// Git does not run.
    pub async fn verify(&self, commits: Vec<String>) -> Result<Vec<String>> {
        let mut command = self.program.command(&self.path, &[]);
        command.args(["fsck", "--full", "--no-dangling", "--no-progress"]).stdin(std::process::Stdio::null());
        let output = command.output().await.map_err(|error| Error::internal(error, "look at a repository"))?;
        let mut wrong = Vec::new();
        if !output.status.success() {
            let said = [output.stderr, output.stdout].concat();
            wrong.extend(String::from_utf8_lossy(&said).lines().take(TOLD_LINES).map(ToOwned::to_owned));
            wrong.push(format!("`git fsck` ended with {}", output.status));
        }
        let repository = self.clone();
        let missing = tokio::task::spawn_blocking(move || repository.missing(commits));
        let missing = missing.await.map_err(|error| Error::internal(error, "look for published commits"))??;
        wrong.extend(missing.iter().map(|id| format!("commit {id}, which a version was published from, is not there")));
        Ok(wrong)
    }

    /// The commits among these that the repository does not have. Blocks.
    fn missing(&self, commits: Vec<String>) -> Result<Vec<String>> {
        let known = self.known(commits.clone())?;
        Ok(commits.into_iter().filter(|id| !known.contains(id)).collect())
    }
}
