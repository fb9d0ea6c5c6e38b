//! Leases of DHCPv6 that are remembered over restarts and reboots, beside those
//! of IPv4 (`remembered`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::remembered::{Identity, keep, read, remembered_path};
use super::store::{Store, remove};
use super::{RecordError, VERSION};
use crate::dhcp::v6::lease::Lease;
use crate::dhcp::v6::{self, Bound};

/// What they are told by from others.
const FAMILY: &str = "lease6";

/// A lease of a former life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered6 {
    /// Version of this file.
    pub version: u32,
    /// Whose it was.
    pub identity: Identity,
    /// The lease.
    pub lease: Lease,
    /// When it ends, in seconds since 1970; `None` is never. The clock that
    /// counts from a boot does not survive the next one.
    pub ends: Option<u64>,
}

impl Remembered6 {
    /// A lease as it is remembered at `now`, in seconds since 1970. One that is
    /// given back at the end is but a wish afterwards.
    pub fn of(
        bound: &Bound,
        identity: Identity,
        is_given_back: bool,
        (now, since_boot): (u64, Duration),
    ) -> Self {
        let left = bound.ends_at().map(|end| end.saturating_sub(since_boot));
        let ends = left.map(|left| now + left.as_secs());
        Self {
            version: VERSION,
            identity,
            lease: bound.lease.clone(),
            ends: if is_given_back { Some(0) } else { ends },
        }
    }

    /// What the client may make of it.
    pub fn for_client(&self, now: u64, since_boot: Duration) -> v6::Remembered {
        match self.as_bound(now, since_boot) {
            Some(bound) => v6::Remembered::Holds(bound),
            None => v6::Remembered::Ended(self.lease.address),
        }
    }

    /// The same lease with the time that is left of it at `now`, counted from
    /// `since_boot`: the machine may run for a shorter time than the lease.
    /// `None` when it has ended.
    pub fn as_bound(&self, now: u64, since_boot: Duration) -> Option<Bound> {
        if self.ends.is_some_and(|ends| ends <= now) {
            return None;
        }
        let valid = u64::from(self.lease.times.valid);
        let passed = match self.ends {
            None => 0,
            Some(ends) => valid.saturating_sub(ends.saturating_sub(now)),
        };
        let rest = self.lease.aged(Duration::from_secs(passed))?;
        Some(Bound::new(rest, since_boot))
    }
}

impl Store {
    /// Remembers a lease for the next start.
    pub fn remember_lease6(&self, lease: &Remembered6) -> Result<(), RecordError> {
        keep(&remembered_path(FAMILY, &lease.identity), lease)
    }

    /// The last lease of an interface.
    pub fn remembered_lease6(
        &self,
        identity: &Identity,
    ) -> Result<Option<Remembered6>, RecordError> {
        let found: Option<Remembered6> = read(&remembered_path(FAMILY, identity))?;
        let is_ours = |found: &Remembered6| found.version <= VERSION;
        Ok(found.filter(|found| is_ours(found) && found.identity == *identity))
    }

    /// Forgets the last lease of an interface: its server refused it, or has it
    /// back.
    pub fn forget_remembered6(&self, identity: &Identity) -> Result<(), RecordError> {
        remove(&remembered_path(FAMILY, identity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::v6::lease::{FOREVER, Information, Times};

    fn identity() -> Identity {
        Identity {
            engine: "oci".to_owned(),
            name: "web".to_owned(),
            ifname: "eth1".parse().unwrap(),
        }
    }

    fn bound(valid: u32, since: u64) -> Bound {
        let lease = Lease {
            address: "fd00::5".parse().unwrap(),
            server: vec![0, 3, 0, 1],
            unicast: None,
            times: Times {
                renewal: valid / 4,
                rebinding: valid / 2,
                preferred: valid / 2,
                valid,
            },
            information: Information::default(),
        };
        Bound::new(lease, Duration::from_secs(since))
    }

    fn remembered(valid: u32, is_given_back: bool) -> Remembered6 {
        // Given when the machine had run for 100 s, remembered 50 s later.
        let clocks = (10_000, Duration::from_secs(150));
        Remembered6::of(&bound(valid, 100), identity(), is_given_back, clocks)
    }

    #[test]
    fn what_is_left_of_a_lease_is_left_of_it_after_a_reboot() {
        // 600 s later, on a machine that has run for 30 s.
        let after = remembered(3600, false).as_bound(10_600, Duration::from_secs(30));
        let after = after.unwrap();
        assert_eq!(after.ends_at(), Some(Duration::from_secs(30 + 3600 - 650)));
        assert_eq!(after.renews_at(), Some(Duration::from_secs(30 + 900 - 650)));
        let forever = remembered(FOREVER, false).as_bound(u64::MAX, Duration::ZERO);
        assert_eq!(forever.unwrap().ends_at(), None);
    }

    #[test]
    fn a_lease_that_has_ended_or_was_given_back_is_a_wish_and_no_more() {
        let wish = v6::Remembered::Ended("fd00::5".parse().unwrap());
        let over = remembered(3600, false).for_client(13_550, Duration::ZERO);
        assert_eq!(over, wish);
        let given_back = remembered(3600, true).for_client(10_000, Duration::ZERO);
        assert_eq!(given_back, wish);
    }
}
