//! What a server gave: an address for a time, and what belongs to it.
//!
//! Read from an ACK with suspicion: times that contradict each other are
//! replaced by RFC 2131's defaults, a name that could break a file is left
//! out, a list that is malformed is left out as a whole. Kept on disk, so that
//! a restart asks for the same address again.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::names;
use super::options::{Options, code};
use super::wire::Message;

/// The least MTU that a server may set: what every host must take
/// (RFC 791 §3.1); below it somebody breaks a network on purpose.
const LEAST_MTU: u16 = 576;
/// `0xffffffff` seconds are for ever (RFC 2131 §3.3).
const FOREVER: u32 = u32::MAX;
/// A lease of no time at all would have us ask without end.
const LEAST_SECS: u32 = 10;

/// An address for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The address with the prefix length of its mask.
    pub address: Ipv4Net,
    /// The broadcast address (option 28), where the server names one that can be.
    #[serde(default)]
    pub broadcast: Option<Ipv4Addr>,
    /// The server (option 54), to which a renewal goes.
    pub server: Ipv4Addr,
    /// How long it holds; `None` is for ever.
    pub times: Option<Times>,
    /// Where to, over whom; a default route is `0.0.0.0/0`.
    pub routes: Vec<LeaseRoute>,
    /// Name servers.
    pub dns: Vec<Ipv4Addr>,
    /// The domain.
    pub domain: Option<String>,
    /// Search domains.
    pub search: Vec<String>,
    /// MTU in bytes, 576 to 65535.
    pub mtu: Option<u16>,
    /// Time servers.
    pub ntp: Vec<Ipv4Addr>,
}

/// Seconds from the ACK, `renewal < rebinding < lease` (RFC 2131 §4.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// T1, from when the server is asked for more.
    pub renewal: u32,
    /// T2, from when any server is.
    pub rebinding: u32,
    /// When the address must not be used any more.
    pub lease: u32,
}

/// A route of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRoute {
    /// Where to.
    pub destination: Ipv4Net,
    /// Over whom; `None` is on the link.
    pub via: Option<Ipv4Addr>,
}

/// Why an ACK or OFFER is none that could be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// `yiaddr` is none that a host can have.
    #[error("it gives {0}, which no host can have")]
    Address(Ipv4Addr),
    /// No option 54, so nobody could be asked for more.
    #[error("it does not say which server it is from")]
    NoServer,
    /// No option 51.
    #[error("it does not say for how long")]
    NoTime,
}

impl Lease {
    /// The lease that an ACK, or an OFFER, describes.
    pub fn of(message: &Message) -> Result<Self, Unusable> {
        let options = &message.options;
        let server = options.address(code::SERVER_ID).ok_or(Unusable::NoServer)?;
        let host = message.yiaddr;
        if !is_host(host) || host == server {
            return Err(Unusable::Address(host));
        }
        let secs = options.long(code::LEASE_TIME).ok_or(Unusable::NoTime)?;
        let address =
            Ipv4Net::new(host, prefix_len(options, host)).unwrap_or_else(|_| Ipv4Net::from(host));
        Ok(Self {
            address,
            broadcast: broadcast(options, address),
            server,
            times: times(options, secs),
            routes: routes(options),
            dns: hosts(options, code::DNS_SERVERS),
            domain: options.get(code::DOMAIN_NAME).and_then(names::domain),
            search: options
                .get(code::DOMAIN_SEARCH)
                .map(names::search_list)
                .unwrap_or_default(),
            mtu: options
                .short(code::INTERFACE_MTU)
                .filter(|mtu| *mtu >= LEAST_MTU),
            ntp: hosts(options, code::NTP_SERVERS),
        })
    }
}

/// An address that a host can have.
pub(super) fn is_host(address: Ipv4Addr) -> bool {
    let odd = address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_loopback()
        || address.octets().first() >= Some(&240);
    !odd
}

/// Option 1; without it, or where it is no mask, the class of the address
/// (RFC 950 §2.1).
fn prefix_len(options: &Options, address: Ipv4Addr) -> u8 {
    let mask = options.long(code::SUBNET_MASK);
    let is_mask = |mask: &u32| mask.leading_ones() + mask.trailing_zeros() == 32 && *mask != 0;
    let length = mask.filter(is_mask).map(u32::leading_ones);
    let class = match address.octets() {
        [0..=127, ..] => 8,
        [128..=191, ..] => 16,
        _ => 24,
    };
    length
        .and_then(|length| u8::try_from(length).ok())
        .unwrap_or(class)
}

