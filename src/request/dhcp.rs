//! Addresses that are learned from the network, and what a DHCP client is told
//! about it.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::error::cut;
use super::{AddressWithGateway, Asked, DhcpProgram};

/// How long to wait for a lease where nobody says: more than the 3 s that
/// dnsmasq pings a fresh address, and than a bridge listens before it forwards.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);
/// More servers than this are on no segment.
const MOST_SERVERS: usize = 16;
/// Option 61 has one byte for its length (RFC 2132 §9.14), and its type.
const MOST_ID_BYTES: usize = 254;

/// A way to learn addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dynamic {
    /// IPv4 from a DHCP server (RFC 2131).
    Dhcp4,
    /// IPv6 from a DHCP server (RFC 8415).
    Dhcp6,
    /// IPv6 from what routers advertise (RFC 4862).
    Slaac,
}

impl Dynamic {
    /// The word that asks for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dhcp4 => "dhcp",
            Self::Dhcp6 => "dhcp6",
            Self::Slaac => "slaac",
        }
    }

    /// Whether it brings IPv6 addresses; IPv4's otherwise.
    pub const fn is_v6(self) -> bool {
        match self {
            Self::Dhcp4 => false,
            Self::Dhcp6 | Self::Slaac => true,
        }
    }
}

/// What the DHCP client of an interface is told (`pipework.dhcp.*`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct DhcpOptions {
    /// Host name for the server; `None` means the container's.
    pub hostname: Option<Asked<String>>,
    /// Client identifier; `None` means type 1 and the MAC.
    pub client_id: Option<Asked<ClientId>>,
    /// Vendor class.
    pub vendor_class: Option<Asked<String>>,
    /// User class.
    pub user_class: Option<Asked<String>>,
    /// Domain name for the server to enter; it takes the host name's place.
    pub fqdn: Option<Asked<String>>,
    /// The only servers of DHCPv4 that are listened to; `None` means any.
    pub servers: Option<Asked<DhcpServers>>,
    /// How long to wait for a lease, up to 10 min.
    pub timeout: Option<Asked<Duration>>,
    /// How an address is probed before it is used.
    pub arp: Option<Asked<ArpProbe>>,
    /// Whether the lease is given back at the end.
    pub release: Option<Asked<bool>>,
    /// Whether something must be there that renews the lease.
    pub keep: Option<Asked<bool>>,
    /// What to do without an answer.
    pub fallback: Option<Asked<Fallback>>,
    /// Who asks for the lease of IPv4; `None` means our own client.
    pub program: Option<Asked<DhcpProgram>>,
}

impl DhcpOptions {
    /// How long to wait for a lease.
    pub fn timeout(&self) -> Duration {
        let asked = self.timeout.as_ref();
        asked.map_or(DEFAULT_TIMEOUT, |asked| asked.value)
    }

    /// How an address is probed.
    pub fn arp(&self) -> ArpProbe {
        self.arp
            .as_ref()
            .map_or(ArpProbe::Fast, |asked| asked.value)
    }

    /// Whether the lease is given back at the end; without a word it is not, so
    /// that the server knows the container when it comes back.
    pub fn releases(&self) -> bool {
        self.release.as_ref().is_some_and(|asked| asked.value)
    }

    /// Whether something must be there that renews the lease.
    pub fn keeps(&self) -> bool {
        self.keep.as_ref().is_none_or(|asked| asked.value)
    }

    /// What to do without an answer.
    pub fn fallback(&self) -> Fallback {
        let asked = self.fallback.as_ref();
        asked.map_or(Fallback::Refuse, |asked| asked.value.clone())
    }
}

/// Servers of DHCPv4 by the addresses that they name themselves by (option 54):
/// one to sixteen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DhcpServers(Vec<Ipv4Addr>);

/// A text that names no servers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text} is no list of one to sixteen IPv4 addresses")]
pub struct DhcpServersError {
    /// What was written, cut for display.
    pub text: String,
}

impl DhcpServers {
    /// Their addresses.
    pub fn addresses(&self) -> &[Ipv4Addr] {
        &self.0
    }
}

impl FromStr for DhcpServers {
    type Err = DhcpServersError;

    fn from_str(text: &str) -> Result<Self, DhcpServersError> {
        let servers = text.split(',').map(|item| item.trim().parse().ok());
        let servers: Option<Vec<Ipv4Addr>> = servers.collect();
        let is_host = |a: &Ipv4Addr| !(a.is_unspecified() || a.is_multicast() || a.is_broadcast());
        let suits = |all: &Vec<_>| all.len() <= MOST_SERVERS && all.iter().all(is_host);
        let servers = servers.filter(suits);
        servers
            .map(Self)
            .ok_or_else(|| DhcpServersError { text: cut(text) })
    }
}

/// Probe of an address that a server gave (RFC 5227).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArpProbe {
    /// None.
    Off,
    /// One, and 200 ms for an answer.
    Fast,
    /// Three with the waits of RFC 5227 §1.1, 5 to 9 s.
    Rfc,
}

impl ArpProbe {
    /// The words, in the order of the variants.
    pub const WORDS: [&'static str; 3] = ["off", "fast", "rfc"];

    /// The probe that a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "off" => Some(Self::Off),
            "fast" => Some(Self::Fast),
            "rfc" => Some(Self::Rfc),
            _ => None,
        }
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Fast => "fast",
            Self::Rfc => "rfc",
        }
    }
}

