//! Keeping packs few: every push leaves one, and reading slows down with each.

use std::io;
use std::time::SystemTime;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::Repository;
use super::create::{folders_below, sync_folder};
use super::process::{Process, complaint};
use crate::error::{Error, Result};

/// Where commits are kept that versions were published from, while nothing else may refer to them. Clients do not see it.
const KEPT: &str = "refs/toolplane/published";

/// Its time of change says when unreachable objects were last looked for.
const STAMP: &str = "toolplane-pruned";

/// What came of maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maintained {
    /// There was nothing to do, or another is at it.
    NotNeeded,
    /// Packs were combined.
    Combined,
    /// Packs were combined, and old objects removed that nothing refers to.
    Pruned,
}

impl Repository {
    /// Combines packs where many have piled up, and now and then removes old objects that nothing refers to.
    ///
    /// `published` gives the commits that stay whatever happens to branches; it may block. Fetches go on meanwhile: git
    /// keeps open what it reads. Pushes wait while objects are removed.
    ///
    /// # Errors
    ///
    /// Git failed, took too long, or was ended because the server stops. The repository is whole in each case.
    pub async fn maintain(
        &self,
        published: impl FnOnce() -> Result<Vec<String>> + Send + 'static,
    ) -> Result<Maintained> {
        let Some(_turn) = self.lane.may_maintain().await else { return Ok(Maintained::NotNeeded) };
        let repository = self.clone();
        let looked = blocking(move || Ok((repository.has_many_packs()?, repository.is_time_to_prune()))).await?;
        let (true, is_time_to_prune) = looked else { return Ok(Maintained::NotNeeded) };
        // No push may rely on an object that is about to go; where one runs, pruning comes another time.
        let done = match is_time_to_prune.then(|| self.lane.may_prune()).flatten() {
            Some(_no_push) => {
                let repository = self.clone();
                let keep = tokio::task::spawn_blocking(move || repository.known(published()?));
                let keep = keep.await.map_err(|error| Error::internal(error, "find what to keep"))??;
                self.prune(&keep).await?;
                Maintained::Pruned
            }
            None => {
                self.run(&["pack-refs", "--all"], String::new()).await?;
                self.run(&["repack", "-d", "-q", "--geometric=2", "--write-midx"], String::new()).await?;
                Maintained::Combined
            }
        };
        let repository = self.clone();
        blocking(move || repository.sync_all_names()).await?;
        Ok(done)
    }

    async fn prune(&self, keep: &[String]) -> Result<()> {
        let kept = |verb: &str| keep.iter().map(|id| format!("{verb} {KEPT}/{id} {id}\n")).collect();
        let age = match self.limits.prune_after_h {
            0 => "now".to_owned(),
            hours => format!("{hours}.hours.ago"),
        };
        self.run(&["update-ref", "--stdin"], kept("update")).await?;
        self.run(&["pack-refs", "--all"], String::new()).await?;
        self.run(&["repack", "-d", "-q", "--cruft", &format!("--cruft-expiration={age}")], String::new()).await?;
        // Objects outside of packs, which no push leaves, but another program may have.
        self.run(&["prune", &format!("--expire={age}")], String::new()).await?;
        self.run(&["update-ref", "--stdin"], kept("delete")).await?;
        let stamp = self.path.join(STAMP);
        blocking(move || fs_err::write(stamp, "")).await
    }

    /// Runs one step to its end, or ends it when it takes too long or the server stops.
    async fn run(&self, arguments: &[&str], input: String) -> Result<()> {
        let mut command = self.program.command(&self.path, &[]);
        command.args(arguments);
        let (mut process, pipes) = Process::start(&mut command, self.limits.memory_bytes, None)?;
        let (mut stdin, mut stdout) = (pipes.stdin, pipes.stdout);
        let ended = {
            let fed = async move { stdin.write_all(input.as_bytes()).await };
            let mut sink = tokio::io::sink();
            let heard = tokio::io::copy(&mut stdout, &mut sink);
            let work = async { tokio::try_join!(process.wait(), complaint(pipes.stderr), fed, heard) };
            tokio::select! {
                ended = timeout(self.limits.maintenance_timeout, work) => ended.ok(),
                () = self.lane.stopped() => None,
            }
        };
        let Some(ended) = ended else {
            process.end().await;
            return Err(Error::Unavailable(format!("`git {}` took too long, or the server stops", arguments[0])));
        };
        let (status, complaint, (), _) = ended.map_err(|error| Error::internal(error, "maintain a repository"))?;
        if status.success() {
            return Ok(());
        }
        let error = anyhow::anyhow!("`git {}` ended with {status}: {complaint}", arguments[0]);
        Err(Error::internal(error, "maintain a repository"))
    }

