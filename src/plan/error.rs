//! Why a request cannot be planned on this host.

mod vlan;

use ipnet::IpNet;

use crate::host::view::DeviceKind;
use crate::request::{IfName, Mtu, Origin};

pub use vlan::VlanPlanError;

/// Something that the user or the administrator can mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No device of that name, and none that we would make.
    #[error("there is no device {device} on this host")]
    NoSuchDevice {
        /// What was asked for.
        device: String,
        /// Where.
        origin: Origin,
    },
    /// A bridge was asked for, and the device is something else.
    #[error("{device} is {kind}, not a bridge")]
    NotABridge {
        /// The device.
        device: IfName,
        /// What it is.
        kind: DeviceKind,
        /// Where it was asked for.
        origin: Origin,
    },
    /// A NIC was asked for, and the device is a bridge.
    #[error("{device} is a bridge, not a NIC")]
    BridgeAsParent {
        /// The device.
        device: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
    /// A device that cannot carry a macvlan.
    #[error("{device} is a {kind} device, which cannot carry a macvlan")]
    NotANic {
        /// The device.
        device: IfName,
        /// The kernel's word for it.
        kind: String,
        /// Where it was asked for.
        origin: Origin,
    },
    /// A macvlan has no end on the host that could be named.
    #[error("hostif names the host's end of a bridge port, and a macvlan on {device} has none")]
    NoHostEnd {
        /// The parent.
        device: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
    /// The interface's name is taken in the container.
    #[error("the container has an interface {ifname} already")]
    NameTaken {
        /// The name.
        ifname: IfName,
        /// One that is free.
        free: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
    /// The address is one of the host's own.
    #[error("{address} is an address of this host")]
    OwnAddress {
        /// The address.
        address: IpNet,
        /// Where it was asked for.
        origin: Origin,
    },
    /// The MTU is above what the uplink carries.
    #[error("mtu {mtu} is above that of {uplink}, {uplink_mtu}")]
    MtuAboveUplink {
        /// What was asked for.
        mtu: Mtu,
        /// The uplink.
        uplink: IfName,
        /// What it carries.
        uplink_mtu: u32,
        /// Where it was asked for.
        origin: Origin,
    },
    /// In mode passthru the container has the NIC's own address.
    #[error("in mode passthru the container has the MAC of {device} itself, and no other")]
    PassthruMac {
        /// The parent.
        device: IfName,
        /// Where another was asked for.
        origin: Origin,
    },
    /// The bridge may be one of Open vSwitch, which does not answer.
    #[error("{device} does not exist, and Open vSwitch, whose bridge it may be, does not answer")]
    OpenVSwitchSilent {
        /// The bridge.
        device: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
    /// A VLAN cannot be had.
    #[error(transparent)]
    Vlan(Box<VlanPlanError>),
}

impl From<VlanPlanError> for PlanError {
    fn from(error: VlanPlanError) -> Self {
        Self::Vlan(Box::new(error))
    }
}

impl PlanError {
    /// What the user wrote that cannot be done.
    pub fn origin(&self) -> &Origin {
        match self {
            Self::NoSuchDevice { origin, .. }
            | Self::NotABridge { origin, .. }
            | Self::BridgeAsParent { origin, .. }
            | Self::NotANic { origin, .. }
            | Self::NoHostEnd { origin, .. }
            | Self::NameTaken { origin, .. }
            | Self::OwnAddress { origin, .. }
            | Self::MtuAboveUplink { origin, .. }
            | Self::PassthruMac { origin, .. }
            | Self::OpenVSwitchSilent { origin, .. } => origin,
            Self::Vlan(error) => error.origin(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoSuchDevice { .. } => {
                "`ip link` lists the devices; a missing bridge is made only if its name begins with br".to_owned()
            }
            Self::NotABridge { device, .. } => {
                format!("for a NIC write pipework.parent={device}, which makes a macvlan on it")
            }
            Self::BridgeAsParent { device, .. } => {
                format!("for a port of that bridge write pipework.bridge={device}")
            }
            Self::NotANic { .. } => "give the name of an Ethernet device".to_owned(),
            Self::NoHostEnd { .. } => "leave pipework.hostif out".to_owned(),
            Self::NameTaken { free, .. } => format!("{free} is free: pipework.ifname={free}"),
            Self::OwnAddress { .. } => {
                "give the container an address of its own; two hosts with one address reach nobody".to_owned()
            }
            Self::MtuAboveUplink { uplink, uplink_mtu, .. } => format!(
                "at most {uplink_mtu}, or raise that of {uplink} first: frames above it would be lost"
            ),
            Self::PassthruMac { device, .. } => {
                format!("leave pipework.mac out, or set it on {device}: ip link set {device} address MAC")
            }
            Self::Vlan(error) => error.hint(),
            Self::OpenVSwitchSilent { .. } => {
                "start openvswitch-switch first, or make the bridge yourself: ip link add NAME type bridge".to_owned()
            }
        }
    }
}
