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
mod tests {
    use super::*;
    use crate::dhcp::wire::{Hardware, MessageType};

    fn ack(options: &[(u8, &[u8])]) -> Message {
        let mut message =
            Message::request(MessageType::Ack, Hardware::Ethernet([2, 0, 0, 0, 0, 5]), 1);
        message.yiaddr = Ipv4Addr::new(10, 0, 0, 5);
        message.options.set(code::SERVER_ID, [10, 0, 0, 1]);
        message
            .options
            .set(code::LEASE_TIME, 3600_u32.to_be_bytes());
        for (code, value) in options {
            message.options.set(*code, *value);
        }
        message
    }

    fn times_of(lease: u32, renewal: u32, rebinding: u32) -> (u32, u32) {
        let message = ack(&[
            (code::LEASE_TIME, &lease.to_be_bytes()),
            (code::RENEWAL_TIME, &renewal.to_be_bytes()),
            (code::REBINDING_TIME, &rebinding.to_be_bytes()),
        ]);
        let times = Lease::of(&message).unwrap().times.unwrap();
        assert!(times.renewal < times.rebinding && times.rebinding < times.lease);
        (times.renewal, times.rebinding)
    }

    fn shown(options: &[(u8, &[u8])]) -> Vec<String> {
        let routes = Lease::of(&ack(options)).unwrap().routes;
        let via = |route: &LeaseRoute| route.via.map(|via| via.to_string()).unwrap_or_default();
        routes
            .iter()
            .map(|route| format!("{} {}", route.destination, via(route)))
            .collect()
    }

    #[test]
    fn times_that_make_no_sense_are_the_defaults() {
        assert_eq!(times_of(3600, 1000, 2000), (1000, 2000));
        assert_eq!(times_of(3600, 0, 0), (1800, 3150));
        assert_eq!(times_of(3600, 2000, 2000), (1800, 2000));
        assert_eq!(times_of(3600, 4000, 5000), (1800, 3150));
        assert_eq!(times_of(3600, 100, 9000), (100, 3150));
        assert_eq!(times_of(3600, 0, 100), (1800, 3150));
    }

    #[test]
    fn a_lease_for_ever_has_no_times_and_one_of_nothing_has_some() {
        let forever = ack(&[(code::LEASE_TIME, &[0xff; 4])]);
        assert_eq!(Lease::of(&forever).unwrap().times, None);
        let nothing = ack(&[(code::LEASE_TIME, &[0, 0, 0, 0])]);
        assert_eq!(Lease::of(&nothing).unwrap().times.unwrap().lease, 10);
    }

    #[test]
    fn a_lease_below_ten_seconds_is_used_as_one_of_ten() {
        for (given, used) in [(1, 10), (9, 10), (10, 10), (11, 11)] {
            let ack = ack(&[(code::LEASE_TIME, &u32::to_be_bytes(given))]);
            let times = Lease::of(&ack).unwrap().times.unwrap();
            assert_eq!((times.renewal, times.lease), (5, used), "{given}");
        }
        // What the server says of renewals counts all the same.
        assert_eq!(times_of(4, 1, 3), (1, 3));
    }

    #[test]
    fn an_address_that_no_host_can_have_is_refused() {
        for address in [
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "127.0.0.1",
            "10.0.0.1",
        ] {
            let mut message = ack(&[]);
            message.yiaddr = address.parse().unwrap();
            assert!(
                matches!(Lease::of(&message), Err(Unusable::Address(_))),
                "{address}"
            );
        }
    }

    #[test]
    fn classless_routes_win_over_routers_and_static_ones() {
        let routers: (u8, &[u8]) = (code::ROUTERS, &[10, 0, 0, 1]);
        let classless: (u8, &[u8]) = (
            code::CLASSLESS_ROUTES,
            &[
                24, 192, 168, 7, 10, 0, 0, 2, 0, 10, 0, 0, 3, 32, 10, 9, 9, 9, 0, 0, 0, 0,
            ],
        );
        assert_eq!(shown(&[routers]), ["0.0.0.0/0 10.0.0.1"]);
        assert_eq!(
            shown(&[routers, classless]),
            [
                "192.168.7.0/24 10.0.0.2",
                "0.0.0.0/0 10.0.0.3",
                "10.9.9.9/32 "
            ]
        );
    }

    #[test]
    fn a_malformed_list_of_routes_is_left_out_and_the_lease_kept() {
        let routers: (u8, &[u8]) = (code::ROUTERS, &[10, 0, 0, 1]);
        for bytes in [
            &[33, 1, 1, 1, 1, 1, 10, 0, 0, 2][..],
            &[24, 1, 1],
            &[24, 1, 1, 1, 10, 0, 0],
        ] {
            assert_eq!(
                shown(&[routers, (code::CLASSLESS_ROUTES, bytes)]),
                ["0.0.0.0/0 10.0.0.1"]
            );
        }
    }

    #[test]
    fn a_small_mtu_is_left_out() {
        let mtu = |bytes: [u8; 2]| {
            Lease::of(&ack(&[(code::INTERFACE_MTU, &bytes)]))
                .unwrap()
                .mtu
        };
        assert_eq!(mtu(575_u16.to_be_bytes()), None);
        assert_eq!(mtu(1400_u16.to_be_bytes()), Some(1400));
    }

    #[test]
    fn a_mask_with_holes_is_none() {
        let lease = |mask: [u8; 4]| {
            Lease::of(&ack(&[(code::SUBNET_MASK, &mask)]))
                .unwrap()
                .address
        };
        assert_eq!(lease([255, 255, 255, 255]).to_string(), "10.0.0.5/32");
        assert_eq!(lease([255, 0, 255, 0]).to_string(), "10.0.0.5/8");
        assert_eq!(lease([0, 0, 0, 0]).to_string(), "10.0.0.5/8");
    }
}
