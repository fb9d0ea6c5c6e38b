//! The clock that records are kept by.

use nix::time::{ClockId, clock_gettime};

/// Seconds since boot, which go on while the machine sleeps.
pub fn seconds_since_boot() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map(|time| time.tv_sec())
        .unwrap_or(0);
    u64::try_from(now).unwrap_or(0)
}
