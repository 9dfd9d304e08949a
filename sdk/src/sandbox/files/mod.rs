//! The guest's files: folders of the host, which wasmtime serves, and `/` with `/tmp`, which are ours and in memory.
//!
//! Both are one interface, `wasi:filesystem`, so it is implemented here as a whole: a descriptor of ours is answered from
//! a [`Tree`], any other one is handed on. Nothing of `/tmp` touches the host's disk, so there is nothing to name, to
//! clear, or to be found by another; it begins empty at the guest's first use of a file and goes with its store.
//! The folder `/` is there to be listed, and so that who writes beside `/tmp` learns that it is read-only, and not that
//! there is no such file.

mod bytes;
mod descriptor;
mod entries;
mod folders;
mod handle;
mod path;
mod stream;
mod tree;

use std::sync::{Arc, Mutex};

use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorFlags, ErrorCode};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::p2::{FsError, FsResult};

use self::descriptor::Open;
use self::handle::Handle;
use self::tree::{Quota, ROOT, TMP, Tree};
use super::{Host, Limits};

/// What an instance has of our own, and how much it has open.
pub struct Tmp {
    quota: Quota,
    /// None until the guest asks for its folders.
    tree: Option<Arc<Mutex<Tree>>>,
    open: usize,
    most_open: usize,
}

impl Tmp {
    /// An empty one. Nothing is made until it is used.
    pub fn new(limits: &Limits) -> Self {
        Self {
            quota: Quota { bytes: limits.tmp_bytes, files: limits.tmp_files },
            tree: None,
            open: 0,
            most_open: limits.open_files,
        }
    }
}

/// What the implementations below work on.
pub(super) struct Files<'a> {
    table: &'a mut ResourceTable,
    wasi: &'a mut WasiFilesystemCtx,
    tmp: &'a mut Tmp,
}

impl Files<'_> {
    /// Wasmtime's implementation, for the folders of the host.
    fn host_folders(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView { ctx: self.wasi, table: self.table }
    }

    /// Counts what is about to be opened. WASI has no error of its own for too many.
    fn opening(&mut self) -> Result<(), ErrorCode> {
        if self.tmp.open >= self.tmp.most_open {
            return Err(ErrorCode::InsufficientMemory);
        }
        self.tmp.open += 1;
        Ok(())
    }

    fn closed(&mut self) {
        self.tmp.open = self.tmp.open.saturating_sub(1);
    }

    /// Takes a count back where nothing was opened after all.
    fn opened<T>(&mut self, result: FsResult<T>) -> FsResult<T> {
        if result.is_err() {
            self.closed();
        }
        result
    }
}

impl preopens::Host for Files<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let mut folders = self.host_folders().get_directories()?;
        let names: Vec<_> = folders.iter().map(|(_, path)| path.trim_start_matches('/')).collect();
        let tree = self.tmp.tree.get_or_insert_with(|| Arc::new(Mutex::new(Tree::new(self.tmp.quota, &names))));
        let changing = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
        for (id, path, flags) in [(ROOT, "/", DescriptorFlags::READ), (TMP, "/tmp", changing)] {
            let folder = self.table.push(Open::new(Handle::new(tree, id), flags))?;
            folders.push((Resource::new_own(folder.rep()), path.to_owned()));
        }
        self.tmp.open += folders.len();
        Ok(folders)
    }
}

impl types::Host for Files<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        match self.table.get(&error)?.downcast_ref::<ErrorCode>() {
            Some(code) => Ok(Some(*code)),
            None => self.host_folders().filesystem_error_code(error),
        }
    }
}

struct HasFiles;

impl HasData for HasFiles {
    type Data<'a> = Files<'a>;
}

/// Puts these files in the place of wasmtime's.
pub(super) fn add_to_linker(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    fn view(host: &mut Host) -> Files<'_> {
        Files { table: &mut host.table, wasi: host.wasi.filesystem(), tmp: &mut host.tmp }
    }
    linker.allow_shadowing(true);
    preopens::add_to_linker::<_, HasFiles>(linker, view)?;
    types::add_to_linker::<_, HasFiles>(linker, view)?;
    linker.allow_shadowing(false);
    Ok(())
}
