//! What is known of the host and of the container's namespace, as plain data.
//!
//! Filled by `inspect`, read by `policy` and `plan`, which therefore never
//! touch the host. Nothing here grows with the number of containers.

mod files;
mod nic;
mod ovs;
mod vlan;

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::request::{IfName, MacAddr};

pub use files::{FileView, FilesView};
pub use nic::{BusyFunction, BusyFunctions, NicView, RadioView, VfView};
pub use ovs::{OvsView, may_be_made as ovs_may_be_made};
pub use vlan::{
    BridgePortView, BridgePortsView, BridgeVlanView, Grant, PortRole, PortsView, UplinkPorts,
    VlanDeviceView, VlanView,
};

/// The kind of a network device (`IFLA_INFO_KIND`, or what the kernel says
/// instead where a device has none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceKind {
    /// `bridge`.
    Bridge,
    /// `macvlan`.
    Macvlan,
    /// `vlan`, with its tag.
    Vlan(u16),
    /// An Ethernet device without a kind: a physical NIC or a VF.
    Nic,
    /// Any other kind, by the kernel's word; loopback is `loopback`,
    /// IPoIB is `infiniband`.
    Other(String),
}

impl DeviceKind {
    /// Whether it is an InfiniBand interface. Older kernels give it no kind of
    /// its own (`ipoib_link_ops`).
    pub fn is_infiniband(&self) -> bool {
        match self {
            Self::Other(word) => word == "infiniband" || word == "ipoib",
            Self::Bridge | Self::Macvlan | Self::Vlan(_) | Self::Nic => false,
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bridge => f.write_str("a bridge"),
            Self::Macvlan => f.write_str("a macvlan"),
            Self::Vlan(tag) => write!(f, "a VLAN device with tag {tag}"),
            Self::Nic => f.write_str("a NIC"),
            Self::Other(kind) => write!(f, "a {kind} device"),
        }
    }
}

/// A device of the host as it is now, after any alias was resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceView {
    /// The kernel's index.
    pub ifindex: u32,
    /// The primary name (`IFLA_IFNAME`), whatever name was asked for.
    pub name: IfName,
    /// What it is.
    pub kind: DeviceKind,
    /// Current hardware address, if it has an Ethernet one.
    pub mac: Option<MacAddr>,
    /// Permanent hardware address (`IFLA_PERM_ADDRESS`), if it has one.
    pub permanent_mac: Option<MacAddr>,
    /// MTU in bytes.
    pub mtu: u32,
    /// Administratively up (`IFF_UP`).
    pub up: bool,
    /// Has a carrier (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// Of a bridge: nobody set its hardware address and it has no port, so that
    /// it would take the first port's (its bridge id is zero).
    pub mac_is_loose: bool,
    /// The bridge or bond that it is a port of, by index.
    pub controller: Option<u32>,
    /// Every device below it (`IFLA_LINK`, followed to the end), nearest first.
    pub lower: Vec<LowerDevice>,
}

#[cfg(test)]
impl DeviceView {
    /// A device that is up, alone and of the usual MTU, with index 7.
    pub fn sample(name: &str, kind: DeviceKind) -> Self {
        Self {
            ifindex: 7,
            name: name.parse().expect("a name"),
            kind,
            mac: Some("52:54:00:00:00:02".parse().expect("a MAC")),
            permanent_mac: None,
            mtu: 1500,
            up: true,
            carrier: true,
            mac_is_loose: false,
            controller: None,
            lower: Vec::new(),
        }
    }
}

/// A device below another: eth0 below eth0.100.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LowerDevice {
    /// The kernel's index.
    pub ifindex: u32,
    /// Its primary name.
    pub name: IfName,
    /// What it is.
    pub kind: DeviceKind,
}

/// What one attachment's uplink turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UplinkView {
    /// A device that exists.
    Present(DeviceView),
    /// No device has that name.
    Absent,
}

/// What is known of one attachment's surroundings on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentView {
    /// What it is plugged into.
    pub uplink: UplinkView,
    /// What Open vSwitch says of it.
    pub ovs: OvsView,
    /// The device that is to be handed over, where one is.
    pub nic: Option<Box<NicView>>,
    /// Where a free virtual function was asked for: why there is none.
    pub busy: Option<BusyFunctions>,
    /// How its bridge treats VLANs, or what is there of the VLAN that it asks
    /// of a NIC.
    pub vlan: Option<VlanView>,
    /// What policy lets it do to the host; nothing until it was judged.
    pub grant: Grant,
    /// The host's own place on the uplink; looked up only where host and
    /// container shall reach each other by it.
    pub host_access: Option<HostAccessView>,
}

/// The host's own place on an uplink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAccessView {
    /// Its addresses on the uplink, or on the VLAN's device there, but for
    /// link-local ones, in the kernel's order.
    pub addresses: Vec<IpNet>,
    /// In a VLAN: the NIC's addresses of a family of which the VLAN's device
    /// has none.
    pub of_nic: Vec<IpNet>,
    /// What comes in by the uplink or the VLAN's device and would not go back by it is dropped
    /// (`rp_filter` 1, RFC 3704 §2.2); IPv4 only.
    pub strict_reverse_path: bool,
}

impl From<UplinkView> for AttachmentView {
    /// Without anything that only some kinds of uplink look at.
    fn from(uplink: UplinkView) -> Self {
        Self {
            uplink,
            ovs: OvsView::Unasked,
            nic: None,
            busy: None,
            vlan: None,
            grant: Grant::default(),
            host_access: None,
        }
    }
}

/// A default route that the container's namespace has already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultRouteView {
    /// Its family is that of the gateway; `None` without a gateway.
    pub gateway: Option<IpAddr>,
    /// True for IPv6.
    pub v6: bool,
    /// Its metric; 0 when the kernel names none.
    pub metric: u32,
    /// The device that it leaves by.
    pub oif: Option<u32>,
    /// The whole netlink payload, so that undo can put it back as it was.
    pub raw: Vec<u8>,
}

/// The container's namespace as it is before we change it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamespaceView {
    /// `lo` is up.
    pub loopback_up: bool,
    /// Asked interface names that are taken, each with a free one to suggest.
    pub taken: Vec<(IfName, IfName)>,
    /// The engine gives the container a network of its own behind us.
    pub engine_follows: bool,
    /// The engine connects the container to networks while it runs, and then
    /// wants to be alone with its default route.
    pub engine_connects: bool,
    /// Default routes in the main table; read only when a gateway is asked.
    pub defaults: Vec<DefaultRouteView>,
}

/// Everything that planning needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostView {
    /// One per attachment, in the same order.
    pub uplinks: Vec<AttachmentView>,
    /// The container's side.
    pub namespace: NamespaceView,
    /// Those of the asked addresses that the host itself has.
    pub own_addresses: Vec<IpNet>,
}

impl HostView {
    /// Enters what policy lets each attachment do to the host.
    pub fn enter(&mut self, grants: Vec<Grant>) {
        for (view, grant) in self.uplinks.iter_mut().zip(grants) {
            view.grant = grant;
        }
    }
}
