//! What keeps a file there while it is open.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::tree::{NodeId, Tree};

/// A file or folder that is open. Its drop closes it.
pub struct Handle {
    tree: Arc<Mutex<Tree>>,
    /// What is open.
    pub id: NodeId,
}

impl Handle {
    pub fn new(tree: &Arc<Mutex<Tree>>, id: NodeId) -> Self {
        let handle = Self { tree: Arc::clone(tree), id };
        handle.tree().hold(id);
        handle
    }

    /// The tree that it is in. One guest has it, so nobody waits.
    pub fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another thing in the same tree, opened.
    pub fn open(&self, id: NodeId) -> Self {
        Self::new(&self.tree, id)
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        self.open(self.id)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.tree().release(self.id);
    }
}