    fn has_many_packs(&self) -> io::Result<bool> {
        let mut packs = 0;
        for entry in fs_err::read_dir(self.path.join("objects/pack"))? {
            packs += usize::from(entry?.path().extension().is_some_and(|extension| extension == "pack"));
        }
        Ok(packs >= self.limits.maintenance_packs)
    }

    fn is_time_to_prune(&self) -> bool {
        let modified = fs_err::metadata(self.path.join(STAMP)).and_then(|stamp| stamp.modified());
        // None has been yet, or a clock went back: both are a reason.
        let age = modified.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        age.is_none_or(|age| age >= self.limits.prune_every)
    }

    /// The commits among these that the repository has. Blocks.
    pub(super) fn known(&self, mut commits: Vec<String>) -> Result<Vec<String>> {
        commits.sort();
        commits.dedup();
        let repository = self.open_for_reading()?;
        let has = |id: &String| gix::ObjectId::from_hex(id.as_bytes()).is_ok_and(|id| repository.has_object(id));
        Ok(commits.into_iter().filter(has).collect())
    }

    fn sync_all_names(&self) -> io::Result<()> {
        let folders = folders_below(&self.path.join("refs"))?;
        let others = ["objects/pack", "objects/info", "objects", ""].map(|name| self.path.join(name));
        folders.iter().chain(&others).try_for_each(|folder| sync_folder(folder))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
    done.map_err(|error| Error::internal(error, "maintain a repository"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Limits;
    use super::super::fixture::{Fixture, LIMITS};
    use super::*;

    fn packs(fixture: &Fixture) -> usize {
        let entries = fs_err::read_dir(fixture.repository.path.join("objects/pack")).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "pack")).count()
    }

    fn pushed(fixture: &Fixture, count: usize) -> Vec<String> {
        // As over HTTP: each push leaves a pack.
        let path = fixture.repository.path.to_str().unwrap();
        fixture.git(&["--git-dir", path, "config", "receive.unpackLimit", "1"]);
        (0..count)
            .map(|number| {
                let commit = fixture.commit(&[("a", &number.to_string())]);
                fixture.push("main");
                commit
            })
            .collect()
    }

    fn has(fixture: &Fixture, commit: &str) -> bool {
        fixture.repository.known(vec![commit.to_owned()]).unwrap().len() == 1
    }

    #[tokio::test]
    async fn packs_are_combined_once_there_are_many() {
        let limits = Limits { prune_every: Duration::MAX, ..LIMITS };
        let fixture = Fixture::with_limits(limits);
        fs_err::write(fixture.repository.path.join(STAMP), "").unwrap();
        pushed(&fixture, 3);
        assert_eq!(fixture.repository.maintain(|| Ok(Vec::new())).await.unwrap(), Maintained::NotNeeded);
        let commits = pushed(&fixture, 3);
        assert_eq!(fixture.repository.maintain(|| Ok(Vec::new())).await.unwrap(), Maintained::Combined);
        assert!(packs(&fixture) < limits.maintenance_packs);
        let tip = fixture.repository.branch_tip("main").unwrap().unwrap();
        assert_eq!(tip.as_str(), commits[2]);
        assert!(fixture.repository.is_ancestor(&commits[0], &commits[2]).unwrap());
    }

    #[tokio::test]
    async fn what_nothing_refers_to_is_removed_and_what_was_published_is_not() {
        let fixture = Fixture::with_limits(Limits { prune_after_h: 0, ..LIMITS });
        let commits = pushed(&fixture, 4);
        fixture.git(&["reset", "--quiet", "--hard", &commits[0]]);
        fixture.push("+main");
        let keep = vec![commits[1].clone(), "0".repeat(40)];
        assert_eq!(fixture.repository.maintain(|| Ok(keep)).await.unwrap(), Maintained::Pruned);
        assert!(has(&fixture, &commits[0]) && has(&fixture, &commits[1]));
        assert!(!has(&fixture, &commits[2]) && !has(&fixture, &commits[3]));
        assert!(!fixture.repository.path.join(KEPT).exists() || packs(&fixture) == 1);
    }

    #[tokio::test]
    async fn young_objects_stay() {
        let fixture = Fixture::new();
        let commits = pushed(&fixture, 4);
        fixture.git(&["reset", "--quiet", "--hard", &commits[0]]);
        fixture.push("+main");
        assert_eq!(fixture.repository.maintain(|| Ok(Vec::new())).await.unwrap(), Maintained::Pruned);
        assert!(has(&fixture, &commits[3]));
    }
}
