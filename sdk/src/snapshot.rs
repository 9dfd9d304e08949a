//! The second snapshot: the base imports a tool, and what it has become is written as a component.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use wasmtime::component::{Instance, TypedFunc};
use wasmtime::{Engine, Store};

use crate::artifact::{self, Artifact, Description, Label};
use crate::base::Base;
use crate::dependencies::{Packages, site};
use crate::error::{Error, Problem};
use crate::immortal;
use crate::input_schema::InputSchema;
use crate::load_request::LoadRequest;
use crate::merge::{self, Image};
use crate::project::{MANIFEST, Project};
use crate::reset;
use crate::sandbox::{self, Access, Host, Limits, Logs, Mount, NoNetwork, OutOfTime, Ticker, ToolPre};
use crate::work::Work;

/// Opens bases for building, and keeps the latest few open.
pub struct Snapshotters {
    /// The one that was used last comes last.
    open: Mutex<Vec<Arc<Snapshotter>>>,
}

/// How many bases are kept open: each has some 50 MB of machine code, mapped, and its own clock.
const KEPT_OPEN: usize = 8;

impl Snapshotters {
    /// None is open.
    pub fn new() -> Self {
        Self { open: Mutex::new(Vec::new()) }
    }

    /// The base, opened for building.
    pub fn of(&self, base: &Base) -> Result<Arc<Snapshotter>, Error> {
        let find = || {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let place = open.iter().position(|snapshotter| snapshotter.base.key == base.key)?;
            let found = open.remove(place);
            open.push(Arc::clone(&found));
            Some(found)
        };
        if let Some(found) = find() {
            return Ok(found);
        }
        // Without the lock: it may take seconds, and others build meanwhile. Whoever is slower opens it in vain.
        let opened = Arc::new(Snapshotter::new(base.clone())?);
        if let Some(found) = find() {
            return Ok(found);
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.push(Arc::clone(&opened));
        if open.len() > KEPT_OPEN {
            open.remove(0);
        }
        Ok(opened)
    }
}

impl Default for Snapshotters {
    fn default() -> Self {
        Self::new()
    }
}

/// Builds tools. Opened once and kept: it holds the base as machine code.
pub struct Snapshotter {
    base: Base,
    loader: Loader,
    work: Work,
}

impl Snapshotter {
    /// Opens the base for building.
    pub fn new(base: Base) -> Result<Self, Error> {
        let loader = Loader::open(&base)?;
        let work = Work::open(base.cache()).map_err(|source| Error::internal("make a folder", source))?;
        Ok(Self { base, loader, work })
    }

    /// The base that tools are built on.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// Imports the project in a sandbox and writes what comes of it as a component.
    ///
    /// It blocks for about a second, and must not be called on a thread of an async executor.
    pub fn build(&self, project: &Project, packages: &Packages, limits: &Limits) -> Result<Artifact, Error> {
        self.build_by(project, packages, limits, |import| self.loader.import(import))
    }

    /// The same, where the import itself is carried out by somebody else, such as another process.
    pub fn build_by(
        &self,
        project: &Project,
        packages: &Packages,
        limits: &Limits,
        import: impl FnOnce(&Import) -> Result<Imported, Error>,
    ) -> Result<Artifact, Error> {
        let Draft { label, image, archive, logs, .. } = self.draft_by(project, packages, limits, import)?;
        let component = merge::complete(&self.base.rest()?, &image);
        Artifact::new(component, label, archive, packages.archive()?, logs)
    }

    /// Imports the project in a sandbox, and leaves what comes of it in memory: it runs at once, on this machine alone.
    ///
    /// It blocks, and must not be called on a thread of an async executor.
    pub fn draft(&self, project: &Project, packages: &Packages, limits: &Limits) -> Result<Draft, Error> {
        self.draft_by(project, packages, limits, |import| self.loader.import(import))
    }

    fn draft_by(
        &self,
        project: &Project,
        packages: &Packages,
        limits: &Limits,
        import: impl FnOnce(&Import) -> Result<Imported, Error>,
    ) -> Result<Draft, Error> {
        let (archive, stage) = self.stage(project)?;
        let manifest = &project.manifest;
        let imported = import(&Import {
            name: manifest.name.clone(),
            entry_point: manifest.entry_point.clone(),
            files: stage.path().to_owned(),
            packages: packages.mount().map(|mount| mount.host),
            limits: limits.clone(),
        });
        let imported = imported.map_err(|error| error.located(MANIFEST, manifest.entry_point_line))?;
        let Imported { memory, description, logs } = imported;
        let label = Label::new(&self.base.key, description, &project.manifest, packages);
        Ok(Draft { label, image: Image::new(&memory), files: stage, archive, logs })
    }

