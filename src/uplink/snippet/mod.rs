//! The configuration that makes the same at every boot, for whoever configures
//! the host's network. pipework prints it, and keeps no configuration itself.
//!
//! Pure. Names with characters that would have to be quoted are refused, so
//! that no name can be read as more than a name.

mod ifupdown;
mod netplan;
mod network_manager;
mod networkd;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::judge;
use super::record::{PortPart, UplinkRecord};
use super::view::{BridgeView, View, VlanView, accepts_advertisements};
use super::wanted::{BondMode, Wanted};
use crate::sys::rtnl::{NicState, RawAddress, RawRoute};

/// The kernel's usual MTU in bytes, which nobody needs to write down.
const USUAL_MTU: u32 = 1500;

/// Whose configuration it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// systemd-networkd: systemd.netdev(5), systemd.network(5).
    Networkd,
    /// NetworkManager: nmcli(1), nm-settings-nmcli(5).
    NetworkManager,
    /// ifupdown: interfaces(5), bridge-utils-interfaces(5).
    Ifupdown,
    /// netplan: netplan(5).
    Netplan,
}

/// A word that is none of [`Kind::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "pipework writes no configuration for {word}; it does for {}",
    Kind::WORDS
)]
pub struct KindError {
    word: String,
}

impl Kind {
    /// Every kind with its word.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Networkd, "networkd"),
        (Self::NetworkManager, "networkmanager"),
        (Self::Ifupdown, "ifupdown"),
        (Self::Netplan, "netplan"),
    ];
    const WORDS: &'static str = "networkd, networkmanager, ifupdown and netplan";
}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|(_, word)| *word == text);
        found.map(|(kind, _)| kind).ok_or_else(|| KindError {
            word: text.chars().take(32).collect(),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = Self::ALL.iter();
        let word = all.find(|(kind, _)| kind == self).map(|(_, word)| *word);
        f.write_str(word.unwrap_or_default())
    }
}

/// What is plugged into the bridge, as configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Port {
    /// A NIC.
    Nic(String),
    /// A VLAN device.
    Vlan {
        /// Its name.
        name: String,
        /// The device below.
        parent: String,
        /// The VLAN.
        vlan: u16,
    },
    /// A bond.
    Bond {
        /// Its name.
        name: String,
        /// How its members share the work.
        mode: BondMode,
        /// Its members.
        members: Vec<String>,
    },
}

/// Everything that the configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub(super) bridge: String,
    /// It is one of Open vSwitch, whose database keeps bridge and ports.
    pub(super) ovs: bool,
    /// It keeps VLANs apart: the one that a new port is in, untagged.
    pub(super) filtering: Option<u16>,
    pub(super) mac: String,
    pub(super) mtu: Option<u32>,
    pub(super) port: Port,
    pub(super) dhcp4: bool,
    pub(super) advertised: bool,
    pub(super) addresses: Vec<String>,
    pub(super) routes: Vec<Route>,
    /// Routes and rules that are left to the reader.
    pub(super) unsaid: Vec<String>,
}

/// A route of an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) to: IpNet,
    pub(super) via: Option<IpAddr>,
    pub(super) metric: Option<u32>,
    pub(super) table: Option<u32>,
    pub(super) source: Option<IpAddr>,
    pub(super) onlink: bool,
}

impl Route {
    pub(super) fn is_default(&self) -> bool {
        self.to.prefix_len() == 0
    }
}

impl Facts {
    /// Those of what is wanted on this host.
    pub fn of(wanted: &Wanted, view: &View) -> Self {
        let nic = view.nic.link.name.clone();
        let source = judge::port(view).ok().flatten();
        let port = match (&view.vlan, wanted.vlan, wanted.bond) {
            (Some(VlanView::Missing(device)), Some(vlan), _) => Port::Vlan {
                name: device.name.clone(),
                parent: nic,
                vlan: vlan.get(),
            },
            (Some(VlanView::There(device)), Some(vlan), _) => Port::Vlan {
                name: device.link.name.clone(),
                parent: nic,
                vlan: vlan.get(),
            },
            (_, _, Some(mode)) => Port::Bond {
                name: format!("bond-{}", wanted.bridge),
                mode,
                members: std::iter::once(nic)
                    .chain(view.others.iter().map(|o| o.link.name.clone()))
                    .collect(),
            },
            (_, _, None) => Port::Nic(nic),
        };
        let mac = source.unwrap_or(&view.nic).link.mac;
        let name = wanted.bridge.to_string();
        let source = source.map(|source| &source.state);
        let filtering = match &view.bridge {
            BridgeView::Linux { policy, .. } if policy.vlan_filtering => Some(policy.default_pvid),
            BridgeView::Linux { .. }
            | BridgeView::Missing { .. }
            | BridgeView::Ovs { .. }
            | BridgeView::Other { .. } => None,
        };
        Self {
            ovs: matches!(view.bridge, BridgeView::Ovs { .. }),
            filtering,
            ..Self::with(name, mac.unwrap_or_default(), port, source)
        }
    }

    /// Those of an uplink that was made.
    pub fn of_record(record: &UplinkRecord) -> Self {
        let nic = record.nic.name.clone();
        let port = match &record.port {
            PortPart::Nic => Port::Nic(nic),
            PortPart::Vlan { device, vlan } => Port::Vlan {
                name: device.name.clone(),
                parent: nic,
                vlan: vlan.get(),
            },
            PortPart::Bond {
                device,
                mode,
                others,
            } => Port::Bond {
                name: device.name.clone(),
                mode: *mode,
                members: std::iter::once(nic)
                    .chain(others.iter().map(|o| o.name.clone()))
                    .collect(),
            },
        };
        let name = record.bridge.device.name.clone();
        let source = record.moved.then_some(&record.nic);
        Self {
            ovs: record.bridge.ovs.is_some(),
            ..Self::with(name, record.bridge.mac, port, source)
        }
    }

