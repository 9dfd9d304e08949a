//! `/` in memory: `/tmp`, counted against a quota, and around it what nobody can change, `/dev/null` among it.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorStat, DescriptorType, ErrorCode, NewTimestamp};

use super::super::Access;
use super::path::Path;

pub(super) type Result<T> = std::result::Result<T, ErrorCode>;

/// The number of a file or folder. None is given twice, so it serves as the inode too.
pub type NodeId = u64;

/// The folder `/`. It and the places of other folders in it are fixed, and do not count.
pub const ROOT: NodeId = 0;

/// The folder `/tmp`, which is there always and does not count either.
pub const TMP: NodeId = 1;

/// The folder `/dev` and the one device in it: `os.devnull` is opened by whoever wants no output, pytest among them.
const DEV: NodeId = 2;
const NULL: NodeId = 3;

/// The most that `/tmp` may hold.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// Of all files together, holes included.
    pub bytes: usize,
    /// Files and folders.
    pub files: usize,
}

/// The folder `/` with all that is in it.
pub struct Tree {
    quota: Quota,
    /// How many nodes are there from the beginning.
    pub(super) given: usize,
    /// The length of all files together.
    pub(super) bytes: usize,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    next: NodeId,
}

pub(super) struct Node {
    pub(super) content: Content,
    /// None for the root, and for what was removed and is still open.
    pub(super) parent: Option<NodeId>,
    access: Access,
    /// How many handles there are.
    handles: usize,
    accessed: Datetime,
    modified: Datetime,
    pub(super) changed: Datetime,
}

pub(super) enum Content {
    File(Vec<u8>),
    Folder(BTreeMap<String, NodeId>),
    /// It is empty whatever is written to it.
    Null,
}

/// How a path is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opening {
    /// Make a file where there is nothing.
    pub create: bool,
    /// Refuse what is there already.
    pub exclusive: bool,
    /// Empty the file.
    pub truncate: bool,
    /// Refuse anything but a folder.
    pub folder: bool,
    /// It is to be written to.
    pub write: bool,
}

impl Tree {
    /// An empty `/tmp`, in a root where other folders have their places, too.
    pub fn new(quota: Quota, others: &[&str]) -> Self {
        let mut places = BTreeMap::from([("tmp".to_owned(), TMP), ("dev".to_owned(), DEV)]);
        places.extend(others.iter().map(|name| (*name).to_owned()).zip(NULL + 1..));
        let folder = |parent, access| Node::new(Content::Folder(BTreeMap::new()), parent, access);
        let mut nodes: BTreeMap<_, _> = places.values().map(|id| (*id, folder(Some(ROOT), Access::Read))).collect();
        let devices = BTreeMap::from([("null".to_owned(), NULL)]);
        nodes.insert(DEV, Node::new(Content::Folder(devices), Some(ROOT), Access::Read));
        nodes.insert(NULL, Node::new(Content::Null, Some(DEV), Access::Read));
        nodes.insert(TMP, folder(Some(ROOT), Access::Write));
        nodes.insert(ROOT, Node::new(Content::Folder(places), None, Access::Read));
        Self { quota, given: nodes.len(), bytes: 0, next: nodes.len() as NodeId, nodes }
    }

    /// Finds a path, which may not lead out of the folder that it begins in.
    pub fn find(&self, folder: NodeId, path: &str) -> Result<NodeId> {
        let path = Path::parse(path)?;
        let found = self.walk(folder, &path.steps)?;
        if path.names_folder {
            self.folder(found)?;
        }
        Ok(found)
    }

    /// Finds or makes what a path names.
    pub fn open(&mut self, folder: NodeId, path: &str, opening: Opening) -> Result<NodeId> {
        if opening.folder && (opening.create || opening.exclusive || opening.truncate) {
            return Err(ErrorCode::Invalid);
        }
        let found = match self.find(folder, path) {
            Err(ErrorCode::NoEntry) if opening.create => {
                let path = Path::parse(path)?;
                let (parent, name) = self.place(folder, &path, ErrorCode::IsDirectory)?;
                if path.names_folder {
                    return Err(ErrorCode::IsDirectory);
                }
                return self.add(parent, name, Content::File(Vec::new()));
            }
            found => found?,
        };
        match &self.node(found)?.content {
            _ if opening.create && opening.exclusive => Err(ErrorCode::Exist),
            Content::File(_) | Content::Null if opening.folder => Err(ErrorCode::NotDirectory),
            Content::File(_) if opening.truncate => self.set_size(found, 0).map(|()| found),
            Content::Folder(_) if opening.write || opening.create || opening.truncate => Err(ErrorCode::IsDirectory),
            _ => Ok(found),
        }
    }

