//! The forms that a field's value can have, each with its check and the words
//! that describe it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;

use crate::request::PhysicalRef;
use crate::request::address::{AddressWithGateway, DynamicForm, is_plain_name};
use crate::request::dad::Dad;
use crate::request::device::{DeviceRef, MacvlanMode};
use crate::request::dhcp::{ClientId, DhcpServers, Fallback};
use crate::request::dhcp_program::DhcpProgram;
use crate::request::dns::{Dns, search_list};
use crate::request::error::{ValueError, cut};
use crate::request::ifname::IfName;
use crate::request::mac::MacAddr;
use crate::request::mtu::Mtu;
use crate::request::neighbour::Neighbour;
use crate::request::pkey::Pkey;
use crate::request::route::Route;
use crate::request::rule::Rule;
use crate::request::vf::TxRate;
use crate::request::{Bytes, Rate, TcLine};

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The name of an interface.
    IfName,
    /// A device of the host.
    Device,
    /// A device, or `pf:NAME`.
    DeviceOrPf,
    /// A kind of interface.
    Type,
    /// A mode of a macvlan or an ipvlan.
    Mode,
    /// Addresses with gateways, or a word such as `dhcp`.
    Ip,
    /// Gateways.
    Gateways,
    /// Routes.
    Routes,
    /// Rules that choose a table.
    Rules,
    /// Neighbours.
    Neighbours,
    /// Which gateways become default routes.
    DefaultRoute,
    /// A hardware address with an optional VLAN.
    Mac,
    /// An MTU.
    Mtu,
    /// A kernel setting's value.
    Sysctl,
    /// 0 to 5.
    Announce,
    /// An identity.
    Name,
    /// Yes or no.
    Bool,
    /// A number from the first to the second.
    Number(u32, u32),
    /// A VLAN (IEEE 802.1Q: 0 and 4095 are reserved).
    Vlan,
    /// VLANs and ranges of them.
    Trunk,
    /// 0 s to 10 min.
    Duration,
    /// Bits per second.
    Rate,
    /// Whole Mbit per second.
    TxRate,
    /// A partition of InfiniBand.
    Pkey,
    /// Bytes.
    Size,
    /// Lines of traffic control.
    TrafficControl,
    /// One of these words.
    Words(&'static [&'static str]),
    /// `off` or `arp[:ms]`.
    Dad,
    /// Name servers or a word.
    Dns,
    /// Domains.
    Domains,
    /// One domain.
    Domain,
    /// Servers of DHCPv4.
    DhcpServers,
    /// The path of a DHCP client.
    DhcpProgram,
    /// A client identifier.
    ClientId,
    /// What to do without a lease.
    Fallback,
    /// A label of a host name (RFC 1123 §2.1).
    HostName,
    /// A named network.
    NetworkName,
    /// A line for the pipework script.
    Command,
    /// Any text of at most so many bytes.
    Text(usize),
}

/// A value that does not have its field's form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text} is not {form}")]
pub struct FormMismatch {
    /// What was written, cut for display.
    pub text: String,
    /// What belongs there.
    pub form: Form,
}

impl Form {
    /// Fails when the value does not have this form.
    pub fn check(self, value: &str) -> Result<(), ValueError> {
        match self {
            Self::IfName => Ok(value.parse::<IfName>().map(drop)?),
            Self::Device => Ok(value.parse::<DeviceRef>().map(drop)?),
            Self::DeviceOrPf => Ok(value.parse::<PhysicalRef>().map(drop)?),
            Self::Pkey => Ok(value.parse::<Pkey>().map(drop)?),
            Self::TxRate => Ok(value.parse::<TxRate>().map(drop)?),
            Self::Ip => match DynamicForm::split(value)? {
                (words, rest) if !words.is_empty() && rest.is_empty() => Ok(()),
                (_, rest) => Ok(rest.parse::<AddressWithGateway>().map(drop)?),
            },
            Self::DhcpServers => Ok(value.parse::<DhcpServers>().map(drop)?),
            Self::DhcpProgram => Ok(value.parse::<DhcpProgram>().map(drop)?),
            Self::ClientId => Ok(value.parse::<ClientId>().map(drop)?),
            Self::Dns => Ok(value.parse::<Dns>().map(drop)?),
            Self::Fallback => Ok(value.parse::<Fallback>().map(drop)?),
            Self::Routes => Ok(Route::parse_list(value).map(drop)?),
            Self::Rules => Ok(Rule::parse_list(value).map(drop)?),
            Self::Neighbours => Ok(Neighbour::parse_list(value).map(drop)?),
            Self::Dad => Ok(value.parse::<Dad>().map(drop)?),
            Self::Mtu => Ok(value.parse::<Mtu>().map(drop)?),
            Self::Rate => Ok(value.parse::<Rate>().map(drop)?),
            Self::Size => Ok(value.parse::<Bytes>().map(drop)?),
            Self::TrafficControl => Ok(TcLine::parse_list(value).map(drop)?),
            // Every other form is a plain yes or no.
            other @ (Self::Type
            | Self::Mode
            | Self::Gateways
            | Self::DefaultRoute
            | Self::Mac
            | Self::Sysctl
            | Self::Announce
            | Self::Name
            | Self::Bool
            | Self::Number(..)
            | Self::Vlan
            | Self::Trunk
            | Self::Duration
            | Self::Words(_)
            | Self::Domains
            | Self::Domain
            | Self::HostName
            | Self::NetworkName
            | Self::Command
            | Self::Text(_)) => other
                .is_plain(value)
                .then_some(())
                .ok_or_else(|| other.mismatch(value)),
        }
    }

