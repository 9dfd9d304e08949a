//! Publishing: a folder of a branch becomes a version that is usable the moment it is answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::app::App;
use crate::auth::{Caller, permission};
use crate::domain::builds::{self, Source};
use crate::domain::scaffold;
use crate::domain::scrub::scrub_refusal;
use crate::domain::steps::{Progress, Step, Steps};
use crate::error::{Error, Result};
use crate::failpoint::Place;
use crate::model::versions::Bump;
use crate::model::{EnvVarName, OrgId, Tool, ToolId, ToolVersion, Version, VersionId};

/// What is to be published.
#[derive(Debug, Clone)]
pub struct Publish {
    /// The project's folder within the repository.
    pub project_path: String,
    /// Which number is raised.
    pub bump: Bump,
    /// The branch whose tip is published.
    pub commit_branch: String,
}

/// A publish under way. It goes on to its end even where this is dropped, so that nothing stays half done.
pub struct Publishing {
    /// What it does, until it has ended.
    pub steps: UnboundedReceiver<Progress>,
    published: JoinHandle<Result<Version>>,
}

impl Publishing {
    /// Waits for its end.
    pub async fn ended(self) -> Result<Version> {
        self.published.await.context("failed to publish")?
    }
}

impl App {
    /// Begins to publish a version. `Error::Conflict` when another publish or delete of the tool runs.
    pub fn publish(self: &Arc<Self>, caller: &Caller, id: ToolId, request: Publish) -> Result<Publishing> {
        let tool = self.live_tool(caller, id, permission::MODIFY_TOOL)?;
        let claim = self.claims.take(id)?;
        let (steps, progress) = Steps::watched(&self.metrics.build_step);
        let (app, caller) = (Arc::clone(self), caller.clone());
        let publish = async move {
            let _claim = claim;
            let started = Instant::now();
            let published = app.publish_tool(&caller, &tool, &request, &steps).await;
            app.count_publish(tool.id, &published, started.elapsed());
            published
        };
        let published = tokio::spawn(publish.in_current_span());
        Ok(Publishing { steps: progress, published })
    }

    fn count_publish(&self, tool: ToolId, published: &Result<Version>, duration: Duration) {
        let outcome = if published.is_ok() { "succeeded" } else { "failed" };
        self.metrics.publishes.with_label_values(&[outcome]).inc();
        self.metrics.publish_duration.with_label_values(&[outcome]).observe(duration.as_secs_f64());
        if let Ok(version) = published {
            tracing::info!(tool.id = %tool, %version, duration_ms = duration.as_millis(), "Published a version");
        }
    }

    async fn publish_tool(
        self: &Arc<Self>,
        caller: &Caller,
        tool: &Tool,
        request: &Publish,
        steps: &Steps,
    ) -> Result<Version> {
        let org = &caller.org;
        let located = self.locate(org, &request.commit_branch, &request.project_path);
        let source = steps.take(Step::Locate, located).await?;
        let versions = self.store.list_versions(org, tool.id)?;
        let checked = self.check_publish(tool, &versions, &source, request.bump);
        let (version, (required_envvars, required_secret_envvars)) = steps.take(Step::Check, checked).await?;

        // Until a version names it, nothing else keeps a build.
        let _used = self.using_builds.read().await;
        let (build_key, build) = match self.build(org, &source, steps).await {
            Ok(built) => built,
            Err(error) => return Err(scrub_refusal(error, &self.open_variables(tool)?.secrets)),
        };
        let loaded = steps.take(Step::Compile, self.loaded_tool(&build.component_sha256)).await?;
        loaded.check_memory(&self.invoke_limits()).map_err(|problem| builds::refused(problem.into()))?;

        self.config.testing.stop_at.pass(Place::VersionReady);
        let now = Timestamp::now();
        let row = ToolVersion {
            id: VersionId::new(),
            org_id: org.clone(),
            created_at: now,
            updated_at: now,
            tool_id: tool.id,
            version,
            required_envvars,
            required_secret_envvars,
            input_schema: builds::input_schema(&build),
            tool_commit_hash: source.commit.to_string(),
            scaffold_hash: Some(scaffold::hash()?),
            tree_hash: source.tree.to_string(),
            project_directory: request.project_path.clone(),
            build_key,
            component_sha256: build.component_sha256,
            component_size_bytes: build.component_size_bytes,
            build_number: versions.len() as u64 + 1,
            creator: caller.user(),
            updated_by: caller.user(),
            deprecated: false,
        };
        steps.take(Step::Record, self.store.insert_version(org, &row)).await?;
        Ok(version)
    }

