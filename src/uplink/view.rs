//! The host as far as an uplink is concerned, as plain data.

use super::settings;
use crate::sys::ovsdb::vswitch::OvsUplinkFacts;
use crate::sys::rtnl::{BridgePolicy, LinkFacts, NicState, RawNeighbour, RawRule};

/// A device by index and name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Device {
    /// Its index.
    pub ifindex: u32,
    /// Its primary name.
    pub name: String,
}

/// A device with all that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceView {
    /// What the kernel says of it.
    pub link: LinkFacts,
    /// What it has.
    pub state: NicState,
    /// For each of its routes, whether the kernel uses that one before others
    /// for the same destination.
    pub leading: Vec<bool>,
    /// Neighbours that it knows, written down or learned.
    pub neighbours: Vec<RawNeighbour>,
}

impl DeviceView {
    /// Index and name.
    pub fn device(&self) -> Device {
        Device {
            ifindex: self.link.ifindex,
            name: self.link.name.clone(),
        }
    }

    /// Whether the kernel itself makes IPv6 addresses and routes on it from what
    /// routers advertise (Documentation/networking/ip-sysctl.rst, accept_ra).
    pub fn accepts_advertisements(&self) -> bool {
        accepts_advertisements(&self.state)
    }
}

/// The same of a state that was kept.
pub fn accepts_advertisements(state: &NicState) -> bool {
    match settings::value(state, true, "accept_ra") {
        Some("2") => true,
        Some("1") => settings::value(state, true, "forwarding") == Some("0"),
        Some(_) | None => false,
    }
}

/// What goes by the bridge's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BridgeView {
    /// Nothing: it is to be made, with this index.
    Missing {
        /// The index that it shall have.
        ifindex: u32,
        /// Open vSwitch is installed and does not answer, so it may be its.
        may_be_ovs: bool,
    },
    /// A bridge of Linux.
    Linux {
        /// What it has.
        view: Box<DeviceView>,
        /// What it does with a new port.
        policy: BridgePolicy,
        /// The ports that it has.
        ports: Vec<LinkFacts>,
    },
    /// A bridge of Open vSwitch, whose local port has the addresses.
    Ovs {
        /// What the local port has.
        view: Box<DeviceView>,
        /// What the database says of it.
        facts: OvsUplinkFacts,
        /// Ports that lead out of the host.
        uplinks: Vec<String>,
    },
    /// Something else.
    Other {
        /// What the kernel says of it.
        link: Box<LinkFacts>,
    },
}

/// The VLAN device that is to be the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VlanView {
    /// It is to be made, with this index and name.
    Missing(Device),
    /// It is there.
    There(Box<DeviceView>),
    /// The name is taken by something else.
    Taken {
        /// The name.
        name: String,
    },
}

/// Who is in the way of a NIC's becoming a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its name, and what it is.
    pub what: String,
}

/// Everything that `uplink add` looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The NIC that was named.
    pub nic: DeviceView,
    /// Whether it is a Wi-Fi device.
    pub is_wifi: bool,
    /// What is in the way on it.
    pub holders: Vec<Holder>,
    /// The VLAN device, where one is wanted.
    pub vlan: Option<VlanView>,
    /// NICs that are to be bonded with it.
    pub others: Vec<DeviceView>,
    /// What goes by the bridge's name.
    pub bridge: BridgeView,
    /// The index that a bond shall have.
    pub bond_ifindex: u32,
    /// Every policy rule.
    pub rules: Vec<RawRule>,
    /// Programs that own the NIC.
    pub owners: Vec<super::owner::Owner>,
}

/// What going back looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackView {
    /// The NIC, if it is still there.
    pub nic: Option<DeviceView>,
    /// NICs that were bonded with it, those that are there.
    pub others: Vec<DeviceView>,
    /// The bridge, if it is still there.
    pub bridge: Option<DeviceView>,
    /// Its ports.
    pub ports: Vec<LinkFacts>,
    /// The VLAN device or the bond, if it was ours and is there.
    pub made_port: Option<LinkFacts>,
    /// Every policy rule.
    pub rules: Vec<RawRule>,
}
