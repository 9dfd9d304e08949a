//! A tool as machine code, ready to be instantiated.

use std::path::PathBuf;
use std::sync::Arc;

use sdk::artifact::Label;
use sdk::dependencies::Packages;
use sdk::merge;
use sdk::sandbox::{Host, ToolPre};

use crate::cache::Unpacked;
use crate::engine::Shared;
use crate::error::Error;
use crate::memory::Image;

/// A loaded tool. Cheap to clone; the machine code goes when the last clone does.
#[derive(Clone)]
pub struct Tool {
    pub(crate) shared: Arc<Shared>,
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) unpacked: Unpacked,
    pub(crate) pre: ToolPre<Host>,
    /// What its memory holds when an invocation begins.
    pub(crate) image: Arc<Image>,
}

impl Tool {
    /// What is known of it without its code.
    pub fn unpacked(&self) -> &Unpacked {
        &self.inner.unpacked
    }

    /// Maps an unpacked tool's memory, and takes the code of its base.
    pub(crate) fn of(shared: &Arc<Shared>, unpacked: Unpacked) -> Result<Self, Error> {
        let fault = |source: wasmtime::Error| Error::internal("load the tool", anyhow::Error::from(source));
        let image = Image::open(unpacked.image()).map_err(unmapped)?;
        let memory = shared.bases.memory(&shared.engine, image.len()).map_err(fault)?;
        let mut linker = shared.linker.clone();
        linker.root().module(merge::IMAGE, &memory).map_err(fault)?;
        let pre = linker.instantiate_pre(&shared.bases.code(&shared.engine, unpacked.base())?);
        let pre = pre.and_then(ToolPre::new).map_err(fault)?;
        let inner = Inner { unpacked, pre, image: Arc::new(image) };
        Ok(Self { shared: Arc::clone(shared), inner: Arc::new(inner) })
    }

    /// A tool that is in no cache. Its memory is mapped, and its file is gone.
    pub(crate) fn of_draft(
        shared: &Arc<Shared>,
        image: &merge::Image,
        packages: &Packages,
        label: Label,
        files: PathBuf,
    ) -> Result<Self, Error> {
        let content = image.content().map_err(|source| Error::internal("read the tool's memory", source))?;
        let work = shared.cache.work_folder().map_err(unmapped)?;
        let path = work.path().join("memory");
        Image::write(&path, content.len, content.runs).map_err(unmapped)?;
        Self::of(shared, Unpacked::new("", label, packages, (path, content.len), files)?)
    }
}

fn unmapped(source: std::io::Error) -> Error {
    Error::internal("map the tool's memory", source)
}
