//! What is asked, in types that cannot hold a bad value.
//!
//! A frontend parses once, at the edge; everything behind it works with these
//! types. Pure: no I/O, no clock, no host. One file per leaf type, each with
//! the source that defines it; `keys` is the table of annotation keys and
//! `annotations` turns a map of them into [`Attachment`]s.

pub mod address;
pub mod annotations;
pub mod classic;
pub mod dad;
pub mod device;
pub mod dhcp;
pub mod dhcp_program;
pub mod dns;
pub mod error;
pub mod glob;
pub mod ifname;
mod infiniband;
pub mod keys;
pub mod mac;
pub mod mtu;
mod near;
pub mod neighbour;
pub mod network;
pub mod options;
pub mod ovs;
pub mod pkey;
mod pods;
pub mod pool;
pub mod rate;
pub mod route;
pub mod rule;
pub mod sysctl;
pub mod tc;
mod units;
pub mod vf;
pub mod vlan;
mod words;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;

pub use address::AddressWithGateway;
pub use dad::Dad;
pub use device::{DeviceRef, IpvlanMode, MacvlanMode, PciAddress};
pub use dhcp::{ArpProbe, ClientId, DhcpOptions, DhcpServers, Dynamic, Fallback};
pub use dhcp_program::{DhcpDialect, DhcpProgram};
pub use dns::{Dns, DnsOptions, Hosts};
pub use error::RequestError;
pub use glob::Glob;
pub use ifname::IfName;
pub use mac::MacAddr;
pub use mtu::Mtu;
pub use near::near;
pub use neighbour::{Neighbour, NeighbourEntry};
pub use network::{NetworkName, Networks, Profile};
pub use options::{DeviceOptions, OvsOptions, PortOptions, Routing, Traffic};
pub use ovs::{Datapath, VlanMode};
pub use pkey::{IpoibMode, Pkey};
pub use pool::{Pool, PoolRange};
pub use rate::{Bytes, Rate};
pub use route::{Metric, Route};
pub use rule::{Rule, Selector};
pub use sysctl::{Family, Sysctl};
pub use tc::TcLine;
pub use vf::{TxRate, VfLinkState, VfOptions};
pub use vlan::{Trunk, VlanId, VlanSet};
pub use words::TableInWords;

/// Where a value came from, so that a refusal names what the user wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An annotation, or a field of a command line, exactly as written.
    Annotation {
        /// The whole key; `pipework.` may be left out on a command line.
        key: String,
        /// The value, blanks trimmed.
        value: String,
    },
    /// A field of a named network, which the administrator wrote.
    Network {
        /// File, line and field, as `networks.d/lan.toml:3 parent`.
        key: String,
        /// The value.
        value: String,
    },
    /// Nobody wrote it: a documented default.
    Default,
}

impl Origin {
    /// Whether the administrator said it, by way of a network.
    pub fn is_network(&self) -> bool {
        match self {
            Self::Network { .. } => true,
            Self::Annotation { .. } | Self::Default => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Annotation { key, value } => {
                f.write_str(&error::written(&format!("{key}={value}")))
            }
            Self::Network { key, value } => write!(f, "/etc/pipework/{key}={value}"),
            Self::Default => f.write_str("a default"),
        }
    }
}

/// A value with the place where it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked<T> {
    /// What was asked.
    pub value: T,
    /// Who asked.
    pub origin: Origin,
}

/// Where a value was written does not change what is asked.
impl<T: Hash> Hash for Asked<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

/// One interface of one sandbox (CNI's attachment). Its hash is that of what is
/// asked, wherever that was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attachment {
    /// The interface's name inside the sandbox; default `eth1`, or
    /// `eth<n+1>` in the numbered form.
    pub ifname: Asked<IfName>,
    /// What it is plugged into.
    pub uplink: Asked<Uplink>,
    /// The named network that says so, if one does.
    pub network: Option<Asked<NetworkName>>,
    /// The VLAN that it is in, untagged in the container.
    pub vlan: Option<Asked<VlanId>>,
    /// The VLANs that reach it tagged.
    pub trunk: Option<Asked<Trunk>>,
    /// Its hardware address; `None` means the stable one.
    pub mac: Option<Asked<MacAddr>>,
    /// Its MTU; `None` means the uplink's.
    pub mtu: Option<Asked<Mtu>>,
    /// Length of its transmit queue in packets; `None` means the kernel's.
    pub txqlen: Option<Asked<u32>>,
    /// Name of the host's end of a veth pair; `None` means `pw` + 10 hex.
    pub hostif: Option<Asked<IfName>>,
    /// Addresses and the default route.
    pub addressing: Addressing,
    /// Further routes, in the order written.
    pub routes: Vec<Asked<Route>>,
    /// Per-interface kernel settings.
    pub sysctls: Vec<Asked<Sysctl>>,
    /// Settings of its port.
    pub port: PortOptions,
    /// Limits and disciplines of its traffic.
    pub traffic: Traffic,
    /// Rules, neighbours and checks.
    pub routing: Routing,
    /// How its device is handed over.
    pub device: DeviceOptions,
    /// What its DHCP client is told.
    pub dhcp: DhcpOptions,
    /// What the container's resolver is told.
    pub dns: DnsOptions,
    /// How long to wait for an uplink that is absent or without carrier.
    pub wait: Option<Asked<Duration>>,
    /// What Open vSwitch is told.
    pub ovs: OvsOptions,
    /// The host and the container reach each other in spite of macvlan or
    /// ipvlan.
    pub host_access: Option<Asked<bool>>,
    /// How often the address is announced; `None` means the default, 1.
    pub announce: Option<Asked<Announce>>,
    /// The container starts without this interface when it cannot be made.
    pub optional: Option<Asked<bool>>,
}