    pub fn kind(&self, id: NodeId) -> Result<DescriptorType> {
        Ok(match self.node(id)?.content {
            Content::File(_) => DescriptorType::RegularFile,
            Content::Folder(_) => DescriptorType::Directory,
            Content::Null => DescriptorType::CharacterDevice,
        })
    }

    pub fn stat(&self, id: NodeId) -> Result<DescriptorStat> {
        let node = self.node(id)?;
        let size = match &node.content {
            Content::File(bytes) => bytes.len() as u64,
            Content::Folder(_) | Content::Null => 0,
        };
        Ok(DescriptorStat {
            type_: self.kind(id)?,
            link_count: u64::from(self.is_there(id)),
            size,
            data_access_timestamp: Some(node.accessed),
            data_modification_timestamp: Some(node.modified),
            status_change_timestamp: Some(node.changed),
        })
    }

    pub fn set_times(&mut self, id: NodeId, accessed: NewTimestamp, modified: NewTimestamp) -> Result<()> {
        let node = self.node_mut(id)?;
        if node.access == Access::Read {
            return Err(ErrorCode::ReadOnly);
        }
        for (time, new) in [(&mut node.accessed, accessed), (&mut node.modified, modified)] {
            match new {
                NewTimestamp::NoChange => {}
                NewTimestamp::Now => *time = now(),
                NewTimestamp::Timestamp(new) if new.nanoseconds >= 1_000_000_000 => return Err(ErrorCode::Invalid),
                NewTimestamp::Timestamp(new) => *time = new,
            }
        }
        node.changed = now();
        Ok(())
    }

    /// Counts a handle. What is removed stays as long as it has one.
    pub fn hold(&mut self, id: NodeId) {
        if let Ok(node) = self.node_mut(id) {
            node.handles += 1;
        }
    }

    pub fn release(&mut self, id: NodeId) {
        if let Ok(node) = self.node_mut(id) {
            node.handles -= 1;
        }
        self.forget_unused(id);
    }

    pub(super) fn node(&self, id: NodeId) -> Result<&Node> {
        self.nodes.get(&id).ok_or(ErrorCode::BadDescriptor)
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> Result<&mut Node> {
        self.nodes.get_mut(&id).ok_or(ErrorCode::BadDescriptor)
    }

    /// What the quota has left.
    pub(super) fn free_bytes(&self) -> usize {
        self.quota.bytes.saturating_sub(self.bytes)
    }

    pub(super) fn folder(&self, id: NodeId) -> Result<&BTreeMap<String, NodeId>> {
        match &self.node(id)?.content {
            Content::Folder(entries) => Ok(entries),
            Content::File(_) | Content::Null => Err(ErrorCode::NotDirectory),
        }
    }

    /// A folder's entries, which are about to change.
    pub(super) fn entries(&mut self, id: NodeId) -> Result<&mut BTreeMap<String, NodeId>> {
        let node = self.node_mut(id)?;
        (node.modified, node.changed) = (now(), now());
        match &mut node.content {
            Content::Folder(entries) => Ok(entries),
            Content::File(_) | Content::Null => Err(ErrorCode::NotDirectory),
        }
    }

    pub(super) fn child(&self, folder: NodeId, name: &str) -> Result<NodeId> {
        self.folder(folder)?.get(name).copied().ok_or(ErrorCode::NoEntry)
    }

    fn walk(&self, folder: NodeId, steps: &[&str]) -> Result<NodeId> {
        let mut depth = 0_usize;
        steps.iter().try_fold(folder, |reached, step| {
            if *step != ".." {
                depth += 1;
                return self.child(reached, step);
            }
            self.folder(reached)?;
            depth = depth.checked_sub(1).ok_or(ErrorCode::NotPermitted)?;
            self.node(reached)?.parent.ok_or(ErrorCode::NoEntry)
        })
    }

    /// The folder and the name that a path ends with; the error says what is wrong where it ends with no name.
    pub(super) fn place<'p>(&self, folder: NodeId, path: &Path<'p>, nameless: ErrorCode) -> Result<(NodeId, &'p str)> {
        let (steps, name) = path.split_name().ok_or(nameless)?;
        let parent = self.walk(folder, steps)?;
        self.folder(parent)?;
        Ok((parent, name))
    }

