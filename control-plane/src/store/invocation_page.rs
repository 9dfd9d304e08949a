//! One page of a list of invocations: the next entries after one of them, in any order.
//!
//! A page is found in one pass over the columns, whatever comes before it: what sorts after the last entry of the
//! previous page and before the worst that would still fit is kept, the rest is passed by, and chunks that can hold
//! neither are not looked into. A record's place in an order never changes, so while others arrive no page repeats an
//! entry or skips one.

use std::cmp::Ordering;

use super::invocation_columns::{CHUNK_ROWS, Chunk, Class, Group, View, conversation, simulation_run};
use crate::model::InvocationId;

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

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Ascending.
    OldestFirst,
    /// Descending.
    NewestFirst,
}

/// A field and a direction.
pub type Sort = (SortField, Order);

/// Which invocations are wanted, and which page of them.
pub struct Listing<'a> {
    /// Whether those of a class are.
    pub wants: &'a dyn Fn(&Class) -> bool,
    /// Of one of these conversations, unless there are none.
    pub conversation_ids: &'a [String],
    /// Of one of these runs, unless there are none.
    pub simulation_run_ids: &'a [String],
    /// The fields to sort by, the first one first; the id breaks the last tie, the smaller one first.
    pub sort: &'a [Sort],
    /// The number of the entry that the page comes after.
    pub after: Option<u64>,
    /// The most entries.
    pub limit: usize,
}

/// How many candidates are gathered before the worst are dropped: dropping is linear, so each costs little.
const GATHERED: usize = 1024;

/// The rank of classes that are not wanted.
const UNWANTED: u32 = u32::MAX;

/// Where a record sorts. The first part decides nearly always, so it is compared first and by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    lead: u128,
    minor_rank: u32,
    id: InvocationId,
}

/// An order, worked out for the classes that there are.
struct Ranks {
    /// By the fields before the time of creation.
    major: Vec<u32>,
    /// The last of them.
    last_major: u32,
    time: Option<Order>,
    /// By the fields after it.
    minor: Vec<u32>,
}

impl View {
    /// The numbers of a page's entries, and whether there are more after them.
    pub(super) fn page(&self, listing: &Listing) -> (Vec<u64>, bool) {
        let Some(groups) = groups(listing) else { return (Vec::new(), false) };
        let ranks = Ranks::new(&self.classes, listing.sort);
        let mut major = ranks.major.clone();
        for (class, rank) in self.classes.iter().zip(&mut major) {
            if !(listing.wants)(class) {
                *rank = UNWANTED;
            }
        }
        if major.iter().all(|rank| *rank == UNWANTED) {
            return (Vec::new(), false);
        }
        let cursor = listing.after.and_then(|number| self.row(number)).map(|(chunk, row)| ranks.place(chunk, row));
        let mut best = Best { found: Vec::with_capacity(GATHERED), size: listing.limit + 1, worst: None };

        let last = self.len.div_ceil(CHUNK_ROWS as u64) as usize;
        for index in 0..last {
            // The likeliest chunk comes first, since what it holds makes others needless.
            let index = if ranks.time == Some(Order::NewestFirst) { last - 1 - index } else { index };
            let chunk = &self.chunks[index];
            let Some((least, most)) = ranks.leads(chunk) else { continue };
            let is_before = cursor.is_some_and(|cursor| most < cursor.lead);
            if is_before || best.worst.is_some_and(|worst| least > worst.lead) {
                continue;
            }
            let first_number = (index * CHUNK_ROWS) as u64;
            let rows = chunk.len().min((self.len - first_number) as usize);
            for (row, class) in chunk.classes[..rows].iter().enumerate() {
                let rank = major[*class as usize];
                if rank == UNWANTED || (!groups.is_empty() && groups.binary_search(&chunk.groups[row]).is_err()) {
                    continue;
                }
                let lead = ranks.lead(rank, chunk.created_ns[row], chunk.ids[row]);
                if cursor.is_some_and(|cursor| lead < cursor.lead) || best.worst.is_some_and(|worst| lead > worst.lead)
                {
                    continue;
                }
                let place = Place { lead, minor_rank: ranks.minor[*class as usize], id: chunk.ids[row] };
                if cursor.is_none_or(|cursor| place > cursor) {
                    best.offer(place, first_number + row as u64);
                }
            }
        }
        best.into_page(listing.limit)
    }
}

impl Ranks {
    fn new(classes: &[Class], sort: &[Sort]) -> Self {
        let time = sort.iter().position(|(field, _)| *field == SortField::CreatedAt);
        let (before, after) = sort.split_at(time.unwrap_or(sort.len()));
        let rank = |fields: &[Sort]| {
            let mut sorted: Vec<usize> = (0..classes.len()).collect();
            sorted.sort_by(|a, b| compare(&classes[*a], &classes[*b], fields));
            let mut ranks = vec![0; classes.len()];
            for pair in sorted.windows(2) {
                let step = u32::from(compare(&classes[pair[0]], &classes[pair[1]], fields).is_ne());
                ranks[pair[1]] = ranks[pair[0]] + step;
            }
            ranks
        };
        let major = rank(before);
        let last_major = major.iter().copied().max().unwrap_or_default();
        Self { major, last_major, time: time.map(|position| sort[position].1), minor: rank(after) }
    }

