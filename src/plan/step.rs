//! One step of a plan, and what takes it back.
//!
//! A step is coarse: one netlink message where one suffices. Its `Display` is
//! the line of `pipework plan`, of the log and of an error report alike.

use std::fmt;

pub mod undo;

mod files;
mod lease;
mod nic;
mod ovs;
mod port;
mod routing;
mod slaac;
mod traffic;

use ipnet::IpNet;

use super::shared::{SharedObject, User};
use crate::request::{Family, IfName, MacAddr, Origin};
use crate::rt::{Address, Bridge, Claim, Ipvlan, LinkEnd, Macvlan, Route, VethPair};

pub use files::{FileStep, FileUndo};
pub use lease::{LeaseAsk, LeaseClient, LeaseStep};
pub use nic::{NicStep, NicUndo, Traveller};
pub use ovs::{OvsStep, OvsUndo};
pub use port::{PortStep, PortUndo};
pub use routing::{Probe, RoutingStep};
pub use slaac::SlaacStep;
pub use traffic::TrafficStep;
pub use undo::{Side, Undo};

/// A step with its place in the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStep {
    /// The interface that it belongs to, by its place in the plan; `None` for
    /// what concerns the whole sandbox.
    pub interface: Option<usize>,
    /// What to do.
    pub step: Step,
    /// What the user wrote that led to it.
    pub origin: Origin,
}

/// Something to be done in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Bring up `lo` in the container's namespace.
    RaiseLoopback,
    /// Make a bridge on the host.
    CreateBridge(Bridge),
    /// Tell a bridge that the MAC which it has is its own, so that it does not
    /// take that of its first port.
    KeepBridgeMac {
        /// Its index.
        ifindex: u32,
        /// Its name.
        name: IfName,
        /// Its present MAC.
        mac: MacAddr,
    },
    /// Bring up a device of the host that is down.
    RaiseParent {
        /// Its index.
        ifindex: u32,
        /// Its name.
        name: IfName,
    },
    /// Make a veth pair.
    CreateVeth(VethPair),
    /// Make a macvlan.
    CreateMacvlan {
        /// The device.
        macvlan: Macvlan,
        /// Name of its parent.
        parent: IfName,
    },
    /// Make an ipvlan.
    CreateIpvlan {
        /// The device.
        ipvlan: Ipvlan,
        /// Name of its parent.
        parent: IfName,
    },
    /// Make a dummy.
    CreateDummy(LinkEnd),
    /// Give the host's end the text by which people and monitoring know it.
    SetAlias {
        /// Index of the host's end.
        ifindex: u32,
        /// Its name.
        name: IfName,
        /// The text.
        alias: String,
    },
    /// Make the host's end a port of the bridge, and bring it up.
    JoinBridge {
        /// Index of the host's end.
        ifindex: u32,
        /// Its name.
        name: IfName,
        /// Index of the bridge.
        bridge: u32,
        /// Its name.
        bridge_name: IfName,
    },
    /// Set a per-interface kernel setting in the container's namespace.
    SetSysctl {
        /// The interface.
        ifname: IfName,
        /// `ipv4` or `ipv6`.
        family: Family,
        /// The setting.
        leaf: &'static str,
        /// Its value.
        value: String,
        /// A kernel without it needs no setting: IPv6 may be compiled out.
        absent_is_fine: bool,
    },
    /// Bring the interface up.
    RaiseInterface {
        /// Its index.
        ifindex: u32,
        /// Its name.
        ifname: IfName,
        /// Name of the host's end, whose carrier is settled as well.
        host: Option<IfName>,
    },
    /// Add an address to the interface.
    AddAddress {
        /// The address.
        address: Address,
        /// The interface.
        ifname: IfName,
    },
    /// Add a route out of the interface.
    AddRoute {
        /// The route.
        route: Route,
        /// The interface.
        ifname: IfName,
        /// The route that it takes the place of, as the kernel told it.
        replaces: Option<Vec<u8>>,
    },
    /// Use an object that several attachments share, made if it is missing.
    Share {
        /// The object.
        object: SharedObject,
        /// Who uses it from now on.
        user: User,
    },
    /// Something about a port of a Linux bridge.
    Port(PortStep),
    /// A limit or a discipline of traffic.
    Traffic(TrafficStep),
    /// A rule, a neighbour or a check beside addresses and routes.
    Routing(RoutingStep),
    /// A device of the host that is handed over.
    Nic(NicStep),
    /// Something in the database of Open vSwitch.
    Ovs(OvsStep),
    /// A file by which the container finds names.
    File(FileStep),
    /// Something about addresses that routers advertise.
    Slaac(SlaacStep),
    /// A lease, or what it changes.
    Lease(LeaseStep),
    /// Hold an address against everybody else in its pool.
    Hold(Claim),
}

