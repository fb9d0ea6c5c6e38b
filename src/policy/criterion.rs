//! The keys of a rule, and which of them a need falls under.

use std::fmt;

use super::need::Need;
use super::text::quoted;

/// A key of `[[rule]]` that says who or what the rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each is the key of its name; rule.rs says what it lists"
)]
pub enum Criterion {
    Caller,
    Uplink,
    Lower,
    Kind,
    Mode,
    Vlan,
    CreateBridge,
    Cidr,
    Gateway,
    DefaultRoute,
    Mac,
    Routes,
    Ifname,
    Hostif,
    Mtu,
    Txqlen,
    Sysctl,
    Announce,
    Metric,
    Name,
    Optional,
    Count,
}

impl Criterion {
    /// The key in the file.
    pub fn key(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Uplink => "uplink",
            Self::Lower => "lower",
            Self::Kind => "kind",
            Self::Mode => "mode",
            Self::Vlan => "vlan",
            Self::CreateBridge => "create-bridge",
            Self::Cidr => "cidr",
            Self::Gateway => "gateway",
            Self::DefaultRoute => "default-route",
            Self::Mac => "mac",
            Self::Routes => "routes",
            Self::Ifname => "ifname",
            Self::Hostif => "hostif",
            Self::Mtu => "mtu",
            Self::Txqlen => "txqlen",
            Self::Sysctl => "sysctl",
            Self::Announce => "announce",
            Self::Metric => "metric",
            Self::Name => "name",
            Self::Optional => "optional",
            Self::Count => "count",
        }
    }
}

impl Need {
    /// The key that would cover this need.
    pub fn criterion(&self) -> Criterion {
        match self {
            Self::Caller(_) => Criterion::Caller,
            Self::Uplink(_) => Criterion::Uplink,
            Self::Lower(_) => Criterion::Lower,
            Self::Kind(_) => Criterion::Kind,
            Self::Mode(_) => Criterion::Mode,
            Self::Vlan(_) | Self::Trunk(_) => Criterion::Vlan,
            Self::VlanDevice(_) => Criterion::Uplink,
            Self::CreateBridge => Criterion::CreateBridge,
            Self::Address(_) => Criterion::Cidr,
            Self::Gateway(_) => Criterion::Gateway,
            Self::DefaultRoute => Criterion::DefaultRoute,
            Self::Mac(_) => Criterion::Mac,
            Self::Route(_) => Criterion::Routes,
            Self::Ifname { .. } => Criterion::Ifname,
            Self::Hostif(_) => Criterion::Hostif,
            Self::Mtu(_) => Criterion::Mtu,
            Self::Txqlen(_) => Criterion::Txqlen,
            Self::Sysctl(_) => Criterion::Sysctl,
            Self::Announce(_) => Criterion::Announce,
            Self::Metric(_) => Criterion::Metric,
            Self::Name(_) => Criterion::Name,
            Self::Optional => Criterion::Optional,
            Self::Count(_) => Criterion::Count,
        }
    }
}

/// The need in the words of the fields, for an error's line.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller(caller) => write!(f, "{caller}"),
            Self::Uplink(name) => write!(f, "the uplink {name}"),
            Self::Lower(name) => write!(f, "{name}, which is below the uplink,"),
            Self::Kind(kind) => write!(f, "the kind {}", kind.word()),
            Self::Mode(mode) => write!(f, "the macvlan mode {mode}"),
            Self::Vlan(None) => f.write_str("the untagged network of the uplink"),
            Self::Vlan(Some(tag)) => write!(f, "VLAN {tag}"),
            Self::VlanDevice(name) => write!(f, "the VLAN device {name}"),
            Self::Trunk(range) => write!(f, "VLAN {range} tagged"),
            Self::CreateBridge => f.write_str("making the bridge"),
            Self::Address(address) => write!(f, "the address {address}"),
            Self::Gateway(gateway) => write!(f, "the gateway {gateway}"),
            Self::DefaultRoute => f.write_str("a default route"),
            Self::Mac(None) => f.write_str("the stable hardware address"),
            Self::Mac(Some(mac)) => write!(f, "the hardware address {mac}"),
            Self::Route(destination) => write!(f, "a route to {destination}"),
            Self::Ifname { name, written: _ } => write!(f, "the interface name {name}"),
            Self::Hostif(name) => write!(f, "the host interface name {name}"),
            Self::Mtu(mtu) => write!(f, "an MTU of {mtu}"),
            Self::Txqlen(length) => write!(f, "a transmit queue of {length}"),
            Self::Sysctl(leaf) => write!(f, "the sysctl {leaf}"),
            Self::Announce(times) => write!(f, "announcing {times} times"),
            Self::Metric(metric) => write!(f, "the metric {metric}"),
            Self::Name(name) => write!(f, "the name {}", quoted(name)),
            Self::Optional => f.write_str("starting without the interface"),
            Self::Count(count) => write!(f, "{count} interfaces in one container"),
        }
    }
}
