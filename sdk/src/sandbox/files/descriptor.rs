//! `wasi:filesystem/types`, the descriptors.

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntryStream, ErrorCode, Filesize, HostDescriptor,
    MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsResult};

use super::Files;
use super::entries::Entries;
use super::handle::Handle;
use super::stream::{Input, Mode, Output, Place};
use super::tree::{NodeId, Opening};

/// What one read answers at most.
const READ_BYTES: usize = 256 << 10;

/// Set in the inodes of `/tmp`, so that none is one of the host's by chance: "tmp".
const INODE_SPACE: u64 = 0x0074_6d70 << 40;

/// A descriptor of something in `/tmp`.
pub struct Open {
    handle: Handle,
    flags: DescriptorFlags,
    place: Place,
}

impl Open {
    pub fn new(handle: Handle, flags: DescriptorFlags) -> Self {
        Self { handle, flags, place: Place::default() }
    }

    fn check(&self, flag: DescriptorFlags) -> Result<(), ErrorCode> {
        if self.flags.contains(flag) { Ok(()) } else { Err(ErrorCode::BadDescriptor) }
    }

    fn find(&self, path: &str) -> Result<NodeId, ErrorCode> {
        self.handle.tree().find(self.handle.id, path)
    }

    fn open(&self, path: &str, open: OpenFlags, flags: DescriptorFlags) -> Result<Self, ErrorCode> {
        let opening = Opening {
            create: open.contains(OpenFlags::CREATE),
            exclusive: open.contains(OpenFlags::EXCLUSIVE),
            truncate: open.contains(OpenFlags::TRUNCATE),
            folder: open.contains(OpenFlags::DIRECTORY),
            write: flags.contains(DescriptorFlags::WRITE),
        };
        let id = self.handle.tree().open(self.handle.id, path, opening)?;
        let flags = match self.handle.tree().kind(id)? {
            DescriptorType::Directory => DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY,
            _ => flags & (DescriptorFlags::READ | DescriptorFlags::WRITE),
        };
        Ok(Self::new(self.handle.open(id), flags))
    }

    fn entries(&self) -> Result<Entries, ErrorCode> {
        match self.handle.tree().kind(self.handle.id)? {
            DescriptorType::Directory => {}
            _ => return Err(ErrorCode::NotDirectory),
        }
        Ok(Entries::new(self.handle.clone()))
    }
}

impl Files<'_> {
    fn tmp(&self, descriptor: &Resource<Descriptor>) -> Option<&Open> {
        self.table.get(&ours(descriptor)).ok()
    }

    fn push<T: Send + 'static>(&mut self, opened: Result<T, ErrorCode>) -> FsResult<Resource<T>> {
        Ok(self.table.push(opened?)?)
    }

    fn output(&mut self, open: &Resource<Open>, mode: Mode, offset: u64) -> FsResult<Resource<DynOutputStream>> {
        let open = self.table.get(open)?;
        open.check(DescriptorFlags::WRITE)?;
        if mode == Mode::Place {
            open.place.set(offset);
        }
        let output: DynOutputStream = Box::new(Output { handle: open.handle.clone(), place: open.place.clone(), mode });
        Ok(self.table.push(output)?)
    }
}

