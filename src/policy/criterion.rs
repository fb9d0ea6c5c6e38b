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
    Ovs,
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
    RateIn,
    RateOut,
    Burst,
    TrafficControl,
    Hairpin,
    Promisc,
    NoSpoofcheck,
    Optional,
    DeviceForce,
    Vf,
    Pkey,
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
            Self::Ovs => "ovs",
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
            Self::RateIn => "rate-in",
            Self::RateOut => "rate-out",
            Self::Burst => "burst",
            Self::TrafficControl => "tc",
            Self::Hairpin => "hairpin",
            Self::Promisc => "promisc",
            Self::NoSpoofcheck => "no-spoofcheck",
            Self::Optional => "optional",
            Self::DeviceForce => "device-force",
            Self::Vf => "vf",
            Self::Pkey => "pkey",
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
            Self::Ovs(_) => Criterion::Ovs,
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
            Self::RateIn(_) => Criterion::RateIn,
            Self::RateOut(_) => Criterion::RateOut,
            Self::Burst(_) => Criterion::Burst,
            Self::TrafficControl => Criterion::TrafficControl,
            Self::Hairpin => Criterion::Hairpin,
            Self::Promisc => Criterion::Promisc,
            Self::NoSpoofcheck => Criterion::NoSpoofcheck,
            Self::Optional => Criterion::Optional,
            Self::DeviceForce => Criterion::DeviceForce,
            Self::Vf(_) => Criterion::Vf,
            Self::Pkey(_) => Criterion::Pkey,
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
            Self::Ovs(row) => write!(f, "{row} in the rows of Open vSwitch"),
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
            Self::RateIn(None) => f.write_str("no limit of the traffic to it"),
            Self::RateIn(Some(rate)) => write!(f, "{rate} to it"),
            Self::RateOut(None) => f.write_str("no limit of the traffic from it"),
            Self::RateOut(Some(rate)) => write!(f, "{rate} from it"),
            Self::Burst(bytes) => write!(f, "a burst of {bytes} bytes"),
            Self::TrafficControl => f.write_str("traffic control of its own"),
            Self::Hairpin => f.write_str("a hairpin port"),
            Self::Promisc => f.write_str("receiving all frames"),
            Self::NoSpoofcheck => f.write_str("a port without spoofcheck"),
            Self::Optional => f.write_str("starting without the interface"),
            Self::DeviceForce => f.write_str("taking a device that the host uses"),
            Self::Vf(field) => write!(f, "the setting vf.{field}"),
            Self::Pkey(pkey) => write!(f, "partition {pkey}"),
            Self::Count(count) => write!(f, "{count} interfaces in one container"),
        }
    }
}
