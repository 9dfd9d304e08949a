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
            let (least, most) = ranks.leads(chunk);
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
                let lead = ranks.lead(rank, chunk.created_ns[row]);
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
        let lead = self.lead(self.major[class], chunk.created_ns[row]);
        Place { lead, minor_rank: self.minor[class], id: chunk.ids[row] }
    }

    /// The rank, then the time in its direction: a number that sorts as both do.
    fn lead(&self, major_rank: u32, created_ns: i64) -> u128 {
        let ascending = (created_ns as u64) ^ (1 << 63);
        let time = match self.time {
            None => 0,
            Some(Order::OldestFirst) => ascending,
            Some(Order::NewestFirst) => !ascending,
        };
        u128::from(major_rank) << 64 | u128::from(time)
    }

    /// The bounds of what a chunk may hold.
    fn leads(&self, chunk: &Chunk) -> (u128, u128) {
        let (oldest, newest) = chunk.span_ns.unwrap_or_default();
        let (first, last) = match self.time {
            Some(Order::NewestFirst) => (newest, oldest),
            _ => (oldest, newest),
        };
        (self.lead(0, first), self.lead(self.last_major, last))
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
