//! Tools: create, list, change, delete.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::app::App;
use crate::auth::{Attributes, Caller, attributes_of, permission};
use crate::domain::ranks::Ranked;
use crate::error::{Error, Result};
use crate::model::{Tool, ToolId, ToolName};

/// The most tags that a tool may have.
const MAX_TAGS: usize = 20;

/// What a new tool is made of.
pub struct NewTool {
    /// Its name.
    pub name: ToolName,
    /// Its description, not yet stripped.
    pub description: String,
    /// Its tags.
    pub tags: BTreeMap<String, Option<String>>,
}

/// What is to become of a tool. What is `None` stays as it is.
pub struct ToolChanges {
    /// Its description, not yet stripped.
    pub description: Option<String>,
    /// All its tags.
    pub tags: Option<BTreeMap<String, Option<String>>>,
}

/// Which tools are wanted. What is empty does not restrict.
#[derive(Debug, Default)]
pub struct ToolFilter {
    /// One of these ids.
    pub ids: Vec<ToolId>,
    /// Deprecated, or not.
    pub deprecated: Option<bool>,
    /// One of these tags.
    pub tags: Vec<TagFilter>,
}

/// `key:value`, `key:*` or `key:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagFilter {
    /// The tag's key.
    pub key: String,
    /// The value: any where it is `None`, none where it is `Some(None)`.
    pub value: Option<Option<String>>,
}

impl App {
    /// Makes a tool.
    pub async fn create_tool(&self, caller: &Caller, new: NewTool) -> Result<ToolId> {
        let now = Timestamp::now();
        let mut tool = Tool {
            id: ToolId::new(),
            org_id: caller.org.clone(),
            created_at: now,
            updated_at: now,
            name: new.name,
            description: new.description,
            deprecated: false,
            tags: new.tags,
            envvars: BTreeMap::new(),
            creator: caller.user(),
            updated_by: caller.user(),
        };
        caller.require(permission::CREATE_TOOL, &attributes_of(&tool))?;
        if tool.name.as_str().len() > ToolName::MAX_LENGTH {
            let limit = ToolName::MAX_LENGTH;
            return Err(Error::BadRequest(format!("the tool's name is longer than {limit} characters: shorten it")));
        }
        let settings = &self.config.tool;
        tool.description = checked_description(&tool.description, settings.max_description_kib << 10)?;
        check_tags(&tool.tags, settings.max_tag_length)?;
        self.store.create_tool(&caller.org, &tool).await?;
        Ok(tool.id)
    }

    /// Changes a tool's description and tags.
    pub async fn change_tool(&self, caller: &Caller, id: ToolId, changes: ToolChanges) -> Result<()> {
        self.live_tool(caller, id, permission::MODIFY_TOOL)?;
        let settings = &self.config.tool;
        let stripped = |text: String| checked_description(&text, settings.max_description_kib << 10);
        let description = changes.description.map(stripped).transpose()?;
        changes.tags.as_ref().map_or(Ok(()), |tags| check_tags(tags, settings.max_tag_length))?;
        if description.is_none() && changes.tags.is_none() {
            return Ok(());
        }
        let (now, user) = (Timestamp::now(), caller.user());
        let change = |tool: &mut Tool| {
            check_live(tool)?;
            // The row that is changed may have other tags than the one that was looked at.
            let before = attributes_of(tool);
            caller.require(permission::MODIFY_TOOL, &before)?;
            if let Some(description) = &description {
                tool.description.clone_from(description);
            }
            if let Some(tags) = &changes.tags {
                tool.tags.clone_from(tags);
                check_no_gain(caller, &before, &attributes_of(tool))?;
            }
            tool.updated_at = now;
            tool.updated_by = user.clone();
            Ok(())
        };
        self.store.update_tool(&caller.org, id, change).await.map(drop)
    }

    /// Deprecates a tool with all its versions. `Error::Conflict` while it is published.
    pub async fn delete_tool(&self, caller: &Caller, id: ToolId) -> Result<()> {
        self.live_tool(caller, id, permission::DELETE_TOOL)?;
        let _claim = self.claims.take(id)?;
        self.store.deprecate_tool(&caller.org, id, &caller.user(), Timestamp::now()).await
    }

