//! Until when this process may write. Only the holder of the lease writes, and a lease runs out by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often a writer that waits looks again. It hardly ever waits: a process that lost its lease ends.
const LOOK: Duration = Duration::from_millis(50);

/// Permission to write, which runs out unless it is renewed. Clones are one permission.
#[derive(Clone, Debug)]
pub struct LeaderFence {
    // In milliseconds of the clock below.
    until: Arc<AtomicU64>,
}

impl LeaderFence {
    /// One that never runs out, for a process that shares its work with nobody.
    pub fn unlimited() -> Self {
        Self { until: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    /// One that has run out already.
    pub fn none() -> Self {
        Self { until: Arc::default() }
    }

    /// Extends it to a moment of [`boot_clock`].
    pub fn extend(&self, until: Duration) {
        self.until.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Ends it at once.
    pub fn revoke(&self) {
        self.until.store(0, Ordering::SeqCst);
    }

    /// Whether it holds now.
    pub fn holds(&self) -> bool {
        boot_clock().as_millis() < u128::from(self.until.load(Ordering::SeqCst))
    }

    /// Waits until it holds. What waits here has lost the lease or slept through it, and goes on only when the lease
    /// was won again.
    pub async fn held(&self) {
        while !self.holds() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Time since the machine started, the time that it was suspended included: a lease runs out while its holder sleeps.
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
    async fn a_writer_waits_until_the_permit_holds_and_no_longer_after_it_ran_out() {
        let fence = LeaderFence::none();
        let mut writer = Box::pin(fence.held());
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