    fn is_there(&self, id: NodeId) -> bool {
        id == ROOT || self.nodes.get(&id).is_some_and(|node| node.parent.is_some())
    }

    /// Nothing can be put into a folder that was removed, and what was given stays as it is.
    pub(super) fn check_takes_changes(&self, folder: NodeId) -> Result<()> {
        match self.node(folder)?.access {
            Access::Read => Err(ErrorCode::ReadOnly),
            Access::Write if !self.is_there(folder) => Err(ErrorCode::NoEntry),
            Access::Write => Ok(()),
        }
    }

    pub(super) fn add(&mut self, parent: NodeId, name: &str, content: Content) -> Result<NodeId> {
        self.check_takes_changes(parent)?;
        if self.nodes.len() - self.given >= self.quota.files {
            return Err(ErrorCode::InsufficientSpace);
        }
        let id = self.next;
        self.next += 1;
        self.entries(parent)?.insert(name.to_owned(), id);
        self.nodes.insert(id, Node::new(content, Some(parent), Access::Write));
        Ok(id)
    }

    pub(super) fn forget_unused(&mut self, id: NodeId) {
        let is_unused = |node: &Node| id != ROOT && node.parent.is_none() && node.handles == 0;
        if !self.nodes.get(&id).is_some_and(is_unused) {
            return;
        }
        if let Some(Node { content: Content::File(bytes), .. }) = self.nodes.remove(&id) {
            self.bytes -= bytes.len();
        }
    }
}

impl Node {
    fn new(content: Content, parent: Option<NodeId>, access: Access) -> Self {
        let now = now();
        Self { content, parent, access, handles: 0, accessed: now, modified: now, changed: now }
    }

    /// A file's bytes, which are about to change.
    pub(super) fn bytes_mut(&mut self) -> Result<&mut Vec<u8>> {
        (self.modified, self.changed) = (now(), now());
        match &mut self.content {
            Content::File(bytes) => Ok(bytes),
            Content::Folder(_) => Err(ErrorCode::IsDirectory),
            Content::Null => Err(ErrorCode::Invalid),
        }
    }
}

