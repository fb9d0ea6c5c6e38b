//! A lease is a second plan: what asks for one, and what it changes when it is
//! given, renewed, replaced or withdrawn. Who starts a container and who keeps
//! its lease use the same [`change`]. Pure.

mod four;
mod routes;

use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use super::addressing::broadcast;
use super::host_access::HostReach;
use super::step::{LeaseAsk, LeaseClient, LeaseStep, NicStep};
use super::{Planner, Step};
use crate::dhcp::lease::Lease;
use crate::dhcp::v4::Bound;
use crate::request::{ArpProbe, Asked, Attachment, Dynamic, IfName, Uplink};
use crate::rt::{Address, Lifetime, Resolver, Route};
pub(super) use four::{Claim, claim, learns_default_before, reason};
use routes::routes;

/// A label of a host name (RFC 1035 §2.3.4).
const MOST_LABEL: usize = 63;

/// What of a lease is made use of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wishes {
    /// Its router becomes a default route.
    pub default_route: bool,
    /// Metric of its default route; `None` means the kernel's.
    pub metric: Option<u32>,
    /// The table of its default route; `None` is the main one.
    #[serde(default)]
    pub table: Option<u32>,
    /// The MTU that the interface has without it, which it may lower; `None`:
    /// it sets none.
    pub mtu: Option<u32>,
    /// It lowers it no further than this: below 1,280 the kernel takes IPv6 off
    /// an interface with all its addresses (addrconf_notify).
    #[serde(default)]
    pub least_mtu: u32,
}

/// What of a lease is in the kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied4 {
    /// The address.
    pub address: Option<Ipv4Net>,
    /// The routes.
    pub routes: Vec<Route>,
    /// The MTU that was there before, where the lease brought one.
    pub mtu_before: Option<u32>,
}

/// The interface that a lease is for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its index.
    pub ifindex: u32,
    /// Its name.
    pub ifname: &'a IfName,
    /// What of a lease it makes use of.
    pub wishes: Wishes,
    /// How the host reaches its address, if it shall.
    pub reach: Option<&'a HostReach>,
}

/// The steps from what is there to what `bound` says at `now`, and what is
/// there after them. Without a lease everything of the former one goes.
///
/// A new address comes before the former one goes, so that there is no gap, but
/// where both are of one network: there the second one is the first one's
/// secondary, and goes with it (`__inet_del_ifa`) unless somebody has set
/// `promote_secondaries`. The lifetime of one that stays is set anew, and its
/// broadcast address stays: the kernel changes no more than times
/// (`inet_rtm_newaddr`), and without the address its routes would go.
pub fn change(
    target: Target<'_>,
    before: &Applied4,
    bound: Option<&Bound>,
    now: Duration,
) -> (Vec<LeaseStep>, Applied4) {
    let mut steps = Vec::new();
    let after = match bound {
        Some(bound) => applied(target, &bound.lease),
        None => Applied4::default(),
    };
    let mtu = bound.and_then(|bound| mtu_of(target, &bound.lease));
    steps.extend(set_mtu(target, before, mtu));
    let former = before.address.filter(|old| after.address != Some(*old));
    let mut drop = former.map(|former| LeaseStep::DropAddress {
        address: address_of(target, former),
        ifname: target.ifname.clone(),
    });
    if former.map(|old| old.trunc()) == after.address.map(|new| new.trunc()) {
        steps.extend(drop.take());
    }
    if let (Some(address), Some(bound)) = (after.address, bound) {
        let usual = address_of(target, address);
        let address = Address {
            broadcast: bound.lease.broadcast.or(usual.broadcast),
            lifetime: lifetime(bound, now),
            ..usual
        };
        let ifname = target.ifname.clone();
        steps.push(LeaseStep::SetAddress { address, ifname });
    }
    let is_replaced = |old: &Route| {
        let slot = |route: &Route| (route.destination, route.metric);
        after.routes.iter().any(|new| slot(new) == slot(old))
    };
    for route in before.routes.iter().filter(|route| !is_replaced(route)) {
        steps.push(LeaseStep::DropRoute {
            route: route.clone(),
            ifname: target.ifname.clone(),
        });
    }
    for route in after.routes.iter().filter(|r| !before.routes.contains(r)) {
        steps.push(LeaseStep::SetRoute {
            route: route.clone(),
            ifname: target.ifname.clone(),
        });
    }
    steps.extend(drop);
    (steps, after)
}

fn applied(target: Target<'_>, lease: &Lease) -> Applied4 {
    Applied4 {
        address: Some(lease.address),
        routes: routes(target, lease),
        mtu_before: mtu_of(target, lease).and(target.wishes.mtu),
    }
}

/// The MTU of a lease where it lowers the interface's.
fn mtu_of(target: Target<'_>, lease: &Lease) -> Option<u32> {
    let most = target.wishes.mtu?;
    let suits = |mtu: &u32| (target.wishes.least_mtu..most).contains(mtu);
    lease.mtu.map(u32::from).filter(suits)
}

fn set_mtu(target: Target<'_>, before: &Applied4, mtu: Option<u32>) -> Option<LeaseStep> {
    // What it is by now is not known if the lease had lowered it.
    let mtu = mtu.or(before.mtu_before)?;
    Some(LeaseStep::SetMtu {
        ifindex: target.ifindex,
        ifname: target.ifname.clone(),
        mtu,
    })
}