impl HostDescriptor for Files<'_> {
    async fn advise(
        &mut self,
        descriptor: Resource<Descriptor>,
        offset: Filesize,
        length: Filesize,
        advice: Advice,
    ) -> FsResult<()> {
        match self.tmp(&descriptor) {
            Some(_) => Ok(()),
            None => self.host_folders().advise(descriptor, offset, length, advice).await,
        }
    }

    async fn sync_data(&mut self, descriptor: Resource<Descriptor>) -> FsResult<()> {
        match self.tmp(&descriptor) {
            Some(_) => Ok(()),
            None => self.host_folders().sync_data(descriptor).await,
        }
    }

    async fn sync(&mut self, descriptor: Resource<Descriptor>) -> FsResult<()> {
        match self.tmp(&descriptor) {
            Some(_) => Ok(()),
            None => self.host_folders().sync(descriptor).await,
        }
    }

    async fn get_flags(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        match self.tmp(&descriptor) {
            Some(open) => Ok(open.flags),
            None => self.host_folders().get_flags(descriptor).await,
        }
    }

    async fn get_type(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorType> {
        match self.tmp(&descriptor) {
            Some(open) => Ok(open.handle.tree().kind(open.handle.id)?),
            None => self.host_folders().get_type(descriptor).await,
        }
    }

    async fn set_size(&mut self, descriptor: Resource<Descriptor>, size: Filesize) -> FsResult<()> {
        match self.tmp(&descriptor) {
            Some(open) => {
                open.check(DescriptorFlags::WRITE)?;
                Ok(open.handle.tree().set_size(open.handle.id, size)?)
            }
            None => self.host_folders().set_size(descriptor, size).await,
        }
    }

    async fn set_times(
        &mut self,
        descriptor: Resource<Descriptor>,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        match self.tmp(&descriptor) {
            Some(open) => Ok(open.handle.tree().set_times(open.handle.id, accessed, modified)?),
            None => self.host_folders().set_times(descriptor, accessed, modified).await,
        }
    }

    async fn read(
        &mut self,
        descriptor: Resource<Descriptor>,
        length: Filesize,
        offset: Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        match self.tmp(&descriptor) {
            Some(open) => {
                open.check(DescriptorFlags::READ)?;
                let length = usize::try_from(length).unwrap_or(usize::MAX).min(READ_BYTES);
                let bytes = open.handle.tree().read(open.handle.id, offset, length)?;
                let is_end = bytes.is_empty() && length > 0;
                Ok((bytes.into(), is_end))
            }
            None => self.host_folders().read(descriptor, length, offset).await,
        }
    }

    async fn write(
        &mut self,
        descriptor: Resource<Descriptor>,
        bytes: Vec<u8>,
        offset: Filesize,
    ) -> FsResult<Filesize> {
        match self.tmp(&descriptor) {
            Some(open) => {
                open.check(DescriptorFlags::WRITE)?;
                Ok(open.handle.tree().write(open.handle.id, offset, &bytes)? as Filesize)
            }
            None => self.host_folders().write(descriptor, bytes, offset).await,
        }
    }

    fn read_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        let Some(open) = self.tmp(&descriptor) else {
            return self.host_folders().read_via_stream(descriptor, offset);
        };
        if open.handle.tree().kind(open.handle.id)? == DescriptorType::Directory {
            return Err(ErrorCode::IsDirectory.into());
        }
        open.check(DescriptorFlags::READ)?;
        open.place.set(offset);
        let input: DynInputStream = Box::new(Input { handle: open.handle.clone(), place: open.place.clone() });
        Ok(self.table.push(input)?)
    }

    fn write_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        match self.tmp(&descriptor) {
            Some(_) => self.output(&ours(&descriptor), Mode::Place, offset),
            None => self.host_folders().write_via_stream(descriptor, offset),
        }
    }

    fn append_via_stream(&mut self, descriptor: Resource<Descriptor>) -> FsResult<Resource<DynOutputStream>> {
        match self.tmp(&descriptor) {
            Some(_) => self.output(&ours(&descriptor), Mode::Append, 0),
            None => self.host_folders().append_via_stream(descriptor),
        }
    }

    async fn read_directory(&mut self, descriptor: Resource<Descriptor>) -> FsResult<Resource<DirectoryEntryStream>> {
        self.opening()?;
        let entries = match self.tmp(&descriptor).map(Open::entries) {
            Some(entries) => self.push(entries).map(|entries| Resource::new_own(entries.rep())),
            None => self.host_folders().read_directory(descriptor).await,
        };
        self.opened(entries)
    }

    async fn create_directory_at(&mut self, descriptor: Resource<Descriptor>, path: String) -> FsResult<()> {
        match self.tmp(&descriptor) {
            Some(open) => Ok(open.handle.tree().create_folder(open.handle.id, &path)?),
            None => self.host_folders().create_directory_at(descriptor, path).await,
        }
    }

    async fn stat(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        match self.tmp(&descriptor) {
            Some(open) => Ok(open.handle.tree().stat(open.handle.id)?),
            None => self.host_folders().stat(descriptor).await,
        }
    }

    async fn stat_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        match self.tmp(&descriptor) {
            Some(open) => Ok(open.find(&path).and_then(|id| open.handle.tree().stat(id))?),
            None => self.host_folders().stat_at(descriptor, flags, path).await,
        }
    }

    async fn set_times_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        match self.tmp(&descriptor) {
            Some(open) => Ok(open.find(&path).and_then(|id| open.handle.tree().set_times(id, accessed, modified))?),
            None => self.host_folders().set_times_at(descriptor, flags, path, accessed, modified).await,
        }
    }

    async fn link_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        new_descriptor: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        match (self.tmp(&descriptor), self.tmp(&new_descriptor)) {
            (None, None) => self.host_folders().link_at(descriptor, flags, path, new_descriptor, new_path).await,
            (Some(_), Some(_)) => Err(ErrorCode::Unsupported.into()),
            _ => Err(ErrorCode::CrossDevice.into()),
        }
    }

    async fn open_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        self.opening()?;
        let opened = match self.tmp(&descriptor).map(|folder| folder.open(&path, open_flags, flags)) {
            Some(opened) => self.push(opened).map(|open| Resource::new_own(open.rep())),
            None => self.host_folders().open_at(descriptor, path_flags, path, open_flags, flags).await,
        };
        self.opened(opened)
    }

    fn drop(&mut self, descriptor: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.closed();
        if self.tmp(&descriptor).is_none() {
            return HostDescriptor::drop(&mut self.host_folders(), descriptor);
        }
        self.table.delete(Resource::<Open>::new_own(descriptor.rep()))?;
        Ok(())
    }

    async fn readlink_at(&mut self, descriptor: Resource<Descriptor>, path: String) -> FsResult<String> {
        match self.tmp(&descriptor) {
            // There are no links, so whatever is there is none.
            Some(open) => Err(open.find(&path).err().unwrap_or(ErrorCode::Invalid).into()),
            None => self.host_folders().readlink_at(descriptor, path).await,
        }
    }

    async fn remove_directory_at(&mut self, descriptor: Resource<Descriptor>, path: String) -> FsResult<()> {
        match self.tmp(&descriptor) {
            Some(open) => Ok(open.handle.tree().remove_folder(open.handle.id, &path)?),
            None => self.host_folders().remove_directory_at(descriptor, path).await,
        }
    }

    async fn rename_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path: String,
        new_descriptor: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        match (self.tmp(&descriptor), self.tmp(&new_descriptor)) {
            (None, None) => self.host_folders().rename_at(descriptor, path, new_descriptor, new_path).await,
            (Some(from), Some(to)) => {
                Ok(from.handle.tree().rename((from.handle.id, &path), (to.handle.id, &new_path))?)
            }
            _ => Err(ErrorCode::CrossDevice.into()),
        }
    }

    async fn symlink_at(&mut self, descriptor: Resource<Descriptor>, target: String, path: String) -> FsResult<()> {
        match self.tmp(&descriptor) {
            Some(_) => Err(ErrorCode::Unsupported.into()),
            None => self.host_folders().symlink_at(descriptor, target, path).await,
        }
    }

    async fn unlink_file_at(&mut self, descriptor: Resource<Descriptor>, path: String) -> FsResult<()> {
        match self.tmp(&descriptor) {
            Some(open) => Ok(open.handle.tree().remove_file(open.handle.id, &path)?),
            None => self.host_folders().unlink_file_at(descriptor, path).await,
        }
    }

    async fn is_same_object(
        &mut self,
        one: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        match (self.tmp(&one), self.tmp(&other)) {
            (None, None) => self.host_folders().is_same_object(one, other).await,
            (Some(one), Some(other)) => Ok(one.handle.id == other.handle.id),
            _ => Ok(false),
        }
    }

    async fn metadata_hash(&mut self, descriptor: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        match self.tmp(&descriptor) {
            Some(open) => Ok(inode(open.handle.id)),
            None => self.host_folders().metadata_hash(descriptor).await,
        }
    }

    async fn metadata_hash_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        match self.tmp(&descriptor) {
            Some(open) => Ok(inode(open.find(&path)?)),
            None => self.host_folders().metadata_hash_at(descriptor, flags, path).await,
        }
    }
}

/// The handle's type names wasmtime's own descriptors; what the table holds under it may be one of ours.
fn ours(descriptor: &Resource<Descriptor>) -> Resource<Open> {
    Resource::new_borrow(descriptor.rep())
}

fn inode(id: NodeId) -> MetadataHashValue {
    MetadataHashValue { lower: INODE_SPACE | id, upper: INODE_SPACE }
}
