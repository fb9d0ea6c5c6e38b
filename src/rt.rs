//! Links, addresses and routes as plain data: what rtnetlink(7) is told.
//!
//! `plan` makes these, `sys::rtnl` sends them, and records hold some of them.
//! Leaf types only, so that neither side needs the other.

mod claim;
mod files;
mod gate;
mod nic;
mod ovs;
mod port;
mod resolver;
mod unnamed;

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::request::{
    IfName, IpvlanMode, MacAddr, MacvlanMode, Mtu, NeighbourEntry, Selector, VlanId,
};

pub use port::{PortRole, PortVlans, UplinkPorts};

pub use claim::{Claim, Holder, Owner, PoolName};
pub use files::{ContainerFile, FilePlace};
pub use gate::{Gate, Guard, Hook, Ifb, PortFlags, Sources};
pub use nic::{IpoibChild, NicId, NicSetting, VfAddress, VfSettings, VfVlan, VlanChild};
pub use ovs::{OvsBridge, OvsOwner, OvsPort, OvsVlan};
pub use resolver::{Ended, Resolver, hosts_text, is_sealed, revised_hosts, revised_resolver};
pub use unnamed::{MayName, SOMEBODY, container, hide_all, hide_one};

/// A link, or one end of a veth pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkEnd {
    /// The index that it shall have; chosen beforehand, so that a record can
    /// name it before it exists.
    pub ifindex: u32,
    /// Its name.
    pub name: IfName,
    /// Its hardware address.
    pub mac: MacAddr,
    /// Its MTU.
    pub mtu: Mtu,
    /// Length of its transmit queue in packets; `None` means the kernel's.
    pub txqlen: Option<u32>,
}

/// A veth pair: one end on the host, the other in the container's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VethPair {
    /// The host's end.
    pub host: LinkEnd,
    /// The container's end.
    pub guest: LinkEnd,
}

/// A macvlan to be born in the container's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Macvlan {
    /// The device in the namespace.
    pub guest: LinkEnd,
    /// Index of the parent device.
    pub parent: u32,
    /// How children of the parent reach each other.
    pub mode: MacvlanMode,
}

/// An ipvlan to be born in the container's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipvlan {
    /// The device in the namespace; its MAC is the parent's.
    pub guest: LinkEnd,
    /// Index of the parent device.
    pub parent: u32,
    /// Where packets are switched: one mode for all children of the parent.
    pub mode: IpvlanMode,
}

/// The host's own child of a NIC, by which it reaches the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shim {
    /// The index that it shall have.
    pub ifindex: u32,
    /// Its name.
    pub name: IfName,
    /// Index of the NIC.
    pub parent: u32,
    /// Its hardware address; an ipvlan's is the NIC's.
    pub mac: MacAddr,
    /// What it is.
    pub kind: ShimKind,
}

/// What the host's own child of a NIC is: the same as the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShimKind {
    /// A macvlan in mode bridge.
    Macvlan,
    /// An ipvlan in this mode.
    Ipvlan(IpvlanMode),
}

/// A bridge without spanning tree and without forward delay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// The index that it shall have.
    pub ifindex: u32,
    /// Its name.
    pub name: IfName,
    /// Its hardware address. Set by us, it stays whatever ports come and go
    /// (`br_stp_recalculate_bridge_id`).
    pub mac: MacAddr,
    /// It sorts frames by VLAN from the beginning.
    pub vlan_filtering: bool,
}

/// A device for one VLAN of IEEE 802.1Q on a NIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VlanDevice {
    /// The index that it shall have.
    pub ifindex: u32,
    /// Its name.
    pub name: IfName,
    /// Index of the NIC.
    pub parent: u32,
    /// The tag.
    pub vlan: VlanId,
}

/// An address to be added to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Index of the device.
    pub ifindex: u32,
    /// The address with its prefix length.
    pub address: IpNet,
    /// IPv4's broadcast address, where the prefix has one.
    pub broadcast: Option<Ipv4Addr>,
    /// When the kernel takes it away by itself; `None` is never.
    pub lifetime: Option<Lifetime>,
}

/// How long an address holds (`struct ifa_cacheinfo`), in seconds from when the
/// kernel is told, 1 at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Until when it is used at all.
    pub valid: u32,
    /// Until when new connections use it, `valid` at most.
    pub preferred: u32,
}

/// A route out of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Index of the device.
    pub ifindex: u32,
    /// Where it leads; `0.0.0.0/0` or `::/0` for a default route.
    pub destination: IpNet,
    /// The next hop; without one the destination is on the link itself.
    pub via: Option<IpAddr>,
    /// Its metric; `None` means the kernel's default.
    pub metric: Option<u32>,
    /// The routing table; `None` means main.
    pub table: Option<u32>,
    /// The address that packets leave with.
    pub source: Option<IpAddr>,
    /// The next hop is on the link although no prefix says so.
    pub onlink: bool,
}

/// A rule that chooses a routing table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Which packets it is for.
    pub selector: Selector,
    /// True for IPv6's rules.
    pub v6: bool,
    /// The table.
    pub table: u32,
    /// Its place among the rules, the lowest first.
    pub priority: u32,
    /// Routes whose prefix is not longer than this are passed over.
    pub suppress_prefixlength: Option<u8>,
}

/// An entry in a device's neighbour table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Index of the device.
    pub ifindex: u32,
    /// The neighbour's address.
    pub address: IpAddr,
    /// What is known of it.
    pub entry: NeighbourEntry,
}