/// What an interface is plugged into.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Uplink {
    /// A port of a Linux bridge, by a veth pair. A missing `br*` is made.
    Bridge {
        /// The bridge.
        device: IfName,
    },
    /// A child of a NIC with its own MAC (drivers/net/macvlan.c).
    Macvlan {
        /// The NIC.
        parent: DeviceRef,
        /// How children of one parent reach each other.
        mode: MacvlanMode,
    },
    /// A port of an Open vSwitch bridge, by a veth pair. A missing `ovs*` is
    /// made.
    Ovs {
        /// The bridge.
        bridge: IfName,
    },
    /// A child of a NIC with its parent's MAC (drivers/net/ipvlan).
    Ipvlan {
        /// The NIC.
        parent: DeviceRef,
        /// Where packets are switched.
        mode: IpvlanMode,
    },
    /// The NIC itself, or a free virtual function of it.
    Physical {
        /// Which one.
        device: PhysicalRef,
    },
    /// An interface that leads nowhere (drivers/net/dummy.c).
    Dummy,
    /// A child of an InfiniBand interface (drivers/infiniband/ulp/ipoib).
    Ipoib {
        /// The interface.
        parent: DeviceRef,
        /// The partition; `None` means its parent's.
        pkey: Option<Pkey>,
        /// How packets are carried; `None` means its parent's way.
        mode: Option<IpoibMode>,
    },
    /// The radio below a wireless interface, with all its interfaces.
    Wifi {
        /// The interface.
        device: DeviceRef,
    },
    /// pipework's first argument: the device's kind decides.
    Link {
        /// The bridge or NIC.
        device: DeviceRef,
        /// The mode, should it turn out to be a NIC.
        mode: MacvlanMode,
    },
}

/// A device of the host that is handed over itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PhysicalRef {
    /// This one.
    Device(DeviceRef),
    /// The first free virtual function of this one.
    FreeVf(DeviceRef),
}

/// Addresses of one interface, and whether its gateways become default routes.
///
/// No address at all is pipework's `0/0`: the link comes up, and the workload
/// brings its own addressing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Addressing {
    /// The addresses with their prefix length, host bits kept.
    pub addresses: Vec<Asked<IpNet>>,
    /// How further ones are learned; each way at most once.
    pub dynamic: Vec<Asked<Dynamic>>,
    /// The pool that one of each family is taken from, before the plan.
    pub pool: Option<Asked<Pool>>,
    /// Whether an address that another container of this node has is refused,
    /// as it is for pods and within a named network.
    pub held: bool,
    /// Gateway for IPv4.
    pub gateway4: Option<Asked<Ipv4Addr>>,
    /// Gateway for IPv6.
    pub gateway6: Option<Asked<Ipv6Addr>>,
    /// Which gateways become the default route; `None` means both that exist.
    pub default: Option<Asked<DefaultRoute>>,
    /// Metric of the default route; `None` means the kernel's.
    pub metric: Option<Asked<Metric>>,
}

impl Addressing {
    /// Where this way of learning addresses was asked for, if it was.
    pub fn asks(&self, way: Dynamic) -> Option<&Origin> {
        let asked = self.dynamic.iter().find(|asked| asked.value == way)?;
        Some(&asked.origin)
    }

    /// Where IPv4's, or IPv6's, addresses are learned, if they are.
    pub fn learns(&self, v6: bool) -> Option<&Origin> {
        let mut dynamic = self.dynamic.iter();
        let asked = dynamic.find(|asked| asked.value.is_v6() == v6)?;
        Some(&asked.origin)
    }

    /// Which gateways become default routes: without a word, all.
    pub fn default_route(&self) -> DefaultRoute {
        self.default
            .as_ref()
            .map_or(DefaultRoute { v4: true, v6: true }, |asked| asked.value)
    }
}

/// Which gateways become default routes (`pipework.default`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DefaultRoute {
    /// IPv4's.
    pub v4: bool,
    /// IPv6's.
    pub v6: bool,
}

/// How an address is announced on the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Announce {
    /// Not at all.
    Off,
    /// Once now; IPv4's is repeated by the kernel (see `announce.rs`).
    Once,
    /// And again, so many times altogether, 2 to 5, by who keeps the lease:
    /// whenever it brings another address.
    Times(u32),
}

impl Attachment {
    /// Whether the container may start without it.
    pub fn is_optional(&self) -> bool {
        self.optional.as_ref().is_some_and(|asked| asked.value)
    }

    /// How often a new address is announced, 0 to 5.
    pub fn announces(&self) -> u32 {
        match self.announce.as_ref().map(|asked| asked.value) {
            Some(Announce::Off) => 0,
            Some(Announce::Once) | None => 1,
            Some(Announce::Times(times)) => times,
        }
    }
}

impl Request {
    /// What holds for pods where nothing is written: every port is guarded
    /// against forged addresses, and a lease is given back at the end, because
    /// pods come and go under ever new names.
    pub fn guard_by_default(&mut self) {
        for attachment in &mut self.attachments {
            let yes = || Asked {
                value: true,
                origin: Origin::Default,
            };
            attachment.port.spoofcheck.get_or_insert_with(yes);
            attachment.addressing.held = true;
            if !attachment.addressing.dynamic.is_empty() {
                attachment.dhcp.release.get_or_insert_with(yes);
            }
        }
    }
}

/// Everything that one sandbox asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The interfaces, in the order in which they are made; never empty.
    pub attachments: Vec<Attachment>,
    /// The stable identity of the container (`pipework.name`), if given.
    pub name: Option<Asked<String>>,
}
