//! Leader fence: the time until which this process may write. Only the holder of the lease writes, and a lease expires by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Interval at which a waiting writer checks the fence. Waits are rare: a process that lost its lease terminates.
const LOOK: Duration = Duration::from_millis(50);

/// Permission to write, which expires unless it is renewed. Clones share it.
#[derive(Clone, Debug)]
pub struct LeaderFence {
    // In milliseconds of the clock below.
    until: Arc<AtomicU64>,
}

impl LeaderFence {
    /// Returns a fence that never expires, for a process without leader election.
    pub fn unlimited() -> Self {
        Self { until: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    /// Returns a fence that has expired already.
    pub fn none() -> Self {
        Self { until: Arc::default() }
    }

    /// Extends the permission to a time of [`boot_clock`].
    pub fn extend(&self, until: Duration) {
        self.until.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Ends the permission at once.
    pub fn revoke(&self) {
        self.until.store(0, Ordering::SeqCst);
    }

    /// Reports whether writes are permitted now.
    pub fn holds(&self) -> bool {
        boot_clock().as_millis() < u128::from(self.until.load(Ordering::SeqCst))
    }

    /// Waits until writes are permitted. A writer that waits here lost the lease or was suspended past its end, and continues only after
    /// the lease is acquired again.
    pub async fn wait_until_held(&self) {
        while !self.holds() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Permission of one client to write: while the fence holds, and until a certain time.
#[derive(Clone, Debug)]
pub struct WritePermit {
    /// Fence of the process.
    pub fence: LeaderFence,
    /// Time of [`boot_clock`] after which no write is sent.
    pub latest: Option<Duration>,
}

impl WritePermit {
    /// Reports whether a write may be sent now.
    pub fn holds(&self) -> bool {
        self.fence.holds() && !self.has_passed()
    }

    /// Reports whether the last time at which a write may be sent has passed.
    pub fn has_passed(&self) -> bool {
        self.latest.is_some_and(|latest| boot_clock() > latest)
    }
}

/// Returns the time since boot, including suspension: a lease expires while its holder is suspended.
pub fn boot_clock() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    Duration::try_from(rustix::time::clock_gettime(CLOCK)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_writer_waits_until_the_fence_holds_and_again_after_it_expired() {
        let fence = LeaderFence::none();
        let mut writer = Box::pin(fence.wait_until_held());
        assert!(futures::poll!(writer.as_mut()).is_pending());
        fence.extend(boot_clock() + Duration::from_secs(60));
        writer.await;
        fence.extend(boot_clock());
        assert!(!fence.holds());
        fence.extend(boot_clock() + Duration::from_secs(60));
        fence.revoke();
        assert!(!fence.holds() && LeaderFence::unlimited().holds());
    }
}
