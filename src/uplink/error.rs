//! Why an uplink cannot be made or unmade, and what to do about it.

use super::owner::Owner;
use crate::record::RecordError;
use crate::sys::ovsdb::vswitch::OvsError;
use crate::sys::rtnl::RtnlError;

/// Why a request about an uplink had no success.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    /// There is no such device.
    #[error("there is no device {0}")]
    NoDevice(String),
    /// The device is none that can be a port.
    #[error("{name} is {what}, which cannot be a port of a bridge")]
    NotANic {
        /// Its name.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// A name that we would not accept.
    #[error("the kernel calls it {0:?}, which pipework cannot use as a name")]
    UnusableName(String),
    /// It is a port or member already.
    #[error("{name} is a port of {controller} already")]
    AlreadyAPort {
        /// Its name.
        name: String,
        /// What it is a port of.
        controller: String,
    },
    /// Something on it is in the way.
    #[error("{name} carries {}", .by.join(", "))]
    Held {
        /// Its name.
        name: String,
        /// Who is in the way.
        by: Vec<String>,
    },
    /// A Wi-Fi device.
    #[error("{0} is a Wi-Fi device: an access point takes frames from its own address only")]
    Wifi(String),
    /// The name of the bridge is that of something else.
    #[error("{name} is {kind}, not a bridge")]
    NotABridge {
        /// Its name.
        name: String,
        /// What it is.
        kind: String,
    },
    /// The bridge may be one of Open vSwitch, which does not answer.
    #[error("there is no {0}, and Open vSwitch, whose bridge it may be, does not answer")]
    MayBeOvs(String),
    /// The bridge runs the spanning tree protocol.
    #[error(
        "{0} runs the spanning tree protocol, and a new port of it is silent for half a minute"
    )]
    SpanningTree(String),
    /// The bridge puts new ports into no VLAN.
    #[error("{0} keeps VLANs apart and puts a new port into none")]
    NoVlan(String),
    /// The bridge is itself a port.
    #[error("{bridge} is itself a port of {controller}")]
    BridgeIsAPort {
        /// The bridge.
        bridge: String,
        /// What it is a port of.
        controller: String,
    },
    /// The bridge has an uplink.
    #[error("{bridge} has an uplink already: {port}")]
    OtherUplink {
        /// The bridge.
        bridge: String,
        /// Its uplink.
        port: String,
    },
    /// IPv6 is switched off on the bridge, and the NIC has addresses of it.
    #[error("IPv6 is switched off on {bridge}, and {nic} has addresses of it")]
    NoIpv6 {
        /// The bridge.
        bridge: String,
        /// The NIC.
        nic: String,
    },
    /// Somebody else configures the NIC.
    #[error("{nic} is configured by {owner}")]
    Owned {
        /// The NIC.
        nic: String,
        /// Who configures it.
        owner: Owner,
        /// What to configure there.
        snippet: String,
    },
    /// Addresses end by themselves.
    #[error("{nic} has addresses that end unless somebody renews them: {}", .addresses.join(", "))]
    Finite {
        /// The NIC.
        nic: String,
        /// The addresses.
        addresses: Vec<String>,
    },
    /// The VLAN device's name is taken.
    #[error("{0} is there and is something else")]
    VlanTaken(String),
    /// The device below a VLAN must be up.
    #[error("{0} is down, and so would every VLAN of it be")]
    ParentDown(String),
    /// A bond of one.
    #[error("a bond needs two NICs or more")]
    LonelyBond,
    /// Several NICs without a bond.
    #[error("several NICs in one bridge are a loop")]
    Loop,
    /// A VLAN of several NICs.
    #[error("a VLAN and a bond cannot be made in one go")]
    VlanOfBond,
    /// A NIC that is to stand by is in use.
    #[error("{0} has addresses or routes of its own")]
    InUse(String),
    /// A name would be longer than the kernel's limit.
    #[error("no name is left for {what}: {name} is too long or taken")]
    NoName {
        /// What was to be named.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// There is no uplink of that name.
    #[error("pipework made no uplink of {0}")]
    Unknown(String),
    /// Nothing waits to be confirmed.
    #[error("nothing waits to be confirmed")]
    NothingToConfirm,
    /// Several uplinks wait to be confirmed.
    #[error("several uplinks wait to be confirmed: {}", .0.join(", "))]
    WhichOne(Vec<String>),
    /// It went back before the confirmation came.
    #[error("{0} was not confirmed in time and goes back")]
    TooLate(String),
    /// The guard could not be started.
    #[error("starting the guard that would go back: {0}")]
    Guard(#[source] std::io::Error),
    /// A random number or the boot id could not be read.
    #[error("asking the kernel: {0}")]
    Io(#[source] std::io::Error),
    /// Open vSwitch does not answer, or not as it should.
    #[error(transparent)]
    Ovs(#[from] OvsError),
    /// The kernel did not answer.
    #[error(transparent)]
    Kernel(#[from] RtnlError),
    /// The record could not be kept.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A step was refused; what was done before was taken back.
    #[error("{step}: {reason}")]
    Refused {
        /// The step.
        step: String,
        /// Why.
        reason: String,
        /// The kernel's error number, if it was the kernel that refused.
        errno: Option<i32>,
        /// The kernel's own text.
        kernel_says: Option<String>,
        /// What could not be taken back, and why.
        left: Vec<String>,
    },
    /// Going back was not complete.
    #[error("{bridge}: not everything could be put back")]
    Left {
        /// The bridge.
        bridge: String,
        /// What could not be put back, and why.
        left: Vec<String>,
    },
}

/// What kind of failure it is; `error` gives each its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The command line is wrong by itself.
    Usage,
    /// The host or a device does not suit.
    Host,
    /// The records cannot be kept, or another run holds them.
    Record,
    /// The kernel refused, and everything was taken back.
    Refused,
    /// Something could not be taken back.
    Incomplete,
}

impl UplinkError {
    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::LonelyBond | Self::Loop | Self::VlanOfBond | Self::WhichOne(_) => Class::Usage,
            Self::Record(_) => Class::Record,
            Self::Refused { left, .. } if left.is_empty() => Class::Refused,
            Self::Refused { .. } | Self::Left { .. } => Class::Incomplete,
            Self::NoDevice(_)
            | Self::NotANic { .. }
            | Self::UnusableName(_)
            | Self::AlreadyAPort { .. }
            | Self::Held { .. }
            | Self::Wifi(_)
            | Self::NotABridge { .. }
            | Self::MayBeOvs(_)
            | Self::SpanningTree(_)
            | Self::NoVlan(_)
            | Self::BridgeIsAPort { .. }
            | Self::OtherUplink { .. }
            | Self::NoIpv6 { .. }
            | Self::Owned { .. }
            | Self::Finite { .. }
            | Self::VlanTaken(_)
            | Self::ParentDown(_)
            | Self::InUse(_)
            | Self::NoName { .. }
            | Self::Unknown(_)
            | Self::NothingToConfirm
            | Self::TooLate(_)
            | Self::Guard(_)
            | Self::Io(_)
            | Self::Ovs(_)
            | Self::Kernel(_) => Class::Host,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Held { name, .. } => format!(
                "a NIC feeds either a bridge or such devices; plug them into the bridge instead of {name}, \
                 or end the containers that have them"
            ),
            Self::Wifi(_) => "route instead of bridging, or use a wired NIC".to_owned(),
            Self::AlreadyAPort { name, controller } => format!(
                "name {controller} instead of {name}, or take {name} out of it first"
            ),
            Self::MayBeOvs(_) => "start Open vSwitch, or give another name".to_owned(),
            Self::SpanningTree(bridge) => {
                format!("ip link set {bridge} type bridge stp_state 0, if {bridge} has one uplink only")
            }
            Self::NoVlan(bridge) => {
                format!("ip link set {bridge} type bridge vlan_default_pvid 1, or --vlan with a VLAN of the NIC")
            }
            Self::OtherUplink { bridge, .. } => format!(
                "two uplinks of one bridge are a loop unless they are bonded: pipework uplink del {bridge}, \
                 or take the other one out"
            ),
            Self::NoIpv6 { bridge, .. } => format!("sysctl net.ipv6.conf.{bridge}.disable_ipv6=0"),
            Self::Owned { owner, snippet, .. } => owner.hint(snippet),
            Self::Finite { .. } => "let the DHCP client of the system serve the bridge (--print-config shows how), \
                                    make the addresses static, or pass --keep-lifetimes and renew them yourself"
                .to_owned(),
            Self::VlanTaken(name) => format!("name the device that shall be the port: {name}, or another one"),
            Self::ParentDown(name) => format!("ip link set {name} up"),
            Self::LonelyBond => "name the other NICs behind the first one, or leave --bond out".to_owned(),
            Self::Loop => "add --bond active-backup".to_owned(),
            Self::VlanOfBond => "make the bond first, then add --vlan to the bond".to_owned(),
            Self::InUse(name) => format!(
                "name {name} first: the first NIC is the one whose addresses are moved; the others must be idle"
            ),
            Self::Unknown(_) => "pipework uplink list".to_owned(),
            Self::WhichOne(_) => "name the bridge".to_owned(),
            Self::TooLate(_) => "pipework uplink list tells when it is gone; then add it anew".to_owned(),
            Self::Refused { step: _, errno, .. } => return errno.and_then(hint_for),
            Self::Record(error) => return crate::hint::for_record(error),
            Self::NoDevice(_)
            | Self::NotANic { .. }
            | Self::UnusableName(_)
            | Self::NotABridge { .. }
            | Self::BridgeIsAPort { .. }
            | Self::NoName { .. }
            | Self::NothingToConfirm
            | Self::Guard(_)
            | Self::Io(_)
            | Self::Ovs(_)
            | Self::Kernel(_)
            | Self::Left { .. } => return None,
        };
        Some(text)
    }

    /// Facts beside the first line, with their names.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        if let Self::Refused {
            kernel_says, left, ..
        } = self
        {
            facts.extend(kernel_says.iter().map(|text| ("kernel", text.clone())));
            if left.is_empty() {
                facts.push(("undone", "everything. Nothing is left behind.".to_owned()));
            }
        }
        if let Self::Refused { left, .. } | Self::Left { left, .. } = self {
            facts.extend(left.iter().map(|left| ("left", left.clone())));
        }
        facts
    }
}

/// The cure for a refusal of the kernel that was seen.
fn hint_for(errno: i32) -> Option<String> {
    use nix::errno::Errno;
    match Errno::from_raw(errno) {
        Errno::EBUSY => Some(
            "a container has a macvlan or ipvlan on the NIC: one NIC cannot feed both".to_owned(),
        ),
        Errno::EOPNOTSUPP => Some(
            "the kernel lacks this kind of device (modprobe bridge, 8021q, bonding), or the NIC cannot be \
             bridged, as a Wi-Fi station cannot"
                .to_owned(),
        ),
        Errno::EPERM => Some("root is needed, with CAP_NET_ADMIN".to_owned()),
        _ => None,
    }
}