    /// What can be judged before anything is built: gives the number and the variables that the version requires.
    async fn check_publish(
        &self,
        tool: &Tool,
        versions: &[ToolVersion],
        source: &Source,
        bump: Bump,
    ) -> Result<(Version, Required)> {
        let version = next_version(versions.last(), bump)?;
        check_limit(versions, self.config.tool.max_active_versions)?;
        self.check_ancestry(&tool.org_id, source, versions.last()).await?;
        Ok((version, required_variables(source, tool)?))
    }

    /// A publish may not go back in history. The same commit may be published again.
    async fn check_ancestry(&self, org: &OrgId, source: &Source, last: Option<&ToolVersion>) -> Result<()> {
        let Some(last) = last else { return Ok(()) };
        let repository = self.repositories.repository(org);
        let (ours, theirs) = (source.commit.to_string(), last.tool_commit_hash.clone());
        let check = move || repository.is_ancestor(&ours, &theirs);
        let goes_back = tokio::task::spawn_blocking(check).await.context("failed to read the history")??;
        if goes_back {
            let (commit, version) = (&source.commit, last.version);
            let message =
                format!("commit {commit} is an ancestor of the one published as {version}: publish a newer commit");
            return Err(Error::BadRequest(message));
        }
        Ok(())
    }
}

fn next_version(last: Option<&ToolVersion>, bump: Bump) -> Result<Version> {
    match (last, bump) {
        (Some(last), bump) => Ok(last.version.bumped(bump)),
        (None, Bump::Major) => Ok(Version::FIRST),
        (None, _) => Err(Error::BadRequest("the first version of a tool is 1.0.0: publish it as `major`".to_owned())),
    }
}

fn check_limit(versions: &[ToolVersion], max_active: usize) -> Result<()> {
    let active = versions.iter().filter(|version| !version.deprecated).count();
    if max_active == 0 || active < max_active {
        return Ok(());
    }
    Err(Error::BadRequest(format!(
        "the tool has {active} versions that are not deprecated and this deployment allows {max_active}: deprecate \
         those that nobody invokes any more"
    )))
}

/// Variables, and secret ones.
type Required = (Vec<EnvVarName>, Vec<EnvVarName>);

/// The variables that the project requires, each of which the tool must have, as secret as the project says.
fn required_variables(source: &Source, tool: &Tool) -> Result<Required> {
    let parse = |names: &[String]| -> Result<Vec<EnvVarName>> {
        names.iter().map(|name| EnvVarName::parse(name).map_err(|error| Error::BadRequest(error.to_string()))).collect()
    };
    let required = (parse(&source.manifest.env)?, parse(&source.manifest.secrets)?);
    let mut problems = Vec::new();
    let kind = |is_secret: bool| if is_secret { "as a secret" } else { "not as a secret" };
    for (names, must_be_secret, list) in [(&required.0, false, "env"), (&required.1, true, "secrets")] {
        for name in names {
            let (message, remedy) = match tool.envvars.get(name) {
                None => (
                    format!("the project requires the variable {name} (`{list}`), and the tool does not have it"),
                    format!("insert it into the tool, {}", kind(must_be_secret)),
                ),
                Some(variable) if variable.is_secret != must_be_secret => (
                    format!(
                        "it names the variable {name} under `{list}`, and the tool has it {}",
                        kind(variable.is_secret)
                    ),
                    "make them agree: move it to the other list, or delete it from the tool and insert it anew"
                        .to_owned(),
                ),
                Some(_) => continue,
            };
            problems.push(source.manifest.variable_problem(name.as_str(), message, remedy).to_string());
        }
    }
    if problems.is_empty() { Ok(required) } else { Err(Error::BadRequest(problems.join("\n"))) }
}
