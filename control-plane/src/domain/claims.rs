//! One at a time: publishes and deletes of a tool, and requests with one idempotency key.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::model::ToolId;

/// What is taken: the tools that are being published or deleted, or other things of which one is done at a time.
#[derive(Debug)]
pub struct Claims<T: Eq + Hash = ToolId> {
    taken: Arc<Mutex<HashSet<T>>>,
}

/// The right to one thing, given back when this is dropped.
#[derive(Debug)]
pub struct Claim<T: Eq + Hash = ToolId> {
    taken: Arc<Mutex<HashSet<T>>>,
    thing: T,
}

impl Claims {
    /// Takes the right to publish or delete a tool, or says that somebody else has it.
    pub fn take(&self, tool: ToolId) -> Result<Claim> {
        self.try_take(tool).ok_or_else(|| {
            let message = "another publish or delete of this tool is running: try again when it has ended";
            Error::Conflict(message.to_owned())
        })
    }
}

impl<T: Eq + Hash + Clone> Claims<T> {
    /// Takes the right, unless somebody else has it.
    pub fn try_take(&self, thing: T) -> Option<Claim<T>> {
        let is_new = self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(thing.clone());
        is_new.then(|| Claim { taken: Arc::clone(&self.taken), thing })
    }
}

impl<T: Eq + Hash> Default for Claims<T> {
    fn default() -> Self {
        Self { taken: Arc::default() }
    }
}

impl<T: Eq + Hash> Drop for Claim<T> {
    fn drop(&mut self) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.thing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_free_again_afterwards() {
        let claims = Claims::default();
        let tool = ToolId::new();
        let claim = claims.take(tool).unwrap();
        assert!(matches!(claims.take(tool), Err(Error::Conflict(_))));
        assert!(claims.take(ToolId::new()).is_ok());
        drop(claim);
        assert!(claims.take(tool).is_ok());
    }
}
