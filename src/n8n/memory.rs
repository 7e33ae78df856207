//! The memory of the process for what n8n sends, one for all N8nInstances: whoever may create one chooses who answers.
//!
//! An answer that is read beyond its first bytes waits until the most that it can become fits into what is left, so that no reader ever
//! holds a part and waits for the rest. What is kept after that (listings, the workflow of a pass) is weighed, and refused where it does
//! not fit: its holder may hold other parts already.

use std::sync::{Arc, LazyLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::document::lenient_json::LARGEST;
use crate::domain::remote::MemoryHold;

/// What is being read and parsed at once, in all.
const READING: usize = 192 * MIB;
/// What is kept at once, in all.
const KEPT: usize = 256 * MIB;
/// What is kept at once of one instance.
const SHARE: usize = 64 * MIB;
/// How many bytes of any answer are read without asking.
pub(super) const FREE: usize = 64 * 1024;
/// So many times its text a document can take of memory, at most: `[{"a":1},...]` does.
const EXPANSION: usize = 100;

const MIB: usize = 1024 * 1024;
/// What one permit stands for.
const UNIT: usize = 1024;

/// What a client may take of the memory of the process. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    reading: Arc<Semaphore>,
    /// The most that one answer may wait for.
    most: usize,
    kept: Arc<Semaphore>,
    share: Arc<Semaphore>,
}

/// A part of the memory, until it is dropped.
pub(super) type Part = OwnedSemaphorePermit;

impl Memory {
    /// That of this process, with a share of its own.
    pub(super) fn of_process() -> Self {
        static PROCESS: LazyLock<Memory> = LazyLock::new(|| Memory::of(READING, KEPT));
        Self { share: Arc::new(Semaphore::new(SHARE / UNIT)), ..PROCESS.clone() }
    }

    pub(super) fn of(reading: usize, kept: usize) -> Self {
        let bytes = |bytes: usize| Arc::new(Semaphore::new(bytes / UNIT));
        Self { reading: bytes(reading), most: reading, kept: bytes(kept), share: bytes(SHARE) }
    }

    /// Waits for the memory that an answer of at most so many bytes takes while it is read and parsed.
    pub(super) async fn read(&self, bytes: usize) -> Option<Part> {
        let most = bytes + bytes.saturating_mul(EXPANSION).min(LARGEST);
        // The semaphore is never closed.
        self.reading.clone().acquire_many_owned(units(most.min(self.most))).await.ok()
    }

    /// Takes the memory for something that is kept, if it is there.
    pub(super) fn keep(&self, bytes: usize) -> Option<MemoryHold> {
        let share = self.share.clone().try_acquire_many_owned(units(bytes)).ok()?;
        let kept = self.kept.clone().try_acquire_many_owned(units(bytes)).ok()?;
        Some(MemoryHold { weight: bytes, budget: Some(Arc::new((share, kept))) })
    }

    /// What is left for reading and for keeping, in bytes.
    #[cfg(test)]
    pub(super) fn left(&self) -> (usize, usize) {
        (self.reading.available_permits() * UNIT, self.kept.available_permits() * UNIT)
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}
