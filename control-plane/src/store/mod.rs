//! The store: sled for rows, plain files for what is large. sled appears in this folder and nowhere else.
//!
//! A method that writes returns once its change is durable: see `durability`. A method that reads sees what was
//! written last, which for a moment may be more than what is durable.
//!
//! # Key layout
//!
//! Every tree's key begins with the organization's id and a 0 byte, which no id holds, so one organization's keys are
//! one range that no other's can reach into. Ids are their 12 bytes, numbers are big endian: keys sort as their values.
//!
//! | tree | key after `org 0` | value |
//! |---|---|---|
//! | `organizations` | | when it was made |
//! | `users` | user id | [`User`](crate::model::User) |
//! | `roles` | role name | [`Role`](crate::model::Role) |
//! | `api_keys` | key id | [`ApiKey`](crate::model::ApiKey) |
//! | `access_changes` | | how many changes there were of users, roles and API keys |
//! | `tools` | tool id | [`Tool`](crate::model::Tool) |
//! | `tool_names` | name | the id of the tool that has the name and is not deprecated |
//! | `versions` | tool id, major, minor, patch | [`ToolVersion`](crate::model::ToolVersion) |
//! | `active_versions` | tool id, major, minor, patch | a mark; only of versions that are not deprecated |
//! | `version_counts` | tool id | how many versions there are |
//! | `builds` | build key | [`Build`] |
//! | `locks` | tree | `pylock.toml` |
//! | `invocations` | number, in the order of writing and without gaps | [`Invocation`](crate::model::Invocation) |
//! | `invocation_chunks` | number of a chunk | the blob of a full chunk of columns: see `invocation_columns` |
//! | `invocation_floors` | | the number of the oldest record: those before it were removed |
//! | `pushers` | commit, 40 digits | [`UserRef`](crate::model::UserRef): who pushed it first |
//! | `idempotency_keys` | user id, tool id, SHA-256 of the user's organization and the key | [`FirstResult`](crate::model::FirstResult) |
//! | `idempotency_expiries` | when it expires in seconds, the rest of the key above | a mark |
//!
//! The one key without an organization is `format` in sled's default tree. `rows` says what a value looks like.

mod access;
mod api_keys;
mod blobs;
mod builds;
mod copy;
#[cfg(test)]
mod damage;
mod durability;
mod engine;
mod entries;
mod error;
mod format;
mod idempotency;
mod invocation_chunks;
mod invocation_columns;
mod invocation_page;
mod invocation_row;
mod invocations;
mod journal;
mod mark;
mod organizations;
mod pushers;
mod reserve;
mod retention;
mod roles;
mod rounds;
mod rows;
#[cfg(test)]
mod testing;
mod tools;
mod users;
mod verify;
mod versions;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prometheus::Histogram;
use serde::de::DeserializeOwned;
use sled::Tree;
use sled::transaction::{TransactionError, TransactionResult};
use tokio::sync::RwLock;

pub use access::AccessChange;
pub use blobs::Blobs;
pub use builds::Build;
pub use error::StoreError;
pub use idempotency::{ScopeKey, scope_key};
pub use invocation_columns::Class;
pub use invocation_page::{Listing, Order, Sort, SortField};
pub use invocations::InvocationPage;
pub use verify::{Findings, Mode};

use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::locks;
use durability::{Durability, Round};
use entries::Target;
use invocation_chunks::AllColumns;
use journal::Pending;
use mark::{Mark, Standing};
use reserve::Reserve;
use rounds::Rounds;

/// How a store behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// With less free space than this, in bytes, writes are refused: sled cannot be opened again once its disk was full.
    pub reserve_free_bytes: u64,
    /// What the rounds are noted in that make changes durable.
    pub flushes: Option<Histogram>,
    /// Where the process is to end.
    pub failpoint: Failpoint,
}

