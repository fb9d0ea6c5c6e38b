//! What is there of the VLANs that are asked for, and what policy lets an
//! attachment do about them.

use super::DeviceView;
use crate::request::{IfName, VlanId, VlanSet};
pub use crate::rt::{PortRole, UplinkPorts};

/// What is there of the VLANs that one attachment asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VlanView {
    /// Its uplink is a NIC, which has a device for each VLAN.
    Device(VlanDeviceView),
    /// Its uplink is a bridge, which sorts frames by VLAN.
    Bridge(BridgeVlanView),
}

/// The device for the VLAN on the NIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VlanDeviceView {
    /// The name that we would give it.
    pub name: IfName,
    /// The device as it is, whatever its name; `None` when there is none.
    pub present: Option<DeviceView>,
    /// Something else that has the name.
    pub in_the_way: Option<DeviceView>,
}

/// How a bridge treats VLANs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeVlanView {
    /// Whether it filters by VLAN; `None` where this kernel's bridges cannot.
    pub filtering: Option<bool>,
    /// The VLAN that a new port is put into, untagged.
    pub default_pvid: Option<VlanId>,
    /// Its ports, as far as somebody had to look.
    pub ports: PortsView,
}

/// The ports of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortsView {
    /// Nobody looked.
    Unseen,
    /// As they are now.
    Seen(BridgePortsView),
    /// Others use these VLANs already: the uplink ports that were found then.
    Joined(Vec<IfName>),
}

/// The ports of a bridge, and what else decides whether it may filter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BridgePortsView {
    /// The ports.
    pub ports: Vec<BridgePortView>,
    /// The VLAN of the host's own untagged frames; `None`: they are dropped.
    pub own_pvid: Option<VlanId>,
    /// A VLAN device on the bridge itself, which takes tagged frames from it.
    pub vlan_device: Option<IfName>,
}

/// A port of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgePortView {
    /// Its index.
    pub ifindex: u32,
    /// Its name.
    pub name: IfName,
    /// What it is for.
    pub role: PortRole,
    /// The VLAN of its untagged frames; `None`: they are dropped.
    pub pvid: Option<VlanId>,
    /// The VLANs that it carries tagged.
    pub tagged: VlanSet,
}

/// What policy lets an attachment do to the host besides plugging in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// Switch VLAN filtering on for a bridge that does without.
    pub vlan_filtering: bool,
    /// Which ports of its bridge are told of its VLANs.
    pub uplink_ports: UplinkPorts,
}
