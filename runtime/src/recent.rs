//! What was used most recently, kept up to a number. What was not used for longest makes room for the next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// Values that are made when somebody asks for them first, such as tools by the SHA-256 of their components.
pub struct Recent<T> {
    capacity: usize,
    entries: Mutex<Entries<T>>,
}

struct Entries<T> {
    by_key: HashMap<String, Entry<T>>,
    uses: u64,
}

struct Entry<T> {
    /// Set by the first who asks; whoever else asks meanwhile waits for it.
    value: Arc<OnceCell<T>>,
    last_use: u64,
}

impl<T> Recent<T> {
    /// Keeps so many; at least one.
    pub fn new(capacity: usize) -> Self {
        let entries = Entries { by_key: HashMap::new(), uses: 0 };
        Self { capacity: capacity.max(1), entries: Mutex::new(entries) }
    }

    /// How many there are, or are being made.
    pub fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).by_key.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of a value, which counts as a use.
    pub fn entry(&self, key: &str) -> Arc<OnceCell<T>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.uses += 1;
        let now = entries.uses;
        if !entries.by_key.contains_key(key) && entries.by_key.len() >= self.capacity {
            let oldest = entries.by_key.iter().min_by_key(|(_, entry)| entry.last_use).map(|(key, _)| key.clone());
            oldest.and_then(|key| entries.by_key.remove(&key));
        }
        let fresh = || Entry { value: Arc::default(), last_use: now };
        let entry = entries.by_key.entry(key.to_owned()).or_insert_with(fresh);
        entry.last_use = now;
        Arc::clone(&entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes() {
        let recent = Recent::new(2);
        for (key, value) in [("one", 1), ("two", 2)] {
            recent.entry(key).set(value).unwrap();
        }
        assert!(recent.entry("one").initialized());
        assert!(!recent.entry("three").initialized());
        assert_eq!(recent.len(), 2);
        assert_eq!(recent.entry("one").get(), Some(&1));
        assert!(!recent.entry("two").initialized());
    }
}