/// An open data folder. It belongs to one process at a time.
pub struct Store {
    // Fields drop in this order. The flusher ends first, with a last round; the lock is given back when sled is closed.
    durability: Durability,
    pending: Arc<Pending>,
    folder: PathBuf,
    standing: Standing,
    engine: sled::Db,
    organizations: Tree,
    users: Tree,
    roles: Tree,
    api_keys: Tree,
    access_changes: Tree,
    tools: Tree,
    tool_names: Tree,
    versions: Tree,
    active_versions: Tree,
    version_counts: Tree,
    builds: Tree,
    locks: Tree,
    pushers: Tree,
    invocations: Tree,
    invocation_chunks: Tree,
    invocation_floors: Tree,
    columns: AllColumns,
    idempotency_keys: Tree,
    idempotency_expiries: Tree,
    /// Whoever writes rows reads it; a copy is made while nobody does.
    writers: RwLock<()>,
    blobs: Blobs,
    reserve: Arc<Reserve>,
    _lock: File,
}

impl Store {
    /// Opens the data folder, and makes it when there is none. It blocks until sled has recovered.
    pub fn open(folder: &Path, options: Options) -> Result<Self> {
        let store = Self::open_rows(folder, options, |standing| mark::refuse(standing, folder))?;
        store.load_columns()?;
        Ok(store)
    }

    /// Opens it without looking at what is in it, unless `accept` refuses how it stands.
    fn open_rows(folder: &Path, options: Options, accept: impl FnOnce(Standing) -> Result<()>) -> Result<Self> {
        fs_err::create_dir_all(folder).map_err(|e| {
            StoreError::file("make the data folder (name one with --data that this user may write to)", e)
        })?;
        let lock = lock(folder)?;
        let reserve = Arc::new(Reserve::new(folder.to_owned(), options.reserve_free_bytes));
        let blobs = Blobs::open(&folder.join("blobs"), Arc::clone(&reserve), options.failpoint.clone())?;
        reserve.check_to_open()?;
        let (db, files) = engine::open(&folder.join("store"))?;
        let journal = journal::read(folder)?;
        let standing = Mark::look(&db, folder, journal.as_ref())?;
        accept(standing)?;
        let target = Target::open(&db)?;
        let last_round = mark::rounds(&db)?;
        if let Some(journal) = journal.filter(|journal| journal.round == last_round) {
            journal.contents.iter().try_for_each(|entry| target.write(entry))?;
        }
        let pending = Arc::<Pending>::default();
        let mut rounds = Rounds::new((db.clone(), files), (Arc::clone(&pending), target), options);
        // What is lost stays known until somebody accepts it.
        if standing == Standing::Whole {
            rounds.begin(folder)?;
        }
        // The first round makes what opening wrote durable, and with it the folders themselves.
        rounds.run(Round::Everything).map_err(|e| StoreError::file("make the new store durable", e))?;
        blobs::sync_folder(folder).map_err(|e| StoreError::file("make the data folder durable", e))?;

        let tree = |name: &str| db.open_tree(name);
        let store = Self {
            folder: folder.to_owned(),
            standing,
            engine: db.clone(),
            organizations: tree("organizations")?,
            users: tree("users")?,
            roles: tree("roles")?,
            api_keys: tree("api_keys")?,
            access_changes: tree("access_changes")?,
            tools: tree("tools")?,
            tool_names: tree("tool_names")?,
            versions: tree("versions")?,
            active_versions: tree("active_versions")?,
            version_counts: tree("version_counts")?,
            builds: tree("builds")?,
            locks: tree("locks")?,
            pushers: tree("pushers")?,
            invocations: tree("invocations")?,
            invocation_chunks: tree("invocation_chunks")?,
            invocation_floors: tree("invocation_floors")?,
            columns: AllColumns::default(),
            idempotency_keys: tree("idempotency_keys")?,
            idempotency_expiries: tree("idempotency_expiries")?,
            durability: Durability::start(move |what| rounds.run(what)),
            pending,
            writers: RwLock::new(()),
            blobs,
            reserve,
            _lock: lock,
        };
        Ok(store)
    }

    /// The large values: components, wheels, outputs.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// What the files of rows take on the disk, in bytes.
    pub fn size_bytes(&self) -> Result<u64> {
        Ok(self.engine.size_on_disk()?)
    }

    /// What is free on the disk of the data folder, in bytes.
    pub fn free_bytes(&self) -> Result<u64> {
        self.reserve.free_bytes()
    }

    /// How many bytes may be written until the reserve is reached.
    pub fn room_bytes(&self) -> Result<u64> {
        self.reserve.room_bytes()
    }

    /// Whether writes are taken now. `Error::Unavailable` says why not.
    pub fn check_writable(&self) -> Result<()> {
        self.durability.check()?;
        self.reserve.check()
    }

