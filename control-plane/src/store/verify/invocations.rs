//! Records, their numbers, and the chunks of columns that are kept of them.

use std::collections::{HashMap, HashSet};

use super::super::invocation_chunks::chunk_key;
use super::super::invocation_columns::{CHUNK_ROWS, Entry};
use super::super::invocation_row::InvocationRow;
use super::{Look, agree, said};
use crate::error::Result;
use crate::model::{InvocationId, OrgId};

/// What is known of the records of an organization.
#[derive(Default)]
struct Records {
    ids: HashSet<InvocationId>,
    /// The number that the next record has to have.
    next: u64,
    entries: Vec<Entry>,
}

impl Look<'_> {
    pub(super) fn invocations(&mut self) -> Result<()> {
        let store = self.store;
        let mut all: HashMap<OrgId, Records> = HashMap::new();
        let mut floors: HashMap<OrgId, u64> = HashMap::new();
        self.rows("invocation_floors", &store.invocation_floors, |_, org, key, floor: u64| {
            floors.insert(org.clone(), floor);
            agree(
                key.is_empty() && floor.is_multiple_of(CHUNK_ROWS as u64),
                "it is not the number of a chunk's first record",
            )
        })?;
        let floor = |org: &OrgId| floors.get(org).copied().unwrap_or_default();
        self.rows("invocations", &store.invocations, |look, org, key, row: InvocationRow| {
            row.blobs().for_each(|blob| look.name_blob(blob));
            let is_removed = key.last_chunk().is_some_and(|number| u64::from_be_bytes(*number) < floor(org));
            if is_removed {
                // The next removal takes it.
                return Ok(());
            }
            let missing = row.blobs().find(|blob| !store.blobs.contains(blob));
            let records = all.entry(org.clone()).or_insert_with(|| Records { next: floor(org), ..Records::default() });
            let entry = row.entry();
            let is_next = key == records.next.to_be_bytes();
            let is_new = records.ids.insert(entry.id);
            records.entries.push(entry);
            records.next = key.last_chunk().map_or(records.next, |number| u64::from_be_bytes(*number)) + 1;
            agree(is_next, "numbers are missing before it: records are lost")?;
            agree(is_new, "another record has its id")?;
            agree(row.is_of(org), "it is another organization's")?;
            missing.map_or(Ok(()), |blob| Err(format!("blob {blob}, which it names, is not there")))
        })?;
        for (org, records) in all {
            let first = (floor(&org) / CHUNK_ROWS as u64) as usize;
            for (index, rows) in records.entries.chunks_exact(CHUNK_ROWS).enumerate() {
                self.chunk(&org, first + index, rows)?;
            }
        }
        for key in store.invocation_chunks.iter().keys() {
            let key = key?;
            self.findings.rows += 1;
            let is_of_records = super::split(&key).is_some_and(|(org, index)| {
                let index = index.try_into().map_or(u64::MAX, u64::from_be_bytes);
                self.organizations.contains(&org) && index >= floor(&org) / CHUNK_ROWS as u64
            });
            if !is_of_records {
                self.mend("invocation_chunks", &store.invocation_chunks, &key, None)?;
            }
        }
        Ok(())
    }

    /// A chunk says what its rows say. One that does not is forgotten, and the next start makes it again.
    fn chunk(&mut self, org: &OrgId, index: usize, rows: &[Entry]) -> Result<()> {
        let store = self.store;
        let key = chunk_key(org, index);
        let kept = match store.kept_chunk(org, index) {
            Ok(None) if !store.invocation_chunks.contains_key(&key)? => return Ok(()),
            Ok(kept) => kept,
            Err(error) => {
                self.findings.wrong(format_args!("invocation_chunks {org}/{index}: {}", said(&error)));
                None
            }
        };
        let Some((chunk, classes)) = kept else {
            return self.mend("invocation_chunks", &store.invocation_chunks, &key, None);
        };
        if let Some(blob) = store.chunk_blob(org, index)? {
            self.name_blob(&blob);
        }
        let says_the_same = rows.iter().enumerate().all(|(row, entry)| {
            (chunk.ids[row], chunk.created_ns[row], chunk.groups[row], classes[chunk.classes[row] as usize])
                == (entry.id, entry.created_ns, entry.group, entry.class)
        });
        if says_the_same {
            return Ok(());
        }
        self.mend("invocation_chunks", &store.invocation_chunks, &key, None)
    }
}
