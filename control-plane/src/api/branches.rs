//! `/tool/repo/branch`: the branches of the organization's repository.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::error::Result;
use super::extract::{Authenticated, BranchPath};
use super::numbered_page::{self, NumberedPage};
use super::page::Query;
use crate::app::App;
use crate::auth::permission;
use crate::domain::browsing::Committers;
use crate::git::{self, CommitId};
use crate::model::{OrgId, UserId, UserRef};

/// A page of branches, by name.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Branches {
    branches: Vec<Branch>,
    has_more: bool,
    /// The number of the next page, if there is one.
    #[schema(required)]
    continuation_token: Option<usize>,
}

/// A branch and its newest commit.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Branch {
    branch_name: String,
    commit_sha: String,
    commit_message: String,
    #[schema(value_type = String, format = DateTime)]
    commit_timestamp: Timestamp,
    #[schema(required)]
    committer: Option<Committer>,
}

/// The user who pushed a commit first. Null when nobody known did.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Committer {
    org_id: OrgId,
    user_id: UserId,
}

/// The query of a list of branches.
struct BranchesQuery;

impl IntoParams for BranchesQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        numbered_page::parameters().into()
    }
}

/// Lists branches.
#[utoipa::path(
    get,
    path = "/v1/{organization}/tool/repo/branch",
    operation_id = "list_branches",
    tag = "repository",
    params(BranchesQuery),
    responses(
        (status = 200, description = "A page of branches; an empty repository has none", body = Branches),
    ),
    extensions(("x-permission" = json!(permission::ACCESS_REPO))),
)]
pub async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Result<Json<Branches>> {
    let page = NumberedPage::of(&query)?;
    let (branches, has_more, committers) = app.list_branches(&caller, page.skip(), page.limit).await?;
    Ok(Json(Branches {
        branches: branches.into_iter().map(|branch| Branch::new(branch, &committers)).collect(),
        has_more,
        continuation_token: page.next_token(has_more),
    }))
}

/// Gets a branch.
#[utoipa::path(
    get,
    path = "/v1/{organization}/tool/repo/branch/{*branch_name}",
    operation_id = "get_branch",
    tag = "repository",
    params(
        ("branch_name" = String, Path, description = "The branch's name, which may have slashes"),
    ),
    responses(
        (status = 200, description = "The branch", body = Branch),
        (status = 404, description = "The organization or the branch does not exist"),
    ),
    extensions(("x-permission" = json!(permission::ACCESS_REPO))),
)]
pub async fn get(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    BranchPath(name): BranchPath,
) -> Result<Json<Branch>> {
    let (branch, committers) = app.get_branch(&caller, name).await?;
    Ok(Json(Branch::new(branch, &committers)))
}

impl Branch {
    fn new(branch: git::branches::Branch, committers: &Committers) -> Self {
        let tip = branch.tip;
        Self {
            branch_name: branch.name,
            committer: Committer::of(&tip.id, committers),
            commit_sha: tip.id.to_string(),
            commit_message: tip.message,
            commit_timestamp: tip.committed_at,
        }
    }
}

impl Committer {
    /// Who pushed a commit.
    pub fn of(commit: &CommitId, committers: &Committers) -> Option<Self> {
        let UserRef { org_id, user_id } = committers.get(commit)?.clone();
        Some(Self { org_id, user_id })
    }
}
