//! What is on record: list invocations, and look at one.

use crate::app::App;
use crate::auth::{Attributes, Caller, permission};
use crate::domain::resolve::Constraint;
use crate::error::{Error, Result};
use crate::model::{Invocation, InvocationId, SourceType, ToolId};
use crate::store::{Class, InvocationPage, Listing, Order, Sort, SortField};

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
    pub succeeded: Vec<bool>,
}

/// A part of a list.
pub struct Slice {
    /// 0, or the token of the page before it.
    pub continuation_token: u64,
    /// How many it may hold.
    pub limit: usize,
}

impl App {
    /// The invocations that pass a filter and that the caller may see, and the token of the next page. Without an
    /// order, the newest come first. It blocks.
    pub fn list_invocations(
        &self,
        caller: &Caller,
        filter: &InvocationFilter,
        sort: &[Sort],
        slice: &Slice,
    ) -> Result<(Vec<Invocation>, Option<u64>)> {
        let visible = visible(caller)?;
        let newest_first = [(SortField::CreatedAt, Order::NewestFirst)];
        let listing = Listing {
            wants: &|class| visible.contains(&class.source_type) && filter.wants(class),
            conversation_ids: &filter.conversation_ids,
            simulation_run_ids: &filter.simulation_run_ids,
            sort: if sort.is_empty() { &newest_first } else { sort },
            after: slice.continuation_token.checked_sub(1),
            limit: slice.limit,
        };
        let InvocationPage { invocations, continue_after } = self.store.list_invocations(&caller.org, &listing)?;
        // Numbers begin at 0, tokens at 1. Both stay far below 2^53, up to which every client can count.
        Ok((invocations, continue_after.map(|number| number + 1)))
    }

    /// One invocation.
    pub fn invocation(&self, caller: &Caller, id: InvocationId) -> Result<Invocation> {
        let visible = visible(caller)?;
        let invocation = self.store.get_invocation(&caller.org, id)?;
        let seen = invocation.filter(|invocation| visible.contains(&invocation.invocation_source.source_type()));
        seen.ok_or_else(|| Error::NotFound(format!("invocation {id} does not exist")))
    }
}

impl InvocationFilter {
    /// Whether it lets a class of invocations pass. Conversations and runs are the store's to look at.
    fn wants(&self, class: &Class) -> bool {
        let is_of = |(tool, constraint): &(ToolId, Option<Constraint>)| {
            *tool == class.tool_id && constraint.as_ref().is_none_or(|constraint| constraint.matches(class.version))
        };
        (self.tools.is_empty() || self.tools.iter().any(is_of))
            && (self.source_types.is_empty() || self.source_types.contains(&class.source_type))
            && (self.succeeded.is_empty() || self.succeeded.contains(&class.succeeded))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::config::Config;
    use crate::model::access::Action;
    use crate::model::{Grant, InvocationSource, InvocationStatus, OrgId, Role, RoleName, UserId, UserRef, Version};
    use crate::search::SearchQuery;

    fn caller(org: &OrgId, permissions: &[&str]) -> Caller {
        let grant = |name: &&str| Grant {
            action: Action::Allow,
            permission_name: (*name).to_owned(),
            conditions: std::collections::BTreeMap::new(),
        };
        let permission_grants = permissions.iter().map(grant).collect();
        let user = UserRef { org_id: org.clone(), user_id: UserId::new() };
        Caller::new(org.clone(), user, Role { name: RoleName::parse("r").unwrap(), permission_grants })
    }

    fn invocation(org: &OrgId, invocation_source: InvocationSource) -> Invocation {
        Invocation {
            id: InvocationId::new(),
            org_id: org.clone(),
            created_at: Timestamp::now(),
            invocation_status: InvocationStatus::Succeeded { output: "weather".to_owned() },
            invocation_source,
            duration_ms: 1.0,
            tool_id: ToolId::new(),
            tool_version: Version::FIRST,
            inputs: json!({}),
            logs: String::new(),
        }
    }

    fn seen(app: &App, caller: &Caller) -> Result<Vec<InvocationId>> {
        let ids = |invocations: Vec<Invocation>| invocations.iter().map(|one| one.id).collect::<Vec<_>>();
        let slice = Slice { continuation_token: 0, limit: 10 };
        let listed = app.list_invocations(caller, &InvocationFilter::default(), &[], &slice)?;
        let mut listed = ids(listed.0);
        let query = SearchQuery::parse("weather", &[]).unwrap();
        let mut found = ids(app.search_invocations(caller, query)?);
        listed.sort();
        found.sort();
        assert_eq!(listed, found, "a list and a search show the same");
        for id in &listed {
            assert_eq!(app.invocation(caller, *id)?.id, *id);
        }
        Ok(listed)
    }

    #[tokio::test]
    async fn a_caller_sees_the_kinds_that_its_permissions_name() {
        let folder = tempfile::tempdir().unwrap();
        let app: Arc<App> = App::open(Config::for_folder(folder.path()).unwrap()).unwrap();
        let org = OrgId::parse("acme").unwrap();
        let regular = invocation(
            &org,
            InvocationSource::RegularConversation {
                user_id: UserId::new(),
                conversation_id: None,
                interaction_id: None,
                invocation_metadata: None,
            },
        );
        let simulated = invocation(
            &org,
            InvocationSource::SimulationConversation {
                simulation_unit_test_set_run_id: None,
                unit_test_id: None,
                run_index: None,
                invocation_metadata: None,
            },
        );
        app.store.record_invocations(&org, &[regular.clone(), simulated.clone()]).await.unwrap();

        let (conversations, simulations) = (permission::READ_CONVERSATIONS, permission::READ_SIMULATIONS);
        let both = caller(&org, &[conversations, simulations]);
        assert_eq!(seen(&app, &both).unwrap(), [regular.id, simulated.id]);
        assert_eq!(seen(&app, &caller(&org, &[conversations])).unwrap(), [regular.id]);
        let of_simulations = caller(&org, &[simulations]);
        assert_eq!(seen(&app, &of_simulations).unwrap(), [simulated.id]);
        assert!(matches!(app.invocation(&of_simulations, regular.id), Err(Error::NotFound(_))));
        let neither = caller(&org, &[permission::INVOKE_TOOL]);
        assert!(matches!(seen(&app, &neither), Err(Error::Forbidden { .. })));
        assert!(matches!(app.invocation(&neither, regular.id), Err(Error::Forbidden { .. })));
        let elsewhere = caller(&OrgId::parse("other").unwrap(), &[conversations, simulations]);
        assert!(seen(&app, &elsewhere).unwrap().is_empty());
        assert!(matches!(app.invocation(&elsewhere, regular.id), Err(Error::NotFound(_))));
    }
}
