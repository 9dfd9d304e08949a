//! A look at a data folder that nobody serves: every row, what follows from rows, every blob and every repository.

use anyhow::Context;

use crate::config::Config;
use crate::error::Result;
use crate::failpoint::Failpoint;
use crate::git::{self, Repositories};
use crate::model::OrgId;
use crate::store::{self, Findings, Mode, Store};

/// Looks at everything below the data folder, and in [`Mode::Rebuild`] makes again what follows from records.
///
/// # Errors
///
/// The folder is in use, was written by another version of the program, or cannot be read at all.
pub async fn verify(config: &Config, mode: Mode) -> Result<Findings> {
    let (data, repositories) = (config.data.clone(), config.data.join("repositories"));
    let options = store::Options { reserve_free_bytes: 0, flushes: None, failpoint: Failpoint::NONE };
    let limits = git::Limits::from(&config.git);
    let look = move || -> Result<_> {
        let store = Store::open_to_verify(&data, options)?;
        let findings = store.verify(mode)?;
        let mut commits = Vec::new();
        for org in store.list_organizations()? {
            let published = published_commits(&store, &org);
            commits.push((org, published));
        }
        Ok((findings, commits, Repositories::open(repositories, limits)?, store))
    };
    let looked = tokio::task::spawn_blocking(look).await.context("failed to look at the data folder")?;
    let (mut findings, commits, repositories, store) = looked?;
    for (org, published) in commits {
        let repository = repositories.repository(&org);
        if !repository.exists() {
            findings.wrong(format_args!("repository of {org}: it is not there"));
            continue;
        }
        findings.repositories += 1;
        for wrong in repository.verify(published.unwrap_or_default()).await? {
            findings.wrong(format_args!("repository of {org}: {wrong}"));
        }
    }
    store.close().await?;
    Ok(findings)
}

/// The commits that versions of an organization were published from. It blocks.
pub(crate) fn published_commits(store: &Store, org: &OrgId) -> Result<Vec<String>> {
    let mut commits = Vec::new();
    for tool in store.list_tools(org)? {
        commits.extend(store.list_versions(org, tool.id)?.into_iter().map(|version| version.tool_commit_hash));
    }
    commits.sort_unstable();
    commits.dedup();
    Ok(commits)
}
