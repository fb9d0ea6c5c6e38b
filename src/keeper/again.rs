//! What could not be done yet: when it is tried again, the later the more often it
//! has failed.

use std::time::Duration;

use crate::dhcp::v4::Now;

/// How long after the first failure; doubled each time, to a quarter of an hour.
const FIRST: Duration = Duration::from_secs(1);
const MOST_DOUBLED: u32 = 10;

/// When something is tried again that is owed; whether anything is, others know.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Again {
    at: Now,
    failures: u32,
}

impl Again {
    /// The next time; at once where it has not failed yet.
    pub(super) fn at(self) -> Now {
        self.at
    }

    /// What it is after a try at `now`.
    pub(super) fn after<T, E>(self, tried: &Result<T, E>, now: Now) -> Self {
        match tried {
            Ok(_) => Self::default(),
            Err(_) => Self {
                at: now + FIRST * (1 << self.failures.min(MOST_DOUBLED)),
                failures: self.failures + 1,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_tried_again_with_growing_patience() {
        let mut again = Again::default();
        let mut waits = Vec::new();
        for _ in 0..40 {
            again = again.after(&Err::<(), ()>(()), Now::ZERO);
            waits.push(again.at().as_secs());
        }
        assert_eq!(waits[..4], [1, 2, 4, 8]);
        assert_eq!(waits[10..], [1024; 30]);
        again = again.after(&Ok::<(), ()>(()), Now::from_secs(9));
        again = again.after(&Err::<(), ()>(()), Now::from_secs(9));
        assert_eq!(again.at().as_secs(), 10);
    }
}