/// What the server of a lease knows of names, learned by `ifname`.
pub fn resolver(lease: &Lease, ifname: &IfName) -> Resolver {
    let servers = lease.dns.iter();
    Resolver {
        servers: servers
            .map(|server| ((*server).into(), ifname.clone()))
            .collect(),
        search: match lease.search.is_empty() {
            true => lease.domain.iter().cloned().collect(),
            false => lease.search.clone(),
        },
    }
}

fn address_of(target: Target<'_>, address: Ipv4Net) -> Address {
    let address = IpNet::V4(address);
    Address {
        ifindex: target.ifindex,
        address,
        broadcast: broadcast(address),
        lifetime: None,
    }
}

/// What is left of a lease, so that the kernel ends it even without us.
fn lifetime(bound: &Bound, now: Duration) -> Option<Lifetime> {
    let left = bound.ends_at()?.saturating_sub(now).as_secs();
    let valid = u32::try_from(left).unwrap_or(u32::MAX - 1).max(1);
    Some(Lifetime {
        valid,
        preferred: valid,
    })
}

impl Planner<'_> {
    /// Asks for the leases, after everything else.
    pub(super) fn leases(&mut self, attachments: &[&Attachment]) {
        for (place, attachment) in attachments.iter().enumerate() {
            for way in [Dynamic::Dhcp4, Dynamic::Dhcp6] {
                let Some(origin) = attachment.addressing.asks(way) else {
                    continue;
                };
                let client = match way {
                    Dynamic::Dhcp4 => self.client4(place, attachment, attachments),
                    Dynamic::Dhcp6 => self.client6(place, attachment),
                    Dynamic::Slaac => None,
                };
                let ask = client.and_then(|client| self.lease_ask(place, attachment, client));
                if let Some(ask) = ask {
                    let step = Step::Lease(LeaseStep::Ask(Box::new(ask)));
                    self.push(Some(place), step, origin);
                }
            }
        }
    }

    /// Whether the interface is the host's own device, which comes back at the
    /// end.
    fn is_device(&self, place: usize) -> bool {
        let mut steps = self.plan.steps.iter();
        steps.any(|planned| {
            let is_taken = matches!(planned.step, Step::Nic(NicStep::TakeOff { .. }));
            planned.interface == Some(place) && is_taken
        })
    }

    fn reach_of(&self, ifindex: u32) -> Option<HostReach> {
        let mut reaches = self.reaches.iter();
        let (_, reach) = reaches.find(|(of, _)| *of == ifindex)?;
        Some(reach.clone())
    }

    fn lease_ask(
        &self,
        place: usize,
        attachment: &Attachment,
        client: LeaseClient,
    ) -> Option<LeaseAsk> {
        let interface = self.plan.interfaces.get(place)?;
        let dhcp = &attachment.dhcp;
        let program = match &client {
            LeaseClient::V4 { .. } => dhcp.program.as_ref().map(|asked| asked.value.clone()),
            LeaseClient::V6 { .. } => None,
        };
        let arp = match attachment.uplink.value {
            // A program uses what it is given.
            _ if program.is_some() => ArpProbe::Off,
            // Its frames have no place for what a probe says.
            Uplink::Ipoib { .. } => ArpProbe::Off,
            Uplink::Bridge { .. }
            | Uplink::Macvlan { .. }
            | Uplink::Ipvlan { .. }
            | Uplink::Ovs { .. }
            | Uplink::Physical { .. }
            | Uplink::Dummy
            | Uplink::Wifi { .. }
            | Uplink::Link { .. } => dhcp.arp(),
        };
        Some(LeaseAsk {
            ifindex: interface.ifindex,
            uplink: interface.uplink,
            uplink_name: interface.uplink_name.clone(),
            port: self.port_of(interface.ifindex),
            client,
            mac: interface.mac,
            host_name_is_default: dhcp.hostname.is_none(),
            arp,
            program,
            wait: attachment.wait.as_ref().map_or(Duration::ZERO, |w| w.value),
            timeout: dhcp.timeout(),
            timeout_is_default: dhcp.timeout.is_none(),
            fallback: dhcp.fallback(),
            reach: self.reach_of(interface.ifindex),
            keeps: dhcp.keeps(),
            releases: dhcp.releases(),
            is_device: self.is_device(place),
            announces: attachment.announces() * u32::from(interface.announced),
            ifname: interface.ifname.clone(),
        })
    }
}

pub(super) fn value(asked: &Asked<String>) -> Option<String> {
    Some(asked.value.clone())
}

/// A name as servers take it: letters, digits and hyphens.
pub fn host_label(name: &str) -> Option<String> {
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() => Some(c),
        '_' | '-' | '.' => Some('-'),
        _ => None,
    };
    // A pod's name stands behind its namespace.
    let name = name.rsplit('/').next().unwrap_or(name);
    let label: String = name.chars().filter_map(plain).take(MOST_LABEL).collect();
    let label = label.trim_matches('-');
    (!label.is_empty()).then(|| label.to_owned())
}

#[cfg(test)]
mod tests;
