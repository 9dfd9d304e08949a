//! The engine: one per process, with the memories and stacks that invocations take turns in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sdk::sandbox::{self, Host, Ticker};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::bases::Bases;
use crate::cache::{self, Cache};
use crate::component::Tool;
use crate::error::Error;
use crate::lanes::Lanes;
pub use crate::memory::IdleMemory;
use crate::memory::{Creator, Slots};
use crate::network::{Gateway, NetworkSettings};
use crate::shares::Shares;
use crate::stacks::Stacks;

/// Settings of a [`Runtime`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Options {
    /// Where machine code, unpacked files and the Python base are kept. It may be deleted while nothing runs.
    pub cache: PathBuf,
    /// How many invocations may run at once. The rest wait.
    pub max_concurrent: u32,
    /// The most linear memory that any invocation may be given.
    pub max_memory_bytes: usize,
    /// What the memory of an invocation that has ended keeps of the pages that it has written, in bytes. The next
    /// invocation of the tool finds them ready. As many memories wait as invocations may run at once.
    pub keep_resident_bytes: usize,
    /// How many guests may run at the same time, each for a tick before it is the next one's turn. Guests that wait for
    /// something do not count.
    pub processors: usize,
    /// What tools may connect to, and how.
    pub network: NetworkSettings,
    /// Where the memory of an invocation is written when it has ended, secrets and all: for looking into. Each replaces
    /// the one before.
    pub dump_memory: Option<PathBuf>,
    /// Whether the base of a tool with native packages is made anew of the libraries within its file, where the cache has
    /// lost it. They run while it is made, and nothing bounds that: for files of one's own builds alone.
    pub makes_bases: bool,
}

impl Options {
    /// The defaults, with a cache in this folder.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        // A live instance costs half a megabyte and a reservation of addresses, so the number is bounded by what the
        // processors can usefully interleave rather than by memory.
        Self {
            cache: cache.into(),
            max_concurrent: 64,
            max_memory_bytes: 1 << 30,
            // A small tool writes one megabyte, an unusual one ten.
            keep_resident_bytes: 16 << 20,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            network: NetworkSettings::default(),
            dump_memory: None,
            makes_bases: false,
        }
    }

    /// The memories that invocations take turns in: none so far.
    pub(crate) fn memories(&self) -> Arc<Slots> {
        Arc::new(Slots::new(self.max_concurrent as usize, self.keep_resident_bytes, self.dump_memory.clone()))
    }
}

/// Runs tools. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Host>,
    pub(crate) bases: Bases,
    pub(crate) slots: Arc<Semaphore>,
    memories: Arc<Slots>,
    pub(crate) shares: Arc<Shares>,
    pub(crate) lanes: Lanes,
    pub(crate) cache: Cache,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) options: Options,
}

/// What a process opens before it is confined.
pub(crate) struct Opened {
    pub(crate) memories: Arc<Slots>,
    pub(crate) gateway: Gateway,
}

impl Runtime {
    /// Makes the engine and starts the clock.
    pub fn new(options: Options) -> Result<Self, Error> {
        let cache = Cache::open(&options.cache, options.makes_bases)?;
        let memories = options.memories();
        let gateway = Gateway::new(options.network.clone());
        if !options.network.ca_files.is_empty() {
            // A file that cannot be read is the operator's to mend now, and not a tool's to stumble over later.
            gateway.connector()?;
        }
        Self::of(options, cache, Opened { memories, gateway }, Lanes::default())
    }

    /// Puts it together. Guests that compute for long go to the lanes.
    pub(crate) fn of(options: Options, cache: Cache, opened: Opened, lanes: Lanes) -> Result<Self, Error> {
        let Opened { memories, gateway } = opened;
        let fault = |source: wasmtime::Error| Error::internal("start the engine", anyhow::Error::from(source));
        let mut config = sandbox::engine_config();
        let waiting = options.max_concurrent as usize;
        config
            .with_host_memory(Arc::new(Creator(Arc::clone(&memories))))
            .with_host_stack(Arc::new(Stacks::new(waiting)));
        let engine = Engine::new(&config).map_err(fault)?;
        Ticker::start(&engine).map_err(|source| Error::internal("start the clock", source))?;
        let linker = sandbox::linker(&engine).map_err(fault)?;
        let slots = Arc::new(Semaphore::new(options.max_concurrent as usize));
        let weak = engine.weak();
        let hurry = move || {
            if let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
            }
        };
        let shares = Shares::new(options.processors, hurry);
        let gateway = Arc::new(gateway);
        let bases = Bases::default();
        Ok(Self {
            shared: Arc::new(Shared { engine, linker, bases, slots, memories, shares, lanes, cache, gateway, options }),
        })
    }

    /// Loads a built tool by the SHA-256 of its bytes, which are read only where the cache does not have it. Afterwards
    /// its memory is mapped from the cache. Its code is that of its base, which is compiled, for about five seconds, when
    /// this engine sees the first tool of it.
    ///
    /// It blocks, and must not be called on a thread of an async executor.
    pub fn load(&self, sha256: &str, read: impl FnOnce() -> std::io::Result<Vec<u8>>) -> Result<Tool, Error> {
        Tool::of(&self.shared, self.shared.cache.unpack(sha256, read)?)
    }

    /// Loads a tool that the cache has.
    pub(crate) fn find(&self, sha256: &str) -> Result<Tool, Error> {
        Tool::of(&self.shared, self.shared.cache.find(sha256)?.ok_or_else(cache::gone)?)
    }

    /// Loads a built tool from a file.
    pub fn load_file(&self, path: &Path) -> Result<Tool, Error> {
        let bytes = fs_err::read(path).map_err(|source| Error::internal("read the built tool", source))?;
        self.load(&hex::encode(Sha256::digest(&bytes)), || Ok(bytes))
    }

    /// What the memories hold that wait for their next invocation.
    pub fn idle_memory(&self) -> IdleMemory {
        self.shared.memories.idle_memory()
    }

    /// The folder that the runtime keeps its files in.
    pub fn cache(&self) -> &Path {
        self.shared.cache.folder()
    }
}