    /// Imports a project of which something is known to be wrong, and says what else is. Where packages are missing that
    /// it asks for, nothing is said of modules that are not there.
    ///
    /// It blocks, and must not be called on a thread of an async executor.
    pub fn survey(&self, project: &Project, packages: &Packages, has_all: bool, limits: &Limits) -> Result<(), Error> {
        let (_, stage) = self.stage(project)?;
        let mounts = self.loader.mounts(stage.path(), packages.mount().map(|mount| mount.host).as_deref());
        let manifest = &project.manifest;
        let mut request = LoadRequest::new(&mounts, &manifest.name, &manifest.entry_point, None);
        request.is_incomplete = !has_all;
        let logs = Logs::new(limits.log_bytes);
        let loaded = within(limits, &request, async |deadline| {
            self.loader.call_load(&mounts, &request, limits, &logs, deadline).await.map(drop)
        });
        loaded.map_err(|error| error.located(MANIFEST, manifest.entry_point_line))
    }

    /// A copy of the project's files, and the same as an archive.
    fn stage(&self, project: &Project) -> Result<(Vec<u8>, TempDir), Error> {
        let archive = artifact::pack(&project.folder)?;
        let stage = self.work.folder().map_err(|source| Error::internal("make a folder", source))?;
        artifact::unpack(&archive, stage.path()).map_err(|source| Error::internal("stage the project", source))?;
        Ok((archive, stage))
    }
}

/// A project that was imported and not written as a file.
pub struct Draft {
    /// What has to be known to run it.
    pub label: Label,
    /// What the guest's memory has become.
    pub image: Image,
    /// The project's files as they were imported. They go when this is dropped.
    pub files: TempDir,
    /// What the project printed while it was imported.
    pub logs: String,
    archive: Vec<u8>,
}

/// What is to be imported, in the words of whoever may carry it out in another process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Import {
    name: String,
    entry_point: String,
    /// The project's folder.
    files: PathBuf,
    /// The folder of its packages.
    packages: Option<PathBuf>,
    /// What importing may use.
    pub limits: Limits,
}

/// What a guest has become that has imported a project.
#[derive(Debug)]
pub struct Imported {
    /// Its linear memory.
    pub memory: Vec<u8>,
    /// What the tool says of itself.
    pub description: Description,
    /// What was printed.
    pub logs: String,
}

/// The base as machine code, ready to import projects.
pub struct Loader {
    /// The standard library's folder.
    python: PathBuf,
    engine: Engine,
    pre: ToolPre<Host>,
    variables: Vec<i32>,
}

/// What the guest's `load` answers.
#[derive(Deserialize)]
struct Answer {
    #[serde(flatten)]
    description: Description,
    /// As [`immortal::mark`] takes it.
    immortal: String,
}

impl Loader {
    /// Maps the base's machine code.
    pub fn open(base: &Base) -> Result<Self, Error> {
        let fault = |source: wasmtime::Error| Error::internal("open the base", anyhow::Error::from(source));
        let engine = Engine::new(&sandbox::engine_config()).map_err(fault)?;
        Ticker::start(&engine).map_err(|source| Error::internal("start the clock", source))?;
        let mut linker = sandbox::linker(&engine).map_err(fault)?;
        linker.root().module(merge::IMAGE, &base.image(&engine)?).map_err(fault)?;
        let pre = linker.instantiate_pre(&base.code(&engine)?).map_err(fault)?;
        let (python, pre) = (base.python(), ToolPre::new(pre).map_err(fault)?);
        Ok(Self { python, pre, engine, variables: base.variables()? })
    }

    /// Imports a project.
    ///
    /// It blocks, and must not be called on a thread of an async executor.
    pub fn import(&self, import: &Import) -> Result<Imported, Error> {
        let Import { name, entry_point, files, packages, limits } = import;
        self.load(&self.mounts(files, packages.as_deref()), name, entry_point, limits)
    }

    fn mounts(&self, files: &Path, packages: Option<&Path>) -> Vec<Mount> {
        let mount = |host: &Path, guest| Mount { host: host.to_owned(), guest, access: Access::Read };
        let own = [mount(&self.python, "/python"), mount(files, "/tool")];
        own.into_iter().chain(packages.map(|packages| mount(packages, site::GUEST))).collect()
    }

    /// Imports and throws away.
    pub(crate) fn run(&self, mounts: &[Mount], name: &str, entry_point: &str, limits: &Limits) -> Result<(), Error> {
        self.load(mounts, name, entry_point, limits).map(drop)
    }

    fn load(&self, mounts: &[Mount], name: &str, entry_point: &str, limits: &Limits) -> Result<Imported, Error> {
        let logs = Logs::new(limits.log_bytes);
        let request = LoadRequest::new(mounts, name, entry_point, None);
        let loaded = within(limits, &request, async |deadline| {
            let (guest, text) = self.call_load(mounts, &request, limits, &logs, deadline).await?;
            let Answer { description, immortal } =
                serde_json::from_str(&text).map_err(|source| Error::internal("read the description", source))?;
            InputSchema::of(&description)?;
            if guest.store.data().has_asked_for_network() {
                return Err(LoadRequest::networked().into());
            }
            Ok((guest.measure(&self.variables, &immortal).await?, description))
        });
        loaded.map(|(memory, description)| Imported { memory, description, logs: logs.take() })
    }

