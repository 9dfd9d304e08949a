//! Files that were cut, or of which a bit was flipped: the store opens with everything that was confirmed, or says what is
//! wrong and what to do.

use std::path::{Path, PathBuf};

use super::testing::{EVERYTHING, OPTIONS, acme, conversation, ids, invocation, open_in, tool};
use super::{Mode, Store, StoreError};
use crate::error::Error;
use crate::model::{InvocationId, ToolId};

/// Where in sixteenths of a file it is damaged, beside its first and last bytes.
const SIXTEENTHS: [u64; 2] = [4, 15];

/// A store with some hundred records that are confirmed, closed.
async fn filled(folder: &Path) -> Vec<InvocationId> {
    let id = ToolId::new();
    // Opened twice, so that there is a snapshot of sled's, too.
    for part in 0..2 {
        let store = open_in(folder);
        for number in 0..20 {
            let batch: Vec<_> = (0..3).map(|_| invocation(id, conversation("a"), 900)).collect();
            store.record_invocations(&acme(), &batch).await.unwrap();
            store.create_tool(&acme(), &tool(&format!("tool_{part}_{number}"))).await.unwrap();
        }
        store.close().await.unwrap();
    }
    let store = open_in(folder);
    let confirmed = ids(&store, &EVERYTHING);
    store.close().await.unwrap();
    confirmed
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Opens a damaged folder and holds what it shows against what was confirmed.
fn is_whole_or_says_so(folder: &Path, confirmed: &[InvocationId], what: &str) -> bool {
    let store = match Store::open(folder, OPTIONS) {
        Ok(store) => store,
        Err(error) => {
            let mut told = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(reason) = source {
                told = format!("{told}: {reason}");
                source = reason.source();
            }
            let says_what_to_do = ["restore a backup", "control-plane verify", "or a later one"];
            assert!(says_what_to_do.iter().any(|remedy| told.contains(remedy)), "{what}: {told}");
            return false;
        }
    };
    let found = ids(&store, &EVERYTHING);
    assert_eq!(found.len(), confirmed.len(), "{what}: records are lost, and nothing says so");
    assert_eq!(found, confirmed, "{what}");
    assert_eq!(store.list_tools(&acme()).unwrap().len(), 40, "{what}: tools are lost");
    let problems = store.verify(Mode::Look).unwrap().problems;
    let damage: Vec<_> =
        problems.iter().filter(|problem| !problem.ends_with("its organization does not exist")).collect();
    assert_eq!(damage, Vec::<&String>::new(), "{what}");
    true
}

#[tokio::test]
async fn a_damaged_file_of_rows_is_recovered_from_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, damaged) = (folder.path().join("whole"), folder.path().join("damaged"));
    let confirmed = filled(&whole).await;
    let (mut recovered, mut refused) = (0, 0);
    let rows: Vec<_> = files(&whole.join("store")).into_iter().chain([whole.join("rounds")]).collect();
    for file in rows {
        let size = fs_err::metadata(&file).unwrap().len();
        let places = SIXTEENTHS.iter().map(|part| size * part / 16).chain([size.saturating_sub(1)]);
        let places: std::collections::BTreeSet<_> = places.filter(|place| *place < size).collect();
        for (place, kind) in places.iter().flat_map(|place| [(*place, "cut"), (*place, "flipped")]) {
            if damaged.exists() {
                fs_err::remove_dir_all(&damaged).unwrap();
            }
            crate::files::copy_folder(&whole, &damaged).unwrap();
            let target = damaged.join(file.strip_prefix(&whole).unwrap());
            let mut content = fs_err::read(&target).unwrap();
            match kind {
                "cut" => content.truncate(place as usize),
                _ => content[place as usize] ^= 1,
            }
            fs_err::write(&target, content).unwrap();
            let what = format!("{} {kind} at {place} of {size}", target.display());
            match is_whole_or_says_so(&damaged, &confirmed, &what) {
                true => recovered += 1,
                false => refused += 1,
            }
        }
    }
    println!("{recovered} recovered, {refused} refused");
    assert!(recovered > 0 && refused > 0, "{recovered} recovered, {refused} refused");
}

