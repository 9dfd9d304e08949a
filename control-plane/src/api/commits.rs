//! `/tool/repo/commit`: the history of the organization's repository.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::branches::Committer;
use super::error::Result;
use super::extract::Authenticated;
use super::numbered_page::{self, NumberedPage};
use super::page::Query;
use super::parameters::{self, DEFAULT_REFERENCE};
use crate::app::App;
use crate::auth::permission;
use crate::domain::browsing::Committers;
use crate::error::Error;
use crate::git::commits::{self, Changes, CommitQuery, HistoryFilter};

/// A page of commits: the `ref` first, then its ancestors, the newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Commits {
    commits: Vec<Commit>,
    has_more: bool,
    /// The number of the next page, if there is one.
    #[schema(required)]
    next_continuation_token: Option<usize>,
}

/// A commit.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Commit {
    commit_sha: String,
    parent_shas: Vec<String>,
    commit_message: String,
    #[schema(value_type = String, format = DateTime)]
    commit_timestamp: Timestamp,
    #[schema(required)]
    committer: Option<Committer>,
    author: Author,
    /// What it changes in its first parent. Null unless asked for, and when it changes more files than the service tells.
    #[schema(required)]
    changed_files: Option<Vec<ChangedFile>>,
    /// The lines of all text files that it changes. Null unless asked for, and when some were not counted.
    #[schema(required)]
    change_stats: Option<ChangeStats>,
}

/// What the author's program says of the author.
#[derive(Serialize, utoipa::ToSchema)]
struct Author {
    name: String,
    email: String,
}

/// A file, link or submodule that a commit changes.
#[derive(Serialize, utoipa::ToSchema)]
struct ChangedFile {
    path: String,
    /// Of a file that was renamed.
    #[schema(required)]
    previous_path: Option<String>,
    change_type: ChangeType,
    /// Lines. Null where none were counted.
    #[schema(required)]
    additions: Option<u64>,
    /// Lines. Null where none were counted.
    #[schema(required)]
    deletions: Option<u64>,
}

/// What became of a file.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum ChangeType {
    Added,
    Modified,
    Deleted,
    Renamed,
}

/// Lines.
#[derive(Serialize, utoipa::ToSchema)]
struct ChangeStats {
    additions: u64,
    deletions: u64,
}

/// The query of a list of commits.
struct CommitsQuery;

impl IntoParams for CommitsQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let [limit, continuation_token] = numbered_page::parameters();
        let moment = || parameters::text().examples(["2026-01-31T12:00:00Z", "2026-01-31"]);
        vec![
            parameters::reference(),
            parameters::one("path", "Only commits that change what is at this path.", parameters::repository_text()),
            parameters::one("committed_on_or_after", "RFC 3339, or a date: its beginning, UTC.", moment()),
            parameters::one("committed_on_or_before", "RFC 3339, or a date: its end, UTC.", moment()),
            limit,
            continuation_token,
            parameters::switch("show_changed_files", "Whether `changed_files` is told."),
            parameters::switch("show_change_stats", "Whether `change_stats` is told."),
        ]
    }
}

/// Lists commits.
#[utoipa::path(
    get,
    path = "/v1/{organization}/tool/repo/commit",
    operation_id = "list_commits",
    tag = "repository",
    params(CommitsQuery),
    responses(
        (status = 200, description = "A page of commits; an empty repository has none", body = Commits),
        (status = 400, description = "The page was not found within the service's limits"),
        (status = 404, description = "The organization, the `ref` or the path does not exist"),
    ),
    extensions(("x-permission" = json!(permission::ACCESS_REPO))),
)]
pub async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Result<Json<Commits>> {
    let page = NumberedPage::of(&query)?;
    let with_files = query.flag("show_changed_files")?.unwrap_or_default();
    let with_stats = query.flag("show_change_stats")?.unwrap_or_default();
    let filter = HistoryFilter {
        path: query.one("path").filter(|path| !path.trim_matches('/').is_empty()).map(|path| path.as_bytes().to_vec()),
        on_or_after: moment(&query, "committed_on_or_after", Edge::Beginning)?,
        on_or_before: moment(&query, "committed_on_or_before", Edge::End)?,
    };
    let wanted = CommitQuery {
        reference: query.one("ref").unwrap_or(DEFAULT_REFERENCE).to_owned(),
        filter,
        skip: page.skip(),
        limit: page.limit,
        with_changes: with_files || with_stats,
    };
    let (found, committers) = app.list_commits(&caller, wanted).await?;
    let commits = found.commits.into_iter().map(|(commit, changes)| {
        let stats = changes.as_ref().and_then(|changes| changes.stats).filter(|_| with_stats);
        Commit::new(commit, changes.filter(|_| with_files), stats, &committers)
    });
    let next_continuation_token = page.next_token(found.has_more);
    Ok(Json(Commits { commits: commits.collect(), has_more: found.has_more, next_continuation_token }))
}

