//! What happens within the process: it is told its settings, confines itself, and answers what is asked.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net;
use std::sync::Arc;

use anyhow::Context;
use rustix::process::setpriority_process;
use sdk::base::Base;
use sdk::snapshot::{Imported, Loader};
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task;

use super::confinement::{self, Confinement};
use super::frames::{self, Parts};
use super::handover;
use super::messages::{Ask, Invocation, Reported, Told};
use crate::cache::Cache;
use crate::component::Tool;
use crate::engine::{self, Opened, Runtime};
use crate::invoke::Remains;
use crate::lanes::Lanes;
use crate::network::Gateway;
use crate::outcome::Report;
use crate::recent::Recent;

/// Threads beside those that guests keep busy: for timers and connections, and for asking who else wants to run.
const HOST_THREADS: usize = 2;

/// How much this process stands back behind the one that serves requests and writes records: each of its threads has
/// little to do and much that waits for it, and would otherwise wait for a loop's turn of the system's own.
const NICENESS: i32 = 5;

/// The same for the threads of guests that compute for long: the system lets the others on sooner. It is little more, since
/// with much more whatever else computes on the machine would leave them next to nothing.
const LONG_NICENESS: i32 = 7;

/// The largest request, in bytes: an input and all variables. Its maker has bounded both, and is not held against less.
const REQUEST_BYTES: usize = 1 << 30;

/// What the process is told first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) engine: engine::Options,
    pub(super) loaded_tools: usize,
}

/// What it says to that: how it is held, or why it cannot run.
pub(super) type Greeting = Result<Confinement, String>;

/// A process that is ready.
struct Open {
    process: Arc<Process>,
    /// The one that requests are answered on, and that of guests that compute for long.
    executors: [tokio::runtime::Runtime; 2],
    confinement: Confinement,
}

/// What the requests share.
struct Process {
    runtime: Runtime,
    loaded: Recent<Tool>,
    /// Bases that are open for importing, by their keys: some 50 MB of machine code each, mapped.
    importers: Recent<Arc<Loader>>,
}

/// How many bases are kept open.
const IMPORTERS: usize = 8;

/// Runs tools for whoever started this process with a socket as its standard input. It returns when that one has ended, or
/// has let go of the socket; guests may still be running then, and end with the process.
///
/// It confines the whole process, and has to be called while that has one thread.
pub fn run() -> anyhow::Result<()> {
    let socket = rustix::stdio::stdin().as_fd().try_clone_to_owned().context("failed to take over the socket")?;
    let socket = net::UnixStream::from(socket);
    let settings =
        handover::hear(&socket).context("failed to read the settings: a control plane starts this command")?;
    let opened = open(settings);
    let greeting: Greeting = match &opened {
        Ok(open) => Ok(open.confinement),
        Err(error) => Err(format!("{error:#}")),
    };
    handover::say(&socket, &greeting).context("failed to answer")?;
    let Open { process, executors, .. } = opened?;
    while let Some(connection) = handover::receive(&socket).context("failed to wait for requests")? {
        let process = Arc::clone(&process);
        executors[0].spawn(async move {
            if let Err(error) = process.serve(connection).await {
                tracing::debug!(%error, "A connection to the control plane ended early");
            }
        });
    }
    // Ending them would tell guests that are still running, which have nobody to tell.
    std::mem::forget(executors);
    Ok(())
}

fn open(Settings { engine, loaded_tools }: Settings) -> anyhow::Result<Open> {
    stand_back(NICENESS);
    // What is read and opened here cannot be any more once the process is confined.
    let opened = Opened { memories: engine.memories(), gateway: Gateway::new(engine.network.clone()) };
    opened.gateway.connector()?;
    let confinement = confinement::confine(&engine.cache)?;
    let executor = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(engine.processors + HOST_THREADS)
        .thread_name("guests")
        .enable_all()
        .build()
        .context("failed to start an executor")?;
    let standing_back = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(engine.processors + 1)
        .thread_name("long guests")
        .on_thread_start(|| stand_back(LONG_NICENESS))
        .enable_all()
        .build()
        .context("failed to start an executor for guests that compute for long")?;
    {
        // Whoever ends the service may well end all of its processes at once. This one has to stay for as long as the service
        // waits for what runs here, and ends with it.
        let _within = executor.enter();
        for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
            drop(signal(kind).context("failed to ignore signals")?);
        }
    }
    let cache = Cache::read_only(&engine.cache);
    let runtime = Runtime::of(engine, cache, opened, Lanes::new(Some(standing_back.handle().clone())))?;
    confinement::hide()?;
    let process = Process { runtime, loaded: Recent::new(loaded_tools), importers: Recent::new(IMPORTERS) };
    Ok(Open { process: Arc::new(process), executors: [executor, standing_back], confinement })
}