#[tokio::test]
async fn a_damaged_journal_is_recovered_from_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, killed, damaged) =
        (folder.path().join("data"), folder.path().join("killed"), folder.path().join("damaged"));
    filled(&data).await;
    let store = open_in(&data);
    for _ in 0..5 {
        store.record_invocations(&acme(), &[invocation(ToolId::new(), conversation("a"), 900)]).await.unwrap();
    }
    let confirmed = ids(&store, &EVERYTHING);
    // What a process leaves that is killed now.
    crate::files::copy_folder(&data, &killed).unwrap();
    let whole = fs_err::read(killed.join("journal")).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let (mut recovered, mut refused) = (0, 0);
    let places = (0..used).step_by(used / 8).chain([used - 1, used + 1, whole.len() - 1]);
    for (place, kind) in places.flat_map(|place| [(place, "cut"), (place, "flipped")]).chain([(0, "gone")]) {
        if damaged.exists() {
            fs_err::remove_dir_all(&damaged).unwrap();
        }
        crate::files::copy_folder(&killed, &damaged).unwrap();
        let mut content = whole.clone();
        match kind {
            "cut" => content.truncate(place),
            "flipped" => content[place] ^= 1,
            _ => fs_err::remove_file(damaged.join("journal")).unwrap(),
        }
        if kind != "gone" {
            fs_err::write(damaged.join("journal"), content).unwrap();
        }
        match is_whole_or_says_so(&damaged, &confirmed, &format!("{kind} at {place} of {used}")) {
            true => recovered += 1,
            false => refused += 1,
        }
    }
    assert!(recovered > 0 && refused > 0, "{recovered} recovered, {refused} refused");

    // The last of them can be accepted.
    let all = Store::open_to_verify(&damaged, OPTIONS).unwrap().verify(Mode::Look).unwrap().problems;
    assert!(all.iter().any(|problem| problem.contains("has lost what was recorded last")), "{all:?}");
    Store::open_to_verify(&damaged, OPTIONS).unwrap().verify(Mode::Rebuild).unwrap();
    let left = ids(&open_in(&damaged), &EVERYTHING);
    assert!(left.len() < confirmed.len() && confirmed.starts_with(&left), "{left:?}");
}

#[tokio::test]
async fn a_loss_is_refused_until_it_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let early = folder.path().join("early");
    let data = folder.path().join("data");
    let store = open_in(&data);
    store.create_tool(&acme(), &tool("first")).await.unwrap();
    store.close().await.unwrap();
    crate::files::copy_folder(&data.join("store"), &early).unwrap();
    let store = open_in(&data);
    store.create_tool(&acme(), &tool("second")).await.unwrap();
    store.close().await.unwrap();
    // Somebody puts old files of rows in the place of the new ones.
    fs_err::remove_dir_all(data.join("store")).unwrap();
    fs_err::rename(&early, data.join("store")).unwrap();

    let refused = Store::open(&data, OPTIONS).err().unwrap();
    assert!(
        matches!(&refused, Error::Unavailable(text) if text.contains("has lost what was written last")),
        "{refused}"
    );
    for (mode, problems) in [(Mode::Look, 1), (Mode::Rebuild, 0), (Mode::Look, 0)] {
        let store = Store::open_to_verify(&data, OPTIONS).unwrap();
        let found = store.verify(mode).unwrap().problems;
        let lost = found.iter().filter(|problem| problem.contains("has lost what was written last")).count();
        assert_eq!(lost, problems, "{mode:?}: {found:?}");
    }
    let store = open_in(&data);
    assert_eq!(store.list_tools(&acme()).unwrap().len(), 1);
}

#[tokio::test]
async fn a_damaged_blob_is_an_error_and_not_another_output() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    let record = invocation(ToolId::new(), conversation("a"), 10_000);
    store.record_invocations(&acme(), std::slice::from_ref(&record)).await.unwrap();
    for file in files(store.blobs().folder()) {
        let mut content = fs_err::read(&file).unwrap();
        content[5000] ^= 1;
        fs_err::write(&file, content).unwrap();
    }
    let error = store.get_invocation(&acme(), record.id).unwrap_err();
    let Error::Internal(fault) = &error else { panic!("{error}") };
    assert!(matches!(fault.downcast_ref(), Some(StoreError::BlobDamaged { .. })), "{fault:?}");
}
