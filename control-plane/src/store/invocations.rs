//! Invocations: written once, numbered in the order in which they are written, and found by id, by number and by list.

use std::sync::{Mutex, PoisonError};

use sled::transaction::ConflictableTransactionResult;

use super::invocation_chunks::number_key;
use super::invocation_columns::{Columns, Entry, View};
use super::invocation_page::Listing;
use super::invocation_row::InvocationRow;
use super::{Store, decided, rows};
use crate::error::{Error, Result};
use crate::model::{Invocation, InvocationId, OrgId};

/// A page of a list.
#[derive(Debug)]
pub struct InvocationPage {
    /// Its entries, without what the tools printed.
    pub invocations: Vec<Invocation>,
    /// The number of the last one, where more come after it.
    pub continue_after: Option<u64>,
}

struct Written {
    row: Vec<u8>,
    entry: Entry,
}

impl Store {
    /// Records invocations, all of them or none. `Error::Conflict` when one is on record already.
    pub async fn record_invocations(&self, org: &OrgId, invocations: &[Invocation]) -> Result<()> {
        self.check_writable()?;
        let mut blobs = Vec::new();
        let mut rows_to_write = Vec::with_capacity(invocations.len());
        for invocation in invocations {
            let row = InvocationRow::new(invocation, &mut blobs)?;
            let entry = row.entry();
            rows_to_write.push(Written { row: rows::encode(&row, &mut blobs)?, entry });
        }
        self.put_blobs(blobs).await?;

        let columns = self.columns.of(org);
        let end = self.write_invocations(org, &columns, &rows_to_write)?;
        self.durability.durable().await?;
        let (full, classes) = {
            let mut columns = columns.lock().unwrap_or_else(PoisonError::into_inner);
            (columns.confirm(end), columns.classes())
        };
        self.keep_chunks(org, full, &classes).await;
        Ok(())
    }

    /// Writes rows and gives the number that the next one will have. Whoever writes holds the columns, so numbers have
    /// no gaps, and what is durable is always the first so many.
    fn write_invocations(&self, org: &OrgId, columns: &Mutex<Columns>, written: &[Written]) -> Result<u64> {
        let mut columns = columns.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ids: Vec<_> = written.iter().map(|written| written.entry.id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) || ids.iter().any(|id| columns.contains(*id)) {
            return Err(Error::Conflict("an invocation of that id is on record already".to_owned()));
        }
        let first = columns.written();
        let outcome = self.invocations.transaction(|all| -> ConflictableTransactionResult<(), Error> {
            for (number, Written { row, .. }) in (first..).zip(written) {
                all.insert(number_key(org, number), row.as_slice())?;
            }
            Ok(())
        });
        decided(outcome)?;
        written.iter().for_each(|written| columns.push(&written.entry));
        Ok(columns.written())
    }

    /// The invocation, if there is one of that id, with its inputs, output and logs.
    pub fn get_invocation(&self, org: &OrgId, id: InvocationId) -> Result<Option<Invocation>> {
        let number = self.recorded(org).number(id);
        number.map(|number| self.numbered(org, number)?.load(&self.blobs)).transpose()
    }

    /// A page of a list of all that is durable. `Error::Invalid` when it is to come after an entry that does not exist.
    pub fn list_invocations(&self, org: &OrgId, listing: &Listing) -> Result<InvocationPage> {
        let view = self.recorded(org);
        if listing.after.is_some_and(|after| after >= view.len) {
            let message = "continuation_token must be 0, or the one of the previous page";
            return Err(Error::invalid(&["query", "continuation_token"], "value_error", message));
        }
        let (numbers, has_more) = view.page(listing);
        let invocations = numbers.iter().map(|number| self.numbered(org, *number)?.load_without_logs(&self.blobs));
        let invocations = invocations.collect::<Result<_>>()?;
        let continue_after = numbers.last().copied().filter(|_| has_more);
        Ok(InvocationPage { invocations, continue_after })
    }

