//! The steps of moving a NIC's place to a bridge, and back.
//!
//! Each can be run again without harm, because going back starts from wherever
//! a run was stopped. `Display` is the line of `--dry-run` and of a report.

use std::fmt;
use std::net::IpAddr;

use super::view::Device;
use super::wanted::BondMode;
use crate::request::VlanId;
use crate::sys::rtnl::{RawAddress, RawNeighbour, RawNexthop, RawRoute, RawRule, Setting};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Makes a bridge, down, without spanning tree.
    CreateBridge {
        /// The bridge.
        bridge: Device,
        /// The hardware address that it shall have.
        mac: [u8; 6],
        /// Its MTU in bytes.
        mtu: u32,
    },
    /// Makes a VLAN device.
    CreateVlan {
        /// The device.
        port: Device,
        /// The device below.
        parent: Device,
        /// The VLAN.
        vlan: VlanId,
        /// The hardware address, which is that of the device below.
        mac: [u8; 6],
        /// MTU in bytes.
        mtu: u32,
    },
    /// Makes a bond without members.
    CreateBond {
        /// The bond.
        bond: Device,
        /// How its members share the work.
        mode: BondMode,
        /// The hardware address that it shall have.
        mac: [u8; 6],
        /// MTU in bytes.
        mtu: u32,
    },
    /// Writes settings below /proc/sys/net.
    Settings {
        /// The device.
        device: Device,
        /// The settings; those that are so already are left alone.
        settings: Vec<Setting>,
    },
    /// Sets a hardware address.
    SetMac {
        /// The device.
        device: Device,
        /// The address.
        mac: [u8; 6],
    },
    /// Brings a device up.
    Raise(Device),
    /// Takes a device down.
    Lower(Device),
    /// Gives a device an address.
    PutAddress {
        /// The device.
        device: Device,
        /// The address, for that device.
        address: RawAddress,
    },
    /// Takes an address from a device.
    DropAddress {
        /// The device.
        device: Device,
        /// The address, as it has it.
        address: RawAddress,
    },
    /// Makes a device a port of a bridge, or a member of a bond.
    Join {
        /// The device.
        port: Device,
        /// The bridge or bond.
        to: Device,
    },
    /// Tells the database of Open vSwitch something.
    Ovs(OvsStep),
    /// Takes a port from its bridge or bond.
    Leave {
        /// The device.
        port: Device,
        /// The bridge or bond.
        from: Device,
    },
    /// Waits until a device has a carrier.
    AwaitCarrier(Device),
    /// Waits until a device takes packets for addresses of IPv6.
    AwaitAddresses {
        /// The device.
        device: Device,
        /// The addresses.
        addresses: Vec<IpAddr>,
    },
    /// Tells a device what neighbours are known, so that nobody has to ask.
    PutNeighbours {
        /// The device.
        device: Device,
        /// The neighbours, for that device.
        neighbours: Vec<RawNeighbour>,
    },
    /// Makes a device forget neighbours.
    DropNeighbours {
        /// The device.
        device: Device,
        /// The neighbours, as it has them.
        neighbours: Vec<RawNeighbour>,
    },
    /// Makes a nexthop object lead out of another device, with all its routes.
    PutNexthop {
        /// The device.
        device: Device,
        /// The object, for that device.
        nexthop: RawNexthop,
    },
    /// Puts a route out of one device in the place of one out of another.
    MoveRoute {
        /// The route that goes.
        from: RawRoute,
        /// The route that comes.
        to: RawRoute,
        /// Where it leads out of from now on.
        device: Device,
        /// Whether the kernel uses it before others for the same destination.
        leads: bool,
    },
    /// Adds a route.
    PutRoute {
        /// Where it leads out of.
        device: Device,
        /// The route.
        route: RawRoute,
    },
    /// Deletes a route.
    DropRoute {
        /// Where it leads out of.
        device: Device,
        /// The route.
        route: RawRoute,
    },
    /// Deletes the routes that the kernel made for addresses of a device and
    /// that were not there before.
    TidyRoutes {
        /// The device.
        device: Device,
        /// Routes that stay.
        keep: Vec<RawRoute>,
        /// The addresses.
        addresses: Vec<RawAddress>,
    },
    /// Adds policy rules behind others of their priority.
    PutRules(Vec<RawRule>),
    /// Deletes the first policy rules that are like these.
    DropRules(Vec<RawRule>),
    /// Deletes a device.
    Delete(Device),
}

