//! The kinds of value that a rule's criteria list.
//!
//! Each parses from the text in the file and says whether it covers a value
//! that was asked for.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::set::Entry;
use crate::request::dhcp_program::DhcpProgramError;
use crate::request::glob::GlobError;
use crate::request::rate::RateError;
use crate::request::{DhcpProgram, Glob, IpvlanMode, MacAddr, MacvlanMode, Pkey, Rate};

impl Entry for Glob {
    const EXPECTED: &'static str = "names, each exact or with a trailing *";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: GlobError| error.to_string())
    }
}

impl Entry for DhcpProgram {
    const EXPECTED: &'static str = "absolute paths of udhcpc, dhclient or dhcpcd";

    fn parse(text: &str) -> Result<Self, String> {
        let parsed = text.parse();
        parsed.map_err(|error: DhcpProgramError| error.to_string())
    }
}

/// How an interface is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A port of a Linux bridge.
    Bridge,
    /// A port of an Open vSwitch bridge.
    Ovs,
    /// A macvlan child.
    Macvlan,
    /// An ipvlan child.
    Ipvlan,
    /// The device itself.
    Phys,
    /// A free virtual function of the uplink.
    Vf,
    /// A dummy.
    Dummy,
    /// A child of an InfiniBand interface.
    Ipoib,
    /// The radio of a wireless interface.
    Wifi,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Bridge,
        Self::Ovs,
        Self::Macvlan,
        Self::Ipvlan,
        Self::Phys,
        Self::Vf,
        Self::Dummy,
        Self::Ipoib,
        Self::Wifi,
    ];

    /// The word in the file: that of `pipework.type`, and `vf` for
    /// `device=pf:NAME`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Ovs => "ovs",
            Self::Macvlan => "macvlan",
            Self::Ipvlan => "ipvlan",
            Self::Phys => "phys",
            Self::Vf => "vf",
            Self::Dummy => "dummy",
            Self::Ipoib => "ipoib",
            Self::Wifi => "wifi",
        }
    }
}

impl Entry for Kind {
    const EXPECTED: &'static str =
        "kinds: bridge, ovs, macvlan, ipvlan, phys, vf, dummy, ipoib, wifi";

    fn parse(text: &str) -> Result<Self, String> {
        let all = Self::ALL.into_iter();
        all.clone().find(|kind| kind.word() == text).ok_or_else(|| {
            let words: Vec<&str> = all.map(Self::word).collect();
            format!("no kind is called {text:?}; there are {}", words.join(", "))
        })
    }
}

/// How the children of one NIC reach each other: the words of macvlan and of
/// ipvlan differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Of a macvlan.
    Macvlan(MacvlanMode),
    /// Of an ipvlan; it holds for all children of the NIC.
    Ipvlan(IpvlanMode),
}

impl Mode {
    /// Whether it is what everybody gets who asks for none.
    pub fn is_default(self) -> bool {
        matches!(
            self,
            Self::Macvlan(MacvlanMode::Bridge) | Self::Ipvlan(IpvlanMode::L2)
        )
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Macvlan(mode) => mode.fmt(f),
            Self::Ipvlan(mode) => mode.fmt(f),
        }
    }
}

impl Entry for Mode {
    const EXPECTED: &'static str = "modes of macvlan or ipvlan";

    fn parse(text: &str) -> Result<Self, String> {
        let macvlan = text.parse().map(Self::Macvlan).ok();
        let mode = macvlan.or_else(|| text.parse().map(Self::Ipvlan).ok());
        mode.ok_or_else(|| {
            format!(
                "no mode is called {text:?}; there are bridge, private, vepa and passthru (macvlan), l2, l3 and l3s (ipvlan)"
            )
        })
    }
}

/// A number or a range of them, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The least.
    pub min: u32,
    /// The greatest.
    pub max: u32,
}

impl Range {
    /// Whether the number is inside.
    pub fn covers(self, number: u32) -> bool {
        (self.min..=self.max).contains(&number)
    }
}

impl Entry for Range {
    const EXPECTED: &'static str = "numbers and ranges like \"10-20\", or { min = …, max = … }";

    fn parse(text: &str) -> Result<Self, String> {
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        match (min.parse(), max.parse()) {
            (Ok(min), Ok(max)) if min <= max => Ok(Self { min, max }),
            (Ok(_), Ok(_)) => Err(format!("the range {text:?} ends before it begins")),
            (Ok(_) | Err(_), _) => Err(format!("{text:?} is neither a number nor a range")),
        }
    }

    fn between(min: Option<u32>, max: Option<u32>) -> Option<Self> {
        (min.is_some() || max.is_some()).then(|| Self {
            min: min.unwrap_or(0),
            max: max.unwrap_or(u32::MAX),
        })
    }
}

/// The largest limit of traffic that may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `unlimited`: there need be none.
    Unlimited,
    /// One that is no larger.
    AtMost(Rate),
}

