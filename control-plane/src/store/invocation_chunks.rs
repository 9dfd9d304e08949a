//! Full chunks of columns as files, and the columns again at a start.
//!
//! A chunk is a blob that a row of `invocation_chunks` names. It says nothing that the invocations' rows do not say: one
//! that is not there, or does not read as it should, is made again from them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::invocation_columns::{CHUNK_ROWS, Chunk, Class, Columns};
use super::invocation_row::InvocationRow;
use super::{Store, blobs, rows};
use crate::error::{Error, Result};
use crate::model::{InvocationId, OrgId, SourceType, ToolId, Version};

/// What a record takes in a chunk: its id, its time, its class, its group.
const ROW_BYTES: usize = 12 + 8 + 4 + 16;

/// What a row of `invocation_chunks` says.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    sha256: String,
}

/// The columns of every organization that has records.
#[derive(Debug, Default)]
pub(super) struct AllColumns(Mutex<HashMap<OrgId, Arc<Mutex<Columns>>>>);

impl AllColumns {
    /// An organization's columns.
    pub(super) fn of(&self, org: &OrgId) -> Arc<Mutex<Columns>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(columns) = all.get(org) {
            return Arc::clone(columns);
        }
        Arc::clone(all.entry(org.clone()).or_default())
    }

    /// The organizations that have records.
    pub(super) fn organizations(&self) -> Vec<OrgId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

impl Store {
    /// Keeps chunks that have become full. A fault costs the next start time and nobody a record, so it is only logged.
    pub(super) async fn keep_chunks(&self, org: &OrgId, chunks: Vec<(usize, Arc<Chunk>)>, classes: &[Class]) {
        for (index, chunk) in chunks {
            let kept = self.keep_chunk(org, index, &chunk, classes).await;
            if let Err(error) = kept {
                tracing::warn!(%error, "Could not keep a chunk of invocations; the next start makes it again");
            }
        }
    }

    async fn keep_chunk(&self, org: &OrgId, index: usize, chunk: &Chunk, classes: &[Class]) -> Result<()> {
        let content = encode(chunk, classes);
        let sha256 = blobs::name_of(&content);
        self.put_blobs(vec![content]).await?;
        let row = rows::encode(&Kept { sha256 }, &mut Vec::new())?;
        let _turn = self.writers.read().await;
        self.invocation_chunks.insert(chunk_key(org, index), row)?;
        Ok(())
    }

    /// Fills the columns from what is on disk, all of which is durable.
    pub(super) fn load_columns(&self) -> Result<()> {
        self.load_all_columns().map_err(|error| match error {
            Error::Internal(fault) => Error::internal(
                fault,
                "read what is on record of the invocations: run `control-plane verify`, and restore a backup if it finds a \
                 loss",
            ),
            other => other,
        })
    }

    fn load_all_columns(&self) -> Result<()> {
        let mut from = Vec::new();
        while let Some((key, _)) = self.invocations.range(from..).next().transpose()? {
            let name = key.split(|byte| *byte == 0).next().unwrap_or_default();
            let org = OrgId::parse(&String::from_utf8_lossy(name))
                .map_err(|e| Error::internal(e, "failed to read an organization's id"))?;
            let columns = self.load_columns_of(&org)?;
            *self.columns.of(&org).lock().unwrap_or_else(PoisonError::into_inner) = columns;
            // No id holds a byte as small as 1, so this is after all keys of the organization and before any other's.
            from = [name, &[1]].concat();
        }
        Ok(())
    }

    fn load_columns_of(&self, org: &OrgId) -> Result<Columns> {
        let last = self.invocations.scan_prefix(rows::key(org, &[])).next_back().transpose()?;
        let total = last.map_or(Ok(0), |(key, _)| number_of(&key).map(|number| number + 1))?;
        let mut columns = Columns::starting_at(self.floor(org)?);
        while columns.written() < total {
            let index = (columns.written() / CHUNK_ROWS as u64) as usize;
            let end = total.min(columns.written() + CHUNK_ROWS as u64);
            let is_full = end == columns.written() + CHUNK_ROWS as u64;
            if is_full && let Some((chunk, classes)) = self.kept_chunk(org, index)? {
                columns.adopt(chunk, &classes);
                continue;
            }
            if is_full {
                tracing::info!(organization = %org, from = columns.written(), total, "Reading invocations again for lists");
            }
            self.read_rows(org, &mut columns, end)?;
        }
        columns.confirm(total);
        Ok(columns)
    }

    /// A chunk as it was kept; none when it was not, or cannot be read.
    pub(super) fn kept_chunk(&self, org: &OrgId, index: usize) -> Result<Option<(Chunk, Vec<Class>)>> {
        let Some(Kept { sha256 }) = self.read(&self.invocation_chunks, &chunk_key(org, index))? else {
            return Ok(None);
        };
        // What is damaged is not given.
        let chunk = self
            .blobs
            .get(&sha256)
            .ok()
            .and_then(|content| decode(&content))
            .filter(|(chunk, _)| chunk.len() == CHUNK_ROWS);
        if chunk.is_none() {
            tracing::warn!(sha256, "A chunk of invocations cannot be read; it is made again");
        }
        Ok(chunk)
    }