impl Step {
    /// What takes this step back; `None` where it goes with its link.
    pub fn undo(&self) -> Option<Undo> {
        match self {
            Self::RaiseLoopback => Some(Undo::LowerLoopback),
            Self::CreateBridge(bridge) => Some(Undo::DeleteBridge {
                ifindex: bridge.ifindex,
                name: bridge.name.to_string(),
            }),
            Self::CreateVeth(pair) => Some(Undo::DeleteLink {
                side: Side::Host,
                ifindex: pair.host.ifindex,
                name: pair.host.name.to_string(),
            }),
            Self::CreateMacvlan { macvlan, .. } => Some(Undo::DeleteLink {
                side: Side::Guest,
                ifindex: macvlan.guest.ifindex,
                name: macvlan.guest.name.to_string(),
            }),
            Self::CreateIpvlan {
                ipvlan: Ipvlan { guest, .. },
                ..
            }
            | Self::CreateDummy(guest) => Some(Undo::DeleteLink {
                side: Side::Guest,
                ifindex: guest.ifindex,
                name: guest.name.to_string(),
            }),
            Self::AddRoute {
                route,
                replaces: Some(former),
                ..
            } => Some(Undo::RestoreRoute {
                ours: route.clone(),
                former: former.clone(),
            }),
            Self::Share { object, user } => Some(Undo::Release {
                object: object.clone(),
                user: user.clone(),
            }),
            Self::Port(step) => step.undo(),
            Self::Traffic(step) => step.undo(),
            Self::Routing(step) => step.undo(),
            Self::Nic(step) => step.undo(),
            Self::Ovs(step) => step.undo(),
            Self::File(step) => Some(step.undo()),
            Self::Hold(claim) => Some(Undo::GiveBack(claim.clone())),
            Self::RaiseParent { ifindex, name } => Some(Undo::LowerParent {
                ifindex: *ifindex,
                name: name.to_string(),
            }),
            Self::Slaac(_)
            | Self::KeepBridgeMac { .. }
            | Self::SetAlias { .. }
            | Self::JoinBridge { .. }
            | Self::SetSysctl { .. }
            | Self::RaiseInterface { .. }
            | Self::AddAddress { .. }
            | Self::Lease(_)
            | Self::AddRoute { replaces: None, .. } => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RaiseLoopback => f.write_str("bringing up lo"),
            Self::CreateBridge(bridge) => write!(
                f,
                "making the bridge {} (STP off, forward delay 0{}, {})",
                bridge.name,
                if bridge.vlan_filtering {
                    ", VLAN filtering on"
                } else {
                    ""
                },
                bridge.mac
            ),
            Self::KeepBridgeMac { name, mac, .. } => {
                write!(f, "keeping {mac} as the MAC of {name}")
            }
            Self::RaiseParent { name, .. } => write!(f, "bringing up {name} on the host"),
            Self::CreateVeth(VethPair { host, guest }) => write!(
                f,
                "making {} ({}, MTU {}) with {} as its end on the host",
                guest.name, guest.mac, guest.mtu, host.name
            ),
            Self::JoinBridge {
                name, bridge_name, ..
            } => write!(f, "plugging {name} into {bridge_name}"),
            Self::CreateMacvlan { macvlan, parent } => write!(
                f,
                "making {} ({}, MTU {}), a macvlan in mode {} on {parent}",
                macvlan.guest.name, macvlan.guest.mac, macvlan.guest.mtu, macvlan.mode
            ),
            Self::CreateIpvlan { ipvlan, parent } => write!(
                f,
                "making {} (MTU {}), an ipvlan in mode {} on {parent}",
                ipvlan.guest.name, ipvlan.guest.mtu, ipvlan.mode
            ),
            Self::CreateDummy(LinkEnd { name, mac, mtu, .. }) => {
                write!(f, "making {name} ({mac}, MTU {mtu}), a dummy")
            }
            Self::SetAlias { name, alias, .. } => write!(f, "naming {name} {alias}"),
            Self::SetSysctl {
                ifname,
                family,
                leaf,
                value,
                ..
            } => {
                write!(f, "setting net.{family}.conf.{ifname}.{leaf} to {value}")
            }
            Self::RaiseInterface { ifname, .. } => write!(f, "bringing up {ifname}"),
            Self::AddAddress { address, ifname } => {
                write!(f, "adding {} to {ifname}", address.address)
            }
            Self::AddRoute {
                route,
                ifname,
                replaces,
            } => {
                write_route(f, route, ifname)?;
                if replaces.is_some() {
                    f.write_str(" in the place of the present one")?;
                }
                Ok(())
            }
            Self::Share { object, .. } => write!(f, "using {object}"),
            Self::Port(step) => step.fmt(f),
            Self::Traffic(step) => step.fmt(f),
            Self::Routing(step) => step.fmt(f),
            Self::Nic(step) => step.fmt(f),
            Self::Ovs(step) => step.fmt(f),
            Self::File(step) => step.fmt(f),
            Self::Slaac(step) => step.fmt(f),
            Self::Lease(step) => step.fmt(f),
            Self::Hold(claim) => write!(f, "holding {claim}"),
        }
    }
}

fn write_route(f: &mut fmt::Formatter<'_>, route: &Route, ifname: &IfName) -> fmt::Result {
    if route.destination.prefix_len() == 0 {
        f.write_str("adding the default route")?;
    } else {
        write!(f, "adding the route to {}", route.destination)?;
    }
    match (route.via, route.destination) {
        (Some(via), _) => write!(f, " via {via}")?,
        // Nothing else tells which one.
        (None, IpNet::V6(net)) if net.prefix_len() == 0 => f.write_str(" of IPv6")?,
        (None, IpNet::V4(net)) if net.prefix_len() == 0 => f.write_str(" of IPv4")?,
        (None, _) => {}
    }
    write!(f, " by {ifname}")?;
    if let Some(source) = route.source {
        write!(f, " from {source}")?;
    }
    if let Some(metric) = route.metric {
        write!(f, " with metric {metric}")?;
    }
    if let Some(table) = route.table {
        write!(f, " in table {table}")?;
    }
    if route.onlink {
        f.write_str(", next hop on the link")?;
    }
    Ok(())
}