    fn place(&self, chunk: &Chunk, row: usize) -> Place {
        let class = chunk.classes[row] as usize;
        let lead = self.lead(self.major[class], chunk.created_ns[row], chunk.ids[row]);
        Place { lead, minor_rank: self.minor[class], id: chunk.ids[row] }
    }

    /// The rank, then the time in its direction or else the id: a number that sorts as both do.
    fn lead(&self, major_rank: u32, created_ns: i64, id: InvocationId) -> u128 {
        let ascending = (created_ns as u64) ^ (1 << 63);
        match self.time {
            Some(Order::OldestFirst) => u128::from(major_rank) << 64 | u128::from(ascending),
            Some(Order::NewestFirst) => u128::from(major_rank) << 64 | u128::from(!ascending),
            None => {
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&major_rank.to_be_bytes());
                bytes[4..].copy_from_slice(id.as_bytes());
                u128::from_be_bytes(bytes)
            }
        }
    }

    /// The bounds of what a chunk may hold; none where it is empty.
    fn leads(&self, chunk: &Chunk) -> Option<(u128, u128)> {
        let ((oldest, newest), (smallest, largest)) = chunk.span_ns.zip(chunk.span_ids)?;
        let (first, last) = match self.time {
            Some(Order::NewestFirst) => (newest, oldest),
            _ => (oldest, newest),
        };
        Some((self.lead(0, first, smallest), self.lead(self.last_major, last, largest)))
    }
}

/// The first few of all that is offered.
struct Best {
    found: Vec<(Place, u64)>,
    size: usize,
    /// What does not sort before it is not among them.
    worst: Option<Place>,
}

impl Best {
    fn offer(&mut self, place: Place, number: u64) {
        if self.worst.is_some_and(|worst| place >= worst) {
            return;
        }
        self.found.push((place, number));
        if self.found.len() >= GATHERED.max(2 * self.size) {
            let (_, worst, _) = self.found.select_nth_unstable(self.size - 1);
            self.worst = Some(worst.0);
            self.found.truncate(self.size);
        }
    }

    fn into_page(mut self, limit: usize) -> (Vec<u64>, bool) {
        self.found.sort_unstable();
        let has_more = self.found.len() > limit;
        (self.found.into_iter().take(limit).map(|(_, number)| number).collect(), has_more)
    }
}

/// The groups that are wanted, sorted; empty where all are. None where nothing can be of both kinds that are asked for.
fn groups(listing: &Listing) -> Option<Vec<Group>> {
    let (conversations, runs) = (listing.conversation_ids, listing.simulation_run_ids);
    if !conversations.is_empty() && !runs.is_empty() {
        return None;
    }
    let mut groups: Vec<_> = conversations.iter().map(|id| conversation(id)).collect();
    groups.extend(runs.iter().map(|id| simulation_run(id)));
    groups.sort_unstable();
    Some(groups)
}

fn compare(a: &Class, b: &Class, fields: &[Sort]) -> Ordering {
    let by_field = fields.iter().map(|(field, order)| {
        let ordering = match field {
            // It belongs to records, not to classes.
            SortField::CreatedAt => Ordering::Equal,
            SortField::VersionMajor => a.version.major.cmp(&b.version.major),
            SortField::VersionMinor => a.version.minor.cmp(&b.version.minor),
            SortField::VersionPatch => a.version.patch.cmp(&b.version.patch),
            SortField::ToolId => a.tool_id.cmp(&b.tool_id),
            SortField::SourceType => a.source_type.cmp(&b.source_type),
            SortField::Succeeded => a.succeeded.cmp(&b.succeeded),
        };
        match order {
            Order::OldestFirst => ordering,
            Order::NewestFirst => ordering.reverse(),
        }
    });
    by_field.fold(Ordering::Equal, Ordering::then)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::seq::IndexedRandom;
    use rand::{Rng, SeedableRng};

    use super::super::testing::{EVERYTHING, acme, assorted, conversation, ids, invocation, open_in, other_org};
    use super::*;
    use crate::error::Error;
    use crate::model::{Invocation, SourceType, ToolId};

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
    async fn a_page_after_what_does_not_exist_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        store.record_invocations(&acme(), &[invocation(ToolId::new(), conversation("a"), 1)]).await.unwrap();
        let refused = store.list_invocations(&acme(), &Listing { after: Some(1), ..EVERYTHING });
        assert!(matches!(refused, Err(Error::Invalid(_))));
        assert!(store.list_invocations(&other_org(), &EVERYTHING).unwrap().invocations.is_empty());
    }
}
