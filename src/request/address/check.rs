//! Which addresses an interface can have, and which gateways beside them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::{AddressError, AddressWithGateway, Unusable};

/// What an address is if no host at all can have it.
fn never_a_host(address: IpAddr) -> Option<Unusable> {
    if address.is_multicast() {
        return Some(Unusable::Multicast);
    }
    if address.is_unspecified() {
        return Some(Unusable::Unspecified);
    }
    if address.is_loopback() {
        return Some(Unusable::Loopback);
    }
    match address {
        IpAddr::V4(Ipv4Addr::BROADCAST) => Some(Unusable::LimitedBroadcast),
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map(|_| Unusable::Mapped),
    }
}

/// What an address is to a subnet if no host of that subnet can have it.
///
/// A /31 and a /32 have neither network nor broadcast address (RFC 3021), a
/// /127 and a /128 no anycast address (RFC 6164).
fn special_in(subnet: IpNet, address: IpAddr) -> Option<Unusable> {
    let first = address == subnet.network();
    match subnet {
        IpNet::V4(v4) if v4.prefix_len() < 31 => {
            if first {
                Some(Unusable::Network)
            } else {
                (address == subnet.broadcast()).then_some(Unusable::Broadcast)
            }
        }
        IpNet::V6(v6) if v6.prefix_len() < 127 => first.then_some(Unusable::SubnetRouterAnycast),
        IpNet::V4(_) | IpNet::V6(_) => None,
    }
}

/// Fails on the first address that no interface can have, or that is there
/// twice.
pub fn addresses(addresses: &[IpNet]) -> Result<(), AddressError> {
    let mut seen = BTreeSet::new();
    for address in addresses {
        let host = address.addr();
        if let Some(what) = never_a_host(host).or_else(|| special_in(*address, host)) {
            return Err(AddressError::Unusable {
                address: *address,
                what,
            });
        }
        if !seen.insert(host) {
            return Err(AddressError::Twice { address: host });
        }
    }
    Ok(())
}

/// Fails on a gateway that contradicts the addresses.
pub fn gateways(asked: &AddressWithGateway) -> Result<(), AddressError> {
    let v4 = asked.gateway4.map(IpAddr::V4);
    let v6 = asked.gateway6.map(IpAddr::V6);
    v4.into_iter()
        .chain(v6)
        .try_for_each(|gateway| one_gateway(gateway, &asked.addresses))
}

fn one_gateway(gateway: IpAddr, addresses: &[IpNet]) -> Result<(), AddressError> {
    if let Some(what) = never_a_host(gateway) {
        return Err(AddressError::GatewayUnusable { gateway, what });
    }
    let same = |address: &&IpNet| address.addr().is_ipv4() == gateway.is_ipv4();
    if !addresses.iter().any(|address| same(&address)) {
        return Err(AddressError::GatewayFamily {
            gateway,
            addresses: addresses.to_vec(),
        });
    }
    for address in addresses.iter().filter(same) {
        if address.addr() == gateway {
            return Err(AddressError::OwnGateway { address: gateway });
        }
        match special_in(*address, gateway) {
            // The anycast address is a router's by definition (RFC 4291 §2.6.1).
            None | Some(Unusable::SubnetRouterAnycast) => {}
            Some(what) => {
                return Err(AddressError::GatewayOfSubnet {
                    gateway,
                    what,
                    subnet: address.trunc(),
                });
            }
        }
    }
    Ok(())
}
