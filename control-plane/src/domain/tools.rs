//! Tools: create and list.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::app::App;
use crate::auth::{Caller, attributes, attributes_of, permission};
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
        let id = ToolId::new();
        // A tool that a grant denies by its name or tags cannot come into being either.
        caller.require(permission::CREATE_TOOL, &attributes(id, &new.name, &new.tags))?;
        if new.name.as_str().len() > ToolName::MAX_LENGTH {
            let limit = ToolName::MAX_LENGTH;
            return Err(Error::BadRequest(format!("the tool's name is longer than {limit} characters: shorten it")));
        }
        let description = checked_description(&new.description)?;
        check_tags(&new.tags)?;
        let now = Timestamp::now();
        let tool = Tool {
            id,
            org_id: caller.org.clone(),
            created_at: now,
            updated_at: now,
            name: new.name,
            description,
            deprecated: false,
            tags: new.tags,
            envvars: BTreeMap::new(),
            creator: caller.user(),
            updated_by: caller.user(),
        };
        self.store.create_tool(&caller.org, &tool).await?;
        Ok(id)
    }

    /// The tools that pass a filter, by id.
    pub fn list_tools(&self, caller: &Caller, filter: &ToolFilter) -> Result<Vec<Tool>> {
        let mut tools = self.store.list_tools(&caller.org)?;
        tools.retain(|tool| {
            caller.has(permission::INVOKE_TOOL, &attributes_of(tool))
                && (filter.ids.is_empty() || filter.ids.contains(&tool.id))
                && filter.deprecated.is_none_or(|deprecated| tool.deprecated == deprecated)
                && (filter.tags.is_empty() || filter.tags.iter().any(|tag| tag.matches(tool)))
        });
        Ok(tools)
    }

    /// A tool of the caller's organization, if the caller has the permission for it.
    pub(crate) fn tool(&self, caller: &Caller, id: ToolId, permission: &'static str) -> Result<Tool> {
        let Some(tool) = self.store.get_tool(&caller.org, id)? else {
            return Err(Error::NotFound(format!("tool {id} does not exist")));
        };
        caller.require(permission, &attributes_of(&tool))?;
        Ok(tool)
    }

    /// The same, and 404 for one that is deprecated.
    pub(crate) fn live_tool(&self, caller: &Caller, id: ToolId, permission: &'static str) -> Result<Tool> {
        let tool = self.tool(caller, id, permission)?;
        if tool.deprecated {
            return Err(Error::NotFound(format!("tool {id} is deprecated")));
        }
        Ok(tool)
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

fn checked_description(text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid(&["body", "description"], "string_too_short", "the description must not be blank"));
    }
    Ok(text.to_owned())
}

fn check_tags(tags: &BTreeMap<String, Option<String>>) -> Result<()> {
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
    }
    Ok(())
}
