//! Steps of leases: asking for one, and what one changes, then and when it is
//! renewed.

use std::fmt;
use std::time::Duration;

use crate::dhcp::{v4, v6};
use crate::plan::host_access::HostReach;
use crate::plan::lease::Wishes;
use crate::request::{ArpProbe, DhcpProgram, Fallback, IfName, MacAddr};
use crate::rt::{Address, Route};

/// One of these steps. What they make goes with its link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseStep {
    /// Ask servers for an address, once all links are there.
    Ask(Box<LeaseAsk>),
    /// Give the interface a leased address, or set anew how long it holds.
    SetAddress {
        /// The address.
        address: Address,
        /// The interface.
        ifname: IfName,
    },
    /// Take an address away that is leased no more.
    DropAddress {
        /// The address.
        address: Address,
        /// The interface.
        ifname: IfName,
    },
    /// Add a route of a lease, in the place of another for that destination and
    /// metric.
    SetRoute {
        /// The route.
        route: Route,
        /// The interface.
        ifname: IfName,
    },
    /// Take a route away that is in the lease no more.
    DropRoute {
        /// The route.
        route: Route,
        /// The interface.
        ifname: IfName,
    },
    /// Set the MTU.
    SetMtu {
        /// Index of the interface.
        ifindex: u32,
        /// The interface.
        ifname: IfName,
        /// In bytes.
        mtu: u32,
    },
}

/// What an interface asks servers for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseAsk {
    /// The interface.
    pub ifname: IfName,
    /// Its index.
    pub ifindex: u32,
    /// Index of what it is plugged into.
    pub uplink: u32,
    /// Name of that.
    pub uplink_name: IfName,
    /// Index of the bridge port on the host that has to forward first.
    pub port: Option<u32>,
    /// What asks, and what of the answer is made use of.
    pub client: LeaseClient,
    /// Its hardware address.
    pub mac: MacAddr,
    /// Nobody gave the host name: it may be a better one by the time.
    pub host_name_is_default: bool,
    /// The program that asks in our own client's place.
    pub program: Option<DhcpProgram>,
    /// How an address is probed.
    pub arp: ArpProbe,
    /// How long to wait for a carrier first.
    pub wait: Duration,
    /// How long to wait for a lease.
    pub timeout: Duration,
    /// Nobody said so, so that it may be less.
    pub timeout_is_default: bool,
    /// What to do without one.
    pub fallback: Fallback,
    /// How the host reaches its address, if it shall.
    pub reach: Option<HostReach>,
    /// Somebody must be there who renews it.
    pub keeps: bool,
    /// It is given back at the end.
    pub releases: bool,
    /// The interface is a device of the host.
    pub is_device: bool,
    /// How often a new address is announced.
    pub announces: u32,
}

/// A client of one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseClient {
    /// Of DHCPv4.
    V4 {
        /// What it is told.
        config: v4::Config,
        /// What of a lease is made use of.
        wishes: Wishes,
    },
    /// Of DHCPv6.
    V6 {
        /// What it is told.
        config: v6::Config,
        /// A router's default route is wanted beside the address, which leads
        /// nowhere without.
        default_route: bool,
    },
}

impl LeaseClient {
    /// The name that its server is told.
    pub fn host_name(&mut self) -> &mut Option<String> {
        match self {
            Self::V4 { config, .. } => &mut config.host_name,
            Self::V6 { config, .. } => &mut config.host_name,
        }
    }
}

impl fmt::Display for LeaseStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(ask) => ask.fmt(f),
            Self::SetAddress { address, ifname } => {
                write!(f, "adding {} to {ifname}", address.address)?;
                match address.lifetime {
                    Some(lifetime) => write!(f, " for {} s", lifetime.valid),
                    None => Ok(()),
                }
            }
            Self::DropAddress { address, ifname } => {
                write!(f, "taking {} from {ifname}", address.address)
            }
            Self::SetRoute { route, ifname } => {
                f.write_str("adding ")?;
                name(f, route, ifname)
            }
            Self::DropRoute { route, ifname } => {
                f.write_str("removing ")?;
                name(f, route, ifname)
            }
            Self::SetMtu { ifname, mtu, .. } => write!(f, "setting the MTU of {ifname} to {mtu}"),
        }
    }
}

fn name(f: &mut fmt::Formatter<'_>, route: &Route, ifname: &IfName) -> fmt::Result {
    match route.destination.prefix_len() {
        0 => f.write_str("the default route")?,
        _ => write!(f, "the route to {}", route.destination)?,
    }
    match route.via {
        Some(via) => write!(f, " via {via} by {ifname}"),
        None => write!(f, " by {ifname}"),
    }
}

impl fmt::Display for LeaseAsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (protocol, host_name, full_probe) = match &self.client {
            LeaseClient::V4 { config, .. } => ("DHCP", &config.host_name, "up to 9 s"),
            LeaseClient::V6 { config, .. } => ("DHCPv6", &config.host_name, "1 s"),
        };
        write!(f, "asking for an address of {} by {protocol}", self.ifname)?;
        if let Some(name) = host_name {
            write!(f, " as {name}")?;
        }
        if let Some(program) = &self.program {
            write!(f, ", by running {program}")?;
        }
        write!(f, ", for {} s at most", self.timeout.as_secs_f32())?;
        match self.arp {
            ArpProbe::Off => f.write_str(", used unprobed")?,
            ArpProbe::Fast => f.write_str(", probed for 0.2 s")?,
            ArpProbe::Rfc => write!(f, ", probed for {full_probe}")?,
        }
        f.write_str(match (self.keeps, self.releases) {
            (true, false) => ", and renewed by the daemon",
            (true, true) => ", renewed by the daemon and released at the end",
            (false, false) => ", and never renewed",
            (false, true) => ", never renewed, and released at the end",
        })
    }
}
