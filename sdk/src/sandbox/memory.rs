//! The counter that bounds a guest's memory.

use wasmtime::ResourceLimiter;

/// The most function references that one table may hold. CPython's own table has about 12,000.
const TABLE_ELEMENTS: usize = 100_000;

/// Bounds and counts linear memory.
///
/// Growth past the limit is refused, not trapped: Python sees a failed allocation and raises `MemoryError`, which the
/// tool may even survive.
#[derive(Debug)]
pub struct MemoryLimiter {
    limit_bytes: usize,
    /// The most that the guest has had so far.
    pub peak_bytes: usize,
    /// Whether growth was ever refused.
    pub refused: bool,
}

impl MemoryLimiter {
    /// A limiter that refuses growth past `limit_bytes`.
    pub fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, peak_bytes: 0, refused: false }
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.limit_bytes {
            self.refused = true;
            return Ok(false);
        }
        self.peak_bytes = self.peak_bytes.max(desired);
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}