    fn with(bridge: String, mac: [u8; 6], port: Port, source: Option<&NicState>) -> Self {
        let [a, b, c, d, e, f] = mac;
        let mut facts = Self {
            bridge,
            ovs: false,
            filtering: None,
            mac: format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"),
            mtu: source.map(|s| s.mtu).filter(|mtu| *mtu != USUAL_MTU),
            port,
            dhcp4: false,
            advertised: false,
            addresses: Vec::new(),
            routes: Vec::new(),
            unsaid: Vec::new(),
        };
        if let Some(source) = source {
            facts.learn(source);
        }
        facts
    }

    fn learn(&mut self, source: &NicState) {
        let leased = |a: &&RawAddress| a.is_finite() && !a.is_v6();
        self.dhcp4 = source.addresses.iter().any(|a| leased(&a));
        let autonomous = source.addresses.iter().any(|a| a.is_finite() && a.is_v6());
        let advertised = source.routes.iter().any(RawRoute::is_advertised);
        self.advertised = autonomous || advertised || accepts_advertisements(source);
        let kept = source.addresses.iter();
        let kept = kept.filter(|a| !(a.is_finite() || a.is_v6() && a.is_link_local()));
        let kept = kept.filter_map(|a| IpNet::new(a.address()?, a.prefix_length()).ok());
        self.addresses = kept.map(|a| a.to_string()).collect();
        for route in &source.routes {
            let comes_by_itself = route.is_kernels()
                || route.is_finite()
                || (self.advertised && route.is_advertised())
                || (self.dhcp4 && (route.is_leased() || is_of_a_lease(route, source)));
            if comes_by_itself {
                continue;
            }
            match route.destination().filter(|_| route.is_plain()) {
                Some(to) => self.routes.push(Route {
                    to,
                    via: route.gateway(),
                    metric: route.metric(),
                    table: Some(route.table()).filter(|table| *table != MAIN),
                    source: route.source(),
                    onlink: route.is_onlink(),
                }),
                None => self.unsaid.push(format!("the route {route}")),
            }
        }
        let rules = source.rules.iter().map(|rule| format!("the rule {rule}"));
        self.unsaid.extend(rules);
    }

    fn names(&self) -> Vec<&str> {
        let mut names = vec![self.bridge.as_str()];
        match &self.port {
            Port::Nic(name) => names.push(name),
            Port::Vlan { name, parent, .. } => names.extend([name.as_str(), parent]),
            Port::Bond { name, members, .. } => {
                names.push(name);
                names.extend(members.iter().map(String::as_str));
            }
        }
        names
    }
}

/// Whether a default route is by a router beside a leased address. Not every client
/// says in its routes that they are of a lease: the script of dhclient does not.
fn is_of_a_lease(route: &RawRoute, source: &NicState) -> bool {
    let leased = source
        .addresses
        .iter()
        .filter(|address| address.is_finite());
    let mut networks = leased.filter_map(|a| IpNet::new(a.address()?, a.prefix_length()).ok());
    let is_default = route.destination().is_some_and(|to| to.prefix_len() == 0);
    let router = route
        .gateway()
        .filter(|router| router.is_ipv4() && is_default);
    router.is_some_and(|router| networks.any(|network| network.contains(&router)))
}

/// The main routing table, which nobody has to name.
const MAIN: u32 = 254;

/// The configuration, ready to be copied.
pub fn text(kind: Kind, facts: &Facts) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if let Some(odd) = facts
        .names()
        .iter()
        .find(|name| !name.chars().all(is_plain))
    {
        return format!("# {odd:?} would have to be quoted: write this configuration by hand\n");
    }
    let mut text = match kind {
        Kind::NetworkManager if facts.ovs => {
            return "# NetworkManager configures Open vSwitch in its own way: nm-openvswitch(7)\n"
                .to_owned();
        }
        Kind::Networkd => networkd::text(facts),
        Kind::NetworkManager => network_manager::text(facts),
        Kind::Ifupdown => ifupdown::text(facts),
        Kind::Netplan => netplan::text(facts),
    };
    if facts.ovs {
        text.insert_str(0, &in_database(kind, facts));
    }
    if let (Kind::Netplan, Some(_)) = (kind, facts.filtering) {
        let bridge = &facts.bridge;
        text.push_str(&format!(
            "# netplan has no word for it: ip link set {bridge} type bridge vlan_filtering 1\n"
        ));
    }
    for unsaid in &facts.unsaid {
        text.push_str(&format!("# not said here: {unsaid}\n"));
    }
    text
}

/// What Open vSwitch is told once, and keeps. netplan tells it of ports, and has no
/// way to say a hardware address: a colon ends a word of `ovs-vsctl`.
fn in_database(kind: Kind, facts: &Facts) -> String {
    let Facts { bridge, mac, .. } = facts;
    let port = match kind {
        Kind::Netplan => String::new(),
        Kind::Networkd | Kind::NetworkManager | Kind::Ifupdown => {
            format!("--may-exist add-port {bridge} {} -- ", facts.port.name())
        }
    };
    format!("# once: ovs-vsctl {port}set Bridge {bridge} other-config:hwaddr='\"{mac}\"'\n")
}

impl Port {
    /// The name of what is plugged in.
    fn name(&self) -> &str {
        match self {
            Self::Nic(name) | Self::Vlan { name, .. } | Self::Bond { name, .. } => name,
        }
    }
}

#[cfg(test)]
mod tests;
