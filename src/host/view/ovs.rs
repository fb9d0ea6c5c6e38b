//! What Open vSwitch says of an uplink, and whether the uplink is a bridge of
//! it.

use super::{AttachmentView, DeviceKind, DeviceView, UplinkView};
use crate::request::{Datapath, DeviceRef, IfName, Uplink};

/// What Open vSwitch says of an uplink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OvsView {
    /// Nobody asked: the device's kind says enough.
    Unasked,
    /// A bridge of that name is in its database.
    Bridge {
        /// Its datapath is the kernel's.
        in_kernel: bool,
    },
    /// None is.
    NoBridge {
        /// The datapath of one that we would make.
        datapath: Datapath,
    },
    /// It is not installed here.
    NotInstalled,
    /// It is installed, and its database does not answer.
    Silent {
        /// Why.
        reason: String,
    },
}

impl DeviceKind {
    /// The local port of an Open vSwitch bridge, or another internal port; one
    /// whose packets `ovs-vswitchd` itself switches is a tap device instead.
    pub fn is_open_vswitch(&self) -> bool {
        match self {
            Self::Other(kind) => kind == "openvswitch",
            Self::Bridge | Self::Macvlan | Self::Vlan(_) | Self::Nic => false,
        }
    }

    /// Whether it may be the local port of an Open vSwitch bridge.
    pub fn may_be_open_vswitch(&self) -> bool {
        match self {
            Self::Other(kind) => kind == "openvswitch" || kind == "tun",
            Self::Bridge | Self::Macvlan | Self::Vlan(_) | Self::Nic => false,
        }
    }
}

impl AttachmentView {
    /// The Open vSwitch bridge that `uplink` is or shall become, by its primary
    /// name; `None` when it is something else.
    pub fn ovs_bridge<'a>(&'a self, uplink: &'a Uplink) -> Option<&'a IfName> {
        let is_known = self.is_known_to_ovs();
        match (uplink, &self.uplink) {
            (Uplink::Ovs { .. }, UplinkView::Present(device)) => Some(&device.name),
            (Uplink::Ovs { bridge }, UplinkView::Absent) => Some(bridge),
            (Uplink::Bridge { .. }, UplinkView::Present(device)) => {
                named(device, is_known || device.kind.is_open_vswitch())
            }
            (Uplink::Link { .. }, UplinkView::Present(device)) => named(device, is_known),
            (
                Uplink::Bridge { device: name }
                | Uplink::Link {
                    device: DeviceRef::Name(name),
                    ..
                },
                UplinkView::Absent,
            ) => (is_known || may_be_made(name)).then_some(name),
            (
                Uplink::Link { .. }
                | Uplink::Macvlan { .. }
                | Uplink::Ipvlan { .. }
                | Uplink::Physical { .. }
                | Uplink::Dummy
                | Uplink::Ipoib { .. }
                | Uplink::Wifi { .. },
                _,
            ) => None,
        }
    }

    /// Its database has a bridge of that name.
    pub fn is_known_to_ovs(&self) -> bool {
        matches!(self.ovs, OvsView::Bridge { .. })
    }

    /// Of a bridge of Open vSwitch: whether the kernel switches its packets.
    pub fn ovs_in_kernel(&self) -> bool {
        match (&self.uplink, &self.ovs) {
            (UplinkView::Present(device), _) => device.kind.is_open_vswitch(),
            (UplinkView::Absent, OvsView::Bridge { in_kernel }) => *in_kernel,
            (UplinkView::Absent, OvsView::NoBridge { datapath }) => *datapath == Datapath::System,
            (
                UplinkView::Absent,
                OvsView::Unasked | OvsView::NotInstalled | OvsView::Silent { .. },
            ) => true,
        }
    }

    /// The datapath of the Open vSwitch bridge that has to be made first; `None`
    /// where it is there.
    pub fn ovs_to_make(&self) -> Option<Datapath> {
        match (&self.uplink, &self.ovs) {
            (UplinkView::Absent, OvsView::NoBridge { datapath }) => Some(*datapath),
            (UplinkView::Absent | UplinkView::Present(_), _) => None,
        }
    }
}

fn named(device: &DeviceView, is_it: bool) -> Option<&IfName> {
    is_it.then_some(&device.name)
}

/// pipework makes a missing bridge if its name says that it is one.
pub fn may_be_made(name: &IfName) -> bool {
    name.as_str().starts_with("ovs")
}
