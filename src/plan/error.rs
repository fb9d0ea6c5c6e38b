//! Why a request cannot be planned on this host.

mod nic;
mod unsuited;
mod vlan;

use ipnet::IpNet;

use crate::host::view::DeviceKind;
use crate::request::{Bytes, IfName, Mtu, Origin};
use crate::rt::ContainerFile;

pub use nic::{HostUse, NicPlanError};
pub use unsuited::Unsuited;

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
    /// A device that cannot carry a macvlan or an ipvlan.
    #[error("{device} is a {kind} device, which cannot carry a macvlan or an ipvlan")]
    NotANic {
        /// The device.
        device: IfName,
        /// The kernel's word for it.
        kind: String,
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
    /// The name is that of an interface which the engine makes behind us.
    #[error("podman makes {ifname} itself, after this")]
    NameOfEngine {
        /// The name.
        ifname: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
    /// The engine adds a default route of its own behind us.
    #[error("podman makes a network of its own after this, with another default route")]
    DefaultBeforeEngine {
        /// Where a gateway was asked for.
        origin: Origin,
    },
    /// A file by which the container finds names is none of its own.
    #[error("{file} of the container cannot be written: {reason}")]
    FileLeftAlone {
        /// The file.
        file: ContainerFile,
        /// What is in the way.
        reason: String,
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
    /// A burst that is shorter than a frame.
    #[error("a burst of {burst} lets no full frame pass, which has {frame} bytes")]
    BurstBelowFrame {
        /// The burst.
        burst: Bytes,
        /// The frame, in bytes.
        frame: u32,
        /// Where it was asked for.
        origin: Origin,
    },
    /// A line of traffic control for a place where a limit is.
    #[error("{line} takes the place of {field}")]
    PlaceOfTcTaken {
        /// The line.
        line: String,
        /// The limit.
        field: &'static str,
        /// Where the line was written.
        origin: Origin,
    },
    /// The guard would be longer than the kernel allows.
    #[error("spoofcheck cannot compare {count} addresses and the tags")]
    TooManyAddresses {
        /// How many addresses.
        count: usize,
        /// Where it was asked for.
        origin: Origin,
    },
    /// A device that cannot be handed over.
    #[error(transparent)]
    Nic(#[from] NicPlanError),
    /// A missing bridge may be one of Open vSwitch, which does not answer.
    #[error(
        "{device} does not exist, and Open vSwitch, whose bridge it may be, does not answer: {reason}"
    )]
    OpenVSwitchSilent {
        /// The bridge.
        device: IfName,
        /// Why.
        reason: String,
        /// Where it was asked for.
        origin: Origin,
    },
    /// A device may be a bridge of Open vSwitch, which does not answer.
    #[error("{device} may be a bridge of Open vSwitch, which does not answer: {reason}")]
    MayBeOvsBridge {
        /// The device.
        device: IfName,
        /// Why.
        reason: String,
        /// Where it was asked for.
        origin: Origin,
    },
    /// A bridge of Open vSwitch is asked for, and it does not answer.
    #[error("{name} is asked for as a bridge of Open vSwitch, which does not answer: {reason}")]
    OvsSilent {
        /// The bridge.
        name: IfName,
        /// Why.
        reason: String,
        /// Where it was asked for.
        origin: Origin,
    },
    /// The same, and it is not installed.
    #[error("{name} is asked for as a bridge of Open vSwitch, which is not installed here")]
    OvsNotInstalled {
        /// The bridge.
        name: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
    /// No bridge of that name, and none that we would make.
    #[error("Open vSwitch has no bridge {name}")]
    NoOvsBridge {
        /// What was asked for.
        name: IfName,
        /// Where.
        origin: Origin,
    },
    /// A bridge of Open vSwitch was asked for, and the device is something else.
    #[error("{device} is {kind}, not a bridge of Open vSwitch")]
    NotAnOvsBridge {
        /// The device.
        device: IfName,
        /// What it is.
        kind: DeviceKind,
        /// Where it was asked for.
        origin: Origin,
    },
    /// A field of Open vSwitch, and the uplink is none of its bridges.
    #[error("only a port of Open vSwitch has that field, and {uplink} leads to none")]
    NotOvs {
        /// Where the uplink was asked for.
        uplink: String,
        /// Where it was asked for.
        origin: Origin,
    },
    /// A field that the uplink cannot have, as the host is.
    #[error(transparent)]
    Unsuited(#[from] Unsuited),
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
            | Self::NameTaken { origin, .. }
            | Self::NameOfEngine { origin, .. }
            | Self::DefaultBeforeEngine { origin }
            | Self::FileLeftAlone { origin, .. }
            | Self::OwnAddress { origin, .. }
            | Self::MtuAboveUplink { origin, .. }
            | Self::PassthruMac { origin, .. }
            | Self::BurstBelowFrame { origin, .. }
            | Self::PlaceOfTcTaken { origin, .. }
            | Self::TooManyAddresses { origin, .. }
            | Self::OpenVSwitchSilent { origin, .. }
            | Self::MayBeOvsBridge { origin, .. }
            | Self::OvsSilent { origin, .. }
            | Self::OvsNotInstalled { origin, .. }
            | Self::NoOvsBridge { origin, .. }
            | Self::NotAnOvsBridge { origin, .. }
            | Self::NotOvs { origin, .. } => origin,
            Self::Nic(error) => error.origin(),
            Self::Vlan(error) => error.origin(),
            Self::Unsuited(error) => error.origin(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoSuchDevice { .. } => {
                "`ip link` lists the devices; a missing bridge is made only if its name begins with br \
                 (or with ovs, as one of Open vSwitch)".to_owned()
            }
            Self::NotABridge { device, .. } => {
                format!("for a NIC write pipework.parent={device}, which makes a macvlan on it")
            }
            Self::BridgeAsParent { device, .. } => {
                format!("for a port of that bridge write pipework.bridge={device}")
            }
            Self::NotANic { .. } => "give the name of an Ethernet device".to_owned(),
            Self::NameTaken { free, .. } => format!("{free} is free: pipework.ifname={free}"),
            Self::NameOfEngine { .. } => {
                "pipework.ifname=eth1, or --network none if podman need not make one".to_owned()
            }
            Self::DefaultBeforeEngine { .. } => {
                "pipework.default=true makes this gateway the default route (podman's has metric 100), \
                 pipework.default=false leaves podman's; or --network none".to_owned()
            }
            Self::FileLeftAlone { .. } => {
                "dns=keep leaves it as it is; the engine's own options (podman run --dns) set it too".to_owned()
            }
            Self::OwnAddress { .. } => {
                "give the container an address of its own; two hosts with one address reach nobody".to_owned()
            }
            Self::MtuAboveUplink { uplink, uplink_mtu, .. } => format!(
                "at most {uplink_mtu}, or raise that of {uplink} first: frames above it would be lost"
            ),
            Self::Unsuited(error) => error.hint(),
            Self::PassthruMac { device, .. } => {
                format!("leave pipework.mac out, or set it on {device}: ip link set {device} address MAC")
            }
            Self::BurstBelowFrame { frame, .. } => {
                format!("at least {frame}b, or leave pipework.burst out")
            }
            Self::PlaceOfTcTaken { field, .. } => format!(
                "leave out one of both: a port of a bridge has {field} on the host's end, and both fit there"
            ),
            Self::TooManyAddresses { .. } => {
                "give the interface fewer addresses, or leave pipework.spoofcheck out".to_owned()
            }
            Self::OvsSilent { .. } => {
                "start it: systemctl start openvswitch-switch (or openvswitch); where its database listens \
                 elsewhere, ovsdb in /etc/pipework/config.toml says so".to_owned()
            }
            Self::OvsNotInstalled { .. } => {
                "install openvswitch-switch, or name a Linux bridge with pipework.bridge".to_owned()
            }
            Self::NoOvsBridge { name, .. } => format!(
                "ovs-vsctl add-br {name} makes it; only a missing bridge whose name begins with ovs is made here"
            ),
            Self::NotAnOvsBridge { device, .. } => format!(
                "pipework.bridge={device} for a Linux bridge, pipework.parent={device} for a NIC"
            ),
            Self::NotOvs { .. } => "leave the field out, or name a bridge with pipework.ovs".to_owned(),
            Self::Nic(error) => error.hint(),
            Self::Vlan(error) => error.hint(),
            Self::MayBeOvsBridge { device, .. } => format!(
                "start openvswitch-switch first, or write what it is: pipework.parent={device} for a NIC"
            ),
            Self::OpenVSwitchSilent { .. } => {
                "start openvswitch-switch first, or make the bridge yourself: ip link add NAME type bridge".to_owned()
            }
        }
    }
}
