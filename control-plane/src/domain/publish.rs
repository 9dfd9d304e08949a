//! Publishing: a folder of a branch becomes a version that is usable the moment it is answered.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use jiff::Timestamp;

use crate::app::App;
use crate::auth::{Caller, permission};
use crate::domain::builds::{self, Source};
use crate::error::{Error, Result};
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

impl App {
    /// Publishes a version. It goes on to its end even where the caller has gone, so that nothing stays half done.
    pub async fn publish(self: &Arc<Self>, caller: &Caller, id: ToolId, request: Publish) -> Result<Version> {
        let tool = self.live_tool(caller, id, permission::MODIFY_TOOL)?;
        let started = Instant::now();
        let (app, caller) = (Arc::clone(self), caller.clone());
        let published = tokio::spawn(async move { app.publish_tool(&caller, &tool, &request).await });
        let published = published.await.context("failed to publish")?;
        let outcome = if published.is_ok() { "succeeded" } else { "failed" };
        self.metrics.publishes.with_label_values(&[outcome]).inc();
        let duration = started.elapsed();
        self.metrics.publish_duration.with_label_values(&[outcome]).observe(duration.as_secs_f64());
        if let Ok(version) = &published {
            tracing::info!(tool.id = %id, %version, duration_ms = duration.as_millis(), "Published a version");
        }
        published
    }

    async fn publish_tool(self: &Arc<Self>, caller: &Caller, tool: &Tool, request: &Publish) -> Result<Version> {
        let org = &caller.org;
        let _claim = self.claims.take(tool.id)?;
        let source = self.locate(org, &request.commit_branch, &request.project_path).await?;
        let versions = self.store.list_versions(org, tool.id)?;
        let version = next_version(versions.last(), request.bump)?;
        self.check_ancestry(org, &source, versions.last()).await?;
        let (required_envvars, required_secret_envvars) = required_variables(&source, tool)?;

        let (build_key, build) = self.build(org, &source).await?;
        self.loaded_tool(&build.component_sha256).await?;

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
        self.store.insert_version(org, &row).await?;
        Ok(version)
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

/// The variables that the project requires, each of which the tool must have, as secret as the project says.
fn required_variables(source: &Source, tool: &Tool) -> Result<(Vec<EnvVarName>, Vec<EnvVarName>)> {
    let parse = |names: &[String]| -> Result<Vec<EnvVarName>> {
        names.iter().map(|name| EnvVarName::parse(name).map_err(|error| Error::BadRequest(error.to_string()))).collect()
    };
    let required = (parse(&source.manifest.env)?, parse(&source.manifest.secrets)?);
    let mut problems = Vec::new();
    for (names, must_be_secret, list) in [(&required.0, false, "env"), (&required.1, true, "secrets")] {
        for name in names {
            match tool.envvars.get(name) {
                None => problems.push(format!(
                    "pyproject.toml requires the variable {name} (`{list}`), and the tool does not have it: insert it, {}",
                    if must_be_secret { "as a secret" } else { "not as a secret" },
                )),
                Some(variable) if variable.is_secret != must_be_secret => problems.push(format!(
                    "pyproject.toml names the variable {name} under `{list}`, and the tool has it {}: make them agree",
                    if variable.is_secret { "as a secret" } else { "not as a secret" },
                )),
                Some(_) => {}
            }
        }
    }
    if problems.is_empty() { Ok(required) } else { Err(Error::BadRequest(problems.join("\n"))) }
}
