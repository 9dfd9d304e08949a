//! A tool as machine code, ready to be instantiated.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sdk::artifact::{self, Artifact, Label};
use sdk::base::Base;
use sdk::dependencies::site;
use sdk::input_schema::InputSchema;
use sdk::project::MANIFEST;
use sdk::sandbox::{Access, Host, Mount, ToolPre};
use sdk::{Error as BuildError, Problem};
use wasmtime::component::Component;

use crate::engine::Shared;
use crate::error::Error;
use crate::input::{self, InputLimits};
use crate::invoke::Limits;

/// A loaded tool. Cheap to clone; the machine code goes when the last clone does.
#[derive(Clone)]
pub struct Tool {
    pub(crate) shared: Arc<Shared>,
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) pre: ToolPre<Host>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) label: Label,
    pub(crate) input_schema: InputSchema,
    /// The memory that it has before anything is called.
    pub(crate) image_bytes: usize,
}

impl Tool {
    /// What the tool says of itself.
    pub fn label(&self) -> &Label {
        &self.inner.label
    }

    /// Holds parameters against the tool's schema.
    pub fn check_input(&self, parameters: &serde_json::Value, limits: &InputLimits) -> Result<(), Error> {
        input::check(&self.inner.input_schema, parameters, limits)
    }

    /// Whether an invocation under these limits has room for what the tool holds when it is called. The limits are the
    /// host's; the author's own apply where they are lower.
    pub fn check_memory(&self, limits: &Limits) -> Result<(), Problem> {
        let (image, limit) = (self.inner.image_bytes, self.narrowed(limits).memory_bytes);
        if image <= limit {
            return Ok(());
        }
        let [image, limit] = [image, limit].map(|bytes| bytes >> 20);
        let message = format!("the tool takes {image} MiB once it is imported, and its memory limit is {limit} MiB");
        let remedy = match self.inner.label.memory_bytes {
            Some(own) if own >> 20 == limit as u64 => "raise `memory` under `[tool.toolplane]`, or import less",
            _ => {
                "import less, or hold less in the module's variables: the limit is of this service (`invoke.memory_mib`)"
            }
        };
        Err(Problem::new(message, remedy).at(MANIFEST, None))
    }

    /// How much memory of the server an invocation under these limits may take, its `/tmp` included.
    pub fn most_memory_bytes(&self, limits: &Limits) -> u64 {
        let limits = self.narrowed(limits);
        limits.memory_bytes.saturating_add(limits.tmp_bytes) as u64
    }

    pub(crate) fn load(
        shared: &Arc<Shared>,
        sha256: &str,
        read: impl FnOnce() -> std::io::Result<Vec<u8>>,
    ) -> Result<Self, Error> {
        let fault = |source: wasmtime::Error| Error::internal("load the tool", anyhow::Error::from(source));
        let folder = prepare(shared, sha256, read)?;
        let label = read_label(&folder)?;
        let base = Base::find(&shared.options.cache, &label.base_key).ok_or_else(|| {
            BuildError::from(Problem::new(
                "this tool was built by another version of Toolplane",
                "build it again with this version",
            ))
        })?;
        let component = open(shared, &folder.join(code_name(shared))).map_err(fault)?;
        let required = component.resources_required().and_then(|required| required.max_initial_memory_size);
        let image_bytes = required.map_or(0, |pages| pages as usize * WASM_PAGE_BYTES);
        let pre = shared.linker.instantiate_pre(&component).and_then(ToolPre::new).map_err(fault)?;
        let input_schema = input::parse(&label.description.input_schema)?;
        let packages = site::find(&shared.options.cache, &label.base_key, &label.packages).ok_or_else(|| {
            Error::internal("find the tool's packages", anyhow::anyhow!("the cache was changed while it was in use"))
        })?;
        let mut mounts = vec![
            Mount { host: base.python(), guest: "/python", access: Access::Read },
            Mount { host: folder.join("files"), guest: "/tool", access: Access::Read },
        ];
        mounts.extend(packages.mount());
        let inner = Inner { pre, mounts, label, input_schema, image_bytes };
        Ok(Self { shared: Arc::clone(shared), inner: Arc::new(inner) })
    }
}

/// What WebAssembly counts memory in.
const WASM_PAGE_BYTES: usize = 64 << 10;

/// The file in a tool's folder of the cache that holds its label.
const LABEL: &str = "label.json";

fn read_label(folder: &Path) -> Result<Label, Error> {
    let unreadable = |source: std::io::Error| Error::internal("read the tool's label", source);
    let label = fs_err::read(folder.join(LABEL)).map_err(unreadable)?;
    serde_json::from_slice(&label).map_err(|source| Error::internal("read the tool's label", source))
}

/// Maps machine code that [`prepare`] wrote.
#[expect(unsafe_code, reason = "mapping machine code that this program compiled itself")]
fn open(shared: &Shared, code: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was compiled by this program into its own cache and renamed into place when whole; a stranger's
    // file is always compiled and never mapped. Wasmtime refuses code of another version or of other settings.
    unsafe { Component::deserialize_file(&shared.engine, code) }
}

/// Compiles and unpacks a tool into the cache, unless that was done before. Answers its folder.
fn prepare(shared: &Shared, sha256: &str, read: impl FnOnce() -> std::io::Result<Vec<u8>>) -> Result<PathBuf, Error> {
    let fault = |source: std::io::Error| Error::internal("write the tool into the cache", source);
    let tools = shared.options.cache.join("tools");
    let folder = tools.join(sha256);
    let code = code_name(shared);
    if folder.join(&code).is_file() {
        let label = read_label(&folder)?;
        if site::find(&shared.options.cache, &label.base_key, &label.packages).is_some() {
            return Ok(folder);
        }
    }
    let built = read().map_err(|source| Error::internal("read the built tool", source))?;
    let artifact = Artifact::parse(built)?;
    // Without its base the tool cannot run, and is refused by the caller.
    if let Some(base) = Base::find(&shared.options.cache, &artifact.label.base_key) {
        site::restore(&artifact, &base, &shared.options.cache)?;
    }
    fs_err::create_dir_all(&tools).map_err(fault)?;
    let work = shared.work.folder().map_err(fault)?;
    let machine_code = shared
        .engine
        .precompile_component(&artifact.bytes)
        .map_err(|source| Error::internal("compile the tool", anyhow::Error::from(source)))?;
    fs_err::write(work.path().join(&code), machine_code).map_err(fault)?;
    let label = serde_json::to_vec(&artifact.label).map_err(|source| Error::internal("write the label", source))?;
    fs_err::write(work.path().join(LABEL), label).map_err(fault)?;
    let files = work.path().join("files");
    fs_err::create_dir(&files).map_err(fault)?;
    artifact::unpack(&artifact.files, &files).map_err(fault)?;
    match fs_err::rename(work.path(), &folder) {
        Ok(()) => {}
        // Another engine's code is there already, or another process was quicker: only the code is missing.
        Err(_) if folder.is_dir() => fs_err::rename(work.path().join(&code), folder.join(&code)).map_err(fault)?,
        Err(source) => return Err(fault(source)),
    }
    Ok(folder)
}

/// The name of the machine code's file: code for another version or other settings lies beside it.
fn code_name(shared: &Shared) -> String {
    format!("code-{}.cwasm", sdk::snapshot::fingerprint(&shared.engine))
}