pub(super) fn now() -> Datetime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Datetime { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Opening = Opening { create: true, exclusive: false, truncate: false, folder: false, write: true };

    fn tree() -> Tree {
        Tree::new(Quota { bytes: 100, files: 6 }, &["tool"])
    }

    #[test]
    fn paths_stay_within_the_folder_that_they_begin_in() {
        let mut tree = tree();
        tree.create_folder(TMP, "a").unwrap();
        let a = tree.find(TMP, "a/").unwrap();
        let file = tree.open(a, "f", FILE).unwrap();
        assert_eq!(tree.find(TMP, "./a/../a//f"), Ok(file));
        for (folder, path, error) in [
            (TMP, "..", ErrorCode::NotPermitted),
            (TMP, "a/../..", ErrorCode::NotPermitted),
            (a, "../a", ErrorCode::NotPermitted),
            (TMP, "a/f/", ErrorCode::NotDirectory),
            (TMP, "a/f/..", ErrorCode::NotDirectory),
            (TMP, "a/f/g", ErrorCode::NotDirectory),
            (TMP, "a/g", ErrorCode::NoEntry),
        ] {
            assert_eq!(tree.find(folder, path), Err(error), "{path}");
        }
    }

    #[test]
    fn opening_makes_keeps_and_empties_as_asked() {
        let mut tree = tree();
        tree.create_folder(TMP, "a").unwrap();
        let file = tree.open(TMP, "f", FILE).unwrap();
        tree.write(file, 0, b"abc").unwrap();
        assert_eq!(tree.open(TMP, "f", FILE), Ok(file));
        assert_eq!(tree.stat(file).unwrap().size, 3);
        assert_eq!(tree.open(TMP, "f", Opening { truncate: true, ..FILE }), Ok(file));
        assert_eq!((tree.stat(file).unwrap().size, tree.bytes), (0, 0));
        let read = Opening::default();
        for (path, opening, error) in [
            ("f", Opening { exclusive: true, ..FILE }, ErrorCode::Exist),
            ("f", Opening { folder: true, ..read }, ErrorCode::NotDirectory),
            ("g", Opening { folder: true, ..FILE }, ErrorCode::Invalid),
            ("a", FILE, ErrorCode::IsDirectory),
            ("g/", FILE, ErrorCode::IsDirectory),
            ("b/g", FILE, ErrorCode::NoEntry),
            ("f/g", FILE, ErrorCode::NotDirectory),
            ("g", read, ErrorCode::NoEntry),
        ] {
            assert_eq!(tree.open(TMP, path, opening), Err(error), "{path} {opening:?}");
        }
    }

    #[test]
    fn a_removed_file_counts_until_it_is_closed() {
        let mut tree = tree();
        let file = tree.open(TMP, "f", FILE).unwrap();
        tree.hold(file);
        tree.write(file, 0, &[1; 60]).unwrap();
        tree.remove_file(TMP, "f").unwrap();
        assert_eq!(tree.find(TMP, "f"), Err(ErrorCode::NoEntry));
        assert_eq!((tree.stat(file).unwrap().link_count, tree.free_bytes()), (0, 40));
        assert_eq!(tree.write(file, 60, b"more"), Ok(4));
        tree.release(file);
        assert_eq!((tree.stat(file).err(), tree.free_bytes()), (Some(ErrorCode::BadDescriptor), 100));
    }

    #[test]
    fn what_was_given_stays_as_it_is() {
        let mut tree = tree();
        let file = tree.open(TMP, "f", FILE).unwrap();
        let names = [None, Some("dev"), Some("tmp"), Some("tool")].map(|name| tree.entry_after(ROOT, name).unwrap());
        let names = names.map(|entry| entry.map(|entry| entry.name));
        assert_eq!(names, [Some("dev".into()), Some("tmp".into()), Some("tool".into()), None]);
        assert_eq!(tree.open(ROOT, "f", FILE), Err(ErrorCode::ReadOnly));
        assert_eq!(tree.open(ROOT, "tool/f", FILE), Err(ErrorCode::ReadOnly));
        assert_eq!(tree.create_folder(ROOT, "data"), Err(ErrorCode::ReadOnly));
        assert_eq!(tree.remove_folder(ROOT, "tool"), Err(ErrorCode::ReadOnly));
        assert_eq!(tree.rename((ROOT, "tool"), (TMP, "a")), Err(ErrorCode::ReadOnly));
        assert_eq!(tree.rename((TMP, "f"), (ROOT, "f")), Err(ErrorCode::ReadOnly));
        assert_eq!(tree.set_times(ROOT, NewTimestamp::Now, NewTimestamp::Now), Err(ErrorCode::ReadOnly));
        assert_eq!(tree.find(ROOT, "tmp/f"), Ok(file));
    }

    #[test]
    fn the_null_device_swallows_what_is_written_and_stays() {
        let mut tree = tree();
        let null = tree.open(ROOT, "dev/null", Opening { truncate: true, ..FILE }).unwrap();
        assert_eq!(tree.write(null, 7, &[1; 1000]), Ok(1000));
        assert_eq!(tree.read(null, 0, 10).unwrap(), &b""[..]);
        assert_eq!((tree.stat(null).unwrap().size, tree.bytes), (0, 0));
        assert_eq!(tree.kind(null), Ok(DescriptorType::CharacterDevice));
        assert_eq!(tree.remove_file(ROOT, "dev/null"), Err(ErrorCode::ReadOnly));
        assert_eq!(tree.open(ROOT, "dev/zero", FILE), Err(ErrorCode::ReadOnly));
        assert_eq!(tree.find(ROOT, "dev/null/"), Err(ErrorCode::NotDirectory));
    }

    #[test]
    fn the_number_of_files_is_bounded() {
        let mut tree = tree();
        for index in 0..6 {
            tree.create_folder(TMP, &index.to_string()).unwrap();
        }
        assert_eq!(tree.create_folder(TMP, "6"), Err(ErrorCode::InsufficientSpace));
        assert_eq!(tree.open(TMP, "6", FILE), Err(ErrorCode::InsufficientSpace));
        tree.remove_folder(TMP, "0").unwrap();
        tree.open(TMP, "6", FILE).unwrap();
    }
}