impl Commit {
    fn new(
        commit: commits::Commit,
        changes: Option<Changes>,
        stats: Option<commits::Stats>,
        committers: &Committers,
    ) -> Self {
        let files = changes.map(|changes| changes.files.into_iter().map(ChangedFile::from).collect());
        let stats = stats.map(|stats| ChangeStats { additions: stats.additions, deletions: stats.deletions });
        Self {
            committer: Committer::of(&commit.id, committers),
            commit_sha: commit.id.to_string(),
            parent_shas: commit.parents.iter().map(ToString::to_string).collect(),
            commit_message: commit.message,
            commit_timestamp: commit.committed_at,
            author: Author { name: commit.author_name, email: commit.author_email },
            changed_files: files,
            change_stats: stats,
        }
    }
}

impl From<commits::ChangedFile> for ChangedFile {
    fn from(file: commits::ChangedFile) -> Self {
        Self {
            path: file.path,
            previous_path: file.previous_path,
            change_type: match file.change {
                commits::ChangeType::Added => ChangeType::Added,
                commits::ChangeType::Modified => ChangeType::Modified,
                commits::ChangeType::Deleted => ChangeType::Deleted,
                commits::ChangeType::Renamed => ChangeType::Renamed,
            },
            additions: file.stats.map(|stats| stats.additions),
            deletions: file.stats.map(|stats| stats.deletions),
        }
    }
}

/// Which moment of a day a date means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Beginning,
    End,
}

fn moment(query: &Query, key: &'static str, edge: Edge) -> Result<Option<Timestamp>> {
    let invalid = || {
        let message = format!("{key} must be a time such as 2026-01-31T12:00:00Z, or a date");
        Error::invalid(&["query", key], "datetime_parsing", message)
    };
    Ok(query.one(key).map(|text| parse_moment(text, edge).ok_or_else(invalid)).transpose()?)
}

fn parse_moment(text: &str, edge: Edge) -> Option<Timestamp> {
    // A plus that was not escaped arrives as a space.
    let text = if text.contains(['T', 't']) { text.replace(' ', "+") } else { text.to_owned() };
    if let Ok(timestamp) = text.parse() {
        return Some(timestamp);
    }
    let utc = |time: DateTime| TimeZone::UTC.to_timestamp(time).ok();
    match text.parse::<Date>() {
        Ok(day) if text.len() == 10 && edge == Edge::Beginning => utc(day.to_datetime(jiff::civil::Time::midnight())),
        Ok(day) if text.len() == 10 => {
            utc(day.tomorrow().ok()?.to_datetime(jiff::civil::Time::midnight()))?.checked_sub(1.second()).ok()
        }
        // Without an offset it is UTC.
        _ => utc(text.parse().ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_a_day() {
        for (text, edge, expected) in [
            ("2026-01-31T12:00:00Z", Edge::End, "2026-01-31T12:00:00Z"),
            ("2026-01-31T12:00:00+02:00", Edge::End, "2026-01-31T10:00:00Z"),
            ("2026-01-31T12:00:00 02:00", Edge::End, "2026-01-31T10:00:00Z"),
            ("2026-01-31T12:00:00", Edge::Beginning, "2026-01-31T12:00:00Z"),
            ("2026-01-31", Edge::Beginning, "2026-01-31T00:00:00Z"),
            ("2026-01-31", Edge::End, "2026-01-31T23:59:59Z"),
        ] {
            assert_eq!(parse_moment(text, edge), Some(expected.parse().unwrap()), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "1700000000"] {
            assert_eq!(parse_moment(text, Edge::End), None, "{text}");
        }
    }
}
