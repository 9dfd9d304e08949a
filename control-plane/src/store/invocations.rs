//! Invocations: written once, numbered in the order in which they are written, and found by id, by number and by list.

use std::sync::{Mutex, PoisonError};

use super::durability::Round;
use super::entries::{self, Kind};
use super::idempotency::FirstResultRows;
use super::invocation_chunks::number_key;
use super::invocation_columns::{Columns, Entry, View};
use super::invocation_page::Listing;
use super::invocation_row::InvocationRow;
use super::retention::gone;
use super::{ScopeKey, Store, rows};
use crate::error::{Error, Result};
use crate::model::{FirstResult, Invocation, InvocationId, OrgId};

/// How many rows of a page one thread reads. Starting a thread costs as much as reading one or two.
const ROWS_PER_READER: usize = 16;

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
        self.record_once(org, invocations, None).await
    }

    /// The same, and with them, where they are the first result of an idempotency key, that they are: `Error::Conflict`
    /// when the key has another.
    pub async fn record_once(
        &self,
        org: &OrgId,
        invocations: &[Invocation],
        first_result: Option<(&ScopeKey, &FirstResult)>,
    ) -> Result<()> {
        self.check_writable()?;
        let first_result = first_result.map(|first| FirstResultRows::new(org, first)).transpose()?;
        let mut blobs = Vec::new();
        let mut rows_to_write = Vec::with_capacity(invocations.len());
        for invocation in invocations {
            let row = InvocationRow::new(invocation, &mut blobs)?;
            let entry = row.entry();
            rows_to_write.push(Written { row: rows::encode(&row, &mut blobs)?, entry });
        }
        self.put_blobs(blobs).await?;

        let columns = self.columns.of(org);
        let turn = self.writers.read().await;
        let end = self.write_invocations(org, &columns, &rows_to_write, first_result.as_ref())?;
        // The flusher writes them.
        self.durability.durable(Round::Records).await?;
        drop(turn);
        let (full, classes) = {
            let mut columns = columns.lock().unwrap_or_else(PoisonError::into_inner);
            (columns.confirm(end), columns.classes())
        };
        self.keep_chunks(org, full, &classes).await;
        Ok(())
    }

    /// Hands rows to the flusher and gives the number that the next one will have. Whoever does so holds the columns, so
    /// numbers have no gaps, and what is durable is always the first so many.
    fn write_invocations(
        &self,
        org: &OrgId,
        columns: &Mutex<Columns>,
        written: &[Written],
        first_result: Option<&FirstResultRows>,
    ) -> Result<u64> {
        let mut columns = columns.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ids: Vec<_> = written.iter().map(|written| written.entry.id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) || ids.iter().any(|id| columns.contains(*id)) {
            return Err(Error::Conflict("an invocation of that id is on record already".to_owned()));
        }
        let first = columns.written();
        let mut entry = Vec::new();
        for (number, Written { row, .. }) in (first..).zip(written) {
            entries::add(&mut entry, Kind::Record, &number_key(org, number), row);
        }
        if let Some(rows) = first_result {
            rows.check(self)?;
            rows.add_to(&mut entry);
        }
        self.pending.push(entry);
        written.iter().for_each(|written| columns.push(&written.entry));
        Ok(columns.written())
    }

    /// The invocation, if there is one of that id, with its inputs, output and logs.
    pub fn get_invocation(&self, org: &OrgId, id: InvocationId) -> Result<Option<Invocation>> {
        let number = self.recorded(org).number(id);
        let row = number.map_or(Ok(None), |number| self.numbered(org, number))?;
        row.map(|row| row.load(&self.blobs)).transpose()
    }

    /// Those of these ids that there are, in the order of the ids, without what the tools printed.
    pub fn get_invocations(&self, org: &OrgId, ids: &[InvocationId]) -> Result<Vec<Invocation>> {
        let view = self.recorded(org);
        let numbers: Vec<_> = ids.iter().filter_map(|id| view.number(*id)).collect();
        self.load_all(org, &numbers)
    }

    /// A page of a list of all that is durable. `Error::Invalid` when it is to come after an entry that does not exist.
    pub fn list_invocations(&self, org: &OrgId, listing: &Listing) -> Result<InvocationPage> {
        let view = self.recorded(org);
        if listing.after.is_some_and(|after| after >= view.len) {
            let message = "continuation_token must be 0, or the one of the previous page";
            return Err(Error::invalid(["query", "continuation_token"], "value_error", message));
        }
        if listing.after.is_some_and(|after| view.row(after).is_none()) {
            return Err(gone());
        }
        let (numbers, has_more) = view.page(listing);
        let invocations = self.load_all(org, &numbers)?;
        let continue_after = numbers.last().copied().filter(|_| has_more);
        Ok(InvocationPage { invocations, continue_after })
    }

    /// How many invocations are durable. Their numbers are those below.
    pub fn count_invocations(&self, org: &OrgId) -> u64 {
        self.columns.of(org).lock().unwrap_or_else(PoisonError::into_inner).durable()
    }

    /// The number of the oldest invocation that is on record: those before it were removed.
    pub fn first_invocation(&self, org: &OrgId) -> u64 {
        self.columns.of(org).lock().unwrap_or_else(PoisonError::into_inner).first()
    }

    /// The id of an invocation by its number.
    pub fn invocation_id(&self, org: &OrgId, number: u64) -> Option<InvocationId> {
        self.recorded(org).id(number)
    }

    /// Durable invocations by number, from `first` on and at most `limit` of them, without what the tools printed.
    pub fn invocations_from(&self, org: &OrgId, first: u64, limit: usize) -> Result<Vec<Invocation>> {
        let first = first.max(self.first_invocation(org));
        let end = self.count_invocations(org).min(first.saturating_add(limit as u64));
        let numbers: Vec<_> = (first..end).collect();
        self.load(org, &numbers)
    }

    /// The organizations that have invocations.
    pub fn organizations_with_invocations(&self) -> Vec<OrgId> {
        self.columns.organizations()
    }

    fn recorded(&self, org: &OrgId) -> View {
        self.columns.of(org).lock().unwrap_or_else(PoisonError::into_inner).view()
    }

    /// Reads rows with some threads: they lie wherever they were written, and what waits for the disk can wait at once.
    fn load_all(&self, org: &OrgId, numbers: &[u64]) -> Result<Vec<Invocation>> {
        std::thread::scope(|scope| {
            let (own, others) = numbers.split_at(numbers.len().min(ROWS_PER_READER));
            let readers = others.chunks(ROWS_PER_READER).map(|part| scope.spawn(move || self.load(org, part)));
            let readers: Vec<_> = readers.collect();
            let mut invocations = self.load(org, own)?;
            for reader in readers {
                let panicked = |_| Error::internal(anyhow::anyhow!("a reader panicked"), "failed to read records");
                invocations.extend(reader.join().map_err(panicked)??);
            }
            Ok(invocations)
        })
    }

    fn load(&self, org: &OrgId, numbers: &[u64]) -> Result<Vec<Invocation>> {
        let rows = numbers.iter().filter_map(|number| self.numbered(org, *number).transpose());
        rows.map(|row| row?.load_without_logs(&self.blobs)).collect()
    }

    /// The row of a number; none when it was removed since the number was found.
    fn numbered(&self, org: &OrgId, number: u64) -> Result<Option<InvocationRow>> {
        let row = self.read(&self.invocations, &number_key(org, number))?;
        if row.is_none() && number >= self.first_invocation(org) {
            return Err(Error::internal(anyhow::anyhow!("invocation {number} is not there"), "read a record"));
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{acme, conversation, invocation, open_in, other_org};
    use super::*;
    use crate::model::{InvocationStatus, ToolId};

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
