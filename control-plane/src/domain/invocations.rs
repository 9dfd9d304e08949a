//! What is on record: list invocations, and look at one.

use crate::app::App;
use crate::auth::{Attributes, Caller, permission};
use crate::domain::resolve::Constraint;
use crate::error::{Error, Result};
use crate::model::{Invocation, InvocationId, InvocationSource, InvocationStatus, ToolId};
use crate::store::{Index, Order};

/// Which invocations are wanted. What is empty does not restrict.
#[derive(Debug, Default)]
pub struct InvocationFilter {
    /// Of one of these tools, in a version that matches where a constraint stands beside it.
    pub tools: Vec<(ToolId, Option<Constraint>)>,
    /// Of one of these conversations.
    pub conversation_ids: Vec<String>,
    /// Of one of these runs.
    pub simulation_run_ids: Vec<String>,
    /// Of one of these kinds.
    pub source_types: Vec<SourceType>,
    /// Succeeded, or not.
    pub succeeded: Option<bool>,
}

/// The two kinds of invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceType {
    /// `regular-conversation`
    RegularConversation,
    /// `simulation-conversation`
    SimulationConversation,
}

/// The fields that a list can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of its name")]
pub enum SortField {
    CreatedAt,
    VersionMajor,
    VersionMinor,
    VersionPatch,
    ToolId,
    SourceType,
    Succeeded,
}

/// A field and a direction.
pub type Sort = (SortField, Order);

/// A part of a list.
pub struct Slice {
    /// How many come before it.
    pub skip: usize,
    /// How many it may hold.
    pub limit: usize,
}

impl App {
    /// The invocations that pass a filter and that the caller may see, and whether there are more.
    pub fn list_invocations(
        &self,
        caller: &Caller,
        filter: &InvocationFilter,
        sort: &[Sort],
        slice: &Slice,
    ) -> Result<(Vec<Invocation>, bool)> {
        let visible = visible(caller)?;
        let order = match sort {
            [] => Some(Order::NewestFirst),
            // Ids sort by creation, so this order needs no sorting.
            [(SortField::CreatedAt, order)] => Some(*order),
            _ => None,
        };
        let ids = self.store.invocation_ids(&caller.org, &index(filter), order.unwrap_or(Order::OldestFirst), None);
        let mut passed = ids.filter_map(|id| {
            let invocation = id.and_then(|id| self.store.get_invocation(&caller.org, id)).transpose()?;
            let passes = |invocation: &Invocation| visible.contains(&kind(invocation)) && filter.passes(invocation);
            match invocation {
                Ok(invocation) if !passes(&invocation) => None,
                other => Some(other),
            }
        });
        let mut page: Vec<Invocation> = if order.is_some() {
            passed.by_ref().skip(slice.skip).take(slice.limit + 1).collect::<Result<_>>()?
        } else {
            let mut all: Vec<Invocation> = passed.collect::<Result<_>>()?;
            all.sort_by(|a, b| compare(a, b, sort));
            all.into_iter().skip(slice.skip).take(slice.limit + 1).collect()
        };
        let has_more = page.len() > slice.limit;
        page.truncate(slice.limit);
        Ok((page, has_more))
    }

    /// One invocation.
    pub fn invocation(&self, caller: &Caller, id: InvocationId) -> Result<Invocation> {
        let visible = visible(caller)?;
        let invocation = self.store.get_invocation(&caller.org, id)?;
        let seen = invocation.filter(|invocation| visible.contains(&kind(invocation)));
        seen.ok_or_else(|| Error::NotFound(format!("invocation {id} does not exist")))
    }
}

impl InvocationFilter {
    fn passes(&self, invocation: &Invocation) -> bool {
        let is_of = |(tool, constraint): &(ToolId, Option<Constraint>)| {
            *tool == invocation.tool_id
                && constraint.as_ref().is_none_or(|constraint| constraint.matches(invocation.tool_version))
        };
        let among =
            |wanted: &[String], id: Option<&String>| wanted.is_empty() || id.is_some_and(|id| wanted.contains(id));
        (self.tools.is_empty() || self.tools.iter().any(is_of))
            && among(&self.conversation_ids, conversation_id(invocation))
            && among(&self.simulation_run_ids, simulation_run_id(invocation))
            && (self.source_types.is_empty() || self.source_types.contains(&kind(invocation)))
            && self.succeeded.is_none_or(|succeeded| has_succeeded(invocation) == succeeded)
    }
}

/// The narrowest index that holds everything that the filter may let pass.
fn index(filter: &InvocationFilter) -> Index {
    if let [id] = &filter.conversation_ids[..] {
        return Index::Conversation(id.clone());
    }
    if let [id] = &filter.simulation_run_ids[..] {
        return Index::SimulationRun(id.clone());
    }
    match &filter.tools[..] {
        [(tool, _)] => Index::Tool(*tool),
        _ => Index::All,
    }
}

/// The kinds that the caller may see; at least one.
pub(crate) fn visible(caller: &Caller) -> Result<Vec<SourceType>> {
    let none = Attributes::new();
    let kinds = [
        (permission::READ_CONVERSATIONS, SourceType::RegularConversation),
        (permission::READ_SIMULATIONS, SourceType::SimulationConversation),
    ];
    let seen: Vec<_> = kinds.iter().filter(|(name, _)| caller.has(name, &none)).map(|(_, kind)| *kind).collect();
    if seen.is_empty() {
        caller.require(permission::READ_CONVERSATIONS, &none)?;
    }
    Ok(seen)
}

fn compare(a: &Invocation, b: &Invocation, sort: &[Sort]) -> std::cmp::Ordering {
    let by_field = sort.iter().map(|(field, order)| {
        let ordering = match field {
            SortField::CreatedAt => a.created_at.cmp(&b.created_at),
            SortField::VersionMajor => a.tool_version.major.cmp(&b.tool_version.major),
            SortField::VersionMinor => a.tool_version.minor.cmp(&b.tool_version.minor),
            SortField::VersionPatch => a.tool_version.patch.cmp(&b.tool_version.patch),
            SortField::ToolId => a.tool_id.cmp(&b.tool_id),
            SortField::SourceType => kind(a).cmp(&kind(b)),
            SortField::Succeeded => has_succeeded(a).cmp(&has_succeeded(b)),
        };
        match order {
            Order::OldestFirst => ordering,
            Order::NewestFirst => ordering.reverse(),
        }
    });
    by_field.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then).then_with(|| a.id.cmp(&b.id))
}

fn kind(invocation: &Invocation) -> SourceType {
    match invocation.invocation_source {
        InvocationSource::RegularConversation { .. } => SourceType::RegularConversation,
        InvocationSource::SimulationConversation { .. } => SourceType::SimulationConversation,
    }
}

fn has_succeeded(invocation: &Invocation) -> bool {
    matches!(invocation.invocation_status, InvocationStatus::Succeeded { .. })
}

fn conversation_id(invocation: &Invocation) -> Option<&String> {
    match &invocation.invocation_source {
        InvocationSource::RegularConversation { conversation_id, .. } => conversation_id.as_ref(),
        InvocationSource::SimulationConversation { .. } => None,
    }
}

fn simulation_run_id(invocation: &Invocation) -> Option<&String> {
    match &invocation.invocation_source {
        InvocationSource::SimulationConversation { simulation_unit_test_set_run_id, .. } => {
            simulation_unit_test_set_run_id.as_ref()
        }
        InvocationSource::RegularConversation { .. } => None,
    }
}
