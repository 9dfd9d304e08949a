//! The process as its starter sees it: there when it is needed, and there again when it has ended.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sdk::snapshot::{Import, Imported};
use tokio::net::UnixStream;
use tokio::task;
use tokio::time::timeout;

use super::confinement::RESOLVING;
use super::frames::{self, Parts};
use super::messages::{Ask, Invocation, Told};
use super::process::Settings;
use super::started::{Started, Usage};
use crate::engine;
use crate::error::Error;
use crate::invoke::{Call, Limits};
use crate::outcome::{Failure, MOST_FAILURE_BYTES, Report};

/// How long loading a tool may take, which maps files. Code that is not there is an error.
const LOADING: Duration = Duration::from_secs(120);

/// What an answer may have beside its texts: a report's numbers, and the names of hosts.
const ANSWER_BYTES: usize = 1 << 20;

/// A process that ends sooner than this after its start is started again when it is needed, and not at once.
const SHORT_LIVED: Duration = Duration::from_secs(1);

/// How often to look whether files that the process may read were exchanged for others, in seconds.
const LOOK_EVERY_S: i64 = 5;

/// Settings of a [`Worker`].
#[derive(Debug, Clone)]
pub struct Options {
    /// The program that calls [`run`](super::run), and the arguments that have it do so.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What is run there, and how. Of the cache, what is in it is read.
    pub engine: engine::Options,
    /// How many tools are kept ready in memory.
    pub loaded_tools: usize,
    /// How much longer than its time limit an invocation may take until the process is believed to hang, and is ended. It
    /// waits for its turn within, and loads its tool.
    pub patience: Duration,
}

/// A process for sandboxes. It is started when it is first asked for something, or by [`start`](Self::start), and ends when
/// this is dropped. Cheap to clone.
#[derive(Clone)]
pub struct Worker(Arc<Shared>);

struct Shared {
    options: Options,
    current: Mutex<Option<Arc<Started>>>,
    /// Held by who starts one.
    starting: Mutex<()>,
    starts: AtomicU64,
}

impl Worker {
    /// A worker that is not started yet.
    pub fn new(options: Options) -> Self {
        let (current, starting, starts) = Default::default();
        Self(Arc::new(Shared { options, current, starting, starts }))
    }

    /// Starts the process, unless it runs. An error says why it cannot run. It blocks.
    pub fn start(&self) -> Result<(), Error> {
        self.0.started().map(drop)
    }

    /// How often it was started.
    pub fn starts(&self) -> u64 {
        self.0.starts.load(Ordering::Relaxed)
    }

    /// What the process takes of the machine, while there is one and the system says so.
    pub fn usage(&self) -> Option<Usage> {
        self.0.running()?.usage()
    }

    /// Has a tool loaded that is in the cache.
    pub async fn load(&self, sha256: &str) -> Result<(), Error> {
        match self.ask(&Ask::Load { sha256: sha256.to_owned() }, &[], LOADING, ANSWER_BYTES).await? {
            Some((Told::Done, _)) => Ok(()),
            answer => Err(unexpected(answer, "load the tool")),
        }
    }

    /// Runs a tool once that is in the cache. Where the process ends meanwhile, the tool has failed: what it has done
    /// before cannot be known, so it does not run again.
    pub async fn invoke(&self, sha256: &str, call: &Call<'_>, limits: &Limits) -> Result<Report, Error> {
        let fault = |source: std::io::Error| Error::internal("run the tool", source);
        let parameters = serde_json::to_vec(&call.parameters).map_err(|source| fault(source.into()))?;
        let (invocation, values) = Invocation::of(sha256, call, limits);
        let parts: Vec<_> = std::iter::once(&parameters[..]).chain(values).collect();
        // An output goes as it is, and an exception, which may be as long, in JSON, where a character takes up to six bytes.
        let exception_bytes = limits.output_bytes.saturating_add(MOST_FAILURE_BYTES).saturating_mul(6);
        let most = ANSWER_BYTES.saturating_add(exception_bytes).saturating_add(limits.log_bytes);
        match self
            .ask(&Ask::Invoke(Box::new(invocation)), &parts, limits.wall_clock + self.0.options.patience, most)
            .await?
        {
            Some((Told::Report(reported), parts)) => reported.report(&parts).map_err(fault),
            None => Ok(Report::of(Failure::lost())),
            answer => Err(unexpected(answer, "run the tool")),
        }
    }

    /// Imports a project into a base. Both are in the cache.
    pub async fn import(&self, base_key: &str, import: &Import) -> Result<Imported, sdk::Error> {
        let operation = "import the tool";
        let limits = &import.limits;
        let most =
            ANSWER_BYTES + limits.memory_bytes.saturating_add(limits.output_bytes).saturating_add(limits.log_bytes);
        let ask = Ask::Import { base_key: base_key.to_owned(), import: Box::new(import.clone()) };
        let asked = self.ask(&ask, &[], limits.wall_clock + self.0.options.patience, most).await;
        let fault = |source: std::io::Error| sdk::Error::internal(operation, source);
        match asked.map_err(|source| sdk::Error::internal(operation, source))? {
            Some((Told::Imported, parts)) => Ok(Imported {
                memory: parts.bytes(0).map_err(fault)?.to_vec(),
                logs: parts.text(1).map_err(fault)?.to_owned(),
                description: serde_json::from_slice(parts.bytes(2).map_err(fault)?)
                    .map_err(|source| fault(source.into()))?,
            }),
            Some((Told::Refused(problems), _)) if !problems.is_empty() => Err(sdk::Error::Refused(problems)),
            answer => Err(sdk::Error::internal(operation, why(answer))),
        }
    }