    /// The blob of a chunk that was kept.
    pub(super) fn chunk_blob(&self, org: &OrgId, index: usize) -> Result<Option<String>> {
        let kept: Option<Kept> = self.read(&self.invocation_chunks, &chunk_key(org, index))?;
        Ok(kept.map(|kept| kept.sha256))
    }

    fn read_rows(&self, org: &OrgId, columns: &mut Columns, end: u64) -> Result<()> {
        for record in self.invocations.range(number_key(org, columns.written())..number_key(org, end)) {
            let (key, value) = record?;
            if number_of(&key)? != columns.written() {
                break;
            }
            columns.push(&rows::decode::<InvocationRow>(&value, &self.blobs)?.entry());
        }
        if columns.written() == end { Ok(()) } else { Err(broken("the number of an invocation is missing")) }
    }
}

/// The key of an invocation.
pub(super) fn number_key(org: &OrgId, number: u64) -> Vec<u8> {
    rows::key(org, &[&number.to_be_bytes()])
}

fn number_of(key: &[u8]) -> Result<u64> {
    let number = key.last_chunk().ok_or_else(|| broken("the key of an invocation is too short"))?;
    Ok(u64::from_be_bytes(*number))
}

fn broken(what: &'static str) -> Error {
    Error::internal(anyhow::anyhow!(what), "read the numbers of records")
}

/// The key of a chunk.
pub(super) fn chunk_key(org: &OrgId, index: usize) -> Vec<u8> {
    rows::key(org, &[&(index as u64).to_be_bytes()])
}

/// A byte of format, the classes that occur, then the columns one after the other. Numbers are little endian.
fn encode(chunk: &Chunk, classes: &[Class]) -> Vec<u8> {
    let mut occurring = chunk.classes.clone();
    occurring.sort_unstable();
    occurring.dedup();

    let mut content = vec![rows::FORMAT];
    content.extend((occurring.len() as u32).to_le_bytes());
    for class in occurring.iter().map(|place| classes[*place as usize]) {
        content.extend(class.tool_id.as_bytes());
        for number in [class.version.major, class.version.minor, class.version.patch] {
            content.extend(number.to_le_bytes());
        }
        content.push(u8::from(class.source_type == SourceType::SimulationConversation));
        content.push(u8::from(class.succeeded));
    }
    chunk.ids.iter().for_each(|id| content.extend(id.as_bytes()));
    chunk.created_ns.iter().for_each(|time| content.extend(time.to_le_bytes()));
    for place in &chunk.classes {
        let place = occurring.partition_point(|other| other < place) as u32;
        content.extend(place.to_le_bytes());
    }
    chunk.groups.iter().for_each(|group| content.extend(group.to_le_bytes()));
    content
}

fn decode(content: &[u8]) -> Option<(Chunk, Vec<Class>)> {
    let (format, rest) = content.split_first()?;
    let (count, mut rest) = rest.split_first_chunk()?;
    let mut classes = Vec::new();
    for _ in 0..(*format == rows::FORMAT).then(|| u32::from_le_bytes(*count))? {
        let (tool_id, after) = rest.split_first_chunk()?;
        let (major, after) = after.split_first_chunk()?;
        let (minor, after) = after.split_first_chunk()?;
        let (patch, after) = after.split_first_chunk()?;
        let ([is_simulation, succeeded], after) = after.split_first_chunk()?;
        let number = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        classes.push(Class {
            tool_id: ToolId::from_bytes(*tool_id),
            version: Version { major: number(major), minor: number(minor), patch: number(patch) },
            source_type: match is_simulation {
                0 => SourceType::RegularConversation,
                _ => SourceType::SimulationConversation,
            },
            succeeded: *succeeded != 0,
        });
        rest = after;
    }
    let count = rest.len() / ROW_BYTES;
    let (ids, rest) = rest.split_at_checked(12 * count)?;
    let (created, rest) = rest.split_at_checked(8 * count)?;
    let (places, groups) = rest.split_at_checked(4 * count)?;
    let chunk = Chunk {
        ids: ids.as_chunks().0.iter().map(|id| InvocationId::from_bytes(*id)).collect(),
        created_ns: created.as_chunks().0.iter().map(|time| i64::from_le_bytes(*time)).collect(),
        classes: places.as_chunks().0.iter().map(|place| u32::from_le_bytes(*place)).collect(),
        groups: groups.as_chunks().0.iter().map(|group| u128::from_le_bytes(*group)).collect(),
        span_ns: None,
        span_ids: None,
    };
    let (times, ids) = (chunk.created_ns.iter().copied(), chunk.ids.iter().copied());
    let (span_ns, span_ids) = (times.clone().min().zip(times.max()), ids.clone().min().zip(ids.max()));
    let is_whole = groups.len() == 16 * count && chunk.classes.iter().all(|place| (*place as usize) < classes.len());
    is_whole.then_some((Chunk { span_ns, span_ids, ..chunk }, classes))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::testing::{EVERYTHING, acme, assorted, ids, open_in};
    use super::super::{Listing, Order, SortField};
    use super::*;

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
        let expected = ids(&store, &listing);
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
}
