//! What lists filter and sort invocations by, in memory: 40 bytes per record, in columns.
//!
//! Tool, version, kind and success of a record are one number, its [`Class`]: an organization has few of them, so a
//! filter and an order are worked out once per class, and a record costs a look into a table. Records stand in the
//! order in which they were written, which is that of their numbers, in chunks of [`CHUNK_ROWS`]. A full chunk never
//! changes; `invocation_chunks` keeps it as a file, so that a start need not read every row.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::model::{InvocationId, InvocationSource, SourceType, ToolId, Version};

/// How many records a chunk holds. A start reads the rows of at most this many per organization.
pub(super) const CHUNK_ROWS: usize = 4096;

/// What a record has in common with many others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Class {
    /// The tool.
    pub tool_id: ToolId,
    /// The version that ran.
    pub version: Version,
    /// On whose behalf.
    pub source_type: SourceType,
    /// Whether the tool returned.
    pub succeeded: bool,
}

/// A conversation or a run, as the first 16 bytes of a hash: ids of any length compare at once, and nobody finds two
/// of the same hash. Zero is neither.
pub(super) type Group = u128;

/// What the columns hold of one record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub id: InvocationId,
    /// In nanoseconds since 1970.
    pub created_ns: i64,
    pub class: Class,
    pub group: Group,
}

impl Entry {
    pub(super) fn new(
        id: InvocationId,
        created_at: Timestamp,
        (tool_id, version): (ToolId, Version),
        source: &InvocationSource,
        succeeded: bool,
    ) -> Self {
        let conversation = source.conversation_id().map(conversation);
        let run = source.simulation_run_id().map(simulation_run);
        Self {
            id,
            // Until the year 2262.
            created_ns: i64::try_from(created_at.as_nanosecond()).unwrap_or(i64::MAX),
            class: Class { tool_id, version, source_type: source.source_type(), succeeded },
            group: conversation.or(run).unwrap_or_default(),
        }
    }
}

/// The group of a conversation.
pub(super) fn conversation(id: &str) -> Group {
    group(b"conversation", id)
}

/// The group of a run of a set of simulations.
pub(super) fn simulation_run(id: &str) -> Group {
    group(b"simulation run", id)
}

fn group(kind: &[u8], id: &str) -> Group {
    let hash = Sha256::new().chain_update(kind).chain_update([0]).chain_update(id).finalize();
    let mut first = [0; 16];
    first.copy_from_slice(&hash[..16]);
    Group::from_le_bytes(first)
}

/// Some records, one column for each of their parts.
#[derive(Debug, Clone, Default)]
pub(super) struct Chunk {
    pub ids: Vec<InvocationId>,
    pub created_ns: Vec<i64>,
    /// Places in the organization's list of classes.
    pub classes: Vec<u32>,
    pub groups: Vec<Group>,
    /// The oldest record's time and the newest one's.
    pub span_ns: Option<(i64, i64)>,
    /// The smallest id and the largest: ids are made in about the order of writing, so few chunks may hold one.
    pub span_ids: Option<(InvocationId, InvocationId)>,
}

impl Chunk {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn push(&mut self, entry: &Entry, class: u32) {
        self.ids.push(entry.id);
        self.created_ns.push(entry.created_ns);
        self.classes.push(class);
        self.groups.push(entry.group);
        let (oldest, newest) = self.span_ns.unwrap_or((entry.created_ns, entry.created_ns));
        self.span_ns = Some((oldest.min(entry.created_ns), newest.max(entry.created_ns)));
        let (smallest, largest) = self.span_ids.unwrap_or((entry.id, entry.id));
        self.span_ids = Some((smallest.min(entry.id), largest.max(entry.id)));
    }

    fn find(&self, id: InvocationId) -> Option<usize> {
        let (smallest, largest) = self.span_ids?;
        if id < smallest || id > largest { None } else { self.ids.iter().position(|other| *other == id) }
    }
}

/// The records of one organization.
#[derive(Debug, Default)]
pub(super) struct Columns {
    classes: Arc<Vec<Class>>,
    places: HashMap<Class, u32>,
    /// All but the last one are full.
    chunks: Vec<Arc<Chunk>>,
    written: u64,
    durable: u64,
    /// Full chunks that are not in files yet.
    unkept: Vec<usize>,
    /// So many of the oldest chunks were removed, and are empty.
    removed: usize,
}

/// The durable records of one organization at a moment.
#[derive(Debug, Default)]
pub(super) struct View {
    pub classes: Arc<Vec<Class>>,
    pub chunks: Vec<Arc<Chunk>>,
    pub len: u64,
}

