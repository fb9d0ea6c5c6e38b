//! Steps that every kind of uplink shares: settings, up, addresses, routes.
//!
//! Settings come before the interface goes up, so that no router advertisement
//! is accepted in between. Default routes come last of all, because only the
//! whole request tells which gateway wins.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::lease::{Claim, claim, learns_default_before, reason};
use super::slaac;
use super::{PlannedInterface, Planner, Step, names};
use crate::host::view::DefaultRouteView;
use crate::request::{
    Announce, Asked, Attachment, DefaultRoute, Family, IfName, IpvlanMode, Mtu, Origin, Sysctl,
    Uplink,
};
use crate::rt::{Address, LinkEnd, Route};

/// The metric of an IPv6 route that names none (`IP6_RT_PRIO_USER`).
const IPV6_DEFAULT_METRIC: u32 = 1024;

/// What an interface is plugged into, once that is resolved.
pub(super) struct Plug {
    /// Index of the uplink.
    pub uplink: u32,
    /// Its name.
    pub uplink_name: IfName,
    /// Name of the host's end, where there is one.
    pub hostif: Option<IfName>,
}

/// A gateway that may become the default route.
struct Candidate {
    interface: usize,
    claim: Claim,
    ifname: IfName,
    route: Route,
    origin: Origin,
}

impl Candidate {
    /// Two default routes of one family and metric exclude each other.
    fn slot(&self) -> (bool, u32) {
        slot_of(self.route.destination, self.route.metric)
    }
}

fn slot_of(destination: IpNet, metric: Option<u32>) -> (bool, u32) {
    match destination {
        IpNet::V4(_) => (false, metric.unwrap_or(0)),
        IpNet::V6(_) => (true, metric.unwrap_or(IPV6_DEFAULT_METRIC)),
    }
}

