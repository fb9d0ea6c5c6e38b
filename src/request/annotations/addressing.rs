//! Addresses, gateways and the default route of one interface.

use super::entry::Entry;
use super::fields::Fields;
use crate::request::address::AddressWithGateway;
use crate::request::error::RequestError;
use crate::request::{Addressing, Asked, DefaultRoute, Family, Mtu, Origin};

/// Addresses and gateways of `ip` and `gw`, and what is said of the default
/// route.
pub(super) fn addressing(fields: &Fields<'_>) -> Result<Addressing, RequestError> {
    let written = fields.ip.as_ref().map(|ip| ip.value.clone());
    let written = written.unwrap_or_default();
    let mut all = written.clone();
    if let Some(gw) = fields.gw {
        all.add_gateways(gw.value).map_err(|e| gw.wrong(e))?;
    }
    // A gateway that both name is `ip`'s.
    let origin = |in_ip: bool| match (&fields.ip, fields.gw) {
        (Some(ip), Some(gw)) => if in_ip { ip.entry } else { gw }.origin(),
        (Some(ip), None) => ip.entry.origin(),
        (None, Some(gw)) => gw.origin(),
        (None, None) => Origin::Default,
    };
    Ok(Addressing {
        gateway4: all.gateway4.map(|value| Asked {
            value,
            origin: origin(written.gateway4.is_some()),
        }),
        gateway6: all.gateway6.map(|value| Asked {
            value,
            origin: origin(written.gateway6.is_some()),
        }),
        default: default_route(fields, &all)?,
        metric: metric(fields, &all)?,
        dynamic: fields.dynamic.clone(),
        pool: fields.pool.clone(),
        // A network has one list of who has which address.
        held: fields.network.is_some(),
        addresses: all
            .addresses
            .into_iter()
            .map(|value| Asked {
                value,
                origin: origin(true),
            })
            .collect(),
    })
}

fn no_gateway(entry: &Entry<'_>, family: &'static str) -> RequestError {
    RequestError::NoGateway {
        key: entry.key.to_owned(),
        value: crate::request::error::cut(entry.written()),
        family,
    }
}

/// The gateways that are given, or may be learned.
fn may_be_there(fields: &Fields<'_>, all: &AddressWithGateway) -> DefaultRoute {
    let learns = |v6| fields.dynamic.iter().any(|way| way.value.is_v6() == v6);
    let pool = fields.pool.as_ref();
    let gives = |v6| pool.is_some_and(|pool| pool.value.has_gateway(v6));
    DefaultRoute {
        v4: all.gateway4.is_some() || learns(false) || gives(false),
        v6: all.gateway6.is_some() || learns(true) || gives(true),
    }
}

fn default_route(
    fields: &Fields<'_>,
    all: &AddressWithGateway,
) -> Result<Option<Asked<DefaultRoute>>, RequestError> {
    let Some(asked) = &fields.default else {
        return Ok(None);
    };
    let there = may_be_there(fields, all);
    let DefaultRoute { v4, v6 } = asked.value;
    let missing = match (there.v4, there.v6) {
        (false, false) if v4 == v6 => Some("a"),
        (false, _) if v4 && !v6 => Some("an IPv4"),
        (_, false) if v6 && !v4 => Some("an IPv6"),
        (_, _) => None,
    };
    if let Some(family) = missing {
        return Err(no_gateway(asked.entry, family));
    }
    // `true` means those that are there.
    Ok(Some(asked.entry.asked(DefaultRoute {
        v4: v4 && there.v4,
        v6: v6 && there.v6,
    })))
}

fn metric(
    fields: &Fields<'_>,
    all: &AddressWithGateway,
) -> Result<Option<Asked<u32>>, RequestError> {
    match &fields.metric {
        Some(metric) => match may_be_there(fields, all) {
            DefaultRoute {
                v4: false,
                v6: false,
            } => Err(no_gateway(metric.entry, "a")),
            DefaultRoute { .. } => Ok(Some(metric.asked())),
        },
        None => Ok(None),
    }
}

/// IPv6 needs an MTU of 1280, and must not be switched off where it is asked.
pub(super) fn check_ipv6(fields: &Fields<'_>, addressing: &Addressing) -> Result<(), RequestError> {
    let is_v6 = |asked: &&Asked<ipnet::IpNet>| asked.value.addr().is_ipv6();
    let Some(address) = addressing.addresses.iter().find(is_v6) else {
        return Ok(());
    };
    if let Some(mtu) = &fields.mtu
        && mtu.value.get() < Mtu::IPV6_MIN
    {
        return Err(RequestError::MtuForIpv6 {
            key: mtu.entry.key.to_owned(),
            value: mtu.value.to_string(),
            address: address.value.to_string(),
        });
    }
    let off = fields.sysctls.iter().find(|sysctl| {
        let sysctl = &sysctl.value;
        sysctl.family == Family::Ipv6 && sysctl.leaf == "disable_ipv6" && sysctl.value != 0
    });
    match (off, &fields.ip) {
        (Some(off), Some(ip)) => Err(ip
            .entry
            .contradicts(off.entry, "an IPv6 address needs IPv6")),
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}
