//! Where the client is, by the message of RFC 8415 that it has out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lease::{FOREVER, Information, Lease};
use super::{Now, Pace};

/// A lease with the points in time that follow from when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The lease.
    pub lease: Lease,
    /// When the message was sent that brought it. Servers count from a little
    /// later (RFC 8415 §7.7), so that we are the one who stops first.
    pub since: Duration,
}

/// A message that is out, sent again until it is answered (RFC 8415 §15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The transaction, the same for every repetition.
    pub xid: u32,
    /// When it was sent first.
    pub began: Now,
    /// When it was sent last.
    pub sent_at: Now,
    /// How often it was sent.
    pub sent: u32,
    /// The last wait, RT.
    pub wait: Duration,
    /// When it is sent again.
    pub again_at: Now,
}

/// Where the client is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields say what the RFC says")]
pub enum State {
    /// Nothing is known; a Solicit, or an Information-request, goes out at
    /// `until`.
    Idle { until: Now },
    /// A lease is remembered, and nobody was asked yet.
    Remembering { bound: Bound },
    /// Servers are looked for.
    Soliciting {
        exchange: Exchange,
        /// The best Advertise so far with its preference, and until when a better one is
        /// waited for.
        best: Option<(Lease, u8, Now)>,
    },
    /// A Request for an offer is out. What is in use meanwhile is in `keeps`.
    Requesting {
        exchange: Exchange,
        offer: Lease,
        keeps: Option<Bound>,
    },
    /// It is asked whether the address still suits the link (RFC 8415
    /// §18.2.3). It is in use meanwhile if `in_use`.
    Confirming {
        exchange: Exchange,
        bound: Bound,
        in_use: bool,
    },
    /// The lease holds.
    Bound(Bound),
    /// T1 has passed; its server is asked.
    Renewing { exchange: Exchange, bound: Bound },
    /// T2 has passed; any server is asked.
    Rebinding { exchange: Exchange, bound: Bound },
    /// Another host has the address; its server is told.
    Declining { exchange: Exchange, lease: Lease },
    /// The lease is given back.
    Releasing { exchange: Exchange, lease: Lease },
    /// It is asked for everything but an address.
    Informing {
        exchange: Exchange,
        /// What was said before.
        keeps: Option<Information>,
    },
    /// What was said holds until then.
    Informed {
        information: Information,
        until: Now,
    },
    /// The lease was given back, and nothing more happens.
    Released,
}

impl Bound {
    /// A lease that was asked for at `since`.
    pub fn new(lease: Lease, since: Now) -> Self {
        Self { lease, since }
    }

    fn at(&self, secs: u32) -> Option<Now> {
        (secs != FOREVER).then(|| self.since + Duration::from_secs(secs.into()))
    }

    /// T1; `None` when the server is never asked.
    pub fn renews_at(&self) -> Option<Now> {
        self.at(self.lease.times.renewal)
    }

    /// T2.
    pub fn rebinds_at(&self) -> Option<Now> {
        self.at(self.lease.times.rebinding)
    }

    /// When the address must not be used any more.
    pub fn ends_at(&self) -> Option<Now> {
        self.at(self.lease.times.valid)
    }
}

impl Exchange {
    /// Whether its message was sent as often, or is out for as long, as
    /// `pace` allows.
    pub(super) fn is_over(&self, pace: &Pace, now: Now) -> bool {
        let is_long = pace.duration.is_some_and(|most| self.began + most <= now);
        is_long || pace.count.is_some_and(|most| self.sent >= most)
    }
}

fn earlier(one: Now, other: Option<Now>) -> Now {
    other.map_or(one, |other| one.min(other))
}

impl State {
    /// The exchange that answers belong to.
    pub(super) fn exchange(&self) -> Option<&Exchange> {
        match self {
            Self::Soliciting { exchange, .. }
            | Self::Requesting { exchange, .. }
            | Self::Confirming { exchange, .. }
            | Self::Renewing { exchange, .. }
            | Self::Rebinding { exchange, .. }
            | Self::Declining { exchange, .. }
            | Self::Releasing { exchange, .. }
            | Self::Informing { exchange, .. } => Some(exchange),
            Self::Idle { .. }
            | Self::Remembering { .. }
            | Self::Bound(_)
            | Self::Informed { .. }
            | Self::Released => None,
        }
    }

    /// The lease that is in use.
    pub fn in_use(&self) -> Option<&Bound> {
        match self {
            Self::Bound(bound)
            | Self::Renewing { bound, .. }
            | Self::Rebinding { bound, .. }
            | Self::Confirming {
                bound,
                in_use: true,
                ..
            }
            | Self::Requesting {
                keeps: Some(bound), ..
            } => Some(bound),
            Self::Idle { .. }
            | Self::Remembering { .. }
            | Self::Soliciting { .. }
            | Self::Requesting { keeps: None, .. }
            | Self::Confirming { in_use: false, .. }
            | Self::Declining { .. }
            | Self::Releasing { .. }
            | Self::Informing { .. }
            | Self::Informed { .. }
            | Self::Released => None,
        }
    }

    /// What servers said beside addresses.
    pub fn information(&self) -> Option<&Information> {
        match self {
            Self::Informed { information, .. }
            | Self::Informing {
                keeps: Some(information),
                ..
            } => Some(information),
            Self::Idle { .. }
            | Self::Remembering { .. }
            | Self::Soliciting { .. }
            | Self::Requesting { .. }
            | Self::Confirming { .. }
            | Self::Bound(_)
            | Self::Renewing { .. }
            | Self::Rebinding { .. }
            | Self::Declining { .. }
            | Self::Releasing { .. }
            | Self::Informing { keeps: None, .. }
            | Self::Released => self.in_use().map(|bound| &bound.lease.information),
        }
    }

    /// When the machine has to be woken.
    pub(super) fn wakes_at(&self) -> Option<Now> {
        match self {
            Self::Idle { until } | Self::Informed { until, .. } => Some(*until),
            Self::Soliciting { exchange, best } => {
                let until = best.as_ref().map(|(_, _, until)| *until);
                Some(earlier(exchange.again_at, until))
            }
            Self::Requesting {
                exchange, keeps, ..
            } => Some(earlier(
                exchange.again_at,
                keeps.as_ref().and_then(Bound::ends_at),
            )),
            Self::Confirming {
                exchange, bound, ..
            }
            | Self::Rebinding { exchange, bound } => {
                Some(earlier(exchange.again_at, bound.ends_at()))
            }
            Self::Renewing { exchange, bound } => {
                Some(earlier(exchange.again_at, bound.rebinds_at()))
            }
            Self::Bound(bound) => bound.renews_at().or_else(|| bound.ends_at()),
            Self::Declining { exchange, .. }
            | Self::Releasing { exchange, .. }
            | Self::Informing { exchange, .. } => Some(exchange.again_at),
            Self::Remembering { .. } | Self::Released => None,
        }
    }
}
