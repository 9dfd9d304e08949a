//! `/tool/repo/directory/{directory_path}`: the folders of the organization's repository.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;

use super::branches::Committer;
use super::error::Result;
use super::extract::Authenticated;
use super::page::Query;
use super::repository_path::RepositoryPath;
use crate::app::App;
use crate::auth::permission;
use crate::domain::browsing::Committers;
use crate::git::commits::Commit;
use crate::git::directories::{self, EntryType, LastCommits};

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
    r#type: &'static str,
    /// In bytes, of files and links.
    size: Option<u64>,
    object_sha: String,
    /// Null unless asked for, and when it was not found within the service's limits.
    last_commit: Option<LastCommit>,
}

/// The commit that changed an entry, or something below it, last. A long message is cut.
#[derive(Serialize, utoipa::ToSchema)]
struct LastCommit {
    commit_sha: String,
    commit_message: String,
    #[schema(value_type = String, format = DateTime)]
    commit_timestamp: Timestamp,
    committer: Option<Committer>,
}

/// Lists a folder.
#[utoipa::path(
    get,
    path = "/v1/{organization}/tool/repo/directory/{*directory_path}",
    operation_id = "list_directory",
    tag = "repository",
    params(
        ("directory_path" = String, Path, description = "The folder's path; the root's is empty"),
        ("ref" = Option<String>, Query, description = "A branch, a tag or a commit's 40 digits, by default `main`"),
        ("include_last_commit_info" = Option<bool>, Query, description = "Whether `last_commit` is told, by default false"),
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
    let reference = query.one("ref").unwrap_or("main").to_owned();
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
                EntryType::File => "file",
                EntryType::Directory => "directory",
                EntryType::Symlink => "symlink",
                EntryType::Submodule => "submodule",
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