impl Limit {
    /// Whether this limit, or its absence, is covered.
    pub fn covers(self, asked: Option<Rate>) -> bool {
        match (self, asked) {
            (Self::Unlimited, _) => true,
            (Self::AtMost(most), Some(rate)) => rate <= most,
            (Self::AtMost(_), None) => false,
        }
    }
}

impl Entry for Limit {
    const EXPECTED: &'static str = "the largest limit in bit/s: \"100mbit\", \"unlimited\"";

    fn parse(text: &str) -> Result<Self, String> {
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        let most = text.parse().map_err(|e: RateError| e.to_string())?;
        Ok(Self::AtMost(most))
    }
}

/// A VLAN of IEEE 802.1Q, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vlan {
    /// `untagged`.
    Untagged,
    /// These tags.
    Tagged(Range),
}

impl Vlan {
    /// Whether this tag, or its absence, is covered.
    pub fn covers(self, tag: Option<u16>) -> bool {
        match (self, tag) {
            (Self::Untagged, None) => true,
            (Self::Tagged(range), Some(tag)) => range.covers(tag.into()),
            (Self::Untagged, Some(_)) | (Self::Tagged(_), None) => false,
        }
    }
}

impl Entry for Vlan {
    const EXPECTED: &'static str = "VLANs: \"untagged\", 100, \"10-20\"";

    fn parse(text: &str) -> Result<Self, String> {
        if text == "untagged" {
            return Ok(Self::Untagged);
        }
        let range = Range::parse(text)
            .map_err(|reason| format!("{reason}; a VLAN is 1 to 4094, or \"untagged\""))?;
        if range.min < 1 || range.max > 4094 {
            return Err(format!("{text} is not a VLAN: they are 1 to 4094"));
        }
        Ok(Self::Tagged(range))
    }
}

/// Partitions of InfiniBand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pkeys {
    first: Pkey,
    last: Pkey,
}

impl Pkeys {
    /// Whether this partition is covered.
    pub fn covers(self, pkey: Pkey) -> bool {
        (self.first..=self.last).contains(&pkey)
    }
}

impl Entry for Pkeys {
    const EXPECTED: &'static str = "partitions in hexadecimal: \"0x8001\", \"0x8001-0x80ff\"";

    fn parse(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let read = |text: &str| text.parse::<Pkey>().map_err(|error| error.to_string());
        let (first, last) = (read(first)?, read(last)?);
        match first <= last {
            true => Ok(Self { first, last }),
            false => Err(format!("the range {text:?} ends before it begins")),
        }
    }
}

/// A network, or one address as a network of its own.
fn network(text: &str) -> Result<IpNet, String> {
    let parsed = text
        .parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    match parsed {
        None => Err(format!(
            "{text:?} is not a network; write it like 10.0.0.0/24"
        )),
        Some(net) if net != net.trunc() => Err(format!(
            "{text} names an address inside a network; maybe you meant {}",
            net.trunc()
        )),
        Some(net) => Ok(net),
    }
}

impl Entry for IpNet {
    const EXPECTED: &'static str = "networks like \"10.0.0.0/24\"";

    fn parse(text: &str) -> Result<Self, String> {
        network(text)
    }
}

/// Routers that traffic may be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Routers(pub IpNet);

impl Entry for Routers {
    const EXPECTED: &'static str = "networks like \"10.0.0.1/32\", or true";
    const BOOLEAN: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        network(text).map(Self)
    }
}

/// Hardware addresses: one, a prefix of whole octets, or "none was asked".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MacPattern {
    /// `stable`: the address that we derive.
    Stable,
    /// Those whose lower-case colon form begins so.
    Prefix(String),
}

impl MacPattern {
    /// Whether this address, or its absence, is covered.
    pub fn covers(&self, mac: Option<&MacAddr>) -> bool {
        match (self, mac) {
            (Self::Stable, None) => true,
            (Self::Prefix(prefix), Some(mac)) => mac.to_string().starts_with(prefix.as_str()),
            (Self::Stable, Some(_)) | (Self::Prefix(_), None) => false,
        }
    }
}

impl Entry for MacPattern {
    const EXPECTED: &'static str = "hardware addresses: \"stable\", \"02:42:*\"";

    fn parse(text: &str) -> Result<Self, String> {
        if text == "stable" {
            return Ok(Self::Stable);
        }
        let lower = text.to_ascii_lowercase();
        let octets = lower.strip_suffix(":*").unwrap_or(&lower);
        let well_formed = octets
            .split(':')
            .all(|octet| octet.len() == 2 && octet.chars().all(|c| c.is_ascii_hexdigit()));
        let count = octets.split(':').count();
        let whole = if lower.ends_with(":*") { 1..=5 } else { 6..=6 };
        if !well_formed || !whole.contains(&count) {
            return Err(format!(
                "{text:?} is no hardware address; write \"02:42:ac:11:00:05\", \"02:42:*\" or \"stable\""
            ));
        }
        Ok(Self::Prefix(lower.trim_end_matches('*').to_owned()))
    }
}
