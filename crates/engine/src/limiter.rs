//! What one instance may allocate.

use wasmtime::{ResourceLimiter, Result};

/// Tables of a component by `wit-component`: one of the function, one of the shim through which its imports are called.
const MAX_TABLES: usize = 4;
/// A table holds the functions that are called indirectly; large programs have some thousand.
const MAX_TABLE_ELEMENTS: usize = 1 << 18;
/// The function, the shims of its imports and exports.
const MAX_INSTANCES: usize = 16;
/// The function's; shims share it.
const MAX_MEMORIES: usize = 1;

/// Refuses growth above the limits and remembers that it did, so that a guest that traps for want of memory is told from
/// one that traps for another reason.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes: usize,
    /// The size asked for when memory was last refused.
    pub(crate) refused_bytes: Option<usize>,
    /// The most memory that the guest had.
    pub(crate) peak_bytes: usize,
}

impl Limiter {
    pub(crate) fn new(memory_bytes: u64) -> Self {
        Self {
            memory_bytes: usize::try_from(memory_bytes).unwrap_or(usize::MAX),
            refused_bytes: None,
            peak_bytes: 0,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let is_allowed = desired <= self.memory_bytes;
        if is_allowed {
            self.peak_bytes = self.peak_bytes.max(desired);
        } else {
            self.refused_bytes = Some(desired);
        }
        Ok(is_allowed)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}