    /// The tools, by age, and which of them pass a filter.
    pub fn list_tools(&self, caller: &Caller, filter: &ToolFilter) -> Result<Ranked<Tool>> {
        let tools = self.store.list_tools(&caller.org)?;
        Ok(Ranked::new(tools, |tool| {
            may_see(caller, tool)
                && (filter.ids.is_empty() || filter.ids.contains(&tool.id))
                && filter.deprecated.is_none_or(|deprecated| tool.deprecated == deprecated)
                && (filter.tags.is_empty() || filter.tags.iter().any(|tag| tag.matches(tool)))
        }))
    }

    /// A tool that the caller may see, a deprecated one too.
    pub(crate) fn visible_tool(&self, caller: &Caller, id: ToolId) -> Result<Tool> {
        let tool = self.tool_of(caller, id)?;
        if !may_see(caller, &tool) {
            return Err(Error::Forbidden { permission: permission::INVOKE_TOOL });
        }
        Ok(tool)
    }

    /// A tool that is not deprecated, if the caller has the permission for it.
    pub(crate) fn live_tool(&self, caller: &Caller, id: ToolId, permission: &'static str) -> Result<Tool> {
        let tool = self.any_tool(caller, id, permission)?;
        check_live(&tool)?;
        Ok(tool)
    }

    /// The same, and a deprecated one too.
    pub(crate) fn any_tool(&self, caller: &Caller, id: ToolId, permission: &'static str) -> Result<Tool> {
        let tool = self.tool_of(caller, id)?;
        caller.require(permission, &attributes_of(&tool))?;
        Ok(tool)
    }

    fn tool_of(&self, caller: &Caller, id: ToolId) -> Result<Tool> {
        let tool = self.store.get_tool(&caller.org, id)?;
        tool.ok_or_else(|| Error::NotFound(format!("tool {id} does not exist")))
    }
}

impl TagFilter {
    fn matches(&self, tool: &Tool) -> bool {
        match (tool.tags.get(&self.key), &self.value) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(value), Some(wanted)) => value == wanted,
        }
    }
}

/// Tags are what conditions of grants look at, so who changes them must not get rights by it; and who could not have
/// made the tool as it becomes may not make it so.
fn check_no_gain(caller: &Caller, before: &Attributes, after: &Attributes) -> Result<()> {
    caller.require(permission::MODIFY_TOOL, after)?;
    let gained = [permission::INVOKE_TOOL, permission::DELETE_TOOL].into_iter();
    match gained.filter(|permission| !caller.has(permission, before)).find(|permission| caller.has(permission, after)) {
        Some(permission) => Err(Error::Forbidden { permission }),
        None => Ok(()),
    }
}

/// Who may do something with a tool may see it.
fn may_see(caller: &Caller, tool: &Tool) -> bool {
    let attributes = attributes_of(tool);
    let uses = [permission::INVOKE_TOOL, permission::MODIFY_TOOL, permission::DELETE_TOOL];
    uses.into_iter().any(|permission| caller.has(permission, &attributes))
}

/// To all but its readers a deprecated tool is gone.
pub(crate) fn check_live(tool: &Tool) -> Result<()> {
    if tool.deprecated {
        return Err(Error::NotFound(format!("tool {} is deprecated", tool.id)));
    }
    Ok(())
}

fn checked_description(text: &str, max_bytes: usize) -> Result<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid(&["body", "description"], "string_too_short", "the description must not be blank"));
    }
    if text.len() > max_bytes {
        let message = format!("the description is longer than {max_bytes} bytes: shorten it");
        return Err(Error::invalid(&["body", "description"], "string_too_long", message));
    }
    Ok(text.to_owned())
}

fn check_tags(tags: &BTreeMap<String, Option<String>>, max_length: usize) -> Result<()> {
    if tags.len() > MAX_TAGS {
        let message = format!("a tool has at most {MAX_TAGS} tags");
        return Err(Error::invalid(&["body", "tags"], "too_long", message));
    }
    // The contract's `^[\w\s]+$`.
    let fits =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c.is_whitespace());
    for (key, value) in tags {
        if !fits(key) || value.as_ref().is_some_and(|value| !fits(value)) {
            let message = format!("tag `{key}`: keys and values are made of letters, digits, _ and spaces");
            return Err(Error::invalid(&["body", "tags", key], "string_pattern_mismatch", message));
        }
        let is_long = |text: &String| text.chars().count() > max_length;
        if is_long(key) || value.as_ref().is_some_and(is_long) {
            let message = format!("a tag's key and value have at most {max_length} characters each");
            return Err(Error::invalid(&["body", "tags", key], "string_too_long", message));
        }
    }
    Ok(())
}