/// What to do when no server answered in time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fallback {
    /// The container does not start.
    Refuse,
    /// It starts with its last lease, if that has not ended.
    LastLease,
    /// It starts without, and whoever keeps leases goes on asking.
    Background,
    /// It starts with this address.
    Address(AddressWithGateway),
}

impl FromStr for Fallback {
    type Err = FallbackError;

    fn from_str(text: &str) -> Result<Self, FallbackError> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "last-lease" => Ok(Self::LastLease),
            "background" => Ok(Self::Background),
            other => {
                let address: Option<AddressWithGateway> = other.parse().ok();
                let is_v4 = |net: &IpNet| net.addr().is_ipv4();
                let address = address.filter(|a| {
                    !a.addresses.is_empty() && a.addresses.iter().all(is_v4) && a.gateway6.is_none()
                });
                address
                    .map(Self::Address)
                    .ok_or_else(|| FallbackError { text: cut(other) })
            }
        }
    }
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse => f.write_str("refuse"),
            Self::LastLease => f.write_str("last-lease"),
            Self::Background => f.write_str("background"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// A text that is no fallback.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text} is not refuse, last-lease, background or an IPv4 ADDRESS/LENGTH[@GATEWAY]")]
pub struct FallbackError {
    /// What was written, cut for display.
    pub text: String,
}

/// A client identifier: its type and what follows, 2 to 255 bytes.
///
/// Hexadecimal bytes with colons between them are taken as they are; any other
/// text is of type 0, which stands for no hardware (RFC 2132 §9.14).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientId(Vec<u8>);

/// A text that is no client identifier.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text} is no client identifier: 2 to 255 bytes as 01:02:…, or a text of 1 to 254 bytes")]
pub struct ClientIdError {
    /// What was written, cut for display.
    pub text: String,
}

impl ClientId {
    /// Type 1 and an Ethernet address: what most servers key reservations by.
    pub fn of_mac(mac: [u8; 6]) -> Self {
        Self([&[1], mac.as_slice()].concat())
    }

    /// An identifier by name, for interfaces that share a hardware address.
    pub fn of_name(name: &str) -> Self {
        let bytes = name.as_bytes();
        let end = bytes.len().min(MOST_ID_BYTES);
        Self([&[0], bytes.get(..end).unwrap_or_default()].concat())
    }

    /// An identifier of RFC 4361 §6.1: an association and who has it.
    pub fn of_duid(iaid: u32, duid: &[u8]) -> Self {
        const OF_DUID: u8 = 255;
        let mut bytes = vec![OF_DUID];
        bytes.extend(iaid.to_be_bytes());
        bytes.extend(duid);
        Self(bytes)
    }

    /// The bytes of option 61.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let byte = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
        u8::from_str_radix(part, 16).ok().filter(|_| digits)
    };
    let bytes: Option<Vec<u8>> = text.split(':').map(byte).collect();
    bytes.filter(|bytes| (2..=MOST_ID_BYTES + 1).contains(&bytes.len()))
}

impl FromStr for ClientId {
    type Err = ClientIdError;

    fn from_str(text: &str) -> Result<Self, ClientIdError> {
        if let Some(bytes) = hexadecimal(text) {
            return Ok(Self(bytes));
        }
        if text.is_empty() || text.len() > MOST_ID_BYTES {
            return Err(ClientIdError { text: cut(text) });
        }
        Ok(Self::of_name(text))
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_identifier_is_bytes_or_a_text_of_type_0() {
        let shown = |text: &str| text.parse::<ClientId>().unwrap().to_string();
        assert_eq!(shown("01:02:00:00:00:00:05"), "01:02:00:00:00:00:05");
        assert_eq!(shown("web"), "00:77:65:62");
        // No byte has three digits, and one byte alone is no identifier.
        assert_eq!(shown("01:022"), "00:30:31:3a:30:32:32");
        assert_eq!(shown("ff"), "00:66:66");
    }

    #[test]
    fn a_client_identifier_is_never_empty_and_fits_its_option() {
        assert!("".parse::<ClientId>().is_err());
        assert!("a".repeat(255).parse::<ClientId>().is_err());
        assert_eq!(
            "a".repeat(254).parse::<ClientId>().unwrap().bytes().len(),
            255
        );
        assert!(ClientId::of_name(&"n".repeat(300)).bytes().len() <= 255);
    }

    #[test]
    fn servers_are_addresses_that_a_host_can_have() {
        let servers: DhcpServers = "10.0.0.2, 10.0.0.3".parse().unwrap();
        assert_eq!(servers.addresses().len(), 2);
        let many = vec!["10.0.0.2"; 17].join(",");
        for text in [
            "",
            "10.0.0.2,",
            "0.0.0.0",
            "224.0.0.1",
            "fd00::1",
            "dhcp",
            &many,
        ] {
            assert!(text.parse::<DhcpServers>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_fallback_is_a_word_or_an_ipv4_address() {
        for text in ["refuse", "last-lease", "background", "10.0.0.5/24@10.0.0.1"] {
            assert_eq!(text.parse::<Fallback>().unwrap().to_string(), text);
        }
        for text in ["", "0/0", "fd00::5/64", "10.0.0.5", "later"] {
            assert!(text.parse::<Fallback>().is_err(), "{text}");
        }
    }
}