    /// How many invocations are durable. Their numbers are those below.
    pub fn count_invocations(&self, org: &OrgId) -> u64 {
        self.columns.of(org).lock().unwrap_or_else(PoisonError::into_inner).durable()
    }

    /// The id of an invocation by its number.
    pub fn invocation_id(&self, org: &OrgId, number: u64) -> Option<InvocationId> {
        self.recorded(org).id(number)
    }

    /// Durable invocations by number, from `first` on and at most `limit` of them, without what the tools printed.
    pub fn invocations_from(&self, org: &OrgId, first: u64, limit: usize) -> Result<Vec<Invocation>> {
        let end = self.count_invocations(org).min(first.saturating_add(limit as u64));
        (first..end).map(|number| self.numbered(org, number)?.load_without_logs(&self.blobs)).collect()
    }

    /// The organizations that have invocations.
    pub fn organizations_with_invocations(&self) -> Vec<OrgId> {
        self.columns.organizations()
    }

    fn recorded(&self, org: &OrgId) -> View {
        self.columns.of(org).lock().unwrap_or_else(PoisonError::into_inner).view()
    }

    fn numbered(&self, org: &OrgId, number: u64) -> Result<InvocationRow> {
        let row = self.read(&self.invocations, &number_key(org, number))?;
        row.ok_or_else(|| {
            Error::internal(anyhow::anyhow!("invocation {number} is not there"), "failed to read a record")
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Span, Timestamp};
    use rand::rngs::StdRng;
    use rand::seq::IndexedRandom;
    use rand::{Rng, SeedableRng};
    use serde_json::json;

    use super::super::invocation_columns::{CHUNK_ROWS, Class};
    use super::super::testing::{acme, open_in, other_org};
    use super::super::{Order, Sort, SortField};
    use super::*;
    use crate::model::{InvocationSource, InvocationStatus, SourceType, ToolId, UserId, Version};

    fn conversation(id: &str) -> InvocationSource {
        InvocationSource::RegularConversation {
            user_id: UserId::new(),
            conversation_id: Some(id.to_owned()),
            interaction_id: None,
            invocation_metadata: None,
        }
    }

    fn simulation_run(id: &str) -> InvocationSource {
        InvocationSource::SimulationConversation {
            simulation_unit_test_set_run_id: Some(id.to_owned()),
            unit_test_id: None,
            run_index: None,
            invocation_metadata: None,
        }
    }

    fn invocation(tool_id: ToolId, source: InvocationSource, text_bytes: usize) -> Invocation {
        let text = "x".repeat(text_bytes);
        Invocation {
            id: InvocationId::new(),
            org_id: acme(),
            created_at: Timestamp::UNIX_EPOCH,
            invocation_status: InvocationStatus::Succeeded { output: text.clone() },
            invocation_source: source,
            duration_ms: 1.5,
            tool_id,
            tool_version: Version::FIRST,
            inputs: json!({"city": text}),
            logs: text,
        }
    }

    const EVERYTHING: Listing = Listing {
        wants: &|_| true,
        conversation_ids: &[],
        simulation_run_ids: &[],
        sort: &[],
        after: None,
        limit: usize::MAX / 4,
    };

    fn ids(store: &Store, listing: &Listing) -> Vec<InvocationId> {
        let page = store.list_invocations(&acme(), listing).unwrap();
        page.invocations.iter().map(|invocation| invocation.id).collect()
    }

    /// Records that differ in everything that lists look at, with many ties.
    fn assorted(random: &mut StdRng, count: usize) -> Vec<Invocation> {
        let tools: Vec<_> = (0..3).map(|_| ToolId::new()).collect();
        let one = |random: &mut StdRng| {
            let mut source = match random.random_range(0..4) {
                0 => simulation_run(["a", "b"].choose(random).unwrap()),
                _ => conversation(["a", "b", "c"].choose(random).unwrap()),
            };
            if let InvocationSource::RegularConversation { conversation_id, .. } = &mut source
                && random.random_bool(0.3)
            {
                *conversation_id = None;
            }
            let mut made = invocation(*tools.choose(random).unwrap(), source, 1);
            let mut number = || random.random_range(1..3);
            made.tool_version = Version { major: number(), minor: number(), patch: number() };
            made.created_at = Timestamp::UNIX_EPOCH + Span::new().nanoseconds(random.random_range(-20..20));
            if random.random_bool(0.3) {
                made.invocation_status = InvocationStatus::Failed {
                    exception_message: "m".to_owned(),
                    exception_type: "ValueError".to_owned(),
                    exception_stack_trace: Vec::new(),
                };
            }
            made
        };
        (0..count).map(|_| one(random)).collect()
    }

    /// What a list is, said as plainly as it can be.
    fn naive(records: &[Invocation], listing: &Listing) -> Vec<InvocationId> {
        let among = |ids: &[String], id: Option<&str>| {
            ids.is_empty() || id.is_some_and(|id| ids.iter().any(|wanted| wanted == id))
        };
        let mut passed: Vec<_> = records
            .iter()
            .filter(|record| {
                let source = &record.invocation_source;
                let class = Class {
                    tool_id: record.tool_id,
                    version: record.tool_version,
                    source_type: source.source_type(),
                    succeeded: record.invocation_status.has_succeeded(),
                };
                (listing.wants)(&class)
                    && among(listing.conversation_ids, source.conversation_id())
                    && among(listing.simulation_run_ids, source.simulation_run_id())
            })
            .collect();
        passed.sort_by(|a, b| {
            let mut ordering = std::cmp::Ordering::Equal;
            for (field, order) in listing.sort {
                let by_field = match field {
                    SortField::CreatedAt => a.created_at.cmp(&b.created_at),
                    SortField::VersionMajor => a.tool_version.major.cmp(&b.tool_version.major),
                    SortField::VersionMinor => a.tool_version.minor.cmp(&b.tool_version.minor),
                    SortField::VersionPatch => a.tool_version.patch.cmp(&b.tool_version.patch),
                    SortField::ToolId => a.tool_id.cmp(&b.tool_id),
                    SortField::SourceType => a.invocation_source.source_type().cmp(&b.invocation_source.source_type()),
                    SortField::Succeeded => {
                        a.invocation_status.has_succeeded().cmp(&b.invocation_status.has_succeeded())
                    }
                };
                ordering = ordering.then(if *order == Order::OldestFirst { by_field } else { by_field.reverse() });
            }
            ordering.then(a.id.cmp(&b.id))
        });
        passed.iter().map(|record| record.id).collect()
    }

    /// A filter and an order at random.
    struct Wanted {
        tools: Vec<ToolId>,
        kind: Option<SourceType>,
        succeeded: Option<bool>,
        minor: Option<u64>,
        conversations: Vec<String>,
        runs: Vec<String>,
        sort: Vec<Sort>,
    }

    impl Wanted {
        fn random(random: &mut StdRng, records: &[Invocation]) -> Self {
            use SortField::{
                CreatedAt, SourceType as Kind, Succeeded, ToolId, VersionMajor, VersionMinor, VersionPatch,
            };
            let fields = [CreatedAt, VersionMajor, VersionMinor, VersionPatch, ToolId, Kind, Succeeded];
            let orders = [Order::OldestFirst, Order::NewestFirst];
            let some = |random: &mut StdRng, names: &[&str]| -> Vec<String> {
                let count = if random.random_bool(0.7) { 0 } else { random.random_range(1..=2) };
                names.choose_multiple(random, count).map(|name| (*name).to_owned()).collect()
            };
            Self {
                tools: (0..random.random_range(0..3)).map(|_| records.choose(random).unwrap().tool_id).collect(),
                kind: [None, Some(SourceType::RegularConversation), Some(SourceType::SimulationConversation)]
                    [random.random_range(0..3)],
                succeeded: [None, Some(true), Some(false)][random.random_range(0..3)],
                minor: [None, Some(2)][random.random_range(0..2)],
                conversations: some(random, &["a", "b", "c", "nobody's"]),
                runs: some(random, &["a", "b"]),
                sort: (0..random.random_range(0..5))
                    .map(|_| (*fields.choose(random).unwrap(), *orders.choose(random).unwrap()))
                    .collect(),
            }
        }

        fn wants(&self, class: &Class) -> bool {
            (self.tools.is_empty() || self.tools.contains(&class.tool_id))
                && self.kind.is_none_or(|kind| kind == class.source_type)
                && self.succeeded.is_none_or(|succeeded| succeeded == class.succeeded)
                && self.minor.is_none_or(|minor| minor == class.version.minor)
        }
    }

    #[tokio::test]
    async fn every_filter_and_order_gives_what_it_says_also_after_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let mut random = StdRng::seed_from_u64(1);
        let records = assorted(&mut random, 600);
        let mut store = open_in(folder.path());
        for batch in records.chunks(100) {
            store.record_invocations(&acme(), batch).await.unwrap();
        }
        for round in 0..400 {
            if round == 200 {
                store.close().await.unwrap();
                store = open_in(folder.path());
            }
            let wanted = Wanted::random(&mut random, &records);
            let wants = |class: &Class| wanted.wants(class);
            let mut listing = Listing {
                wants: &wants,
                conversation_ids: &wanted.conversations,
                simulation_run_ids: &wanted.runs,
                sort: &wanted.sort,
                after: None,
                limit: random.random_range(1..200),
            };
            let mut paged = Vec::new();
            loop {
                let page = store.list_invocations(&acme(), &listing).unwrap();
                assert!(page.invocations.len() <= listing.limit);
                paged.extend(page.invocations.iter().map(|invocation| invocation.id));
                listing.after = page.continue_after;
                if listing.after.is_none() {
                    break;
                }
            }
            assert_eq!(paged, naive(&records, &listing), "{:?} {:?}", wanted.sort, wanted.conversations);
        }
    }

    #[tokio::test]
    async fn pages_repeat_and_skip_nothing_while_records_arrive() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let mut random = StdRng::seed_from_u64(2);
        let records = assorted(&mut random, 150);
        store.record_invocations(&acme(), &records).await.unwrap();
        for order in [Order::OldestFirst, Order::NewestFirst] {
            let sort = [(SortField::Succeeded, order), (SortField::CreatedAt, order)];
            let there_before = ids(&store, &Listing { sort: &sort, ..EVERYTHING });
            let mut listing = Listing { sort: &sort, limit: 7, ..EVERYTHING };
            let mut seen = Vec::new();
            loop {
                let page = store.list_invocations(&acme(), &listing).unwrap();
                seen.extend(page.invocations.iter().map(|invocation| invocation.id));
                store.record_invocations(&acme(), &assorted(&mut random, 5)).await.unwrap();
                listing.after = page.continue_after;
                // What arrives may come after the page, so that a list never ends; all that was there is seen by then.
                if listing.after.is_none() || there_before.iter().all(|id| seen.contains(id)) {
                    break;
                }
            }
            let mut unique = seen.clone();
            unique.sort();
            unique.dedup();
            assert_eq!(unique.len(), seen.len(), "a page repeats an entry");
            seen.retain(|id| there_before.contains(id));
            assert_eq!(seen, there_before, "a page skips an entry");
        }
    }

