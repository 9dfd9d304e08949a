//! What changes and lists the entries of folders.

use std::ops::Bound;

use wasmtime_wasi::p2::bindings::filesystem::types::{DirectoryEntry, ErrorCode};

use super::path::Path;
use super::tree::{Content, NodeId, Result, Tree, now};

impl Tree {
    /// Makes a folder.
    pub fn create_folder(&mut self, folder: NodeId, path: &str) -> Result<()> {
        let path = Path::parse(path)?;
        let (parent, name) = self.place(folder, &path, ErrorCode::Exist)?;
        if self.folder(parent)?.contains_key(name) {
            return Err(ErrorCode::Exist);
        }
        self.add(parent, name, Content::Folder(Default::default())).map(drop)
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
            Content::File(_) | Content::Null if path.names_folder => Err(ErrorCode::NotDirectory),
            Content::File(_) | Content::Null => self.detach(parent, name),
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

    fn is_within(&self, id: NodeId, ancestor: NodeId) -> bool {
        let up = |id: &NodeId| self.nodes.get(id).and_then(|node| node.parent);
        std::iter::successors(Some(id), up).any(|id| id == ancestor)
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
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Opening, Quota, TMP};
    use super::*;

    const FILE: Opening = Opening { create: true, exclusive: false, truncate: false, folder: false, write: true };

    fn tree() -> Tree {
        Tree::new(Quota { bytes: 100, files: 6 }, &["tool"])
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
}
