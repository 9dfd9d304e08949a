//! Versions: list, resolve, deprecate.

use jiff::Timestamp;

use crate::app::App;
use crate::auth::{Caller, permission};
use crate::domain::ranks::Ranked;
use crate::domain::resolve::Constraint;
use crate::error::{Error, Result};
use crate::model::{Tool, ToolId, ToolVersion, UserRef};

/// Which versions are wanted. What is empty does not restrict.
#[derive(Debug, Default)]
pub struct VersionFilter {
    /// Deprecated, or not.
    pub deprecated: Option<bool>,
    /// Those that match.
    pub constraint: Option<Constraint>,
    /// Those that one of these users published.
    pub creators: Vec<UserRef>,
}

impl App {
    /// A tool's versions in the order of their numbers, in which they were published, and which of them pass a filter.
    pub fn list_versions(&self, caller: &Caller, tool: ToolId, filter: &VersionFilter) -> Result<Ranked<ToolVersion>> {
        self.visible_tool(caller, tool)?;
        let versions = self.store.list_versions(&caller.org, tool)?;
        Ok(Ranked::new(versions, |version| {
            filter.deprecated.is_none_or(|deprecated| version.deprecated == deprecated)
                && filter.constraint.as_ref().is_none_or(|constraint| constraint.matches(version.version))
                && (filter.creators.is_empty() || filter.creators.contains(&version.creator))
        }))
    }

    /// The highest version that is meant and not deprecated.
    pub(crate) fn resolve_version(&self, tool: &Tool, constraint: &Constraint, text: &str) -> Result<ToolVersion> {
        let active = self.store.active_versions(&tool.org_id, tool.id)?;
        let highest = active.into_iter().rev().find(|version| constraint.matches(*version));
        let version = highest.map(|version| self.store.get_version(&tool.org_id, tool.id, version)).transpose()?;
        version.flatten().ok_or_else(|| {
            Error::NotFound(format!("tool `{}` has no version `{text}` that is not deprecated", tool.name))
        })
    }

    /// Deprecates every version that is meant.
    pub async fn deprecate_versions(&self, caller: &Caller, id: ToolId, constraint: &Constraint) -> Result<()> {
        let tool = self.live_tool(caller, id, permission::MODIFY_TOOL)?;
        let active = self.store.active_versions(&tool.org_id, tool.id)?;
        let meant: Vec<_> = active.into_iter().filter(|version| constraint.matches(*version)).collect();
        self.store.deprecate_versions(&caller.org, id, &meant, &caller.user(), Timestamp::now()).await
    }
}