    #[tokio::test]
    async fn chunks_are_kept_and_made_again_when_they_are_lost() {
        let folder = tempfile::tempdir().unwrap();
        let mut random = StdRng::seed_from_u64(3);
        let records = assorted(&mut random, 2 * CHUNK_ROWS + 10);
        let sort = [(SortField::ToolId, Order::NewestFirst), (SortField::CreatedAt, Order::NewestFirst)];
        let listing = Listing { sort: &sort, limit: 300, ..EVERYTHING };
        let store = open_in(folder.path());
        for batch in records.chunks(1000) {
            store.record_invocations(&acme(), batch).await.unwrap();
        }
        let expected = &naive(&records, &listing)[..300];
        assert_eq!(ids(&store, &listing), expected);
        let kept: Vec<_> = store.invocation_chunks.iter().values().collect::<Result<_, _>>().unwrap();
        assert_eq!(kept.len(), 2);
        store.close().await.unwrap();

        let store = open_in(folder.path());
        assert_eq!(ids(&store, &listing), expected, "from chunks");
        store.close().await.unwrap();
        for shard in fs_err::read_dir(folder.path().join("blobs")).unwrap() {
            for file in fs_err::read_dir(shard.unwrap().path()).unwrap() {
                fs_err::write(file.unwrap().path(), b"something else").unwrap();
            }
        }
        let store = open_in(folder.path());
        assert_eq!(ids(&store, &listing), expected, "from rows");
        assert_eq!(store.count_invocations(&acme()), records.len() as u64);
        let next = assorted(&mut random, 1);
        store.record_invocations(&acme(), &next).await.unwrap();
        assert_eq!(store.invocation_id(&acme(), records.len() as u64), Some(next[0].id), "numbers go on");
    }

