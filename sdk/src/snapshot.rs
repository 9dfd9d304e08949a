//! The second snapshot: the base imports a tool, and what it has become is written as a component.

use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use component_init_transform::Invoker;
use futures::FutureExt;
use sha2::{Digest, Sha256};
use wasmtime::component::{Component, ComponentNamedList, Instance, Lift, TypedFunc};
use wasmtime::{Engine, Store};

use crate::artifact::{self, Artifact, Description, Label};
use crate::base::Base;
use crate::dependencies::Packages;
use crate::error::Error;
use crate::input_schema::InputSchema;
use crate::load_request::LoadRequest;
use crate::project::{MANIFEST, Project};
use crate::reset;
use crate::sandbox::{self, Access, Host, Limits, Logs, Mount, NoNetwork, OutOfTime, Ticker, ToolPre};
use crate::work::Work;

/// Builds tools. Opened once and kept: it holds the base as machine code.
pub struct Snapshotter {
    base: Base,
    loader: Loader,
    work: Work,
}

impl Snapshotter {
    /// Opens the base for building.
    pub fn new(base: Base) -> Result<Self, Error> {
        let loader = Loader::open(&base.instrumented())?;
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
        let files = artifact::pack(&project.folder)?;
        let stage = self.work.folder().map_err(|source| Error::internal("make a folder", source))?;
        artifact::unpack(&files, stage.path()).map_err(|source| Error::internal("stage the project", source))?;
        let mut mounts = vec![
            Mount { host: self.base.python(), guest: "/python", access: Access::Read },
            Mount { host: stage.path().to_owned(), guest: "/tool", access: Access::Read },
        ];
        mounts.extend(packages.mount());
        let manifest = &project.manifest;
        let loaded = self.loader.load(&mounts, &manifest.name, &manifest.entry_point, limits);
        let loaded = loaded.map_err(|error| error.located(MANIFEST, manifest.entry_point_line))?;
        let Loaded { guest, description, logs } = loaded;

        // The transformation instruments the base anew, which takes 0.1 s, and would have us compile the result,
        // which takes 5 s. It is the same every time, so the one that was compiled with the base has run already.
        let transformed = executor()?
            .block_on(component_init_transform::initialize(&self.base.component()?, move |_instrumented| {
                async move { Ok(Box::new(guest) as Box<dyn Invoker>) }.boxed()
            }));
        let component = transformed.map_err(|source| Error::internal("write the snapshot", source))?;
        let label = Label::new(&self.base.key, description, &project.manifest, packages);
        Artifact::new(component, label, files, packages.archive()?, logs)
    }
}

/// The instrumented base as machine code, ready to import projects.
pub struct Loader {
    engine: Engine,
    pre: ToolPre<Host>,
}

/// A guest that has imported a project and not been used for anything else.
struct Loaded {
    guest: Measurable,
    description: Description,
    logs: String,
}

