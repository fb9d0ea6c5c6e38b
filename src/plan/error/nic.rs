//! Why a device cannot be handed over, or no child of it be made.

use crate::host::view::{BusyFunction, BusyFunctions, DeviceKind};
use crate::request::{IfName, Origin};

/// What the host needs a device for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostUse {
    /// A default route leaves by it.
    DefaultRoute,
    /// It is a port of this bridge or bond.
    Port(String),
    /// Its virtual functions are in use.
    Functions(Vec<BusyFunction>),
}

impl std::fmt::Display for HostUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DefaultRoute => f.write_str("carries the host's default route"),
            Self::Port(controller) => write!(f, "is a port of {controller}"),
            Self::Functions(busy) => {
                write!(f, "has virtual functions in use: {}", listed(busy))
            }
        }
    }
}

/// Something that the user or the administrator can mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NicPlanError {
    /// The kernel destroys it with the container's namespace.
    #[error(
        "{device} is {kind}, which would end with the container: only a network card comes back"
    )]
    EndsWithIt {
        /// The device.
        device: IfName,
        /// What it is.
        kind: DeviceKind,
        /// Where it was asked for.
        origin: Origin,
    },
    /// The kernel gives it to the initial namespace, which is not ours.
    #[error(
        "{device} would not come back here: the kernel gives a network card to the machine's initial \
         network namespace, and this is another one"
    )]
    ComesBackElsewhere {
        /// The device.
        device: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
    /// It could not be found again.
    #[error("nothing tells {device} from other devices, so that it could not be found again")]
    NotDistinct {
        /// The device.
        device: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
    /// The host needs it.
    #[error("{device} {host_use}")]
    HostUses {
        /// The device.
        device: IfName,
        /// What for.
        host_use: HostUse,
        /// Where it was asked for.
        origin: Origin,
    },
    /// Other devices sit on it.
    #[error("{device} carries {}", .upper.join(", "))]
    Carries {
        /// The device.
        device: IfName,
        /// What sits on it.
        upper: Vec<String>,
        /// Where it was asked for.
        origin: Origin,
    },
    /// Containers have children of it.
    #[error("{device} is the uplink of {}", .users.join(", "))]
    UsedBy {
        /// The device.
        device: IfName,
        /// The containers.
        users: Vec<String>,
        /// Where it was asked for.
        origin: Origin,
    },
    /// The same request uses it for another interface.
    #[error("{device} cannot be handed over and be the uplink of another interface")]
    UsedTwice {
        /// The device.
        device: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
    /// It is no virtual function, or its card is not here.
    #[error("{device} is no virtual function of a card on this host, so it has no {field}")]
    NotAVf {
        /// The device.
        device: IfName,
        /// The field.
        field: &'static str,
        /// Where that was asked for.
        origin: Origin,
    },
    /// No virtual function is free.
    #[error("{card} has no free virtual function{}", shown(.busy))]
    NoFreeVf {
        /// The card.
        card: IfName,
        /// What the others do.
        busy: BusyFunctions,
        /// Where one was asked for.
        origin: Origin,
    },
    /// A radio moves, not its interface.
    #[error("{device} is a wireless interface, which moves only with its radio")]
    Wireless {
        /// The device.
        device: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
    /// There is no radio to be moved.
    #[error("{device} is no wireless interface")]
    NotWireless {
        /// The device.
        device: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
    /// The kernel would choose another index, which nobody knows beforehand.
    #[error("the container has an interface with the index {ifindex} of {device} already")]
    IndexTaken {
        /// The device.
        device: IfName,
        /// Its index.
        ifindex: u32,
        /// Where it was asked for.
        origin: Origin,
    },
    /// There are no partitions on it.
    #[error("{device} is {kind}, not an InfiniBand interface")]
    NotInfiniband {
        /// The device.
        device: IfName,
        /// What it is.
        kind: DeviceKind,
        /// Where it was asked for.
        origin: Origin,
    },
    /// A VLAN device on a function that is not known beforehand.
    #[error("a free virtual function is put in a VLAN by its card")]
    VlanOfFreeVf {
        /// Where the VLAN was written.
        origin: Origin,
    },
}

fn shown(busy: &BusyFunctions) -> String {
    match busy.count {
        0 => ": none is switched on".to_owned(),
        _ => format!(": {}", listed(&busy.reasons)),
    }
}

fn listed(busy: &[BusyFunction]) -> String {
    let busy: Vec<String> = busy.iter().map(ToString::to_string).collect();
    busy.join(", ")
}

impl NicPlanError {
    /// What the user wrote that cannot be done.
    pub fn origin(&self) -> &Origin {
        match self {
            Self::EndsWithIt { origin, .. }
            | Self::ComesBackElsewhere { origin, .. }
            | Self::NotDistinct { origin, .. }
            | Self::HostUses { origin, .. }
            | Self::Carries { origin, .. }
            | Self::UsedBy { origin, .. }
            | Self::UsedTwice { origin, .. }
            | Self::NotAVf { origin, .. }
            | Self::NoFreeVf { origin, .. }
            | Self::Wireless { origin, .. }
            | Self::NotWireless { origin, .. }
            | Self::IndexTaken { origin, .. }
            | Self::NotInfiniband { origin, .. }
            | Self::VlanOfFreeVf { origin } => origin,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::EndsWithIt { device, kind, .. } => match kind {
                DeviceKind::Bridge => {
                    format!("for a port of that bridge write pipework.bridge={device}")
                }
                DeviceKind::Macvlan
                | DeviceKind::Vlan(_)
                | DeviceKind::Nic
                | DeviceKind::Other(_) => {
                    format!("for a macvlan on it write pipework.parent={device}")
                }
            },
            Self::ComesBackElsewhere { device, .. } => {
                format!("for a macvlan on it write pipework.parent={device}")
            }
            Self::NotDistinct { device, .. } => format!(
                "it has neither a permanent address nor a place on a bus; \
                 for a macvlan on it write pipework.parent={device}"
            ),
            Self::HostUses { .. } => {
                "pipework.device.force=true takes it all the same, and gives it back at the end"
                    .to_owned()
            }
            Self::Carries { upper, .. } => {
                format!(
                    "remove them first: ip link del {}",
                    upper.join("; ip link del ")
                )
            }
            Self::UsedBy { .. } => "stop them first".to_owned(),
            Self::UsedTwice { .. } => "give the other interface another uplink".to_owned(),
            Self::NotAVf { .. } => {
                "pipework.device=pf:NAME takes a free virtual function of a card".to_owned()
            }
            Self::NoFreeVf { card, busy, .. } if busy.count == 0 => {
                format!("echo 4 > /sys/class/net/{card}/device/sriov_numvfs")
            }
            Self::NoFreeVf { .. } => {
                "a free one is on the host, has no address, and is a port of nothing".to_owned()
            }
            Self::Wireless { .. } => {
                "pipework.type=wifi moves the radio with all its interfaces".to_owned()
            }
            Self::NotWireless { .. } => "leave pipework.type=wifi out".to_owned(),
            Self::IndexTaken { .. } => {
                "start the container without another network: --network none".to_owned()
            }
            Self::NotInfiniband { device, .. } => {
                format!("for a macvlan on it write pipework.parent={device}")
            }
            Self::VlanOfFreeVf { .. } => "write pipework.vf.vlan".to_owned(),
        }
    }
}
