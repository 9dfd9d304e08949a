//! `/` in memory: `/tmp`, counted against a quota, and around it what nobody can change.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::{SystemTime, UNIX_EPOCH};

use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, NewTimestamp,
};

use super::super::Access;
use super::path::Path;

type Result<T> = std::result::Result<T, ErrorCode>;

/// The number of a file or folder. None is given twice, so it serves as the inode too.
pub type NodeId = u64;

/// The folder `/`. It and the places of other folders in it are fixed, and do not count.
pub const ROOT: NodeId = 0;

/// The folder `/tmp`, which is there always and does not count either.
pub const TMP: NodeId = 1;

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
    given: usize,
    /// The length of all files together.
    pub(super) bytes: usize,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    next: NodeId,
}

pub(super) struct Node {
    pub(super) content: Content,
    /// None for the root, and for what was removed and is still open.
    parent: Option<NodeId>,
    access: Access,
    /// How many handles there are.
    handles: usize,
    accessed: Datetime,
    modified: Datetime,
    changed: Datetime,
}

pub(super) enum Content {
    File(Vec<u8>),
    Folder(BTreeMap<String, NodeId>),
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
        let mut places = BTreeMap::from([("tmp".to_owned(), TMP)]);
        places.extend(others.iter().map(|name| (*name).to_owned()).zip(TMP + 1..));
        let folder = |parent, access| Node::new(Content::Folder(BTreeMap::new()), parent, access);
        let mut nodes: BTreeMap<_, _> = places.values().map(|id| (*id, folder(Some(ROOT), Access::Read))).collect();
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
            Content::File(_) if opening.folder => Err(ErrorCode::NotDirectory),
            Content::File(_) if opening.truncate => self.set_size(found, 0).map(|()| found),
            Content::Folder(_) if opening.write || opening.create || opening.truncate => Err(ErrorCode::IsDirectory),
            _ => Ok(found),
        }
    }

    /// Makes a folder.
    pub fn create_folder(&mut self, folder: NodeId, path: &str) -> Result<()> {
        let path = Path::parse(path)?;
        let (parent, name) = self.place(folder, &path, ErrorCode::Exist)?;
        if self.folder(parent)?.contains_key(name) {
            return Err(ErrorCode::Exist);
        }
        self.add(parent, name, Content::Folder(BTreeMap::new())).map(drop)
    }

    /// Removes an empty folder.
    pub fn remove_folder(&mut self, folder: NodeId, path: &str) -> Result<()> {
        let path = Path::parse(path)?;
        let (parent, name) = self.place(folder, &path, ErrorCode::Busy)?;
        if !self.folder(self.child(parent, name)?)?.is_empty() {
            return Err(ErrorCode::NotEmpty);
        }
        self.detach(parent, name)
    }

    /// Removes a file. Who has it open keeps it, and it counts until it is closed.
    pub fn remove_file(&mut self, folder: NodeId, path: &str) -> Result<()> {
        let path = Path::parse(path)?;
        let (parent, name) = self.place(folder, &path, ErrorCode::IsDirectory)?;
        match &self.node(self.child(parent, name)?)?.content {
            Content::Folder(_) => Err(ErrorCode::IsDirectory),
            Content::File(_) if path.names_folder => Err(ErrorCode::NotDirectory),
            Content::File(_) => self.detach(parent, name),
        }
    }

    /// Gives a file or a folder another name. What had that name goes, unless it is of the other kind or not empty.
    pub fn rename(&mut self, from: (NodeId, &str), to: (NodeId, &str)) -> Result<()> {
        let (from_path, to_path) = (Path::parse(from.1)?, Path::parse(to.1)?);
        let (from_folder, from_name) = self.place(from.0, &from_path, ErrorCode::Busy)?;
        let (to_folder, to_name) = self.place(to.0, &to_path, ErrorCode::Busy)?;
        let moved = self.child(from_folder, from_name)?;
        let is_folder = self.folder(moved).is_ok();
        if !is_folder && (from_path.names_folder || to_path.names_folder) {
            return Err(ErrorCode::NotDirectory);
        }
        if self.is_within(to_folder, moved) {
            return Err(ErrorCode::Invalid);
        }
        self.check_takes_changes(from_folder)?;
        self.check_takes_changes(to_folder)?;
        if let Ok(replaced) = self.child(to_folder, to_name) {
            if replaced == moved {
                return Ok(());
            }
            match (is_folder, self.folder(replaced)) {
                (false, Ok(_)) => return Err(ErrorCode::IsDirectory),
                (true, Err(_)) => return Err(ErrorCode::NotDirectory),
                (true, Ok(entries)) if !entries.is_empty() => return Err(ErrorCode::NotEmpty),
                _ => self.detach(to_folder, to_name)?,
            }
        }
        self.entries(from_folder)?.remove(from_name);
        self.entries(to_folder)?.insert(to_name.to_owned(), moved);
        let node = self.node_mut(moved)?;
        node.parent = Some(to_folder);
        node.changed = now();
        Ok(())
    }

    /// The entry that follows a name, in the order of names. Whatever else changes meanwhile, none comes twice.
    pub fn entry_after(&self, folder: NodeId, name: Option<&str>) -> Result<Option<DirectoryEntry>> {
        let begin = name.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.folder(folder)?.range::<str, _>((begin, Bound::Unbounded)).next();
        next.map(|(name, id)| Ok(DirectoryEntry { type_: self.kind(*id)?, name: name.clone() })).transpose()
    }

    pub fn kind(&self, id: NodeId) -> Result<DescriptorType> {
        Ok(match self.node(id)?.content {
            Content::File(_) => DescriptorType::RegularFile,
            Content::Folder(_) => DescriptorType::Directory,
        })
    }

    pub fn stat(&self, id: NodeId) -> Result<DescriptorStat> {
        let node = self.node(id)?;
        let size = match &node.content {
            Content::File(bytes) => bytes.len() as u64,
            Content::Folder(_) => 0,
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

    fn folder(&self, id: NodeId) -> Result<&BTreeMap<String, NodeId>> {
        match &self.node(id)?.content {
            Content::Folder(entries) => Ok(entries),
            Content::File(_) => Err(ErrorCode::NotDirectory),
        }
    }

    /// A folder's entries, which are about to change.
    fn entries(&mut self, id: NodeId) -> Result<&mut BTreeMap<String, NodeId>> {
        let node = self.node_mut(id)?;
        (node.modified, node.changed) = (now(), now());
        match &mut node.content {
            Content::Folder(entries) => Ok(entries),
            Content::File(_) => Err(ErrorCode::NotDirectory),
        }
    }

    fn child(&self, folder: NodeId, name: &str) -> Result<NodeId> {
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
    fn place<'p>(&self, folder: NodeId, path: &Path<'p>, nameless: ErrorCode) -> Result<(NodeId, &'p str)> {
        let (steps, name) = path.split_name().ok_or(nameless)?;
        let parent = self.walk(folder, steps)?;
        self.folder(parent)?;
        Ok((parent, name))
    }

    fn is_there(&self, id: NodeId) -> bool {
        id == ROOT || self.nodes.get(&id).is_some_and(|node| node.parent.is_some())
    }

    /// Nothing can be put into a folder that was removed, and what was given stays as it is.
    fn check_takes_changes(&self, folder: NodeId) -> Result<()> {
        match self.node(folder)?.access {
            Access::Read => Err(ErrorCode::ReadOnly),
            Access::Write if !self.is_there(folder) => Err(ErrorCode::NoEntry),
            Access::Write => Ok(()),
        }
    }

    fn is_within(&self, id: NodeId, ancestor: NodeId) -> bool {
        let up = |id: &NodeId| self.nodes.get(id).and_then(|node| node.parent);
        std::iter::successors(Some(id), up).any(|id| id == ancestor)
    }

    fn add(&mut self, parent: NodeId, name: &str, content: Content) -> Result<NodeId> {
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

    fn detach(&mut self, parent: NodeId, name: &str) -> Result<()> {
        self.check_takes_changes(parent)?;
        let id = self.entries(parent)?.remove(name).ok_or(ErrorCode::NoEntry)?;
        let node = self.node_mut(id)?;
        node.parent = None;
        node.changed = now();
        self.forget_unused(id);
        Ok(())
    }

    fn forget_unused(&mut self, id: NodeId) {
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
        }
    }
}

fn now() -> Datetime {
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
    fn folders_are_removed_when_they_are_empty() {
        let mut tree = tree();
        tree.create_folder(TMP, "a").unwrap();
        tree.create_folder(TMP, "a/b").unwrap();
        assert_eq!(tree.create_folder(TMP, "a"), Err(ErrorCode::Exist));
        assert_eq!(tree.create_folder(TMP, "."), Err(ErrorCode::Exist));
        assert_eq!(tree.remove_folder(TMP, "a"), Err(ErrorCode::NotEmpty));
        assert_eq!(tree.remove_folder(TMP, "."), Err(ErrorCode::Busy));
        assert_eq!(tree.remove_file(TMP, "a"), Err(ErrorCode::IsDirectory));
        let b = tree.find(TMP, "a/b").unwrap();
        tree.hold(b);
        tree.remove_folder(TMP, "a/b/").unwrap();
        assert_eq!(tree.open(b, "f", FILE), Err(ErrorCode::NoEntry));
        tree.release(b);
        tree.remove_folder(TMP, "a").unwrap();
        assert_eq!(tree.nodes.len(), tree.given);
    }

    #[test]
    fn a_rename_replaces_what_is_of_its_kind() {
        let mut tree = tree();
        for folder in ["a", "a/full", "empty"] {
            tree.create_folder(TMP, folder).unwrap();
        }
        let file = tree.open(TMP, "a/full/f", FILE).unwrap();
        let other = tree.open(TMP, "g", FILE).unwrap();
        tree.write(other, 0, b"old").unwrap();
        let mut rename = |from, to| tree.rename((TMP, from), (TMP, to));
        for (from, to, error) in [
            ("a", "a/full/b", ErrorCode::Invalid),
            ("a", "a/b", ErrorCode::Invalid),
            ("empty", "a/full", ErrorCode::NotEmpty),
            ("empty", "g", ErrorCode::NotDirectory),
            ("g", "empty", ErrorCode::IsDirectory),
            ("g", "h/", ErrorCode::NotDirectory),
            ("h", "i", ErrorCode::NoEntry),
            (".", "i", ErrorCode::Busy),
        ] {
            assert_eq!(rename(from, to), Err(error), "{from} to {to}");
        }
        rename("g", "g").unwrap();
        rename("a/full/f", "g").unwrap();
        rename("a/full", "empty").unwrap();
        assert_eq!((tree.find(TMP, "g"), tree.bytes), (Ok(file), 0));
        assert_eq!(tree.find(TMP, "empty/../a/..").err(), None);
        assert_eq!(tree.nodes.len() - tree.given, 3);
    }

    #[test]
    fn entries_come_in_order_while_others_go() {
        let mut tree = tree();
        for name in ["b", "a", "c"] {
            tree.open(TMP, name, FILE).unwrap();
        }
        let next = |tree: &Tree, name| tree.entry_after(TMP, name).unwrap().map(|entry| entry.name);
        assert_eq!(next(&tree, None).as_deref(), Some("a"));
        tree.remove_file(TMP, "a").unwrap();
        tree.remove_file(TMP, "b").unwrap();
        assert_eq!(next(&tree, Some("a")).as_deref(), Some("c"));
        assert_eq!(next(&tree, Some("c")), None);
    }

    #[test]
    fn what_was_given_stays_as_it_is() {
        let mut tree = tree();
        let file = tree.open(TMP, "f", FILE).unwrap();
        let names = [None, Some("tmp"), Some("tool")].map(|name| tree.entry_after(ROOT, name).unwrap());
        assert_eq!(names.map(|entry| entry.map(|entry| entry.name)), [Some("tmp".into()), Some("tool".into()), None]);
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