/// Lowers the priority of the calling thread, and of those that it starts.
fn stand_back(niceness: i32) {
    // Linux takes this for a thread alone. Where it is refused, everything works, only less evenly.
    if let Err(error) = setpriority_process(None, niceness) {
        tracing::debug!(%error, "Could not lower the priority of a thread for tools");
    }
}

impl Process {
    /// Answers the requests of a connection, one after the other.
    async fn serve(self: &Arc<Self>, connection: OwnedFd) -> io::Result<()> {
        let stream = net::UnixStream::from(connection);
        stream.set_nonblocking(true)?;
        let mut stream = UnixStream::from_std(stream)?;
        while let Some((ask, parts)) = frames::read(&mut stream, REQUEST_BYTES).await? {
            let Answer { told, parts, remains } = match self.answer(ask, &parts).await {
                Ok(answer) => answer,
                Err(error) => failed(error).into(),
            };
            let parts: Vec<_> = parts.iter().map(Vec::as_slice).collect();
            frames::write(&mut stream, &told, &parts).await?;
            drop(remains);
        }
        Ok(())
    }

    async fn answer(self: &Arc<Self>, ask: Ask, parts: &Parts) -> anyhow::Result<Answer> {
        match ask {
            Ask::Load { sha256 } => self.tool(&sha256).await.map(|_| Told::Done.into()),
            Ask::Invoke(invocation) => {
                let (report, remains) = self.invoke(*invocation, parts).await?;
                let (reported, parts) = Reported::of(report);
                Ok(Answer { told: Told::Report(Box::new(reported)), parts, remains: Some(remains) })
            }
            Ask::Import { base_key, import } => {
                let process = Arc::clone(self);
                let imported = task::spawn_blocking(move || process.importer(&base_key)?.import(&import)).await;
                let Imported { memory, description, logs } = imported.context("failed to import")??;
                let description = serde_json::to_vec(&description)?;
                let parts = vec![memory, logs.into_bytes(), description];
                Ok(Answer { told: Told::Imported, parts, remains: None })
            }
        }
    }

    async fn invoke(self: &Arc<Self>, invocation: Invocation, parts: &Parts) -> anyhow::Result<(Report, Remains)> {
        let tool = self.tool(&invocation.sha256).await?;
        let limits = invocation.limits.clone();
        let call = invocation.call(parts)?;
        Ok(tool.invoke_and_leave(&call, &limits).await?)
    }

    /// The base, opened for importing.
    fn importer(&self, base_key: &str) -> Result<Arc<Loader>, sdk::Error> {
        let entry = self.importers.entry(base_key);
        if let Some(importer) = entry.get() {
            return Ok(Arc::clone(importer));
        }
        let missing = || sdk::Error::internal("find the base", anyhow::anyhow!("the cache does not have it"));
        let base = Base::find(self.runtime.cache(), base_key).ok_or_else(missing)?;
        let opened = Arc::new(Loader::open(&base)?);
        // Whoever was quicker has opened the same.
        let _ = entry.set(Arc::clone(&opened));
        Ok(opened)
    }

    async fn tool(self: &Arc<Self>, sha256: &str) -> anyhow::Result<Tool> {
        let entry = self.loaded.entry(sha256);
        let load = || async {
            let (process, sha256) = (Arc::clone(self), sha256.to_owned());
            let loaded = task::spawn_blocking(move || process.runtime.find(&sha256)).await;
            Ok(loaded.context("failed to load the tool")??)
        };
        entry.get_or_try_init(load).await.cloned()
    }
}

/// What is answered, and what is left to be done afterwards.
struct Answer {
    told: Told,
    parts: Vec<Vec<u8>>,
    remains: Option<Remains>,
}

impl From<Told> for Answer {
    fn from(told: Told) -> Self {
        Self { told, parts: Vec::new(), remains: None }
    }
}

fn failed(error: anyhow::Error) -> Told {
    match error.downcast::<sdk::Error>() {
        Ok(sdk::Error::Refused(problems)) => Told::Refused(problems),
        Ok(error) => reasons(&error.into()),
        Err(error) => reasons(&error),
    }
}

fn reasons(error: &anyhow::Error) -> Told {
    Told::Failed(error.chain().map(ToString::to_string).collect())
}
