//! A copy of a store that is being used, as it is at one moment.
//!
//! Records never change, so those that there are when the copy begins are copied while others are written. The rest is
//! little, and is copied while nobody writes: who wants to waits for that long, which is some microseconds per row.

use std::collections::HashMap;
use std::path::Path;

use sled::{IVec, Tree};

use super::invocation_chunks::number_key;
use super::{Store, StoreError, blobs, engine};
use crate::error::{Error, Result};
use crate::files;
use crate::model::OrgId;

const INVOCATIONS: &[u8] = b"invocations";

/// sled's own tree, which holds what a new store writes itself.
const DEFAULT: &[u8] = b"__sled__default";

impl Store {
    /// Copies all rows and blobs into a folder that has none. It blocks. Nobody may remove blobs meanwhile.
    pub fn copy_to(&self, folder: &Path) -> Result<u64> {
        let (copy, mut written) = engine::open(&folder.join("store"))?;
        let records = copy.open_tree(INVOCATIONS)?;
        let mut copied = 0;
        let mut next: HashMap<OrgId, u64> = HashMap::new();
        for org in self.organizations_with_invocations() {
            let end = self.count_invocations(&org);
            copied += copy_rows(
                self.invocations.range(number_key(&org, self.floor(&org)?)..number_key(&org, end)),
                &records,
            )?;
            next.insert(org, end);
        }

        let nobody_writes = self.writers.blocking_write();
        for name in self.engine.tree_names() {
            if name == INVOCATIONS {
                for org in self.organizations_with_invocations() {
                    let first = number_key(&org, next.get(&org).copied().unwrap_or_default());
                    copied += copy_rows(self.invocations.range(first..=number_key(&org, u64::MAX)), &records)?;
                }
            } else if name != DEFAULT {
                copied += copy_rows(self.engine.open_tree(&name)?.iter(), &copy.open_tree(&name)?)?;
            }
        }
        drop(nobody_writes);

        copy.flush()?;
        drop((records, copy));
        written.sync().map_err(|error| StoreError::file("make a copy of the store durable", error))?;
        // Blobs are there before the rows that name them, and were not removed since.
        copy_blobs(self.blobs.folder(), &folder.join("blobs"))?;
        Ok(copied)
    }
}

/// Inserts rows into another tree, and says how many.
pub(super) fn copy_rows(rows: impl Iterator<Item = sled::Result<(IVec, IVec)>>, to: &Tree) -> Result<u64> {
    let mut copied = 0;
    for row in rows {
        let (key, value) = row?;
        to.insert(key, value)?;
        copied += 1;
    }
    Ok(copied)
}

fn copy_blobs(from: &Path, to: &Path) -> Result<(), Error> {
    let copied = || {
        for shard in 0..=u8::MAX {
            let shard = format!("{shard:02x}");
            let target = to.join(&shard);
            fs_err::create_dir_all(&target)?;
            for blob in fs_err::read_dir(from.join(shard))? {
                let blob = blob?;
                files::share(&blob.path(), &target.join(blob.file_name()))?;
            }
            blobs::sync_folder(&target)?;
        }
        blobs::sync_folder(to)
    };
    copied().map_err(|error| StoreError::file("copy the blobs", error).into())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{EVERYTHING, acme, conversation, ids, invocation, open_in, tool};
    use super::super::{Mode, Store};
    use crate::model::ToolId;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_copy_is_whole_while_others_write() {
        let folder = tempfile::tempdir().unwrap();
        let store = std::sync::Arc::new(open_in(&folder.path().join("data")));
        let id = ToolId::new();
        let record = move |store: &std::sync::Arc<Store>| {
            let store = std::sync::Arc::clone(store);
            let batch: Vec<_> = (0..7).map(|_| invocation(id, conversation("a"), 3000)).collect();
            async move { store.record_invocations(&acme(), &batch).await }
        };
        for _ in 0..30 {
            record(&store).await.unwrap();
        }
        let writing = tokio::spawn({
            let store = std::sync::Arc::clone(&store);
            async move {
                for number in 0..20 {
                    record(&store).await.unwrap();
                    store.create_tool(&acme(), &tool(&format!("tool_{number}"))).await.unwrap();
                }
            }
        });
        let copy = folder.path().join("copy");
        let copying = {
            let (store, copy) = (std::sync::Arc::clone(&store), copy.clone());
            tokio::task::spawn_blocking(move || store.copy_to(&copy))
        };
        assert!(copying.await.unwrap().unwrap() >= 210);
        writing.await.unwrap();

        let copied = open_in(&copy);
        let recorded = ids(&copied, &EVERYTHING);
        assert!(recorded.len() >= 210 && recorded.len().is_multiple_of(7), "{} records", recorded.len());
        let found = copied.verify(Mode::Look).unwrap();
        // Tools were written without an organization.
        let others = found.problems.iter().filter(|problem| !problem.ends_with("its organization does not exist"));
        assert_eq!(others.collect::<Vec<_>>(), Vec::<&String>::new());
        assert!(Store::copy_to(&store, &copy).is_err(), "where something is, nothing is copied to");
    }
}
