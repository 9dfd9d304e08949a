//! The sandbox: what a guest may do and how much of it, for snapshots and invocations alike.
//!
//! Two clocks and a counter: an epoch deadline ends a guest that runs, a timer ends one that waits, and a limiter
//! counts its memory. A guest has read-only folders, an empty `/tmp`, captured output, clocks, random bytes and the
//! [`Network`] that it is given; no variables, no arguments.

#[expect(missing_docs, reason = "generated; wit/tool.wit documents what it means")]
mod bindings;
mod clock;
mod ending;
mod files;
mod logs;
mod memory;
mod network;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Config, Engine, Store, UpdateDeadline};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

pub use bindings::{Failure, Problem, Tool, ToolPre};
pub use clock::{OutOfTime, Ticker};
pub use ending::why_ended;
pub use logs::Logs;
pub use memory::MemoryLimiter;
pub use network::{Network, NoNetwork, Refusal, Target, TargetHost};

/// How many things of the host's one guest may hold at once: files, streams, sockets, and what waits for them. Each open
/// file has two streams, and CPython drops what it waits for at once; a guest that wants more ends.
const MAX_RESOURCES: usize = 4096;

/// The most that one guest may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Wall clock, running and waiting together.
    pub wall_clock: Duration,
    /// Linear memory. A Python that has imported a little of its library takes 16 MiB.
    pub memory_bytes: usize,
    /// Standard output and standard error together; what is above it is dropped and said to be.
    pub log_bytes: usize,
    /// What the guest may hand to the host as its result.
    pub output_bytes: usize,
    /// The files in `/tmp` together, which are memory of the host.
    pub tmp_bytes: usize,
    /// Files and folders in `/tmp`.
    pub tmp_files: usize,
    /// Files and folders that are open at once. Those of the host's are open files of this process.
    pub open_files: usize,
}

impl Limits {
    /// Limits for importing a tool at build time: imports of large packages take seconds and hundreds of megabytes.
    pub fn for_build() -> Self {
        Self {
            wall_clock: Duration::from_secs(60),
            memory_bytes: 512 << 20,
            log_bytes: 64 << 10,
            output_bytes: 4 << 20,
            tmp_bytes: 64 << 20,
            tmp_files: 1024,
            open_files: 256,
        }
    }
}

impl Limits {
    /// Limits for a project's tests, which run on their author's own machine.
    pub fn for_tests() -> Self {
        Self { wall_clock: Duration::from_secs(600), memory_bytes: 1 << 30, ..Self::for_build() }
    }
}

impl Default for Limits {
    /// Limits for one invocation.
    fn default() -> Self {
        Self {
            wall_clock: Duration::from_secs(30),
            memory_bytes: 256 << 20,
            log_bytes: 64 << 10,
            output_bytes: 1 << 20,
            tmp_bytes: 64 << 20,
            tmp_files: 1024,
            open_files: 256,
        }
    }
}

/// A host folder that the guest sees.
#[derive(Debug, Clone)]
pub struct Mount {
    /// The folder on the host.
    pub host: PathBuf,
    /// Its absolute path in the guest.
    pub guest: &'static str,
    /// What the guest may do with it.
    pub access: Access,
}

/// What a guest may do with a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Look.
    Read,
    /// Look and change. Only for our own trusted code, while the base is made.
    Write,
}

/// The host's side of one guest.
pub struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
    tmp: files::Tmp,
    names: network::Names,
    network: Arc<dyn Network>,
    /// Counts the guest's memory.
    pub memory: MemoryLimiter,
}

impl Host {
    /// A host that grants the folders and the network and catches what is printed.
    pub fn new(mounts: &[Mount], network: Arc<dyn Network>, logs: &Logs, limits: &Limits) -> wasmtime::Result<Self> {
        let mut wasi = WasiCtxBuilder::new();
        // Reads of a local read-only folder take microseconds; handing each to another thread takes longer.
        wasi.allow_blocking_current_thread(true);
        wasi.stdout(logs.clone()).stderr(logs.clone());
        for mount in mounts {
            let permissions = match mount.access {
                Access::Read => FsPerms::ReadOnly,
                Access::Write => FsPerms::ReadWrite,
            };
            wasi.preopened_dir(&mount.host, mount.guest, permissions)?;
        }
        let memory = MemoryLimiter::new(limits.memory_bytes);
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        Ok(Self {
            wasi: wasi.build(),
            table,
            tmp: files::Tmp::new(limits),
            names: network::Names::default(),
            network,
            memory,
        })
    }

    /// Whether the guest's C library has a handle of the network, which it never gives back.
    pub(crate) fn has_asked_for_network(&self) -> bool {
        self.names.asked
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// What every engine of ours has in common, so that the snapshot runs a tool as production does.
pub fn engine_config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.epoch_interruption(true);
    // CPython recurses deeply in C: its parser, its JSON decoder, `repr` of nested lists. 512 KiB, the default, traps.
    config.max_wasm_stack(8 << 20);
    config.async_stack_size(10 << 20);
    // A snapshot has holes, and above the default of 16 MiB a sparse image would be copied at every instantiation.
    config.memory_guaranteed_dense_image_size(1 << 30);
    // A backtrace into libpython helps no author, and collecting it takes time.
    config.wasm_backtrace_max_frames(None);
    config
}

/// Everything that a component may import.
pub fn linker(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    files::add_to_linker(&mut linker)?;
    network::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// A store whose guest yields to the executor at every tick and ends with [`OutOfTime`] at the first one after the
/// deadline.
pub fn store(engine: &Engine, host: Host, deadline: Instant, limits: &Limits) -> Store<Host> {
    let mut store = Store::new(engine, host);
    store.limiter(|host| &mut host.memory);
    // One call may not make the host allocate more than a result may be long, or than a file may be large; JSON escapes
    // and the stack trace of a failure come on top.
    store.set_hostcall_fuel(limits.output_bytes.max(limits.tmp_bytes).saturating_add(1 << 20));
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if Instant::now() >= deadline {
            return Err(OutOfTime.into());
        }
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(clock::give_way())))
    });
    store
}