    /// Returns once all that was written before is durable.
    pub async fn flush(&self) -> Result<()> {
        self.durability.durable(Round::Everything).await
    }

    /// Makes all durable and closes the folder, so that another process may open it.
    pub async fn close(self) -> Result<()> {
        let flushed = self.flush().await;
        // Closing joins the flusher and waits for the disk.
        tokio::task::spawn_blocking(move || drop(self))
            .await
            .map_err(|e| Error::internal(e, "failed to close the store"))?;
        flushed
    }

    /// Gives a transaction's result once what it wrote is durable.
    async fn durable<A>(&self, outcome: TransactionResult<A, Error>) -> Result<A> {
        let value = decided(outcome)?;
        self.durability.durable(Round::Everything).await?;
        Ok(value)
    }

    /// Makes the blobs of rows durable. They have to be before the rows that name them are written.
    async fn put_blobs(&self, contents: Vec<Vec<u8>>) -> Result<()> {
        if contents.is_empty() {
            return Ok(());
        }
        let blobs = self.blobs.clone();
        tokio::task::spawn_blocking(move || contents.iter().try_for_each(|content| blobs.put(content).map(drop)))
            .await
            .map_err(|e| Error::internal(e, "failed to write the blobs of a row"))?
    }

    /// The row of a key.
    fn read<T: DeserializeOwned>(&self, tree: &Tree, key: &[u8]) -> Result<Option<T>> {
        tree.get(key)?.map(|row| rows::decode(&row, &self.blobs)).transpose()
    }

    /// All rows whose keys begin with `prefix`, in the order of their keys.
    fn list<T: DeserializeOwned>(&self, tree: &Tree, prefix: &[u8]) -> Result<Vec<T>> {
        tree.scan_prefix(prefix).values().map(|row| rows::decode(&row?, &self.blobs)).collect()
    }
}

/// What a transaction came to: its value, its refusal, or sled's fault.
fn decided<A>(outcome: TransactionResult<A, Error>) -> Result<A> {
    outcome.map_err(|error| match error {
        TransactionError::Abort(refusal) => refusal,
        TransactionError::Storage(fault) => fault.into(),
    })
}

/// How long to wait for the data folder's lock. A child of the process that held it has a copy of it until it starts
/// its own program.
const LOCKED_AT_MOST: Duration = Duration::from_secs(1);

/// Takes the folder for this process. The kernel gives it back when the process ends, however it ends.
fn lock(folder: &Path) -> Result<File> {
    let file = fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("lock"))
        .map_err(|e| {
            StoreError::file("open the data folder to write (make it this user's, or its file system writable)", e)
        })?
        .into_parts()
        .0;
    let is_busy = |error: &TryLockError| matches!(error, TryLockError::WouldBlock);
    match locks::take(LOCKED_AT_MOST, is_busy, || file.try_lock()) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Conflict(format!(
            "the data folder {} is in use by another process: stop that one, or name another folder",
            folder.display()
        ))),
        Err(TryLockError::Error(source)) => Err(StoreError::file("lock the data folder", source).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{OPTIONS, acme, open_in, tool};
    use super::*;

    #[tokio::test]
    async fn what_was_confirmed_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        let tool = tool("weather");
        store.create_tool(&acme(), &tool).await.unwrap();
        store.close().await.unwrap();

        let store = open_in(folder.path());
        assert_eq!(store.get_tool(&acme(), tool.id).unwrap().unwrap().name, tool.name);
    }

    #[test]
    fn a_folder_belongs_to_one_store_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let _store = open_in(folder.path());
        let refused = Store::open(folder.path(), OPTIONS).err().unwrap();
        assert!(matches!(&refused, Error::Conflict(message) if message.contains("in use by another process")));
    }

    #[tokio::test]
    async fn below_the_reserve_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Options { reserve_free_bytes: u64::MAX, ..OPTIONS }).unwrap();
        let tool = tool("weather");
        assert!(matches!(store.create_tool(&acme(), &tool).await, Err(Error::Unavailable(_))));
        assert!(matches!(store.blobs().put(b"content"), Err(Error::Unavailable(_))));
        assert!(store.get_tool(&acme(), tool.id).unwrap().is_none());
    }
}