    /// The answer to a value that does not have this form.
    pub fn mismatch(self, value: &str) -> ValueError {
        ValueError::Mismatch(FormMismatch {
            text: cut(value),
            form: self,
        })
    }

    fn is_plain(self, value: &str) -> bool {
        match self {
            Self::IfName
            | Self::Device
            | Self::DeviceOrPf
            | Self::Pkey
            | Self::TxRate
            | Self::Ip
            | Self::Routes
            | Self::Mtu
            | Self::Rate
            | Self::Size
            | Self::TrafficControl
            | Self::Rules
            | Self::Neighbours
            | Self::ClientId
            | Self::DhcpServers
            | Self::DhcpProgram
            | Self::Dns
            | Self::Fallback
            | Self::Dad => self.check(value).is_ok(),
            Self::Type => TYPES.contains(&value),
            Self::Mode => value.parse::<MacvlanMode>().is_ok() || IPVLAN_MODES.contains(&value),
            Self::Gateways => value.split([',', ';']).all(is_address),
            Self::DefaultRoute => boolean(value).is_some() || matches!(value, "v4" | "v6"),
            Self::Mac => is_mac(value),
            Self::Sysctl => value.parse::<i64>().is_ok(),
            Self::Announce => within(value, 0, 5).is_some(),
            Self::Name => is_name(value),
            Self::Bool => boolean(value).is_some(),
            Self::Number(min, max) => within(value, min, max).is_some(),
            Self::Vlan => vlan(value).is_some(),
            Self::Trunk => value.split(',').all(is_vlan_range),
            Self::Duration => duration(value).is_some(),
            Self::Words(words) => words.contains(&value),
            Self::Domains => search_list(value).is_some(),
            Self::Domain => search_list(value).is_some_and(|domains| domains.len() == 1),
            Self::HostName => is_host_name(value),
            Self::NetworkName => is_plain_name(value),
            Self::Command => is_command(value),
            Self::Text(max) => value.len() <= max,
        }
    }

    /// Do both values, of this form, say the same?
    pub fn same(self, one: &str, other: &str) -> bool {
        if self == Self::Bool {
            boolean(one) == boolean(other)
        } else if self == Self::Duration {
            duration(one) == duration(other)
        } else {
            one == other
        }
    }
}

/// The kinds that `type` knows.
pub const TYPES: &[&str] = &[
    "macvlan", "ipvlan", "bridge", "ovs", "phys", "dummy", "ipoib", "wifi",
];
/// drivers/net/ipvlan: the words of ip-link(8).
pub const IPVLAN_MODES: &[&str] = &["l2", "l3", "l3s"];

/// true, yes, on, 1 and their opposites in any case.
pub fn boolean(value: &str) -> Option<bool> {
    let is = |word: &str| value.eq_ignore_ascii_case(word);
    if ["true", "yes", "on", "1"].into_iter().any(is) {
        return Some(true);
    }
    ["false", "no", "off", "0"]
        .into_iter()
        .any(is)
        .then_some(false)
}

/// A decimal number from `min` to `max`.
pub fn within(value: &str, min: u32, max: u32) -> Option<u32> {
    let number: u32 = value.parse().ok()?;
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    (digits && (min..=max).contains(&number)).then_some(number)
}

/// A VLAN's number; 0 and 4095 are reserved (IEEE 802.1Q table 9-2).
pub fn vlan(value: &str) -> Option<u16> {
    within(value, 1, 4094).and_then(|number| u16::try_from(number).ok())
}

