//! Fields that an uplink cannot have: what the annotations alone do not tell.

use crate::request::{IfName, Origin};

/// A field that cannot be carried out on this uplink.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsuited {
    /// Host and container are on one bridge anyway.
    #[error("{bridge} is a bridge, which keeps host and container not apart")]
    HostAccessOnBridge {
        /// The bridge.
        bridge: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
    /// There is no address that the host could reach.
    #[error("the host can reach no container without an address")]
    NothingToReach {
        /// Where it was asked for.
        origin: Origin,
    },
    /// The host has no address that the container could answer.
    #[error("the host has no {family} address on {device} that the container could answer")]
    NoHostAddress {
        /// The uplink.
        device: IfName,
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// Where it was asked for.
        origin: Origin,
    },
    /// What ipvlan children send to the host comes in by the NIC, and would go
    /// back by the host's own child.
    #[error("{device} drops what would not go back by it (rp_filter 1)")]
    StrictReversePath {
        /// The uplink.
        device: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
    /// An ipvlan has its parent's MAC, and the parent has none of Ethernet.
    #[error("{device} has no Ethernet address that an ipvlan could share")]
    NoMac {
        /// The uplink.
        device: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
}

impl Unsuited {
    /// What the user wrote that cannot be done.
    pub fn origin(&self) -> &Origin {
        match self {
            Self::HostAccessOnBridge { origin, .. }
            | Self::NothingToReach { origin }
            | Self::NoHostAddress { origin, .. }
            | Self::StrictReversePath { origin, .. }
            | Self::NoMac { origin, .. } => origin,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::HostAccessOnBridge { bridge, .. } => {
                format!("leave it out: the host reaches the container by an address on {bridge}")
            }
            Self::NothingToReach { .. } => {
                "give the container an address: pipework.ip=10.0.0.5/24".to_owned()
            }
            Self::NoHostAddress { device, .. } => {
                format!("give the host one: ip address add ADDRESS/LENGTH dev {device}")
            }
            Self::StrictReversePath { device, .. } => format!(
                "sysctl -w net.ipv4.conf.{device}.rp_filter=2, or use a macvlan: \
                 both net.ipv4.conf.all.rp_filter and that of {device} count"
            ),
            Self::NoMac { .. } => "give the name of an Ethernet device".to_owned(),
        }
    }
}