/// What the database of Open vSwitch is told. When a step ends, it is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OvsStep {
    /// Makes a device a port of a bridge.
    Join {
        /// The device.
        port: Device,
        /// The bridge.
        to: Device,
    },
    /// Takes a port out of a bridge.
    Leave {
        /// The device.
        port: Device,
        /// The bridge.
        from: Device,
    },
    /// Tells the local port of a bridge its hardware address.
    Address {
        /// The bridge.
        bridge: Device,
        /// The address; none lets `ovs-vswitchd` choose.
        hwaddr: Option<String>,
    },
}

impl fmt::Display for OvsStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Join { port, to } => write!(f, "make {port} a port of {to}"),
            Self::Leave { port, from } => write!(f, "take {port} out of {from}"),
            Self::Address { bridge, hwaddr } => match hwaddr {
                Some(hwaddr) => write!(f, "give {bridge} the hardware address {hwaddr}"),
                None => write!(f, "leave the hardware address of {bridge} open"),
            },
        }
    }
}

impl Step {
    /// Whether the change goes on without it when it is refused: what it would
    /// do happens by itself, a little later.
    pub fn is_dispensable(&self) -> bool {
        if let Self::PutNeighbours { neighbours, .. } = self {
            return !neighbours.iter().any(RawNeighbour::is_permanent);
        }
        matches!(self, Self::DropNeighbours { .. })
    }
}

/// A hardware address as text.
pub(super) struct Mac(pub(super) [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn listed<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    for (place, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if place > 0 { "; " } else { "" })?;
    }
    Ok(())
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateBridge { bridge, mac, mtu } => {
                write!(
                    f,
                    "make the bridge {bridge} with {} and MTU {mtu}, without spanning tree",
                    Mac(*mac)
                )
            }
            Self::CreateVlan {
                port, parent, vlan, ..
            } => {
                write!(f, "make {port} for VLAN {} of {parent}", vlan.get())
            }
            Self::CreateBond {
                bond, mode, mac, ..
            } => {
                write!(f, "make the bond {bond} of mode {mode} with {}", Mac(*mac))
            }
            Self::Settings { device, settings } => match settings.as_slice() {
                [one] => write!(f, "set {} of {device} to {}", one.leaf, one.value),
                several => write!(f, "give {device} {} settings of the NIC", several.len()),
            },
            Self::SetMac { device, mac } => {
                write!(f, "give {device} the hardware address {}", Mac(*mac))
            }
            Self::Raise(device) => write!(f, "bring {device} up"),
            Self::Lower(device) => write!(f, "take {device} down"),
            Self::PutAddress { device, address } => write!(f, "give {device} {address}"),
            Self::DropAddress { device, address } => write!(f, "take {address} from {device}"),
            Self::Join { port, to } => write!(f, "make {port} a port of {to}"),
            Self::Ovs(step) => write!(f, "{step} in the database of Open vSwitch"),
            Self::Leave { port, from } => write!(f, "take {port} out of {from}"),
            Self::AwaitCarrier(device) => write!(f, "wait for the carrier of {device}"),
            Self::AwaitAddresses { device, .. } => {
                write!(
                    f,
                    "wait until {device} takes packets for its addresses of IPv6"
                )
            }
            Self::PutNeighbours { device, neighbours } => {
                write!(f, "tell {device} the neighbours ")?;
                listed(f, neighbours)
            }
            Self::DropNeighbours { device, neighbours } => {
                write!(f, "let {device} forget the neighbours ")?;
                listed(f, neighbours)
            }
            Self::PutNexthop { device, nexthop } => {
                write!(f, "lead nexthop {nexthop} out of {device}")
            }
            Self::MoveRoute { to, device, .. } => write!(f, "move the route {to} to {device}"),
            Self::PutRoute { device, route } => write!(f, "add the route {route} by {device}"),
            Self::DropRoute { device, route } => write!(f, "delete the route {route} by {device}"),
            Self::TidyRoutes { device, .. } => {
                write!(f, "delete routes by {device} that the NIC did not have")
            }
            Self::PutRules(rules) => {
                f.write_str("add the rules ")?;
                listed(f, rules)
            }
            Self::DropRules(rules) => {
                f.write_str("delete the rules ")?;
                listed(f, rules)
            }
            Self::Delete(device) => write!(f, "delete {device}"),
        }
    }
}
