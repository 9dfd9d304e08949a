//! A tool as machine code, ready to be instantiated.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jsonschema::Validator;
use sdk::artifact::{self, Artifact, Label};
use sdk::base::Base;
use sdk::dependencies::site;
use sdk::sandbox::{Access, Host, Mount, ToolPre};
use sdk::{Error as BuildError, Problem, machine_code, merge};
use wasmtime::Module;

use crate::engine::Shared;
use crate::error::Error;
use crate::input;

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
    pub(crate) validator: Validator,
}

impl Tool {
    /// What the tool says of itself.
    pub fn label(&self) -> &Label {
        &self.inner.label
    }

    /// Holds parameters against the tool's schema.
    pub fn check_input(&self, parameters: &serde_json::Value) -> Result<(), Error> {
        input::check(&self.inner.validator, parameters)
    }

    pub(crate) fn load(
        shared: &Arc<Shared>,
        sha256: &str,
        read: impl FnOnce() -> std::io::Result<Vec<u8>>,
    ) -> Result<Self, Error> {
        let folder = prepare(shared, sha256, read)?;
        let label = read_label(&folder)?;
        let base = find_base(shared, &label)?;
        let image = machine_code::image(&shared.engine, &folder, || {
            Err(std::io::Error::other("the cache was changed while it was in use"))
        });
        let image = image.map_err(|source| Error::internal("load the tool", source))?;
        Self::assemble(shared, &image, &base, label, folder.join("files"))
    }

    /// Puts a tool together: its image, its base's code, its files and its packages.
    pub(crate) fn assemble(
        shared: &Arc<Shared>,
        image: &Module,
        base: &Base,
        label: Label,
        files: PathBuf,
    ) -> Result<Self, Error> {
        let fault = |source: wasmtime::Error| Error::internal("load the tool", anyhow::Error::from(source));
        let mut linker = shared.linker.clone();
        linker.root().module(merge::IMAGE, image).map_err(fault)?;
        let pre = linker.instantiate_pre(&shared.bases.code(&shared.engine, base)?);
        let pre = pre.and_then(ToolPre::new).map_err(fault)?;
        let validator = input::validator(&label.description.input_schema)?;
        let packages = site::find(&shared.options.cache, &label.base_key, &label.packages).ok_or_else(|| {
            Error::internal("find the tool's packages", anyhow::anyhow!("the cache was changed while it was in use"))
        })?;
        let mut mounts = vec![
            Mount { host: base.python(), guest: "/python", access: Access::Read },
            Mount { host: files, guest: "/tool", access: Access::Read },
        ];
        mounts.extend(packages.mount());
        let inner = Inner { pre, mounts, label, validator };
        Ok(Self { shared: Arc::clone(shared), inner: Arc::new(inner) })
    }
}

/// The file in a tool's folder of the cache that holds its label.
const LABEL: &str = "label.json";

fn read_label(folder: &Path) -> Result<Label, Error> {
    let unreadable = |source: std::io::Error| Error::internal("read the tool's label", source);
    let label = fs_err::read(folder.join(LABEL)).map_err(unreadable)?;
    serde_json::from_slice(&label).map_err(|source| Error::internal("read the tool's label", source))
}

fn find_base(shared: &Shared, label: &Label) -> Result<Base, Error> {
    let base = Base::find(&shared.options.cache, &label.base_key).ok_or_else(other_version);
    Ok(base?)
}

fn other_version() -> BuildError {
    Problem::new("this tool was built by another version of Toolplane", "build it again with this version").into()
}

/// Unpacks a tool into the cache, unless that was done before. Answers its folder.
fn prepare(shared: &Shared, sha256: &str, read: impl FnOnce() -> std::io::Result<Vec<u8>>) -> Result<PathBuf, Error> {
    let fault = |source: std::io::Error| Error::internal("write the tool into the cache", source);
    let tools = shared.options.cache.join("tools");
    let folder = tools.join(sha256);
    if machine_code::has_image(&shared.engine, &folder) {
        let label = read_label(&folder)?;
        if site::find(&shared.options.cache, &label.base_key, &label.packages).is_some() {
            return Ok(folder);
        }
    }
    let built = read().map_err(|source| Error::internal("read the built tool", source))?;
    let artifact = Artifact::parse(built)?;
    let base = find_base(shared, &artifact.label)?;
    site::restore(&artifact, &base, &shared.options.cache)?;
    // Code that is not the base's own would have to be compiled, and is not what this version builds.
    let image = merge::split(&artifact.bytes, &base.rest()?)
        .map_err(|source| Error::internal("read the built tool", source))?
        .ok_or_else(other_version)?;
    fs_err::create_dir_all(&tools).map_err(fault)?;
    let work = shared.work.folder().map_err(fault)?;
    machine_code::image(&shared.engine, work.path(), || Ok(image.0))
        .map_err(|source| Error::internal("map the tool's memory", source))?;
    let label = serde_json::to_vec(&artifact.label).map_err(|source| Error::internal("write the label", source))?;
    fs_err::write(work.path().join(LABEL), label).map_err(fault)?;
    let files = work.path().join("files");
    fs_err::create_dir(&files).map_err(fault)?;
    artifact::unpack(&artifact.files, &files).map_err(fault)?;
    match fs_err::rename(work.path(), &folder) {
        Ok(()) => {}
        // Another engine's image is there already, or another process was quicker: only the image is missing.
        Err(_) if folder.is_dir() => machine_code::move_image(&shared.engine, work.path(), &folder).map_err(fault)?,
        Err(source) => return Err(fault(source)),
    }
    Ok(folder)
}
