//! Why a text is not a list of addresses with their gateways.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use thiserror::Error;

/// What an address is that no interface can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// 224.0.0.0/4 or ff00::/8.
    Multicast,
    /// 0.0.0.0 or ::.
    Unspecified,
    /// 127.0.0.0/8 or ::1.
    Loopback,
    /// 255.255.255.255.
    LimitedBroadcast,
    /// ::ffff:0:0/96.
    Mapped,
    /// The first address of an IPv4 subnet.
    Network,
    /// The last address of an IPv4 subnet.
    Broadcast,
    /// All host bits zero in IPv6 (RFC 4291 §2.6.1).
    SubnetRouterAnycast,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Multicast => "a multicast address",
            Self::Unspecified => "the unspecified address",
            Self::Loopback => "a loopback address",
            Self::LimitedBroadcast => "the limited broadcast address",
            Self::Mapped => "an IPv4 address in IPv6 form; write it as IPv4",
            Self::Network => "the network address of its subnet",
            Self::Broadcast => "the broadcast address of its subnet",
            Self::SubnetRouterAnycast => "the subnet-router anycast address of its subnet",
        })
    }
}

/// Why a text is not a list of addresses with their gateways.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Nothing where an address belongs.
    #[error("an address is missing: write ADDRESS/LENGTH, several separated by commas")]
    Empty,
    /// Without prefix length.
    #[error("{address} has no prefix length; maybe you meant {suggestion}")]
    NoPrefixLength {
        /// The address.
        address: IpAddr,
        /// The whole value, repaired.
        suggestion: String,
    },
    /// Neither IPv4 nor IPv6.
    #[error("{text} is not an IP address")]
    NotAnAddress {
        /// What was written, cut for display.
        text: String,
    },
    /// The prefix length is no number, or beyond the family's.
    #[error("{text} is not a prefix length for {address}: it is between 1 and {max}")]
    PrefixLength {
        /// The address.
        address: IpAddr,
        /// What was written, cut for display.
        text: String,
        /// 32 or 128.
        max: u8,
    },
    /// An IPv6 scope; the interface is known anyway.
    #[error("{text} names an interface behind %")]
    Scope {
        /// What was written, cut for display.
        text: String,
    },
    /// An address that no interface can have.
    #[error("{address} is {what}")]
    Unusable {
        /// The address with its prefix length.
        address: IpNet,
        /// What it is.
        what: Unusable,
    },
    /// `0/0` beside an address.
    #[error("0/0 means no address and cannot stand beside {address}")]
    NothingAndSomething {
        /// The other address.
        address: IpNet,
    },
    /// The same address twice.
    #[error("{address} is written twice")]
    Twice {
        /// The address.
        address: IpAddr,
    },
    /// A gateway with a prefix length.
    #[error("gateway {text} must not have a prefix length")]
    GatewayWithLength {
        /// What was written, cut for display.
        text: String,
    },
    /// A gateway that no router can have.
    #[error("gateway {gateway} is {what}")]
    GatewayUnusable {
        /// The gateway.
        gateway: IpAddr,
        /// What it is.
        what: Unusable,
    },
    /// The gateway is the first or last address of one of the subnets.
    #[error("gateway {gateway} is {what} {subnet}")]
    GatewayOfSubnet {
        /// The gateway.
        gateway: IpAddr,
        /// The network or broadcast address.
        what: Unusable,
        /// The subnet.
        subnet: IpNet,
    },
    /// No address of the gateway's family.
    #[error("gateway {gateway} is {}, but {}", family(gateway), listed(addresses))]
    GatewayFamily {
        /// The gateway.
        gateway: IpAddr,
        /// The addresses.
        addresses: Vec<IpNet>,
    },
    /// Two different gateways for one family.
    #[error("{first} and {second} are both gateways for {}", family(first))]
    TwoGateways {
        /// One of them.
        first: IpAddr,
        /// The other.
        second: IpAddr,
    },
    /// The interface would be its own gateway.
    #[error("{address} is both the address and the gateway")]
    OwnGateway {
        /// The address.
        address: IpAddr,
    },
}

fn family(address: &IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IPv4",
        IpAddr::V6(_) => "IPv6",
    }
}

fn listed(addresses: &[IpNet]) -> String {
    let Some(first) = addresses.first() else {
        return "there is no address".to_owned();
    };
    let list: Vec<String> = addresses.iter().take(4).map(IpNet::to_string).collect();
    let verb = if list.len() == 1 { "is" } else { "are" };
    format!("{} {verb} {}", list.join(", "), family(&first.addr()))
}
