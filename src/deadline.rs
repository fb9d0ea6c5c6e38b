//! One deadline per run, below the timeout after which a runtime kills us.
//!
//! A killed hook cannot clean up, so we stop by ourselves in time for that.

use std::time::{Duration, Instant};

/// The moment at which a run must have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    total: Duration,
}

impl Deadline {
    /// A deadline `total` from now.
    pub fn after(total: Duration) -> Self {
        Self {
            at: Instant::now() + total,
            total,
        }
    }

    /// The same, or `time` from now if that is sooner.
    pub fn sooner(self, time: Duration) -> Self {
        let other = Self::after(time);
        if other.at < self.at { other } else { self }
    }

    /// The same, put off by `time`.
    pub fn later(self, time: Duration) -> Self {
        Self {
            at: self.at + time,
            total: self.total,
        }
    }

    /// What is left; zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub fn has_passed(self) -> bool {
        self.remaining().is_zero()
    }

    /// How long the run was allowed in all.
    pub fn total(self) -> Duration {
        self.total
    }
}