/// Option 28 where it is what RFC 1122 §3.2.1.3 allows: the link's, or the
/// subnet's of all ones, or of all zeros as in its day. What is sent to it goes to
/// every host on the link (`fib_add_addr`), so any other would take a host's traffic
/// away.
fn broadcast(options: &Options, address: Ipv4Net) -> Option<Ipv4Addr> {
    // RFC 3021 §2.1.
    if address.prefix_len() > 30 {
        return None;
    }
    let legal = [Ipv4Addr::BROADCAST, address.broadcast(), address.network()];
    let given = options.address(code::BROADCAST_ADDRESS);
    given.filter(|given| legal.contains(given) && *given != address.addr())
}

/// Half and seven eighths of the lease where the server says nothing that
/// makes sense (RFC 2131 §4.4.5).
fn times(options: &Options, secs: u32) -> Option<Times> {
    if secs == FOREVER {
        return None;
    }
    let lease = secs.max(LEAST_SECS);
    let (half, seven_eighths) = (lease / 2, lease - lease / 8);
    let given = |code, limit: u32| {
        let time = options.long(code);
        time.filter(|time| (1..limit).contains(time))
    };
    let rebinding = given(code::REBINDING_TIME, lease);
    let renewal = given(code::RENEWAL_TIME, rebinding.unwrap_or(seven_eighths));
    let (renewal, rebinding) = match (renewal, rebinding) {
        (Some(renewal), Some(rebinding)) => (renewal, rebinding),
        (Some(renewal), None) => (renewal, seven_eighths),
        (None, Some(rebinding)) if half < rebinding => (half, rebinding),
        (None, Some(_) | None) => (half, seven_eighths),
    };
    Some(Times {
        renewal,
        rebinding,
        lease,
    })
}

fn hosts(options: &Options, code: u8) -> Vec<Ipv4Addr> {
    let mut hosts = options.addresses(code);
    hosts.retain(|host| is_host(*host));
    hosts
}

/// Classless routes win over static ones and over routers (RFC 3442), unless
/// they are malformed.
fn routes(options: &Options) -> Vec<LeaseRoute> {
    let classless = [code::CLASSLESS_ROUTES, code::CLASSLESS_ROUTES_MS];
    let mut given = classless.iter().filter_map(|code| options.get(*code));
    if let Some(routes) = given.find_map(classless_routes) {
        return routes;
    }
    let mut routes: Vec<LeaseRoute> = static_routes(options).collect();
    let router = hosts(options, code::ROUTERS).into_iter().next();
    routes.extend(router.map(|router| LeaseRoute {
        destination: Ipv4Net::default(),
        via: Some(router),
    }));
    routes
}

/// Pairs of a host or a network by its class, and a router (RFC 2132 §5.8).
fn static_routes(options: &Options) -> impl Iterator<Item = LeaseRoute> {
    let pairs = options.addresses(code::STATIC_ROUTES);
    let pairs: Vec<(Ipv4Addr, Ipv4Addr)> = pairs
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[destination, router]| (*destination, *router))
        .collect();
    pairs.into_iter().filter_map(|(destination, router)| {
        // The default route is not allowed here.
        if !is_host(destination) || !is_host(router) {
            return None;
        }
        let class = prefix_len(&Options::default(), destination);
        let network = Ipv4Net::new(destination, class).ok()?;
        let is_network = network.network() == destination;
        let destination = if is_network {
            network
        } else {
            destination.into()
        };
        Some(LeaseRoute {
            destination,
            via: Some(router),
        })
    })
}

/// Destination descriptors and routers (RFC 3442); `None` when any is
/// malformed, and then none of them is taken.
fn classless_routes(mut bytes: &[u8]) -> Option<Vec<LeaseRoute>> {
    let mut routes = Vec::new();
    while let Some((width, rest)) = bytes.split_first() {
        let significant = usize::from(width.div_ceil(8));
        let (network, rest) = rest.split_at_checked(significant)?;
        let (router, rest) = rest.split_at_checked(4)?;
        let mut destination = [0; 4];
        destination.get_mut(..significant)?.copy_from_slice(network);
        let router = Ipv4Addr::from(<[u8; 4]>::try_from(router).ok()?);
        let destination = Ipv4Net::new(destination.into(), *width).ok()?.trunc();
        bytes = rest;
        // 0.0.0.0 as a router means that the destination is on the link.
        if router.is_unspecified() {
            routes.push(LeaseRoute {
                destination,
                via: None,
            });
        } else if is_host(router) {
            routes.push(LeaseRoute {
                destination,
                via: Some(router),
            });
        }
    }
    Some(routes)
}

#[cfg(test)]
mod tests;
