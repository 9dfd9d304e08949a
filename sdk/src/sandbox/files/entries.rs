//! The entries of a folder, one after the other.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DirectoryEntry, DirectoryEntryStream, ErrorCode, HostDirectoryEntryStream,
};

use super::Files;
use super::handle::Handle;

/// Where a guest is in a folder of `/tmp`. It holds one name however many there are.
pub struct Entries {
    handle: Handle,
    last: Option<String>,
}

impl Entries {
    pub fn new(handle: Handle) -> Self {
        Self { handle, last: None }
    }

    fn next(&mut self) -> Result<Option<DirectoryEntry>, ErrorCode> {
        let next = self.handle.tree().entry_after(self.handle.id, self.last.as_deref())?;
        if let Some(entry) = &next {
            self.last = Some(entry.name.clone());
        }
        Ok(next)
    }
}

impl HostDirectoryEntryStream for Files<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        match self.table.get_mut(&ours(&stream)) {
            Ok(entries) => Ok(entries.next()?),
            Err(_) => self.host_folders().read_directory_entry(stream).await,
        }
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.closed();
        if self.table.get(&ours(&stream)).is_err() {
            return HostDirectoryEntryStream::drop(&mut self.host_folders(), stream);
        }
        self.table.delete(Resource::<Entries>::new_own(stream.rep()))?;
        Ok(())
    }
}

/// The handle's type names wasmtime's own streams; what the table holds under it may be one of ours.
fn ours(stream: &Resource<DirectoryEntryStream>) -> Resource<Entries> {
    Resource::new_borrow(stream.rep())
}
