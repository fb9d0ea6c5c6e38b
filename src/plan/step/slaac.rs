//! Steps by which an interface gets its addresses from what routers advertise.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::request::IfName;

/// One of these steps. What the kernel makes of them goes with the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlaacStep {
    /// Listen before the interface is up: a router answers at once, and then
    /// not again for a while.
    Listen {
        /// Its index.
        ifindex: u32,
        /// Its name.
        ifname: IfName,
    },
    /// Wait until it has an address that can be used.
    Await {
        /// Its index.
        ifindex: u32,
        /// Its name.
        ifname: IfName,
        /// The addresses that it has of us.
        given: Vec<IpAddr>,
        /// How long at most.
        time: Duration,
    },
}

impl fmt::Display for SlaacStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { ifname, .. } => write!(f, "listening to the routers of {ifname}"),
            Self::Await { ifname, time, .. } => write!(
                f,
                "waiting for an address of {ifname} from a router, for {} s at most",
                time.as_secs_f32()
            ),
        }
    }
}
