//! Old records go, a whole chunk of numbers at a time, the oldest first; so do blobs that no row names any more.
//!
//! A row of `invocation_floors` says from which number on there are records. It is durable before anything below goes, so
//! what a crash leaves below it is no record any more, and goes the next time. The newest chunk always stays: numbers go on
//! from there.

use std::collections::HashSet;
use std::io;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Deserialize;

use super::invocation_chunks::{chunk_key, number_key};
use super::invocation_columns::CHUNK_ROWS;
use super::invocation_row::InvocationRow;
use super::{Build, Store, StoreError, rows};
use crate::error::{Error, Result};
use crate::model::{InvocationId, OrgId, ToolVersion};

/// How many rows one batch removes: others write between two.
const REMOVED_AT_ONCE: u64 = 256;

/// How old a blob has to be before it can be taken for unused: the row that names it may still be on its way.
const BLOBS_STAY: Duration = Duration::from_secs(3600);

/// A name of a blob, as far as it takes to tell blobs apart. Where two are mistaken for each other, both stay.
type Short = [u8; 8];

impl Store {
    /// Removes the oldest chunk of an organization's records where all of it was made before a moment. Gives the ids that
    /// were removed. Nobody may copy the store or collect blobs meanwhile.
    pub async fn remove_oldest_chunk(&self, org: &OrgId, made_before: Timestamp) -> Result<Vec<InvocationId>> {
        let before_ns = i64::try_from(made_before.as_nanosecond()).unwrap_or(i64::MAX);
        let columns = self.columns.of(org);
        let oldest = columns.lock().unwrap_or_else(PoisonError::into_inner).oldest_full_chunk();
        let Some((index, chunk)) =
            oldest.filter(|(_, chunk)| chunk.span_ns.is_some_and(|(_, newest)| newest < before_ns))
        else {
            self.remove_below_floor(org).await?;
            return Ok(Vec::new());
        };
        let floor = (index + 1) as u64 * CHUNK_ROWS as u64;
        self.invocation_floors.insert(rows::key(org, &[]), rows::encode_count(floor)?)?;
        self.flush().await?;
        columns.lock().unwrap_or_else(PoisonError::into_inner).forget(index);
        self.invocation_chunks.remove(chunk_key(org, index))?;
        self.remove_below_floor(org).await?;
        Ok(chunk.ids.clone())
    }

    async fn remove_below_floor(&self, org: &OrgId) -> Result<()> {
        let below = number_key(org, 0)..number_key(org, self.floor(org)?);
        loop {
            let mut batch = sled::Batch::default();
            let mut count = 0;
            for key in self.invocations.range(below.clone()).keys().take(REMOVED_AT_ONCE as usize) {
                batch.remove(key?);
                count += 1;
            }
            if count == 0 {
                return Ok(());
            }
            let _turn = self.writers.read().await;
            self.invocations.apply_batch(batch)?;
            self.flush().await?;
        }
    }

    /// The number that an organization's records begin with.
    pub(super) fn floor(&self, org: &OrgId) -> Result<u64> {
        let floor = self.invocation_floors.get(rows::key(org, &[]))?;
        rows::decode_count(floor.as_deref(), &self.blobs)
    }

    /// Removes blobs that no row names, and says how many. It blocks, and reads every row. Nobody may build, publish or
    /// copy the store meanwhile.
    pub fn collect_blobs(&self) -> Result<usize> {
        let now = SystemTime::now();
        let mut named = HashSet::new();
        self.for_each_named(|sha256| {
            named.extend(short(sha256));
        })?;
        let mut removed = 0;
        let folder = self.blobs.folder().to_owned();
        let mut collect = || -> io::Result<()> {
            for shard in 0..=u8::MAX {
                let shard = format!("{shard:02x}");
                for blob in fs_err::read_dir(folder.join(&shard))? {
                    let blob = blob?;
                    let name = format!("{shard}{}", blob.file_name().to_string_lossy());
                    let is_named = short(&name).is_none_or(|name| named.contains(&name));
                    if !is_named && self.blobs.remove_if_older(&name, now, BLOBS_STAY)? {
                        removed += 1;
                    }
                }
            }
            Ok(())
        };
        collect().map_err(|error| StoreError::file("remove unused blobs", error))?;
        Ok(removed)
    }

    fn for_each_named(&self, mut name: impl FnMut(&str)) -> Result<()> {
        #[derive(Deserialize)]
        struct Chunk {
            sha256: String,
        }
        // Those of the other trees are named by nothing else.
        for tree in [&self.users, &self.roles, &self.api_keys, &self.tools, &self.locks, &self.idempotency_keys] {
            for value in tree.iter().values() {
                rows::blob_of(&value?).iter().for_each(|blob| name(blob));
            }
        }
        for value in self.invocations.iter().values() {
            let value = value?;
            rows::blob_of(&value).iter().for_each(|blob| name(blob));
            rows::decode::<InvocationRow>(&value, &self.blobs)?.blobs().for_each(&mut name);
        }
        for value in self.versions.iter().values() {
            let value = value?;
            rows::blob_of(&value).iter().for_each(|blob| name(blob));
            name(&rows::decode::<ToolVersion>(&value, &self.blobs)?.component_sha256);
        }
        for value in self.builds.iter().values() {
            let value = value?;
            rows::blob_of(&value).iter().for_each(|blob| name(blob));
            name(&rows::decode::<Build>(&value, &self.blobs)?.component_sha256);
        }
        for value in self.invocation_chunks.iter().values() {
            name(&rows::decode::<Chunk>(&value?, &self.blobs)?.sha256);
        }
        Ok(())
    }
}

