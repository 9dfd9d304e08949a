//! A tool's environment variables: sealed when they come in, opened for an invocation and for nothing else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::app::App;
use crate::auth::{Caller, permission};
use crate::config;
use crate::domain::tools::check_live;
use crate::error::{Error, Result, Step};
use crate::model::{EnvVar, EnvVarName, Tool, ToolId};
use crate::vault::SecretString;

/// Changes of a tool's variables, carried out together or not at all.
#[derive(Debug, Default)]
pub struct VariableChanges {
    /// New variables: name, value, whether it is secret.
    pub inserts: Vec<(EnvVarName, SecretString, bool)>,
    /// New values of variables that exist.
    pub updates: Vec<(EnvVarName, SecretString)>,
    /// Variables that go.
    pub deletes: Vec<EnvVarName>,
}

/// A tool's variables, opened.
pub struct OpenVariables {
    /// Every variable.
    pub all: BTreeMap<String, SecretString>,
    /// The values of those that are secret.
    pub secrets: Vec<SecretString>,
}

impl App {
    /// Changes a tool's variables.
    pub async fn change_variables(&self, caller: &Caller, id: ToolId, changes: VariableChanges) -> Result<()> {
        self.live_tool(caller, id, permission::MODIFY_TOOL)?;
        let settings = &self.config.tool;
        changes.check(settings)?;
        if changes.is_empty() {
            return Ok(());
        }
        let seal = |name: &EnvVarName, value: &SecretString| self.vault.seal(&caller.org, id, name, value);
        let inserts: Vec<_> = changes
            .inserts
            .iter()
            .map(|(name, value, is_secret)| (name, EnvVar { is_secret: *is_secret, sealed_value: seal(name, value) }))
            .collect();
        let updates: Vec<_> = changes.updates.iter().map(|(name, value)| (name, seal(name, value))).collect();
        let (now, user) = (Timestamp::now(), caller.user());
        let change = |tool: &mut Tool| {
            check_live(tool)?;
            self.check_deletes(tool, &changes.deletes)?;
            for name in &changes.deletes {
                tool.envvars.remove(name).ok_or_else(|| missing(name))?;
            }
            for (name, sealed_value) in &updates {
                tool.envvars.get_mut(name).ok_or_else(|| missing(name))?.sealed_value = sealed_value.clone();
            }
            for (name, variable) in &inserts {
                if tool.envvars.insert((*name).clone(), variable.clone()).is_some() {
                    return Err(Error::Conflict(format!("variable {name} exists already: update it instead")));
                }
            }
            if !inserts.is_empty() && tool.envvars.len() > settings.max_variables {
                let limit = settings.max_variables;
                return Err(Error::BadRequest(format!("a tool has at most {limit} variables: delete some first")));
            }
            tool.updated_at = now;
            tool.updated_by = user.clone();
            Ok(())
        };
        self.store.update_tool(&caller.org, id, change).await.map(drop)
    }

    /// Opens a tool's variables for an invocation.
    pub(crate) fn open_variables(&self, tool: &Tool) -> Result<OpenVariables> {
        let mut open = OpenVariables { all: BTreeMap::new(), secrets: Vec::new() };
        for (name, variable) in &tool.envvars {
            let value = self.vault.open_sealed(&tool.org_id, tool.id, name, &variable.sealed_value)?;
            if variable.is_secret {
                open.secrets.push(value.clone());
            }
            open.all.insert(name.to_string(), value);
        }
        Ok(open)
    }

    /// Refuses to delete what a version that is not deprecated requires.
    fn check_deletes(&self, tool: &Tool, deletes: &[EnvVarName]) -> Result<()> {
        if deletes.is_empty() {
            return Ok(());
        }
        for version in self.store.list_versions(&tool.org_id, tool.id)?.iter().filter(|version| !version.deprecated) {
            let required = version.required_envvars.iter().chain(&version.required_secret_envvars);
            if let Some(name) = required.into_iter().find(|name| deletes.contains(name)) {
                let version = version.version;
                let message = format!("variable {name} is required by version {version}: deprecate that version first");
                return Err(Error::BadRequest(message));
            }
        }
        Ok(())
    }
}

impl VariableChanges {
    fn is_empty(&self) -> bool {
        self.inserts.is_empty() && self.updates.is_empty() && self.deletes.is_empty()
    }

    /// What can be judged without the tool. A name may stand once in all three lists, since they have no order.
    fn check(&self, settings: &config::Tool) -> Result<()> {
        let inserts: Vec<_> = self.inserts.iter().map(|(name, value, _)| (name, Some(value))).collect();
        let updates = self.updates.iter().map(|(name, value)| (name, Some(value))).collect();
        let deletes = self.deletes.iter().map(|name| (name, None)).collect();
        let mut named = BTreeSet::new();
        for (list, changes) in [("inserts", inserts), ("updates", updates), ("deletes", deletes)] {
            if changes.len() > settings.max_variables {
                let message = format!("there are at most {} {list} in one request", settings.max_variables);
                return Err(Error::invalid(&["body", list], "too_long", message));
            }
            for (index, (name, value)) in changes.into_iter().enumerate() {
                let place = |field: &str| [Step::from("body"), Step::from(list), Step::from(index), Step::from(field)];
                if !named.insert(name) {
                    let message = format!("variable {name} is named twice: change it once in one request");
                    return Err(Error::invalid(place("name"), "unique", message));
                }
                value.map_or(Ok(()), |value| check_value(name, value, settings, place("value")))?;
            }
        }
        Ok(())
    }
}

/// Refuses a value that is too long, or that no environment can hold. `loc` says where it stood.
pub(crate) fn check_value(
    name: &EnvVarName,
    value: &SecretString,
    settings: &config::Tool,
    loc: impl IntoIterator<Item = Step>,
) -> Result<()> {
    let limit = settings.max_variable_kib << 10;
    if name.as_str().len() + value.expose().len() > limit {
        let message = format!("a variable's name and value have at most {limit} bytes together");
        return Err(Error::invalid(loc, "string_too_long", message));
    }
    if value.expose().contains('\0') {
        let message = format!("the value of {name} holds a NUL character, which no environment variable can");
        return Err(Error::invalid(loc, "value_error", message));
    }
    Ok(())
}

fn missing(name: &EnvVarName) -> Error {
    Error::BadRequest(format!("variable {name} does not exist on the tool: insert it first"))
}