    /// Runs the project's tests, shows what they print, and answers pytest's exit code.
    pub(crate) fn test(
        &self,
        mounts: &[Mount],
        name: &str,
        entry_point: &str,
        arguments: &[String],
        limits: &Limits,
    ) -> Result<u8, Error> {
        let logs = Logs::shown();
        let request = LoadRequest::new(mounts, name, entry_point, Some(arguments));
        let (_guest, text) =
            within(limits, &request, async |deadline| self.call_load(mounts, &request, limits, &logs, deadline).await)?;
        serde_json::from_str(&text).map_err(|source| Error::internal("read how the tests ended", source))
    }

    async fn call_load(
        &self,
        mounts: &[Mount],
        request: &LoadRequest<'_>,
        limits: &Limits,
        logs: &Logs,
        deadline: Instant,
    ) -> Result<(Measurable, String), Error> {
        let fault = |source: wasmtime::Error| Error::internal("start the base", anyhow::Error::from(source));
        let host = Host::new(mounts, Arc::new(NoNetwork), logs, limits).map_err(fault)?;
        let mut store = sandbox::store(&self.engine, host, deadline, limits);
        let instance = self.pre.instance_pre().instantiate_async(&mut store).await.map_err(fault)?;
        let tool = sandbox::Tool::new(&mut store, &instance).map_err(fault)?;

        let text = serde_json::to_string(request).map_err(|source| Error::internal("write a request", source))?;
        let loaded = match tool.call_load(&mut store, &text).await {
            Ok(loaded) => loaded,
            Err(error) if error.is::<OutOfTime>() => return Err(request.out_of_time(limits).into()),
            Err(_) if store.data().memory.refused => return Err(request.out_of_memory(limits).into()),
            Err(error) => return Err(request.crashed(&error, &logs.take()).into()),
        };
        // Python says that it has no memory, and not how much there was.
        let ran_out = store.data().memory.refused;
        let told = |problem: Problem| match ran_out && problem.message.starts_with("MemoryError") {
            true => Problem { file: problem.file, line: problem.line, ..request.out_of_memory(limits) },
            false => problem,
        };
        let text =
            loaded.map_err(|problems| Error::Refused(problems.into_iter().map(Into::into).map(told).collect()))?;
        Ok((Measurable { store, instance }, text))
    }
}

/// Does something before its deadline.
fn within<T>(
    limits: &Limits,
    request: &LoadRequest<'_>,
    work: impl AsyncFnOnce(Instant) -> Result<T, Error>,
) -> Result<T, Error> {
    let deadline = Instant::now() + limits.wall_clock;
    let done = executor()?.block_on(async { tokio::time::timeout_at(deadline.into(), work(deadline)).await });
    done.unwrap_or_else(|_elapsed| Err(request.out_of_time(limits).into()))
}

fn executor() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::internal("start an executor", source))
}

/// A guest that has imported a project and not been used for anything else.
struct Measurable {
    store: Store<Host>,
    instance: Instance,
}

impl Measurable {
    /// Lets the guest forget what belongs to its host, and takes its memory. The variables have to be as they were: the
    /// code that every tool shares has their values in it.
    async fn measure(mut self, variables: &[i32], immortal: &str) -> Result<Vec<u8>, Error> {
        let fault = |source: wasmtime::Error| Error::internal("measure the guest", anyhow::Error::from(source));
        let reset: TypedFunc<(), ()> = self.instance.get_typed_func(&mut self.store, reset::EXPORT).map_err(fault)?;
        reset.call_async(&mut self.store, ()).await.map_err(fault)?;
        // The measurement carries the whole memory out at once.
        self.store.set_hostcall_fuel(usize::MAX);
        let measure: TypedFunc<(), (Vec<u8>,)> =
            self.instance.get_typed_func(&mut self.store, merge::MEASURE).map_err(fault)?;
        let (measured,) = measure.call_async(&mut self.store, ()).await.map_err(fault)?;
        match merge::split_measured(measured, variables.len()) {
            Some((mut memory, left)) if left == variables => {
                immortal::mark(&mut memory, immortal)
                    .map_err(|source| Error::internal("make objects immortal", source))?;
                Ok(memory)
            }
            Some((_, left)) => {
                let message = format!("the variables are {left:?}, and were {variables:?}");
                Err(Error::internal("measure the guest", anyhow::Error::msg(message)))
            }
            None => Err(Error::internal("measure the guest", anyhow::Error::msg("the measurement is too short"))),
        }
    }
}