impl Loader {
    /// Instruments a base and compiles it.
    pub(crate) fn compile(base: &[u8]) -> Result<Vec<u8>, Error> {
        // The transformation has no function that only instruments; what it hands to its callback is kept, and the
        // rest is called off.
        let kept = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&kept);
        let called_off = executor()?.block_on(component_init_transform::initialize(base, move |instrumented| {
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(instrumented);
            async { Err(anyhow::anyhow!("only the instrumented component was wanted")) }.boxed()
        }));
        let instrumented = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(instrumented) = instrumented else {
            let source = called_off.err().unwrap_or_else(|| anyhow::anyhow!("the callback was not called"));
            return Err(Error::internal("instrument the base", source));
        };
        let fault = |source: wasmtime::Error| Error::internal("compile the base", anyhow::Error::from(source));
        let engine = Engine::new(&sandbox::engine_config()).map_err(fault)?;
        engine.precompile_component(&instrumented).map_err(fault)
    }

    /// Maps what [`Loader::compile`] made.
    #[expect(unsafe_code, reason = "mapping machine code that this program compiled itself")]
    pub(crate) fn open(code: &Path) -> Result<Self, Error> {
        let fault = |source: wasmtime::Error| Error::internal("open the base", anyhow::Error::from(source));
        let engine = Engine::new(&sandbox::engine_config()).map_err(fault)?;
        Ticker::start(&engine).map_err(|source| Error::internal("start the clock", source))?;
        // SAFETY: the file was written by `compile` into a folder of the cache that only this installation writes,
        // and is renamed into place when whole. Wasmtime refuses code of another version or of other settings.
        let component = unsafe { Component::deserialize_file(&engine, code) }.map_err(fault)?;
        let pre = sandbox::linker(&engine).and_then(|linker| linker.instantiate_pre(&component)).map_err(fault)?;
        Ok(Self { pre: ToolPre::new(pre).map_err(fault)?, engine })
    }

    /// Imports and throws away.
    pub(crate) fn run(&self, mounts: &[Mount], name: &str, entry_point: &str, limits: &Limits) -> Result<(), Error> {
        self.load(mounts, name, entry_point, limits).map(drop)
    }

    fn load(&self, mounts: &[Mount], name: &str, entry_point: &str, limits: &Limits) -> Result<Loaded, Error> {
        let logs = Logs::new(limits.log_bytes);
        let request = LoadRequest::new(mounts, name, entry_point, None);
        let loaded = within(limits, &request, async |deadline| {
            let (guest, text) = self.call_load(mounts, &request, limits, &logs, deadline).await?;
            let description: Description =
                serde_json::from_str(&text).map_err(|source| Error::internal("read the description", source))?;
            InputSchema::parse(&description.input_schema)?;
            Ok((guest.reset().await?, description))
        });
        loaded.map(|(guest, description)| Loaded { guest, description, logs: logs.take() })
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
        let text = loaded.map_err(|problems| Error::Refused(problems.into_iter().map(Into::into).collect()))?;
        Ok((Measurable { store, instance }, text))
    }
}

/// Changes whenever machine code made by another engine could not be run by this one.
pub fn fingerprint(engine: &Engine) -> String {
    let mut fingerprint = Fingerprint(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut fingerprint);
    hex::encode(&fingerprint.0.finalize()[..8])
}

/// The fingerprint of the engine that builds.
pub(crate) fn own_fingerprint() -> String {
    Engine::new(&sandbox::engine_config()).map_or_else(|_| String::new(), |engine| fingerprint(&engine))
}

/// A hasher that gives the same in every process, unlike the standard library's.
struct Fingerprint(Sha256);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
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

/// A guest whose memory and globals the transformation reads through the exports that it added.
struct Measurable {
    store: Store<Host>,
    instance: Instance,
}

impl Measurable {
    /// Makes it fit to be measured.
    async fn reset(mut self) -> Result<Self, Error> {
        let fault = |source: wasmtime::Error| Error::internal("reset the C library", anyhow::Error::from(source));
        let reset: TypedFunc<(), ()> = self.instance.get_typed_func(&mut self.store, reset::EXPORT).map_err(fault)?;
        reset.call_async(&mut self.store, ()).await.map_err(fault)?;
        // The measurement carries the whole memory out at once.
        self.store.set_hostcall_fuel(usize::MAX);
        Ok(self)
    }

    async fn read<T>(&mut self, function: &str) -> anyhow::Result<T>
    where
        T: Send + Sync + 'static,
        (T,): ComponentNamedList + Lift,
    {
        let function = self.instance.get_typed_func::<(), (T,)>(&mut self.store, function)?;
        Ok(function.call_async(&mut self.store, ()).await?.0)
    }
}

#[async_trait::async_trait]
impl Invoker for Measurable {
    async fn call_s32(&mut self, function: &str) -> anyhow::Result<i32> {
        self.read(function).await
    }

    async fn call_s64(&mut self, function: &str) -> anyhow::Result<i64> {
        self.read(function).await
    }

    async fn call_f32(&mut self, function: &str) -> anyhow::Result<f32> {
        self.read(function).await
    }

    async fn call_f64(&mut self, function: &str) -> anyhow::Result<f64> {
        self.read(function).await
    }

    async fn call_list_u8(&mut self, function: &str) -> anyhow::Result<Vec<u8>> {
        self.read(function).await
    }
}
