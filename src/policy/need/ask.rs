//! One thing that an attachment asks for, and who wrote it.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::policy::caller::Caller;
use crate::policy::entry::{Kind, Mode};
use crate::request::vlan::VlanRange;
use crate::request::{DhcpProgram, MacAddr, Origin, Pkey, Rate};

/// One thing that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// To be this caller.
    Caller(Caller),
    /// A named network: what it says of an interface needs no further cover.
    Network(String),
    /// The uplink, by its primary name.
    Uplink(String),
    /// A device below the uplink, by its primary name.
    Lower(String),
    /// The way in which the interface is made.
    Kind(Kind),
    /// How children of one parent reach each other.
    Mode(Mode),
    /// The VLAN that the uplink leads into; `None` is untagged.
    Vlan(Option<u16>),
    /// The device of the VLAN that is asked for on a NIC, by its primary name.
    VlanDevice(String),
    /// VLANs that reach the container tagged.
    Trunk(VlanRange),
    /// What is written to the rows of a port of Open vSwitch, as
    /// `iface-id=VALUE` or `external-ids.KEY=VALUE`.
    Ovs(String),
    /// A bridge that does not exist yet.
    CreateBridge,
    /// An address.
    Address(IpAddr),
    /// A router, of the default route or of another.
    Gateway(IpAddr),
    /// An interface without an address, whose container brings its own.
    Unaddressed,
    /// A way to learn addresses, by its word.
    Dynamic(&'static str),
    /// What the DHCP client is told, as `FIELD=VALUE`.
    Dhcp(String),
    /// A program that is run as root in our own client's place.
    DhcpProgram(DhcpProgram),
    /// What the resolver's files say: a word, an address, `search=DOMAIN` or
    /// `hosts=keep`.
    Dns(String),
    /// To wait so many seconds for an uplink or a lease.
    Wait(u32),
    /// A default route.
    DefaultRoute,
    /// A hardware address; `None` is the stable one.
    Mac(Option<MacAddr>),
    /// The destination of a further route.
    Route(IpNet),
    /// Rules that choose a table.
    Rules,
    /// A neighbour entry for this address.
    Neighbour(IpAddr),
    /// Replies leave by the interface that they came to.
    SourceBased,
    /// A probe for duplicates, of so many milliseconds.
    Dad(u32),
    /// A way between host and container.
    HostAccess,
    /// The interface's name in the container.
    Ifname {
        /// The name.
        name: String,
        /// Whether it was written rather than given by default.
        written: bool,
    },
    /// The name of the host's end.
    Hostif(String),
    /// An MTU.
    Mtu(u32),
    /// A length of the transmit queue.
    Txqlen(u32),
    /// A kernel setting, as `ipv4.arp_ignore`.
    Sysctl(String),
    /// A number of announcements.
    Announce(u32),
    /// A metric of a route.
    Metric(u32),
    /// A stable identity.
    Name(String),
    /// A limit of the traffic to the container in bit/s; `None` is no limit.
    RateIn(Option<Rate>),
    /// A limit of the traffic from the container; `None` is no limit.
    RateOut(Option<Rate>),
    /// Bytes that may exceed a limit at once.
    Burst(u32),
    /// Lines of traffic control.
    TrafficControl,
    /// Frames that leave by the bridge port that they came from.
    Hairpin,
    /// All frames of the link.
    Promisc,
    /// A port without a guard, for who has one by default.
    NoSpoofcheck,
    /// To start without the interface.
    Optional,
    /// A device that the host uses.
    DeviceForce,
    /// A setting of a virtual function, by its field without `vf.`.
    Vf(String),
    /// A partition of InfiniBand; without one it is the parent's.
    Pkey(Pkey),
    /// As many interfaces in one container.
    Count(u32),
}

impl Need {
    /// Whether the need is what everybody gets who asks for nothing special,
    /// so that a rule need not list it.
    pub fn is_plain(&self) -> bool {
        match self {
            Self::Vlan(tag) => tag.is_none(),
            // Who may have the NIC and the VLAN may have its device.
            Self::VlanDevice(_) => true,
            Self::Trunk(_) | Self::Ovs(_) => false,
            Self::Mac(mac) => mac.is_none(),
            Self::Mode(mode) => mode.is_default(),
            Self::Ifname { name: _, written } => !written,
            Self::Count(count) => *count <= 1,
            // Where a rule says which addresses there may be, it is not.
            Self::Unaddressed => true,
            // A limit takes from who asks for it, and nobody must have one.
            Self::RateIn(_) | Self::RateOut(_) => true,
            Self::Burst(_) | Self::TrafficControl => false,
            Self::Hairpin | Self::Promisc | Self::NoSpoofcheck => false,
            Self::Network(_) => false,
            Self::Caller(_) | Self::Uplink(_) | Self::Lower(_) | Self::Kind(_) => false,
            Self::Address(_) | Self::Gateway(_) | Self::Route(_) | Self::Metric(_) => false,
            Self::CreateBridge | Self::DefaultRoute | Self::Optional | Self::Name(_) => false,
            Self::Hostif(_) | Self::Mtu(_) | Self::Txqlen(_) => false,
            Self::Sysctl(_) | Self::Announce(_) => false,
            Self::DhcpProgram(_) => false,
            Self::DeviceForce | Self::Vf(_) | Self::Pkey(_) => false,
            Self::Rules | Self::Neighbour(_) | Self::SourceBased => false,
            Self::Dad(_) | Self::HostAccess => false,
            Self::Dynamic(_) | Self::Dhcp(_) | Self::Dns(_) | Self::Wait(_) => false,
        }
    }
}

/// A need, and who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// What is asked.
    pub need: Need,
    /// Where it was written.
    pub origin: Origin,
}

impl Ask {
    /// Whether the administrator said it himself, in a network that must be
    /// granted as such: whoever may use the network may have this.
    pub fn is_of_network(&self) -> bool {
        // Who asks, how often and for which network is the container's, and a
        // device that the host needs, or a program, is not given by the way.
        let is_containers = matches!(
            self.need,
            Need::Caller(_)
                | Need::Count(_)
                | Need::Network(_)
                | Need::DeviceForce
                | Need::DhcpProgram(_)
        );
        !is_containers && self.origin.is_network()
    }
}

pub(super) fn ask(need: Need, origin: &Origin) -> Ask {
    Ask {
        need,
        origin: origin.clone(),
    }
}
