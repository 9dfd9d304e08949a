//! One publish or delete of a tool at a time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::model::ToolId;

/// The tools that are being published or deleted.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    taken: Arc<Mutex<HashSet<ToolId>>>,
}

/// The right to publish or delete one tool, given back when this is dropped.
#[derive(Debug)]
pub struct Claim {
    claims: Claims,
    tool: ToolId,
}

impl Claims {
    /// Takes the right, or says that somebody else has it.
    pub fn take(&self, tool: ToolId) -> Result<Claim> {
        let is_new = self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(tool);
        if !is_new {
            let message = "another publish or delete of this tool is running: try again when it has ended";
            return Err(Error::Conflict(message.to_owned()));
        }
        Ok(Claim { claims: self.clone(), tool })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.tool);
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