    /// Asks, and answers what is told; none where the process has ended, or was made to because it did not answer in time.
    async fn ask(
        &self,
        ask: &Ask,
        parts: &[&[u8]],
        within: Duration,
        most: usize,
    ) -> Result<Option<(Told, Parts)>, Error> {
        let fault = |source: std::io::Error| Error::internal("ask the process for sandboxes", source);
        let frame = frames::frame(ask, parts).map_err(fault)?;
        let (started, mut connection) = self.say(&frame).await?;
        drop(frame);
        match timeout(within, frames::read(&mut connection, most)).await {
            Ok(Ok(Some(answer))) => {
                started.give_back(connection);
                return Ok(Some(answer));
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) if error.kind() != ErrorKind::InvalidData => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "The process for sandboxes gave a broken answer; it is ended");
                started.kill();
            }
            Err(_elapsed) => {
                tracing::error!(?within, "The process for sandboxes does not answer; it is ended");
                started.kill();
            }
        }
        Ok(None)
    }

    /// Says something to the process that runs. One that is found dead meanwhile has not heard all of it, so the next one
    /// is told.
    async fn say(&self, frame: &[u8]) -> Result<(Arc<Started>, UnixStream), Error> {
        use tokio::io::AsyncWriteExt;
        let mut last = None;
        for _ in 0..3 {
            let started = match self.0.running() {
                Some(started) => started,
                None => {
                    let shared = Arc::clone(&self.0);
                    let started = task::spawn_blocking(move || shared.started()).await;
                    started.map_err(|source| Error::internal("start the process for sandboxes", source))??
                }
            };
            let said = async {
                let mut connection = started.connection()?;
                connection.write_all(frame).await?;
                Ok::<_, std::io::Error>(connection)
            };
            match said.await {
                Ok(connection) => return Ok((started, connection)),
                Err(error) => {
                    self.0.forget(&started);
                    last = Some(error);
                }
            }
        }
        Err(Error::internal("reach the process for sandboxes", anyhow!("{last:?}")))
    }
}

impl Shared {
    fn running(&self) -> Option<Arc<Started>> {
        self.current().clone().filter(|started| started.runs())
    }

    /// The process, started where there is none.
    fn started(self: &Arc<Self>) -> Result<Arc<Started>, Error> {
        let _alone = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = self.running() {
            return Ok(running);
        }
        let Options { program, arguments, engine, loaded_tools, .. } = &self.options;
        let settings = Settings { engine: engine.clone(), loaded_tools: *loaded_tools };
        let readable = readable(&engine.cache);
        let (started, child, confinement) = Started::start((program, arguments), &settings)
            .map_err(|source| Error::internal("start the process for sandboxes", source))?;
        tracing::info!(pid = started.pid(), ?confinement, "Started the process for sandboxes");
        let started = Arc::new(started);
        self.starts.fetch_add(1, Ordering::Relaxed);
        let fault = |source| Error::internal("watch the process for sandboxes", source);
        let (shared, watched, handle) =
            (Arc::downgrade(self), Arc::downgrade(&started), started.handle().map_err(fault)?);
        thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || watch(&shared, &watched, handle, child, &readable))
            .map_err(fault)?;
        *self.current() = Some(Arc::clone(&started));
        Ok(started)
    }

    /// The next request starts another one. This one ends once nobody waits for it.
    fn forget(&self, started: &Arc<Started>) {
        let mut current = self.current();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, started)) {
            *current = None;
        }
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<Arc<Started>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the end of a process, and starts the next one.
fn watch(
    shared: &Weak<Shared>,
    started: &Weak<Started>,
    handle: OwnedFd,
    mut child: Child,
    readable: &[Option<(u64, u64)>],
) {
    let every = Timespec { tv_sec: LOOK_EVERY_S, tv_nsec: 0 };
    // It ends up in `wait` at once where the system cannot tell.
    while let Ok(0) | Err(Errno::INTR) = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&every)) {
        if let (Some(shared), Some(started)) = (shared.upgrade(), started.upgrade())
            && self::readable(&shared.options.engine.cache) != readable
        {
            // A file that was put in another's place is another file, which the process may not read.
            tracing::info!("Files that it reads were exchanged: another process for sandboxes takes over");
            shared.forget(&started);
        }
    }
    let status = child.wait();
    let Some(started) = started.upgrade() else { return };
    let Some(shared) = shared.upgrade() else { return };
    tracing::error!(?status, "The process for sandboxes has ended; what ran in it has failed");
    shared.forget(&started);
    if started.began().elapsed() >= SHORT_LIVED
        && let Err(error) = shared.started()
    {
        tracing::error!(error = format!("{error:#}"), "Could not start it again; the next invocation tries");
    }
}

/// Which files the process may read: the cache, and those that tell how names are resolved.
fn readable(cache: &Path) -> Vec<Option<(u64, u64)>> {
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let paths = RESOLVING.iter().map(Path::new).chain([cache]);
    paths.map(|path| std::fs::metadata(path).ok().map(identity)).collect()
}

fn unexpected(answer: Option<(Told, Parts)>, operation: &'static str) -> Error {
    Error::internal(operation, why(answer))
}

fn why(answer: Option<(Told, Parts)>) -> anyhow::Error {
    anyhow!(match answer {
        None => "the process for sandboxes has ended".to_owned(),
        Some((Told::Failed(reasons), _)) => reasons.join(": "),
        Some(_) => "the process for sandboxes answered something else".to_owned(),
    })
}