impl Planner<'_> {
    /// The container's end, with the MAC that was given or the stable one.
    pub(super) fn guest_end(&mut self, asked: &Attachment, mtu: Mtu) -> LinkEnd {
        let ifname = &asked.ifname.value;
        let given = asked.mac.as_ref().map(|asked| asked.value);
        LinkEnd {
            ifindex: (self.choose)(),
            name: ifname.clone(),
            mac: given.unwrap_or_else(|| names::stable_mac(self.identity, ifname)),
            mtu,
            txqlen: asked.txqlen.as_ref().map(|asked| asked.value),
        }
    }

    /// Enters an interface in the plan.
    pub(super) fn begin_interface(&mut self, attachment: &Attachment, guest: &LinkEnd, plug: Plug) {
        let addresses = &attachment.addressing.addresses;
        let announced = match &attachment.announce {
            Some(Asked {
                value: Announce::Off,
                ..
            }) => false,
            Some(Asked {
                value: Announce::Once | Announce::Times(_),
                ..
            })
            | None => true,
        };
        let Plug {
            uplink,
            uplink_name,
            hostif,
        } = plug;
        self.plan.interfaces.push(PlannedInterface {
            ifname: guest.name.clone(),
            ifindex: guest.ifindex,
            mtu: guest.mtu,
            hostif,
            mac: guest.mac,
            mac_is_stable: attachment.mac.is_none(),
            uplink,
            uplink_name,
            addresses: addresses.iter().map(|asked| asked.value).collect(),
            announced,
            optional: attachment.is_optional(),
            origin: attachment.uplink.origin.clone(),
        });
    }

    /// The place of the interface that was begun last.
    pub(super) fn current(&self) -> Option<usize> {
        self.plan.interfaces.len().checked_sub(1)
    }

    /// What follows once the link exists, but for the default route.
    pub(super) fn finish_interface(&mut self, attachment: &Attachment, host: Option<IfName>) {
        let Some(interface) = self.plan.interfaces.last() else {
            return;
        };
        let (ifname, ifindex) = (interface.ifname.clone(), interface.ifindex);
        let place = self.current();
        self.settings(attachment, &ifname);
        self.own_traffic(attachment);
        self.listen_to_routers(attachment);
        let up = Step::RaiseInterface {
            ifindex,
            ifname: ifname.clone(),
            host,
        };
        self.push(place, up, &attachment.uplink.origin);
        self.probe(attachment);
        for Asked { value, origin } in &attachment.addressing.addresses {
            let address = Address {
                ifindex,
                address: *value,
                broadcast: broadcast(*value),
                lifetime: None,
            };
            self.push(
                place,
                Step::AddAddress {
                    address,
                    ifname: ifname.clone(),
                },
                origin,
            );
        }
        for Asked { value, origin } in &attachment.routes {
            let route = Route {
                ifindex,
                destination: value.destination,
                via: value.via,
                metric: value.metric,
                table: value.table,
                source: value.source,
                onlink: value.onlink,
            };
            self.push(place, add_route(route, &ifname), origin);
        }
    }

    /// No default route by router advertisement unless it is asked for, and
    /// IPv6 switched on where an IPv6 address is.
    fn settings(&mut self, attachment: &Attachment, ifname: &IfName) {
        let asked = &attachment.sysctls;
        let is_asked = |leaf: &str| {
            asked
                .iter()
                .any(|s| s.value.family == Family::Ipv6 && s.value.leaf == leaf)
        };
        let wants_v6 = attachment
            .addressing
            .addresses
            .iter()
            .find(|a| a.value.addr().is_ipv6());
        let place = self.current();
        let mut defaults = Vec::new();
        if let Some(origin) = attachment.addressing.learns(true) {
            let settings = slaac::settings(attachment).into_iter();
            defaults
                .extend(settings.map(|(leaf, value, fine)| (leaf, value, fine, origin.clone())));
        } else if !is_asked("accept_ra") {
            defaults.push(("accept_ra", "0".to_owned(), true, Origin::Default));
        }
        let is_on = |(leaf, ..): &(&str, String, bool, Origin)| *leaf == "disable_ipv6";
        if let Some(address) = wants_v6
            && !is_asked("disable_ipv6")
            && !defaults.iter().any(is_on)
        {
            let origin = address.origin.clone();
            defaults.push(("disable_ipv6", "0".to_owned(), false, origin));
        }
        for (leaf, value, absent_is_fine, origin) in defaults {
            let step = Step::SetSysctl {
                ifname: ifname.clone(),
                family: Family::Ipv6,
                leaf,
                value,
                absent_is_fine,
            };
            self.push(place, step, &origin);
        }
        for Asked {
            value:
                Sysctl {
                    family,
                    leaf,
                    value,
                },
            origin,
        } in asked
        {
            let step = Step::SetSysctl {
                ifname: ifname.clone(),
                family: *family,
                leaf,
                value: value.to_string(),
                absent_is_fine: false,
            };
            self.push(place, step, origin);
        }
    }

    /// Default routes of all interfaces: of several gateways for one family
    /// and metric, that with the best [`claim`] wins.
    pub(super) fn default_routes(&mut self, attachments: &[&Attachment]) {
        let candidates: Vec<Candidate> = attachments
            .iter()
            .enumerate()
            .flat_map(|(place, attachment)| self.candidates(place, attachment))
            .collect();
        for candidate in &candidates {
            let rivals = candidates
                .iter()
                .filter(|c| c.slot() == candidate.slot() && c.claim > candidate.claim);
            let rival = rivals.max_by_key(|c| c.claim).map(|c| (c.claim, &c.ifname));
            let learns = || learns_default_before(candidate.claim, &candidate.route, attachments);
            match rival.or_else(learns) {
                Some((theirs, winner)) => self.plan.notices.push(format!(
                    "the gateway of {} is not the default route: that of {winner} is, {}",
                    candidate.ifname,
                    reason(candidate.claim, theirs)
                )),
                None => self.default_route(candidate),
            }
        }
    }

    fn candidates(&self, place: usize, attachment: &Attachment) -> Vec<Candidate> {
        let addressing = &attachment.addressing;
        let wanted = addressing
            .default
            .as_ref()
            .map_or(DefaultRoute { v4: true, v6: true }, |asked| asked.value);
        let v4 = addressing.gateway4.as_ref().filter(|_| wanted.v4);
        let v6 = addressing.gateway6.as_ref().filter(|_| wanted.v6);
        let v4 = v4.map(|asked| (IpAddr::V4(asked.value), any4(), &asked.origin));
        let v6 = v6.map(|asked| (IpAddr::V6(asked.value), any6(), &asked.origin));
        let Some(interface) = self.plan.interfaces.get(place) else {
            return Vec::new();
        };
        let asks_next_hops = asks_next_hops(&attachment.uplink.value);
        let candidate = |(via, destination, origin): (IpAddr, IpNet, &Origin)| Candidate {
            interface: place,
            claim: claim(place, attachment),
            ifname: interface.ifname.clone(),
            route: Route {
                ifindex: interface.ifindex,
                destination,
                via: Some(via).filter(|_| asks_next_hops),
                metric: addressing.metric.as_ref().map(|asked| asked.value),
                table: None,
                source: None,
                onlink: false,
            },
            origin: origin.clone(),
        };
        v4.into_iter().chain(v6).map(candidate).collect()
    }

    fn default_route(&mut self, candidate: &Candidate) {
        let Candidate {
            interface,
            claim: _,
            ifname,
            route,
            origin,
        } = candidate;
        let place = Some(*interface);
        let addresses = self
            .plan
            .interfaces
            .get(*interface)
            .map(|i| i.addresses.as_slice());
        if let Some(host) = to_gateway(route, addresses.unwrap_or_default()) {
            // As pipework does: a route to the gateway itself comes first.
            self.push(place, add_route(host, ifname), origin);
        }
        if let Some(table) = self.default_table(route.ifindex, route.metric) {
            let own = Route {
                table: Some(table),
                ..route.clone()
            };
            let own = add_route(own, ifname);
            // `sbr` has made one.
            if !self.plan.steps.iter().any(|planned| planned.step == own) {
                self.push(place, own, origin);
            }
            let v6 = matches!(route.destination, IpNet::V6(_));
            self.before_the_engines((*interface, route.ifindex), (table, v6), origin);
            return;
        }
        let present = self
            .view
            .namespace
            .defaults
            .iter()
            .find(|present| takes_slot(present, candidate));
        let replaces = present.map(|present| present.raw.clone());
        let (route, ifname) = (route.clone(), ifname.clone());
        self.push(
            place,
            Step::AddRoute {
                route,
                ifname,
                replaces,
            },
            origin,
        );
    }
}

