//! Objects of the host that several attachments use and that none of them
//! owns: a VLAN device on a NIC, the membership of an uplink port in a VLAN,
//! the host's way to its macvlan children.
//!
//! The first user makes one, the last one removes it. Its index follows from
//! what it is, so that two starts at the same time plan the same object, and a
//! record names it before it exists. Who uses it is a set, never a counter.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::LOWEST_INDEX;
use crate::request::{IfName, IpvlanMode, MacAddr, VlanId, VlanSet};
use crate::rt::{Neighbour, Route, Shim, UplinkPorts};

/// An object, with all that making it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "object", rename_all = "kebab-case")]
pub enum SharedObject {
    /// A VLAN device on a NIC.
    VlanDevice {
        /// Its index: [`index_of`] the parent's index and the tag.
        ifindex: u32,
        /// Its name.
        name: IfName,
        /// Index of the NIC.
        parent: u32,
        /// Name of the NIC.
        parent_name: IfName,
        /// The tag.
        vlan: VlanId,
    },
    /// The membership of a bridge's uplink ports in VLANs, tagged.
    Membership {
        /// Index of the bridge.
        bridge: u32,
        /// Name of the bridge.
        bridge_name: IfName,
        /// The VLANs.
        vlans: VlanSet,
        /// Which ports these are.
        ports: UplinkPorts,
    },
    /// The mode of all ipvlan children of one NIC. Nothing is made for it: it
    /// keeps those of another mode away, who would change it for all.
    IpvlanMode {
        /// Index of the NIC.
        parent: u32,
        /// Name of the NIC.
        parent_name: IfName,
        /// The mode.
        mode: IpvlanMode,
    },
    /// The host's own child of a NIC, by which it reaches the others.
    Shim {
        /// The device.
        shim: Shim,
        /// Name of the NIC.
        parent_name: IfName,
    },
    /// The host's route to one address of a container, by its own child of the
    /// NIC. Shared, because a container that has just died may not have been
    /// cleared away when the next one of that address starts.
    HostRoute {
        /// The route.
        route: Route,
        /// Whose MAC it leads to; `None` where none is asked for.
        neighbour: Option<Neighbour>,
        /// Name of the host's child.
        shim_name: IfName,
    },
}

/// What an object is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(pub String);

/// An attachment that uses an object, as a set holds it: the index that was
/// chosen for its interface and its MAC, which no two attachments share.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct User {
    /// Index of the interface in the container's namespace.
    pub ifindex: u32,
    /// Its MAC.
    pub mac: MacAddr,
}

/// The text names no user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a user of a shared object")]
pub struct NoUser;

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.ifindex, self.mac)
    }
}

impl FromStr for User {
    type Err = NoUser;

    fn from_str(text: &str) -> Result<Self, NoUser> {
        let (ifindex, mac) = text.split_once('-').ok_or(NoUser)?;
        Ok(Self {
            ifindex: u32::from_str_radix(ifindex, 16).map_err(|_| NoUser)?,
            mac: mac.parse().map_err(|_| NoUser)?,
        })
    }
}

impl SharedObject {
    /// What the object is known by: the same for everyone who plans it.
    pub fn key(&self) -> ObjectKey {
        match self {
            Self::VlanDevice { parent, vlan, .. } => ObjectKey(format!("vlan {parent} {vlan}")),
            Self::Membership {
                bridge,
                vlans,
                ports,
                ..
            } => ObjectKey(format!("membership {bridge} {vlans} {ports}")),
            Self::IpvlanMode { parent, .. } => ObjectKey(format!("ipvlan {parent}")),
            Self::Shim { shim, .. } => ObjectKey(format!("shim {}", shim.parent)),
            Self::HostRoute { route, .. } => ObjectKey(format!(
                "host route {} {}",
                route.ifindex, route.destination
            )),
        }
    }

    /// What is locked while users of the object come and go: the memberships of
    /// one bridge share their ports.
    pub fn lock_key(&self) -> ObjectKey {
        match self {
            Self::VlanDevice { .. }
            | Self::IpvlanMode { .. }
            | Self::Shim { .. }
            | Self::HostRoute { .. } => self.key(),
            Self::Membership { bridge, .. } => ObjectKey(format!("memberships {bridge}")),
        }
    }
}

impl fmt::Display for SharedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VlanDevice {
                name,
                parent_name,
                vlan,
                ..
            } => write!(f, "{name}, VLAN {vlan} of {parent_name}"),
            Self::Membership {
                bridge_name,
                vlans,
                ports,
                ..
            } => write!(f, "VLAN {vlans} at {ports} of {bridge_name}"),
            Self::IpvlanMode {
                parent_name, mode, ..
            } => write!(f, "mode {mode} for all ipvlan children of {parent_name}"),
            Self::Shim { shim, parent_name } => {
                write!(f, "{}, the host's own child of {parent_name}", shim.name)
            }
            Self::HostRoute {
                route, shim_name, ..
            } => {
                write!(
                    f,
                    "the host's route to {} by {shim_name}",
                    route.destination.addr()
                )?;
                match route.source {
                    Some(source) => write!(f, " from {source}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// The index of a shared link: a hash of what it is, not below
/// [`LOWEST_INDEX`].
pub fn index_of(kind: &str, parent: u32, number: u32) -> u32 {
    let mut hasher = Sha256::new();
    hasher.update(format!("pipework object {kind} {parent} {number}").as_bytes());
    let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
    // The kernel's indexes are positive numbers of 32 bits.
    const HIGHEST: u32 = i32::MAX as u32;
    LOWEST_INDEX + u32::from_ne_bytes([a, b, c, d]) % (HIGHEST - LOWEST_INDEX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_as_it_is_written() {
        let mac = MacAddr::local([2, 0, 0, 0, 0, 1]);
        let user = User {
            ifindex: 0xabcdef,
            mac,
        };
        assert_eq!(user.to_string().parse(), Ok(user));
        assert_eq!("x".parse::<User>(), Err(NoUser));
    }

    #[test]
    fn two_starts_plan_the_same_index_for_the_same_object() {
        assert_eq!(index_of("vlan", 3, 100), index_of("vlan", 3, 100));
        assert_ne!(index_of("vlan", 3, 100), index_of("vlan", 3, 101));
        assert!(index_of("vlan", 3, 100) >= LOWEST_INDEX);
    }
}
