//! The states of RFC 2131 figure 5, each with what it knows.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Now;
use crate::dhcp::lease::Lease;

/// A lease with the points in time that follow from when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The lease.
    pub lease: Lease,
    /// When the REQUEST was sent that brought it: its times count from there
    /// (RFC 2131 §4.4.5).
    pub since: Duration,
}

/// Where the client is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields say what the RFC says")]
pub enum State {
    /// Nothing is known; a DISCOVER goes out at `until`.
    Init { until: Now },
    /// A lease is remembered, and nobody was asked yet.
    InitReboot { address: Ipv4Addr },
    /// A DISCOVER is out.
    Selecting {
        xid: u32,
        tries: u32,
        again_at: Now,
        /// An OFFER of another address than the one that is wanted, and until
        /// when a better one is waited for.
        candidate: Option<(Lease, Now)>,
    },
    /// A REQUEST for an offer is out.
    Requesting {
        xid: u32,
        tries: u32,
        again_at: Now,
        sent_at: Now,
        offer: Lease,
    },
    /// A REQUEST for a remembered lease is out; one that is in use meanwhile
    /// is in `keeps`.
    Rebooting {
        xid: u32,
        tries: u32,
        again_at: Now,
        sent_at: Now,
        address: Ipv4Addr,
        keeps: Option<Bound>,
    },
    /// The lease is given, and it is found out whether another host has the
    /// address (RFC 2131 §4.4.1).
    Probing { bound: Bound },
    /// The lease holds.
    Bound(Bound),
    /// T1 has passed; its server is asked.
    Renewing {
        bound: Bound,
        xid: u32,
        again_at: Now,
        sent_at: Now,
    },
    /// T2 has passed; any server is asked.
    Rebinding {
        bound: Bound,
        xid: u32,
        again_at: Now,
        sent_at: Now,
    },
    /// The lease was given back, and nothing more happens.
    Released,
}

impl Bound {
    /// A lease that was asked for at `since`.
    pub fn new(lease: Lease, since: Now) -> Self {
        Self { lease, since }
    }

    fn at(&self, secs: impl Fn(&crate::dhcp::lease::Times) -> u32) -> Option<Now> {
        let times = self.lease.times.as_ref()?;
        Some(self.since + Duration::from_secs(secs(times).into()))
    }

    /// T1; `None` when the lease is for ever.
    pub fn renews_at(&self) -> Option<Now> {
        self.at(|times| times.renewal)
    }

    /// T2.
    pub fn rebinds_at(&self) -> Option<Now> {
        self.at(|times| times.rebinding)
    }

    /// When the address must not be used any more.
    pub fn ends_at(&self) -> Option<Now> {
        self.at(|times| times.lease)
    }
}

impl State {
    /// The transaction that answers belong to.
    pub fn xid(&self) -> Option<u32> {
        match self {
            Self::Selecting { xid, .. }
            | Self::Requesting { xid, .. }
            | Self::Rebooting { xid, .. }
            | Self::Renewing { xid, .. }
            | Self::Rebinding { xid, .. } => Some(*xid),
            Self::Init { .. }
            | Self::InitReboot { .. }
            | Self::Probing { .. }
            | Self::Bound(_)
            | Self::Released => None,
        }
    }

    /// The lease that is in use.
    pub fn in_use(&self) -> Option<&Bound> {
        match self {
            Self::Bound(bound)
            | Self::Renewing { bound, .. }
            | Self::Rebinding { bound, .. }
            | Self::Rebooting {
                keeps: Some(bound), ..
            } => Some(bound),
            Self::Init { .. }
            | Self::InitReboot { .. }
            | Self::Selecting { .. }
            | Self::Requesting { .. }
            | Self::Rebooting { keeps: None, .. }
            | Self::Probing { .. }
            | Self::Released => None,
        }
    }

    /// When the machine has to be woken.
    pub(super) fn wakes_at(&self) -> Option<Now> {
        let earlier = |one: Now, other: Option<Now>| other.map_or(one, |other| one.min(other));
        match self {
            Self::Init { until } => Some(*until),
            Self::Selecting {
                again_at,
                candidate,
                ..
            } => Some(earlier(
                *again_at,
                candidate.as_ref().map(|(_, until)| *until),
            )),
            Self::Requesting { again_at, .. } => Some(*again_at),
            Self::Rebooting {
                again_at, keeps, ..
            } => Some(earlier(*again_at, keeps.as_ref().and_then(Bound::ends_at))),
            // A probe that nobody reports on must not outlive the lease.
            Self::Probing { bound } => bound.ends_at(),
            Self::Bound(bound) => bound.renews_at(),
            Self::Renewing {
                bound, again_at, ..
            } => Some(earlier(*again_at, bound.rebinds_at())),
            Self::Rebinding {
                bound, again_at, ..
            } => Some(earlier(*again_at, bound.ends_at())),
            Self::InitReboot { .. } | Self::Released => None,
        }
    }
}
