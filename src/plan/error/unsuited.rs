//! Fields that an uplink cannot have: what the annotations alone do not tell.

use crate::request::{IfName, Origin};

/// Fields that a port of a bridge has, and few other interfaces.
const OF_A_BRIDGE_PORT: [&str; 6] = [
    "hairpin",
    "hostif",
    "isolate",
    "spoofcheck",
    "trunk",
    "host-access",
];

/// A field that cannot be carried out on this uplink.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsuited {
    /// A field that says something about what the interface is not.
    #[error("{field} is not possible on {kind}: {why}")]
    Field {
        /// The field.
        field: &'static str,
        /// What the interface is.
        kind: &'static str,
        /// Why not.
        why: &'static str,
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
            Self::Field { origin, .. }
            | Self::NothingToReach { origin }
            | Self::NoHostAddress { origin, .. }
            | Self::StrictReversePath { origin, .. }
            | Self::NoMac { origin, .. } => origin,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Field { field, kind, .. } => {
                let is_of_a_port = OF_A_BRIDGE_PORT.contains(field) && !kind.contains("bridge");
                let or_plug = match is_of_a_port {
                    true => ", or plug the interface into a bridge: pipework.bridge=br0",
                    false => "",
                };
                format!("leave pipework.{field} out{or_plug}")
            }
            Self::NothingToReach { .. } => {
                "give the container an address: pipework.ip=10.0.0.5/24".to_owned()
            }
            Self::NoHostAddress { device, .. } => {
                format!("give the host one: ip address add ADDRESS/LENGTH dev {device}")
            }
            Self::StrictReversePath { device, .. } => format!(
                "sysctl -w net/ipv4/conf/{device}/rp_filter=2 (`default` in its place for a device that is \
                 still to be made), or use a macvlan: that of `all` counts as well"
            ),
            Self::NoMac { .. } => "give the name of an Ethernet device".to_owned(),
        }
    }
}
