//! The bytes of files, counted against the quota.

use bytes::Bytes;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::tree::{Content, NodeId, Result, Tree};

impl Tree {
    /// What stands from an offset on; nothing at the end.
    pub fn read(&self, id: NodeId, offset: u64, most: usize) -> Result<Bytes> {
        let bytes = match &self.node(id)?.content {
            Content::File(bytes) => bytes,
            Content::Folder(_) => return Err(ErrorCode::IsDirectory),
            Content::Null => return Ok(Bytes::new()),
        };
        let begin = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = begin.saturating_add(most).min(bytes.len());
        Ok(Bytes::copy_from_slice(&bytes[begin..end]))
    }

    /// How many bytes can be written at an offset. A hole before it counts.
    pub fn room(&self, id: NodeId, offset: u64) -> Result<usize> {
        if self.is_null(id) {
            return Ok(usize::MAX);
        }
        let size = usize::try_from(self.stat(id)?.size).unwrap_or(usize::MAX);
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let free = self.free_bytes();
        Ok(if offset > size { free.saturating_sub(offset - size) } else { size - offset + free })
    }

    /// Writes as much as there is room for, and answers how much that was.
    pub fn write(&mut self, id: NodeId, offset: u64, new: &[u8]) -> Result<usize> {
        if new.is_empty() || self.is_null(id) {
            return Ok(new.len());
        }
        let new = &new[..new.len().min(self.room(id, offset)?)];
        if new.is_empty() {
            return Err(ErrorCode::InsufficientSpace);
        }
        let begin = usize::try_from(offset).map_err(|_| ErrorCode::FileTooLarge)?;
        let end = begin.checked_add(new.len()).ok_or(ErrorCode::FileTooLarge)?;
        self.reserve(id, end)?;
        let bytes = self.node_mut(id)?.bytes_mut()?;
        let old_len = bytes.len();
        if begin > old_len {
            bytes.resize(begin, 0);
        }
        let (over, beyond) = new.split_at(new.len().min(bytes.len() - begin));
        bytes[begin..begin + over.len()].copy_from_slice(over);
        bytes.extend_from_slice(beyond);
        let grown = bytes.len() - old_len;
        self.bytes += grown;
        Ok(new.len())
    }

    /// Cuts a file, or lengthens it with zeros.
    pub fn set_size(&mut self, id: NodeId, size: u64) -> Result<()> {
        if self.is_null(id) {
            return Err(ErrorCode::Invalid);
        }
        let size = usize::try_from(size).map_err(|_| ErrorCode::FileTooLarge)?;
        let old = usize::try_from(self.stat(id)?.size).unwrap_or(usize::MAX);
        if size > old && size - old > self.free_bytes() {
            return Err(ErrorCode::InsufficientSpace);
        }
        self.reserve(id, size)?;
        let bytes = self.node_mut(id)?.bytes_mut()?;
        bytes.resize(size, 0);
        // What is cut off no longer counts, so it must not be held either.
        bytes.shrink_to(size.saturating_add(size / 4));
        self.bytes = self.bytes - old + size;
        Ok(())
    }

    fn is_null(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(|node| matches!(node.content, Content::Null))
    }

    /// Makes space for a file's growth with a quarter to spare, so that a file takes at most that much more memory
    /// than it counts for.
    fn reserve(&mut self, id: NodeId, size: usize) -> Result<()> {
        let free = self.free_bytes();
        let bytes = self.node_mut(id)?.bytes_mut()?;
        if size <= bytes.capacity() {
            return Ok(());
        }
        let growth = size - bytes.len();
        let spare = (size / 4).min(free.saturating_sub(growth));
        bytes.try_reserve_exact(growth + spare).map_err(|_| ErrorCode::InsufficientMemory)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Opening, Quota, TMP};
    use super::*;

    fn tree_with_file() -> (Tree, NodeId) {
        let mut tree = Tree::new(Quota { bytes: 100, files: 2 }, &[]);
        let file = tree.open(TMP, "f", Opening { create: true, ..Opening::default() }).unwrap();
        (tree, file)
    }

    #[test]
    fn bytes_are_read_where_they_were_written() {
        let (mut tree, file) = tree_with_file();
        assert_eq!(tree.write(file, 0, b"hello world"), Ok(11));
        assert_eq!(tree.write(file, 9, b"LD!!"), Ok(4));
        assert_eq!(tree.read(file, 0, 100).unwrap(), &b"hello worLD!!"[..]);
        assert_eq!(tree.read(file, 6, 5).unwrap(), &b"worLD"[..]);
        assert_eq!(tree.read(file, u64::MAX, 5).unwrap(), &b""[..]);
        assert_eq!((tree.bytes, tree.write(file, u64::MAX, b"")), (13, Ok(0)));
        assert_eq!(tree.read(TMP, 0, 1), Err(ErrorCode::IsDirectory));
        assert_eq!(tree.write(TMP, 0, b"a"), Err(ErrorCode::IsDirectory));
    }

    #[test]
    fn a_hole_counts() {
        let (mut tree, file) = tree_with_file();
        assert_eq!(tree.write(file, 98, b"abc"), Ok(2));
        assert_eq!((tree.bytes, tree.room(file, 100), tree.room(file, 40)), (100, Ok(0), Ok(60)));
        assert_eq!(tree.read(file, 96, 9).unwrap(), &b"\0\0ab"[..]);
        assert_eq!(tree.write(file, 100, b"c"), Err(ErrorCode::InsufficientSpace));
        assert_eq!(tree.write(file, u64::MAX, b"c"), Err(ErrorCode::InsufficientSpace));
        assert_eq!(tree.write(file, 50, b"over"), Ok(4));
    }

    #[test]
    fn a_size_that_is_set_counts_and_is_given_back() {
        let (mut tree, file) = tree_with_file();
        tree.write(file, 0, b"abc").unwrap();
        assert_eq!(tree.set_size(file, 101), Err(ErrorCode::InsufficientSpace));
        assert_eq!(tree.set_size(file, u64::MAX), Err(ErrorCode::InsufficientSpace));
        tree.set_size(file, 100).unwrap();
        assert_eq!((tree.bytes, tree.read(file, 0, 4).unwrap()), (100, Bytes::from_static(b"abc\0")));
        tree.set_size(file, 2).unwrap();
        assert_eq!((tree.bytes, tree.read(file, 0, 4).unwrap()), (2, Bytes::from_static(b"ab")));
        assert_eq!(tree.set_size(TMP, 0), Err(ErrorCode::IsDirectory));
    }

    #[test]
    fn a_file_holds_hardly_more_memory_than_it_counts_for() {
        let mut tree = Tree::new(Quota { bytes: 1 << 20, files: 2 }, &[]);
        let file = tree.open(TMP, "f", Opening { create: true, ..Opening::default() }).unwrap();
        let capacity = |tree: &Tree| match &tree.node(file).unwrap().content {
            Content::File(bytes) => bytes.capacity(),
            Content::Folder(_) | Content::Null => 0,
        };
        for offset in (0..1 << 20).step_by(1 << 12) {
            tree.write(file, offset, &[1; 1 << 12]).unwrap();
            let counted = usize::try_from(offset).unwrap() + (1 << 12);
            assert!(capacity(&tree) <= (counted + counted / 4).min(1 << 20), "{offset}");
        }
        tree.set_size(file, 10).unwrap();
        assert!(capacity(&tree) < 100);
    }
}