/// 1 to 253 printable ASCII characters without blanks.
pub fn is_name(value: &str) -> bool {
    (1..=253).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic())
}

fn is_address(value: &str) -> bool {
    value.trim().parse::<IpAddr>().is_ok()
}

fn is_mac(value: &str) -> bool {
    let (mac, tag) = value.split_once('@').unwrap_or((value, ""));
    let mac = mac.is_empty() || mac.starts_with("U:") || mac.parse::<MacAddr>().is_ok();
    mac && (tag.is_empty() || vlan(tag).is_some())
}

fn is_vlan_range(item: &str) -> bool {
    match item.trim().split_once('-') {
        None => vlan(item.trim()).is_some(),
        Some((first, last)) => match (vlan(first), vlan(last)) {
            (Some(first), Some(last)) => first <= last,
            (None, _) | (_, None) => false,
        },
    }
}

/// A time with its unit, up to 10 min.
pub fn duration(value: &str) -> Option<Duration> {
    let unit_at = value.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = value.split_at_checked(unit_at)?;
    let factor = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => return None,
    };
    let ms = number.parse::<u32>().ok()?.checked_mul(factor)?;
    (ms <= 600_000).then(|| Duration::from_millis(ms.into()))
}

/// A name of RFC 1123 §2.1.
pub fn is_host_name(value: &str) -> bool {
    (1..=63).contains(&value.len())
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !value.starts_with('-')
        && !value.ends_with('-')
}

fn is_command(value: &str) -> bool {
    value.split_whitespace().nth(1).is_some()
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::IfName => "the name of an interface",
            Self::Device => "a device: NAME, mac:MAC or pci:ADDRESS",
            Self::DeviceOrPf => "a device: NAME, mac:MAC, pci:ADDRESS or pf:NAME",
            Self::Type => return write!(f, "one of {}", TYPES.join(", ")),
            Self::Mode => {
                "one of bridge, private, vepa, passthru (macvlan) or l2, l3, l3s (ipvlan)"
            }
            Self::Ip => "ADDRESS/LENGTH[,…][@GATEWAY[,GATEWAY]], 0/0, dhcp, dhcp6, slaac or pool",
            Self::Gateways => "one gateway for each address family, separated by a comma",
            Self::Routes => "routes separated by ;",
            Self::Rules => "rules separated by ;",
            Self::Neighbours => "neighbours separated by ;",
            Self::DefaultRoute => "true, false, v4 or v6",
            Self::Mac => "[MAC or U:STRING][@VLAN]",
            Self::Mtu => "a number of bytes from 68 to 65535",
            Self::Sysctl => "an integer",
            Self::Announce => "a number from 0 to 5",
            Self::Name => "1 to 253 printable ASCII characters without blanks",
            Self::Bool => "true or false",
            Self::Number(min, max) => return write!(f, "a number from {min} to {max}"),
            Self::Vlan => "a VLAN from 1 to 4094 (0 and 4095 are reserved)",
            Self::Trunk => "a list of VLANs from 1 to 4094 such as 10,20-30",
            Self::Duration => "a time from 0s to 10m, with the unit ms, s or m",
            Self::Rate => "a rate in bit/s such as 10mbit",
            Self::TxRate => "a rate in whole Mbit/s such as 100mbit",
            Self::Pkey => "a partition key in hexadecimal such as 0x8001",
            Self::Size => "a number of bytes such as 64kb",
            Self::TrafficControl => "qdisc add, class add or filter add with their words",
            Self::Words(words) => return write!(f, "one of {}", words.join(", ")),
            Self::Dad => "off or arp[:MILLISECONDS] up to 10000",
            Self::Dns => "auto, lease, keep or a list of addresses",
            Self::Domains => "a list of domains",
            Self::Domain => "a domain name",
            Self::DhcpProgram => "the absolute path of a udhcpc, dhclient or dhcpcd",
            Self::DhcpServers => "a list of one to sixteen IPv4 addresses",
            Self::ClientId => "a client identifier: bytes as 01:02:…, or a text",
            Self::Fallback => "refuse, last-lease, background or ADDRESS/LENGTH[@GATEWAY]",
            Self::HostName => "a host name of at most 63 letters, digits and hyphens",
            Self::NetworkName => {
                "the name of a network: lower case letters, digits, _ and -, at most 32"
            }
            Self::Command => "an interface and an address, or route, rule or tc with its words",
            Self::Text(max) => return write!(f, "a text of at most {max} bytes"),
        };
        f.write_str(words)
    }
}