impl Columns {
    /// Whether a record was written.
    pub(super) fn contains(&self, id: InvocationId) -> bool {
        find(&self.chunks, id).is_some()
    }

    /// The number of the next record.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// How many records are durable: those of lower numbers.
    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    /// Adds a record that was written.
    pub(super) fn push(&mut self, entry: &Entry) {
        let class = self.place(entry.class);
        if self.written.is_multiple_of(CHUNK_ROWS as u64) {
            self.chunks.push(Arc::default());
        }
        let index = self.chunks.len() - 1;
        // A reader that holds the last chunk keeps it as it was; it is copied, which costs some ten microseconds.
        let chunk = Arc::make_mut(&mut self.chunks[index]);
        chunk.push(entry, class);
        if chunk.len() == CHUNK_ROWS {
            self.unkept.push(index);
        }
        self.written += 1;
    }

    /// Adds a full chunk as it was kept; its classes are places in `classes`.
    pub(super) fn adopt(&mut self, mut chunk: Chunk, classes: &[Class]) {
        let places: Vec<_> = classes.iter().map(|class| self.place(*class)).collect();
        chunk.classes.iter_mut().for_each(|class| *class = places[*class as usize]);
        self.written += chunk.len() as u64;
        self.chunks.push(Arc::new(chunk));
    }

    /// The number of the oldest record.
    pub(super) fn first(&self) -> u64 {
        (self.removed * CHUNK_ROWS) as u64
    }

    /// Of no records yet: those of lower numbers, which are whole chunks, were removed.
    pub(super) fn starting_at(first: u64) -> Self {
        let removed = (first / CHUNK_ROWS as u64) as usize;
        let chunks = vec![Arc::default(); removed];
        Self { chunks, removed, written: first, durable: first, ..Self::default() }
    }

    /// The oldest chunk, where it is full and others come after it.
    pub(super) fn oldest_full_chunk(&self) -> Option<(usize, Arc<Chunk>)> {
        let end = (self.removed + 1) * CHUNK_ROWS;
        (self.durable > end as u64).then(|| (self.removed, Arc::clone(&self.chunks[self.removed])))
    }

    /// The oldest chunk is removed.
    pub(super) fn forget(&mut self, index: usize) {
        self.chunks[index] = Arc::default();
        self.removed = index + 1;
        self.unkept.retain(|unkept| *unkept != index);
    }

    /// Everything up to `end` is durable. Gives the full chunks that are to be kept now, with their places.
    pub(super) fn confirm(&mut self, end: u64) -> Vec<(usize, Arc<Chunk>)> {
        // Whoever wrote later may have been first to hear of it.
        self.durable = self.durable.max(end);
        let durable_chunks = (self.durable / CHUNK_ROWS as u64) as usize;
        let keep: Vec<_> = self.unkept.extract_if(.., |index| *index < durable_chunks).collect();
        keep.into_iter().map(|index| (index, Arc::clone(&self.chunks[index]))).collect()
    }

    /// The classes by their places.
    pub(super) fn classes(&self) -> Arc<Vec<Class>> {
        Arc::clone(&self.classes)
    }

    /// What is durable now.
    pub(super) fn view(&self) -> View {
        View { classes: self.classes(), chunks: self.chunks.clone(), len: self.durable }
    }

    fn place(&mut self, class: Class) -> u32 {
        *self.places.entry(class).or_insert_with(|| {
            let classes = Arc::make_mut(&mut self.classes);
            classes.push(class);
            u32::try_from(classes.len() - 1).expect("four thousand million classes do not fit into memory")
        })
    }
}

impl View {
    /// The id of a record by its number.
    pub(super) fn id(&self, number: u64) -> Option<InvocationId> {
        self.row(number).map(|(chunk, row)| chunk.ids[row])
    }

    /// The number of a record by its id.
    pub(super) fn number(&self, id: InvocationId) -> Option<u64> {
        find(&self.chunks, id).filter(|number| *number < self.len)
    }

    /// The chunk of a record and its place there.
    pub(super) fn row(&self, number: u64) -> Option<(&Chunk, usize)> {
        if number >= self.len {
            return None;
        }
        let chunk = &self.chunks[(number / CHUNK_ROWS as u64) as usize];
        let row = (number % CHUNK_ROWS as u64) as usize;
        // A chunk that was removed is empty.
        (row < chunk.len()).then_some((chunk, row))
    }
}

/// The number of a record by its id. The newest are asked for most.
fn find(chunks: &[Arc<Chunk>], id: InvocationId) -> Option<u64> {
    let mut found = chunks.iter().enumerate().rev().filter_map(|(index, chunk)| Some((index, chunk.find(id)?)));
    found.next().map(|(index, row)| (index * CHUNK_ROWS + row) as u64)
}