    #[tokio::test]
    async fn a_page_after_what_does_not_exist_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        store.record_invocations(&acme(), &[invocation(ToolId::new(), conversation("a"), 1)]).await.unwrap();
        let refused = store.list_invocations(&acme(), &Listing { after: Some(1), ..EVERYTHING });
        assert!(matches!(refused, Err(Error::Invalid(_))));
        assert!(store.list_invocations(&other_org(), &EVERYTHING).unwrap().invocations.is_empty());
    }

    #[tokio::test]
    async fn an_invocation_comes_back_whole_at_every_size() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        // Inline; each value inline but the row too large; each value a blob.
        for text_bytes in [10, 3000, 100_000] {
            let mut invocation = invocation(ToolId::new(), conversation("c"), text_bytes);
            store.record_invocations(&acme(), std::slice::from_ref(&invocation)).await.unwrap();
            let read = store.get_invocation(&acme(), invocation.id).unwrap().unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&invocation).unwrap());
            assert!(store.get_invocation(&other_org(), invocation.id).unwrap().is_none());

            invocation.id = InvocationId::new();
            invocation.invocation_status = InvocationStatus::Failed {
                exception_message: "m".repeat(text_bytes),
                exception_type: "ValueError".to_owned(),
                exception_stack_trace: vec!["l".repeat(text_bytes); 2],
            };
            store.record_invocations(&acme(), std::slice::from_ref(&invocation)).await.unwrap();
            let read = store.get_invocation(&acme(), invocation.id).unwrap().unwrap();
            assert_eq!(read.invocation_status, invocation.invocation_status);
        }
    }

    #[tokio::test]
    async fn what_is_on_record_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let first = invocation(ToolId::new(), conversation("a"), 1);
        store.record_invocations(&acme(), std::slice::from_ref(&first)).await.unwrap();
        let new = invocation(ToolId::new(), conversation("a"), 1);
        let refused = store.record_invocations(&acme(), &[new.clone(), first]).await;
        assert!(matches!(refused, Err(Error::Conflict(_))));
        assert!(store.get_invocation(&acme(), new.id).unwrap().is_none());
    }

    #[tokio::test]
    async fn no_row_is_so_large_that_sled_makes_a_file_of_its_page() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        for text_bytes in [1200, 1250, 1300, 5000] {
            let tool = ToolId::new();
            for _ in 0..10 {
                let batch: Vec<_> = (0..10).map(|_| invocation(tool, conversation("a"), text_bytes)).collect();
                store.record_invocations(&acme(), &batch).await.unwrap();
            }
        }
        let files = fs_err::read_dir(folder.path().join("store/blobs")).unwrap().count();
        assert_eq!(files, 0, "sled keeps large pages in files that it does not sync");
    }
}
