//! A commit's project becomes a component. Equal inputs are built once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use sdk::base;
use sdk::dependencies::lock::{LOCK_BYTES, Origin};
use sdk::dependencies::{self, LOCK, Lock, resolve};
use sdk::libraries::Libraries;
use sdk::project::{MANIFEST, Manifest, Project};
use sdk::sandbox::Limits;
use sdk::snapshot::Import;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::domain::admission::Party;
use crate::domain::steps::{Step, Steps};
use crate::error::{Error, Result};
use crate::failpoint::Place;
use crate::git::{CommitId, ExportLimits, Repository, TreeId};
use crate::model::OrgId;
use crate::store::Build;

/// The largest manifest, in bytes, the same that the local program reads.
const MANIFEST_BYTES: u64 = 256 << 10;

/// The steps that a known build saves.
const BUILDING: [Step; 7] =
    [Step::Queue, Step::Prepare, Step::Export, Step::Resolve, Step::Install, Step::Import, Step::Store];

/// What a publish is made of: a folder of a commit.
#[derive(Debug, Clone)]
pub struct Source {
    /// The tip of the branch.
    pub commit: CommitId,
    /// The tree of the project's folder in it.
    pub tree: TreeId,
    /// What the project's manifest says.
    pub manifest: Manifest,
    /// The project's own lock, or an empty one where it has no dependencies.
    pub lock: Option<Lock>,
}

impl App {
    /// Finds a project in an organization's repository and reads its manifest.
    pub(crate) async fn locate(&self, org: &OrgId, branch: &str, folder: &str) -> Result<Source> {
        let repository = self.repositories.repository(org);
        let (branch, folder) = (branch.to_owned(), folder.to_owned());
        let locate = move || locate(&repository, &branch, &folder);
        tokio::task::spawn_blocking(locate).await.context("failed to read the repository")?
    }

    /// Builds a source, or finds what was built of the same inputs before. Answers the build's key, too.
    pub(crate) async fn build(
        self: &Arc<Self>,
        org: &OrgId,
        source: &Source,
        steps: &Steps,
    ) -> Result<(String, Build)> {
        let known = self.find_build(org, source)?;
        let outcome = if known.is_some() { "hit" } else { "miss" };
        self.metrics.build_cache.with_label_values(&[outcome]).inc();
        if let Some(found) = known {
            steps.skip(&BUILDING);
            return Ok(found);
        }
        self.store.check_writable()?;
        let turn = async {
            let party = Party { org: org.clone(), tool: Arc::from(""), memory_bytes: 0 };
            let mut tickets = self.builds.admit(&party, 1)?;
            for ticket in &mut tickets {
                ticket.turn().await;
            }
            Ok(tickets)
        };
        let _turn = steps.take(Step::Queue, turn).await?;
        // Whoever had the turn before may have built the same.
        if let Some(found) = self.find_build(org, source)? {
            steps.skip(&BUILDING[1..]);
            return Ok(found);
        }
        let tree = source.tree.clone();
        let (app, org_id, source, steps) = (Arc::clone(self), org.clone(), source.clone(), steps.clone());
        let built = tokio::task::spawn_blocking(move || app.build_blocking(&org_id, &source, &steps));
        let Built { key, lock, build } = built.await.context("failed to build the tool")??;
        // Kept first: with it alone the same tree installs the same packages at the next attempt.
        if lock.origin == Origin::Resolved && !lock.text.is_empty() {
            self.store.put_lock(org, tree.as_str(), &lock.text).await?;
        }
        self.store.put_build(org, &key, &build).await?;
        self.config.testing.stop_at.pass(Place::BuildKept);
        Ok((key, build))
    }

    /// Removes builds that were made long ago and never published. While one is made or used, it is put off.
    pub async fn collect_builds(&self) {
        let (Ok(_alone), Ok(_no_copy)) = (self.using_builds.try_write(), self.removing.try_lock()) else { return };
        let age =
            SignedDuration::from_hours(i64::try_from(self.config.build.keep_unpublished_h).unwrap_or(i64::MAX / 3600));
        let Ok(made_before) = Timestamp::now().checked_sub(age) else { return };
        match self.store.collect_builds(made_before).await {
            Ok(0) => {}
            Ok(builds) => tracing::info!(builds, "Removed builds that were never published"),
            Err(error) => {
                tracing::warn!(%error, "Could not remove builds that were never published; the next sweep tries")
            }
        }
    }

    /// What was built of the same inputs before, and its key. A source without a known lock has never been built.
    fn find_build(&self, org: &OrgId, source: &Source) -> Result<Option<(String, Build)>> {
        let Some(lock) = self.known_lock(org, source)? else { return Ok(None) };
        let key = build_key(source, &lock);
        Ok(self.store.get_build(org, &key)?.map(|build| (key, build)))
    }

    /// What a tree's packages are locked to: its own lock, or the one that was made when it was first built.
    fn known_lock(&self, org: &OrgId, source: &Source) -> Result<Option<Lock>> {
        if source.lock.is_some() {
            return Ok(source.lock.clone());
        }
        let kept = self.store.get_lock(org, source.tree.as_str())?;
        Ok(kept.map(|text| Lock { text, origin: Origin::Resolved }))
    }