fn short(sha256: &str) -> Option<Short> {
    let mut short = Short::default();
    hex::decode_to_slice(sha256.get(..2 * short.len())?, &mut short).ok()?;
    Some(short)
}

/// What a page of records that were removed meanwhile is told.
pub(super) fn gone() -> Error {
    let message =
        "the invocations that this continuation_token stands for were removed since they are old: begin with 0";
    Error::invalid(["query", "continuation_token"], "value_error", message)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::testing::{EVERYTHING, acme, assorted, ids, open_in};
    use super::super::{Listing, Mode, Order, SortField};
    use super::*;

    /// How many records have a blob.
    const LARGE: usize = 30;

    #[tokio::test]
    async fn old_records_go_and_the_rest_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut random = StdRng::seed_from_u64(5);
        let mut records = assorted(&mut random, 2 * CHUNK_ROWS + 10);
        for record in &mut records[..LARGE] {
            record.logs = format!("{} {}", record.id, "long ".repeat(2000));
        }
        let store = open_in(folder.path());
        for batch in records.chunks(1000) {
            store.record_invocations(&acme(), batch).await.unwrap();
        }
        let after_all = Timestamp::now();
        let count = |store: &Store| {
            fs_err::read_dir(store.blobs().folder())
                .unwrap()
                .map(|shard| fs_err::read_dir(shard.unwrap().path()).unwrap().count())
                .sum::<usize>()
        };
        let blobs = count(&store);
        assert!(
            store
                .remove_oldest_chunk(&acme(), Timestamp::UNIX_EPOCH - jiff::Span::new().hours(1))
                .await
                .unwrap()
                .is_empty()
        );
        let removed = store.remove_oldest_chunk(&acme(), after_all).await.unwrap();
        assert_eq!(removed, records[..CHUNK_ROWS].iter().map(|record| record.id).collect::<Vec<_>>());
        assert_eq!(store.collect_blobs().unwrap(), 0, "they are too young");
        let long_ago = SystemTime::now() - 2 * BLOBS_STAY;
        for shard in fs_err::read_dir(store.blobs().folder()).unwrap() {
            for blob in fs_err::read_dir(shard.unwrap().path()).unwrap() {
                fs_err::File::open(blob.unwrap().path()).unwrap().file().set_modified(long_ago).unwrap();
            }
        }
        // One is put again while it is looked for.
        let again = serde_json::to_vec(&records[7].logs).unwrap();
        store.blobs().put(&again).unwrap();
        // The logs of each record but that one, and the chunk's own.
        assert_eq!(store.collect_blobs().unwrap(), LARGE - 1 + 1);
        assert_eq!(count(&store), blobs - LARGE);
        assert_eq!(store.first_invocation(&acme()), CHUNK_ROWS as u64);
        assert_eq!(store.count_invocations(&acme()), records.len() as u64, "numbers go on");
        let found = store.verify(Mode::Look).unwrap();
        assert!(found.problems.iter().all(|problem| problem.ends_with("its organization does not exist")), "{found:?}");
        assert_eq!(found.unused_blobs, 1);
    }

    #[tokio::test]
    async fn pages_end_where_records_were_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut random = StdRng::seed_from_u64(6);
        let records = assorted(&mut random, 2 * CHUNK_ROWS + 10);
        let store = open_in(folder.path());
        for batch in records.chunks(1000) {
            store.record_invocations(&acme(), batch).await.unwrap();
        }
        let removed = store.remove_oldest_chunk(&acme(), Timestamp::now()).await.unwrap();
        let second = store.remove_oldest_chunk(&acme(), Timestamp::now()).await.unwrap();
        assert_eq!((removed.len(), second.len()), (CHUNK_ROWS, CHUNK_ROWS));
        assert!(store.remove_oldest_chunk(&acme(), Timestamp::now()).await.unwrap().is_empty(), "the newest stay");

        let mut expected: Vec<_> = records[2 * CHUNK_ROWS..].iter().map(|record| record.id).collect();
        expected.sort_unstable();
        assert_eq!(ids(&store, &EVERYTHING), expected);
        assert!(store.get_invocation(&acme(), removed[7]).unwrap().is_none());
        assert!(store.get_invocations(&acme(), &[removed[7], expected[0]]).unwrap().len() == 1);
        assert_eq!(store.invocations_from(&acme(), 0, 10_000).unwrap().len(), 10);
        let sort = [(SortField::CreatedAt, Order::NewestFirst)];
        let stale = Listing { sort: &sort, after: Some(7), limit: 10, ..EVERYTHING };
        assert!(matches!(store.list_invocations(&acme(), &stale), Err(Error::Invalid(_))));

        store.close().await.unwrap();
        let store = open_in(folder.path());
        assert_eq!(ids(&store, &EVERYTHING), expected);
        let next = assorted(&mut random, 1);
        store.record_invocations(&acme(), &next).await.unwrap();
        assert_eq!(store.invocation_id(&acme(), records.len() as u64), Some(next[0].id), "numbers go on");
    }
}
