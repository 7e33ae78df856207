//! Memory budget of the process for answers, shared by all servers: tenants choose the servers that answer.
//!
//! An answer larger than the first few bytes is read only after the maximum memory that it can take has been reserved, so that no reader
//! ever holds a part and waits for the rest. What is kept afterwards is weighed, and refused if it does not fit, because its holder may hold
//! other parts already.

use std::sync::{Arc, LazyLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::document::lenient_json::LARGEST;
use crate::domain::remote::MemoryHold;

/// Memory for answers that are being read and parsed.
const READING: usize = 192 * MIB;
/// Memory for what is kept.
const KEPT: usize = 256 * MIB;
/// Memory for what is kept of one server.
const SHARE: usize = 64 * MIB;
/// Number of bytes of an answer that are read without a reservation.
pub(super) const FREE: usize = 64 * 1024;
/// Maximum ratio of the memory of a document to the size of its text, as of `[{"a":1},...]`.
const EXPANSION: usize = 100;

const MIB: usize = 1024 * 1024;
/// Number of bytes per permit.
const UNIT: usize = 1024;

/// Memory budget of a client. Clones share it.
#[derive(Clone, Debug)]
pub struct Memory {
    reading: Arc<Semaphore>,
    /// Maximum memory that one answer can reserve.
    most: usize,
    kept: Arc<Semaphore>,
    share: Arc<Semaphore>,
}

/// Reserved memory, until it is dropped.
pub type Part = OwnedSemaphorePermit;

impl Memory {
    /// Returns the budget of this process, with a share of its own for one server.
    pub fn of_process() -> Self {
        static PROCESS: LazyLock<Memory> = LazyLock::new(|| Memory::of(READING, KEPT));
        Self { share: Arc::new(Semaphore::new(SHARE / UNIT)), ..PROCESS.clone() }
    }

    /// Returns a budget of its own: bytes for answers that are being read, and for what is kept.
    pub fn of(reading: usize, kept: usize) -> Self {
        let bytes = |bytes: usize| Arc::new(Semaphore::new(bytes / UNIT));
        Self { reading: bytes(reading), most: reading, kept: bytes(kept), share: bytes(SHARE) }
    }

    /// Waits for the memory that an answer of at most this size takes while it is read and parsed.
    pub async fn read(&self, bytes: usize) -> Option<Part> {
        let most = bytes + bytes.saturating_mul(EXPANSION).min(LARGEST);
        // The semaphore is never closed.
        self.reading.clone().acquire_many_owned(units(most.min(self.most))).await.ok()
    }

    /// Reserves memory for something that is kept, if it is available.
    pub fn keep(&self, bytes: usize) -> Option<MemoryHold> {
        let share = self.share.clone().try_acquire_many_owned(units(bytes)).ok()?;
        let kept = self.kept.clone().try_acquire_many_owned(units(bytes)).ok()?;
        Some(MemoryHold { weight: bytes, budget: Some(Arc::new((share, kept))) })
    }

    /// Returns the memory available for reading and for keeping, in bytes.
    #[cfg(test)]
    pub fn left(&self) -> (usize, usize) {
        (self.reading.available_permits() * UNIT, self.kept.available_permits() * UNIT)
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}