/// Whether a next hop is asked for its hardware address. An ipvlan that routes
/// hands packets to the host's routes, whatever the next hop is.
pub(super) fn asks_next_hops(uplink: &Uplink) -> bool {
    match uplink {
        Uplink::Ipvlan { mode, .. } => *mode == IpvlanMode::L2,
        Uplink::Bridge { .. }
        | Uplink::Macvlan { .. }
        | Uplink::Ovs { .. }
        | Uplink::Physical { .. }
        | Uplink::Dummy
        | Uplink::Ipoib { .. }
        | Uplink::Wifi { .. }
        | Uplink::Link { .. } => true,
    }
}

/// The route to a gateway that no address of the interface has on its link.
pub(super) fn to_gateway(route: &Route, addresses: &[IpNet]) -> Option<Route> {
    let via = route.via.filter(|via| !is_on_link(*via, addresses))?;
    Some(Route {
        destination: IpNet::from(via),
        via: None,
        metric: None,
        ..route.clone()
    })
}

fn takes_slot(present: &DefaultRouteView, candidate: &Candidate) -> bool {
    (present.v6, present.metric) == candidate.slot()
}

pub(super) fn add_route(route: Route, ifname: &IfName) -> Step {
    Step::AddRoute {
        route,
        ifname: ifname.clone(),
        replaces: None,
    }
}

pub(super) fn any4() -> IpNet {
    IpNet::V4(Ipv4Net::default())
}

pub(super) fn any6() -> IpNet {
    IpNet::V6(Ipv6Net::default())
}

pub(super) fn is_on_link(gateway: IpAddr, addresses: &[IpNet]) -> bool {
    let is_link_local = match gateway {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    is_link_local || addresses.iter().any(|net| net.contains(&gateway))
}

/// The broadcast address, which prefixes of 31 and 32 bits have none of
/// (RFC 3021 §2.1).
pub fn broadcast(address: IpNet) -> Option<Ipv4Addr> {
    match address {
        IpNet::V4(net) if net.prefix_len() < 31 => Some(net.broadcast()),
        IpNet::V4(_) | IpNet::V6(_) => None,
    }
}
