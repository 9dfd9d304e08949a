//! A tool as machine code, ready to be instantiated.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sdk::artifact::{self, Artifact, Label};
use sdk::base::Base;
use sdk::dependencies::site;
use sdk::input_schema::InputSchema;
use sdk::libraries;
use sdk::project::MANIFEST;
use sdk::sandbox::{Access, Host, Mount, ToolPre};
use sdk::{Error as BuildError, Problem, merge};

use crate::engine::Shared;
use crate::error::Error;
use crate::input::{self, InputLimits};
use crate::invoke::Limits;
use crate::memory::Image;

/// A loaded tool. Cheap to clone; the machine code goes when the last clone does.
#[derive(Clone)]
pub struct Tool {
    pub(crate) shared: Arc<Shared>,
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) pre: ToolPre<Host>,
    /// What its memory holds when an invocation begins.
    pub(crate) image: Arc<Image>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) label: Label,
    pub(crate) input_schema: InputSchema,
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
        let (image, limit) = (self.inner.image.len(), self.narrowed(limits).memory_bytes);
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
        let folder = prepare(shared, sha256, read)?;
        let label = read_label(&folder)?;
        let base = find_base(shared, &label)?;
        let image = Image::open(&folder.join(MEMORY)).map_err(unmapped)?;
        Self::assemble(shared, image, &base, label, folder.join("files"))
    }

    /// A tool that is in no cache: its image goes with it.
    pub(crate) fn of_draft(
        shared: &Arc<Shared>,
        image: &merge::Image,
        base: &Base,
        label: Label,
        files: PathBuf,
    ) -> Result<Self, Error> {
        let content = image.content().map_err(|source| Error::internal("read the tool's memory", source))?;
        let work = shared.work.folder().map_err(unmapped)?;
        let path = work.path().join(MEMORY);
        Image::write(&path, content.len, content.runs).map_err(unmapped)?;
        Self::assemble(shared, Image::open(&path).map_err(unmapped)?, base, label, files)
    }

    /// Puts a tool together: its image, its base's code, its files and its packages.
    fn assemble(shared: &Arc<Shared>, image: Image, base: &Base, label: Label, files: PathBuf) -> Result<Self, Error> {
        let fault = |source: wasmtime::Error| Error::internal("load the tool", anyhow::Error::from(source));
        let memory = shared.bases.memory(&shared.engine, image.len()).map_err(fault)?;
        let mut linker = shared.linker.clone();
        linker.root().module(merge::IMAGE, &memory).map_err(fault)?;
        let pre = linker.instantiate_pre(&shared.bases.code(&shared.engine, base)?);
        let pre = pre.and_then(ToolPre::new).map_err(fault)?;
        let input_schema = input::parse(&label.description)?;
        let packages = site::find(base, &label.packages).ok_or_else(|| {
            Error::internal("find the tool's packages", anyhow::anyhow!("the cache was changed while it was in use"))
        })?;
        let mut mounts = vec![
            Mount { host: base.python(), guest: "/python", access: Access::Read },
            Mount { host: files, guest: "/tool", access: Access::Read },
        ];
        mounts.extend(packages.mount());
        let inner = Inner { pre, image: Arc::new(image), mounts, label, input_schema };
        Ok(Self { shared: Arc::clone(shared), inner: Arc::new(inner) })
    }
}

/// The file in a tool's folder of the cache that holds its label.
const LABEL: &str = "label.json";
/// The file beside it that is the content of its memory.
const MEMORY: &str = "memory";

fn unmapped(source: std::io::Error) -> Error {
    Error::internal("map the tool's memory", source)
}

fn read_label(folder: &Path) -> Result<Label, Error> {
    let unreadable = |source: std::io::Error| Error::internal("read the tool's label", source);
    let label = fs_err::read(folder.join(LABEL)).map_err(unreadable)?;
    serde_json::from_slice(&label).map_err(|source| Error::internal("read the tool's label", source))
}

fn find_base(shared: &Shared, label: &Label) -> Result<Base, Error> {
    let base = Base::find(&shared.options.cache, &label.base_key).ok_or_else(other_version);
    Ok(base?)
}

/// Where the cache has lost the base of a tool with native packages, it is made anew of the libraries within the tool.
fn find_or_make_base(shared: &Shared, artifact: &Artifact) -> Result<Base, Error> {
    match find_base(shared, &artifact.label) {
        Ok(base) => Ok(base),
        Err(error) if artifact.label.packages.iter().any(libraries::has_libraries) => {
            if !shared.options.makes_bases {
                let message = "this tool has native packages, whose base this machine does not have";
                let remedy = "build the tool here, with the same wheels: a stranger's native code is not linked";
                return Err(BuildError::from(Problem::new(message, remedy)).into());
            }
            site::restore_base(artifact, &shared.options.cache)?.ok_or(error)
        }
        Err(error) => Err(error),
    }
}

fn other_version() -> BuildError {
    Problem::new("this tool was built by another version of Toolplane", "build it again with this version").into()
}

/// Unpacks a tool into the cache, unless that was done before. Answers its folder.
fn prepare(shared: &Shared, sha256: &str, read: impl FnOnce() -> std::io::Result<Vec<u8>>) -> Result<PathBuf, Error> {
    let fault = |source: std::io::Error| Error::internal("write the tool into the cache", source);
    let tools = shared.options.cache.join("tools");
    let folder = tools.join(sha256);
    if folder.join(MEMORY).is_file() {
        let label = read_label(&folder)?;
        let base = Base::find(&shared.options.cache, &label.base_key);
        if base.is_some_and(|base| site::find(&base, &label.packages).is_some()) {
            return Ok(folder);
        }
    }
    let built = read().map_err(|source| Error::internal("read the built tool", source))?;
    let artifact = Artifact::parse(built)?;
    let base = find_or_make_base(shared, &artifact)?;
    site::restore(&artifact, &base)?;
    // Code that is not the base's own would have to be compiled, and is not what this version builds.
    let unreadable = |source| Error::internal("read the built tool", source);
    let image = merge::split(&artifact.bytes, &base.rest()?).map_err(unreadable)?.ok_or_else(other_version)?;
    let content = image.content().map_err(unreadable)?;
    fs_err::create_dir_all(&tools).map_err(fault)?;
    let work = shared.work.folder().map_err(fault)?;
    Image::write(&work.path().join(MEMORY), content.len, content.runs).map_err(fault)?;
    let label = serde_json::to_vec(&artifact.label).map_err(|source| Error::internal("write the label", source))?;
    fs_err::write(work.path().join(LABEL), label).map_err(fault)?;
    let files = work.path().join("files");
    fs_err::create_dir(&files).map_err(fault)?;
    artifact::unpack(&artifact.files, &files).map_err(fault)?;
    match fs_err::rename(work.path(), &folder) {
        Ok(()) => {}
        // Another process was quicker, or another version has left the folder without this file.
        Err(_) if folder.is_dir() => {
            fs_err::rename(work.path().join(MEMORY), folder.join(MEMORY)).map_err(fault)?;
        }
        Err(source) => return Err(fault(source)),
    }
    Ok(folder)
}
