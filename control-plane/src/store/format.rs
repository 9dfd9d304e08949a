//! Which layout the rows have, by a number that the store carries. An older one becomes today's at the start, and is kept
//! beside it as it was.

use std::path::{Path, PathBuf};

use super::StoreError;
use super::blobs::sync_folder;
use super::copy::copy_rows;
use super::engine::{self, EngineFiles};
use crate::error::{Error, Result};

/// The layout of the trees. A change that older programs cannot read raises it.
const STORE_FORMAT: u32 = 4;

/// What differ from today's by what they may hold alone, and become today's by saying so: 3 has no journal, 2 has no
/// floors of invocations either.
const FORMER_FORMATS: [u32; 2] = [2, 3];

/// The key in sled's default tree.
const KEY: &str = "format";

/// Makes an opened store one of today's format, or refuses it unchanged.
pub(super) fn settle(db: &sled::Db, folder: &Path) -> Result<()> {
    match db.get(KEY)? {
        None => say_todays(db),
        Some(found) => match check(&String::from_utf8_lossy(&found))? {
            STORE_FORMAT => Ok(()),
            former => {
                let kept = keep(db, folder, former)?;
                tracing::warn!(
                    from = former,
                    to = STORE_FORMAT,
                    "The store is of an older format and becomes one of today's; {} holds it as it was, and may be removed",
                    kept.display()
                );
                say_todays(db)
            }
        },
    }
}

fn say_todays(db: &sled::Db) -> Result<()> {
    db.insert(KEY, STORE_FORMAT.to_string().as_bytes())?;
    Ok(())
}

fn check(found: &str) -> Result<u32> {
    match found.parse::<u32>() {
        Ok(found) if found == STORE_FORMAT || FORMER_FORMATS.contains(&found) => Ok(found),
        _ => Err(Error::Unavailable(format!(
            "the data folder has storage format {found} and this program reads format {STORE_FORMAT}: run the version \
             of the program that wrote it, or a later one, or restore a backup from before the update"
        ))),
    }
}

/// Copies all rows to a folder beside the store, durably. Blobs never change, so they need no copy.
fn keep(db: &sled::Db, folder: &Path, format: u32) -> Result<PathBuf> {
    let (kept, unfinished) = (beside(folder, format, ""), beside(folder, format, ".unfinished"));
    let file = |error| StoreError::file("keep the store as it was before its format changes", error);
    remove(&unfinished).map_err(file)?;
    let copy = engine::open_engine(&unfinished)?;
    for name in db.tree_names() {
        copy_rows(db.open_tree(&name)?.iter(), &copy.open_tree(&name)?)?;
    }
    copy.flush()?;
    EngineFiles::open(&unfinished).and_then(|mut files| files.sync()).map_err(file)?;
    drop(copy);
    remove(&kept)
        .and_then(|()| fs_err::rename(&unfinished, &kept))
        .and_then(|()| kept.parent().map_or(Ok(()), sync_folder))
        .map_err(file)?;
    Ok(kept)
}

fn beside(folder: &Path, format: u32, rest: &str) -> PathBuf {
    folder.with_extension(format!("format-{format}{rest}"))
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match fs_err::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{EVERYTHING, OPTIONS, acme, assorted, ids, open_in, tool};
    use super::super::{Mode, Store};
    use super::*;

    /// A store with a hundred records and a tool, whose number is another. Gives the ids of the records.
    async fn of_format(data: &Path, format: &str) -> Vec<crate::model::InvocationId> {
        let mut random = rand::SeedableRng::seed_from_u64(11);
        let store = open_in(data);
        store.record_invocations(&acme(), &assorted(&mut random, 100)).await.unwrap();
        store.create_tool(&acme(), &tool("first")).await.unwrap();
        let recorded = ids(&store, &EVERYTHING);
        store.engine.insert(KEY, format).unwrap();
        if format == "2" {
            // What it did not know yet.
            store.engine.drop_tree("invocation_floors").unwrap();
            store.engine.remove("rounds").unwrap();
        }
        store.close().await.unwrap();
        ["rounds", "journal"].iter().for_each(|name| fs_err::remove_file(data.join(name)).unwrap());
        recorded
    }

    #[tokio::test]
    async fn an_older_store_becomes_one_of_today_and_is_kept_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let recorded = of_format(&data, "2").await;
        // A start that was interrupted while it kept the store.
        fs_err::create_dir(data.join("store.format-2.unfinished")).unwrap();

        let store = open_in(&data);
        assert_eq!(ids(&store, &EVERYTHING), recorded);
        store.create_tool(&acme(), &tool("second")).await.unwrap();
        let problems = store.verify(Mode::Look).unwrap().problems;
        assert!(problems.iter().all(|problem| problem.ends_with("its organization does not exist")), "{problems:?}");
        assert_eq!(store.engine.get(KEY).unwrap().unwrap(), "4");
        store.close().await.unwrap();
        assert!(!data.join("store.format-2.unfinished").exists());

        // The way back, as OPERATIONS.md has it.
        fs_err::remove_dir_all(data.join("store")).unwrap();
        ["rounds", "journal"].iter().for_each(|name| fs_err::remove_file(data.join(name)).unwrap());
        fs_err::rename(data.join("store.format-2"), data.join("store")).unwrap();
        let was = engine::open_engine(&data.join("store")).unwrap();
        assert_eq!(was.get(KEY).unwrap().unwrap(), "2");
        drop(was);
        let store = open_in(&data);
        assert_eq!(ids(&store, &EVERYTHING), recorded);
        assert_eq!(store.list_tools(&acme()).unwrap().len(), 1, "what came later is not in it");
    }

    #[tokio::test]
    async fn a_newer_store_is_refused_and_left_as_it_is() {
        for format in ["5", "1", "gibberish"] {
            let folder = tempfile::tempdir().unwrap();
            of_format(folder.path(), format).await;
            let refused = Store::open(folder.path(), OPTIONS).err().unwrap().to_string();
            assert!(
                refused.contains(&format!("storage format {format}")) && refused.contains("or a later one"),
                "{refused}"
            );
            let left = engine::open_engine(&folder.path().join("store")).unwrap();
            assert_eq!(left.get(KEY).unwrap().unwrap(), format.as_bytes());
            let names: Vec<_> =
                fs_err::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert!(names.iter().all(|name| !name.to_string_lossy().starts_with("store.")), "{names:?}");
        }
    }
}