    fn build_blocking(&self, org: &OrgId, source: &Source, steps: &Steps) -> Result<Built> {
        let settings = &self.config.build;
        steps.take_blocking(Step::Prepare, || Ok(self.prepare_building()?))?;
        let stage = tempfile::tempdir_in(stages(&self.config.data));
        let stage = stage.map_err(|error| Error::internal(error, "make a folder"))?;
        let limits = ExportLimits { max_files: settings.max_files, max_bytes: settings.max_project_mib << 20 };
        let repository = self.repositories.repository(org);
        steps.take_blocking(Step::Export, || repository.export(&source.tree, stage.path(), limits))?;
        self.config.testing.stop_at.pass(Place::ProjectExported);
        let project = Project { folder: stage.path().to_owned(), manifest: source.manifest.clone() };
        let (packages, cache) = (self.config.packages.settings(&self.config.cache), &self.config.cache);
        let lock = steps.take_blocking(Step::Resolve, || match self.known_lock(org, source)? {
            Some(lock) => Ok(lock),
            None => resolve::resolve(&project, &packages, cache).map_err(refused),
        })?;
        let install = || dependencies::install(&project, &lock, &packages, cache).map_err(refused);
        let installed = steps.take_blocking(Step::Install, install)?;
        let limits = Limits {
            wall_clock: Duration::from_secs(settings.wall_clock_s),
            memory_bytes: settings.memory_mib << 20,
            tmp_bytes: settings.tmp_mib << 20,
            tmp_files: settings.tmp_files,
            ..Limits::for_build()
        };
        let snapshotter = self.snapshotters.of(installed.base()).map_err(refused)?;
        // On this thread, which may wait: the import itself is the worker's.
        let executor = tokio::runtime::Handle::current();
        let import = |import: &Import| executor.block_on(self.worker.import(&installed.base().key, import));
        let import = || snapshotter.build_by(&project, &installed, &limits, import).map_err(refused);
        let artifact = steps.take_blocking(Step::Import, import)?;
        self.config.testing.stop_at.pass(Place::ToolImported);
        check_size(artifact.bytes.len(), settings.max_component_mib)?;
        let component_sha256 = steps.take_blocking(Step::Store, || self.store.blobs().put(&artifact.bytes))?;
        self.config.testing.stop_at.pass(Place::ComponentKept);
        let description = serde_json::to_value(&artifact.label.description).context("failed to write a description")?;
        let component_size_bytes = artifact.bytes.len() as u64;
        let build = Build { component_sha256, component_size_bytes, description, built_at: Timestamp::now() };
        Ok(Built { key: build_key(source, &lock), lock, build })
    }
}

fn check_size(bytes: usize, max_component_mib: u64) -> Result<()> {
    if bytes as u64 <= max_component_mib << 20 {
        return Ok(());
    }
    let message = format!(
        "the built tool has {} MiB, and may have {max_component_mib}: import less, hold less in the module's variables, \
         or depend on less (`build.max_component_mib`)",
        (bytes as u64).div_ceil(1 << 20)
    );
    Err(Error::BadRequest(format!("the build failed:\n{message}")))
}

/// What a build gave, and what it was made of.
struct Built {
    key: String,
    lock: Lock,
    build: Build,
}

/// The hash of all that goes into a build.
fn build_key(source: &Source, lock: &Lock) -> String {
    let mut hash = Sha256::new();
    // The lock names the wheels, and so the native libraries of the base that it is built on.
    hash.update(base::key(&Libraries::none()));
    hash.update(source.tree.as_str());
    hash.update(lock.sha256());
    hex::encode(hash.finalize())
}

/// Removes what builds of a killed process left. No build may run.
pub(crate) fn clear_stages(data: &Path) -> std::io::Result<()> {
    let stages = stages(data);
    match fs_err::remove_dir_all(&stages) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => fs_err::create_dir_all(&stages),
    }
}

/// Where builds put projects for as long as they take: in the data folder, which belongs to one process, so that the
/// next one knows that what is there is nobody's.
fn stages(data: &Path) -> PathBuf {
    data.join("stages")
}

/// The input schema that a build describes.
pub(crate) fn input_schema(build: &Build) -> Value {
    build.description.get("input_schema").cloned().unwrap_or_default()
}

/// What a build refuses is for the author to mend; everything else is our fault.
pub(crate) fn refused(error: sdk::Error) -> Error {
    match error {
        sdk::Error::Refused(_) => Error::BadRequest(format!("the build failed:\n{error}")),
        sdk::Error::Internal { .. } => Error::internal(error, "build the tool"),
    }
}

fn locate(repository: &Repository, branch: &str, folder: &str) -> Result<Source> {
    let commit = repository
        .branch_tip(branch)?
        .ok_or_else(|| Error::NotFound(format!("branch `{branch}` does not exist: push it first")))?;
    let tree = repository.folder_tree(&commit, folder)?.ok_or_else(|| {
        Error::NotFound(format!("folder `{folder}` does not exist on branch `{branch}` (commit {commit})"))
    })?;
    let manifest = repository.read_file(&tree, MANIFEST, MANIFEST_BYTES)?;
    let Some(manifest) = manifest else {
        let message = format!(
            "the build failed:\n{MANIFEST}: there is none in folder `{folder}`\n  to do: add one, with `[project] name` and `[tool.toolplane] entry-point`"
        );
        return Err(Error::BadRequest(message));
    };
    let text = String::from_utf8(manifest).map_err(|_| {
        Error::BadRequest(format!("the build failed:\n{MANIFEST}: it is not UTF-8\n  to do: save it as UTF-8"))
    })?;
    let manifest = Manifest::parse(&text).map_err(refused)?;
    let lock = match repository.read_file(&tree, LOCK, LOCK_BYTES)? {
        Some(lock) => {
            let text = String::from_utf8(lock).map_err(|_| {
                let message = "it is not UTF-8\n  to do: write it with `runtime lock`";
                Error::BadRequest(format!("the build failed:\n{LOCK}: {message}"))
            })?;
            Some(Lock { text, origin: Origin::Project })
        }
        None => manifest.dependencies.is_empty().then(Lock::empty),
    };
    Ok(Source { commit, tree, manifest, lock })
}
