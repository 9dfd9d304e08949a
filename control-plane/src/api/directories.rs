//! `/tool/repo/directory/{directory_path}`: the folders of the organization's repository.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::branches::Committer;
use super::error::Result;
use super::extract::Authenticated;
use super::page::Query;
use super::parameters::{self, DEFAULT_REFERENCE};
use super::repository_path::RepositoryPath;
use crate::app::App;
use crate::auth::permission;
use crate::domain::browsing::Committers;
use crate::git::commits::Commit;
use crate::git::directories::{self, LastCommits};

/// Git's own name for no object: what an empty repository has for a commit.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// A folder of a commit.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Directory {
    /// As it was asked for.
    r#ref: String,
    /// All zeros when the repository is empty.
    commit_sha: String,
    directory_path: String,
    entries: Vec<Entry>,
}

/// An entry of a folder, in the order in which Git keeps them. In names that are not UTF-8 the odd bytes are `%XX`.
#[derive(Serialize, utoipa::ToSchema)]
struct Entry {
    name: String,
    path: String,
    r#type: EntryType,
    /// In bytes, of files and links.
    #[schema(required)]
    size: Option<u64>,
    object_sha: String,
    /// Null unless asked for, and when it was not found within the service's limits.
    #[schema(required)]
    last_commit: Option<LastCommit>,
}

/// What an entry is.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum EntryType {
    File,
    Directory,
    Symlink,
    Submodule,
}

/// The commit that changed an entry, or something below it, last. A long message is cut.
#[derive(Serialize, utoipa::ToSchema)]
struct LastCommit {
    commit_sha: String,
    commit_message: String,
    #[schema(value_type = String, format = DateTime)]
    commit_timestamp: Timestamp,
    #[schema(required)]
    committer: Option<Committer>,
}

/// The query of a folder.
struct DirectoryQuery;

impl IntoParams for DirectoryQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameters::reference(), parameters::switch("include_last_commit_info", "Whether `last_commit` is told.")]
    }
}

/// Lists the root of the repository.
#[utoipa::path(
    get,
    path = "/v1/{organization}/tool/repo/directory/",
    operation_id = "list_root_directory",
    tag = "repository",
    params(DirectoryQuery),
    responses(
        (status = 200, description = "The root; that of an empty repository has no entries", body = Directory),
        (status = 400, description = "The root has more entries than the service tells"),
        (status = 404, description = "The organization or the `ref` does not exist"),
    ),
    extensions(("x-permission" = json!(permission::ACCESS_REPO))),
)]
pub async fn list_root(
    state: State<Arc<App>>,
    caller: Authenticated,
    path: RepositoryPath,
    query: Query,
) -> Result<Json<Directory>> {
    list(state, caller, path, query).await
}

/// Lists a folder.
#[utoipa::path(
    get,
    path = "/v1/{organization}/tool/repo/directory/{*directory_path}",
    operation_id = "list_directory",
    tag = "repository",
    params(
        ("directory_path" = String, Path, description = "The folder's path"),
        DirectoryQuery,
    ),
    responses(
        (status = 200, description = "The folder; the root of an empty repository has no entries", body = Directory),
        (status = 400, description = "The folder has more entries than the service tells"),
        (status = 404, description = "The organization, the `ref` or the folder does not exist"),
    ),
    extensions(("x-permission" = json!(permission::ACCESS_REPO))),
)]
pub async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    RepositoryPath(path): RepositoryPath,
    query: Query,
) -> Result<Json<Directory>> {
    let reference = query.one("ref").unwrap_or(DEFAULT_REFERENCE).to_owned();
    let last_commits = match query.flag("include_last_commit_info")? {
        Some(true) => LastCommits::Wanted,
        _ => LastCommits::Unwanted,
    };
    let (directory, committers) = app.list_directory(&caller, reference.clone(), path, last_commits).await?;
    Ok(Json(Directory {
        r#ref: reference,
        commit_sha: directory.commit.map_or_else(|| NO_COMMIT.to_owned(), |commit| commit.to_string()),
        directory_path: directory.path,
        entries: directory.entries.into_iter().map(|entry| Entry::new(entry, &committers)).collect(),
    }))
}

impl Entry {
    fn new(entry: directories::Entry, committers: &Committers) -> Self {
        Self {
            name: entry.name,
            path: entry.path,
            r#type: match entry.entry_type {
                directories::EntryType::File => EntryType::File,
                directories::EntryType::Directory => EntryType::Directory,
                directories::EntryType::Symlink => EntryType::Symlink,
                directories::EntryType::Submodule => EntryType::Submodule,
            },
            size: entry.size_bytes,
            object_sha: entry.object,
            last_commit: entry.last_commit.map(|commit| LastCommit::new(commit, committers)),
        }
    }
}

impl LastCommit {
    fn new(commit: Commit, committers: &Committers) -> Self {
        Self {
            committer: Committer::of(&commit.id, committers),
            commit_sha: commit.id.to_string(),
            commit_message: commit.message,
            commit_timestamp: commit.committed_at,
        }
    }
}
