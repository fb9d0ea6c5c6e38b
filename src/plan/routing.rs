//! Steps beside addresses and routes, for every kind of uplink: the probe for
//! duplicates, neighbours, rules, and replies that leave by the interface that
//! they came to. Pure.

use std::net::IpAddr;

use ipnet::IpNet;

use super::addressing::{add_route, any4, any6, asks_next_hops, to_gateway};
use super::step::{Probe, RoutingStep, Side};
use super::{LOWEST_INDEX, Planner, Step};
use crate::request::{Asked, Attachment, Dad, IfName, IpvlanMode, Origin, Selector, Uplink};
use crate::rt::{Neighbour, Route, Rule};

/// The place of the first rule without a priority of its own; each following
/// one comes right behind it. Before `main` (32766) and before the rules of
/// `sbr`, so that what is written goes before what follows from a switch.
const WRITTEN_RULES: u32 = 20_000;
/// The place of the rules of `sbr`.
const SOURCE_RULES: u32 = 25_000;

/// `RT_TABLE_MAIN`.
pub(super) const MAIN: u32 = 254;

impl Planner<'_> {
    /// Asks for the addresses before they are taken, when the link is up.
    pub(super) fn probe(&mut self, attachment: &Attachment) {
        let Some(Asked { value, origin }) = &attachment.routing.dad else {
            return;
        };
        let Some(interface) = self.plan.interfaces.last() else {
            return;
        };
        let addresses: Vec<IpAddr> = interface.addresses.iter().map(IpNet::addr).collect();
        if *value == Dad::Off || addresses.is_empty() {
            return;
        }
        // The answer to a question without a sender's address is for no child
        // of the NIC in particular, so only the NIC itself sees it.
        let by_nic = match &attachment.uplink.value {
            Uplink::Ipvlan { mode, .. } => *mode == IpvlanMode::L2,
            Uplink::Bridge { .. }
            | Uplink::Macvlan { .. }
            | Uplink::Ovs { .. }
            | Uplink::Physical { .. }
            | Uplink::Dummy
            | Uplink::Ipoib { .. }
            | Uplink::Wifi { .. }
            | Uplink::Link { .. } => false,
        };
        let (side, ifindex, device) = if by_nic {
            let name = interface.uplink_name.clone();
            (Side::Host, interface.uplink, name)
        } else {
            (Side::Guest, interface.ifindex, interface.ifname.clone())
        };
        let probe = Probe {
            side,
            ifindex,
            device,
            mac: interface.mac,
            addresses,
            port: self.port_of(interface.ifindex),
            time: value.time(),
        };
        let step = Step::Routing(RoutingStep::Probe(probe));
        self.push(self.current(), step, origin);
    }

    /// Index of the host's end of an interface of ours.
    pub(super) fn port_of(&self, guest: u32) -> Option<u32> {
        let mut steps = self.plan.steps.iter().rev();
        steps.find_map(|planned| match &planned.step {
            Step::CreateVeth(pair) if pair.guest.ifindex == guest => Some(pair.host.ifindex),
            _ => None,
        })
    }

    /// Neighbours and rules of the interface that was planned last.
    pub(super) fn routing(&mut self, attachment: &Attachment) {
        let Some(interface) = self.plan.interfaces.last() else {
            return;
        };
        let (ifname, ifindex) = (interface.ifname.clone(), interface.ifindex);
        let place = self.current();
        for Asked { value, origin } in &attachment.routing.neighbours {
            let neighbour = Neighbour {
                ifindex,
                address: value.address,
                entry: value.entry,
            };
            let step = RoutingStep::AddNeighbour {
                neighbour,
                ifname: ifname.clone(),
            };
            self.push(place, Step::Routing(step), origin);
        }
        for Asked { value, origin } in &attachment.routing.rules {
            let rule = Rule {
                selector: value.selector.clone(),
                v6: value.selector.is_ipv6(),
                table: value.table,
                priority: value.priority.unwrap_or_else(|| self.next_priority()),
                suppress_prefixlength: value.suppress_prefixlength,
            };
            self.push(place, Step::Routing(RoutingStep::AddRule(rule)), origin);
        }
        if let Some(asked) = attachment.routing.sbr.as_ref().filter(|asked| asked.value) {
            self.source_based(attachment, &ifname, &asked.origin);
        }
    }

    /// The place behind the rules without a priority that were planned so far.
    fn next_priority(&self) -> u32 {
        let planned = self
            .plan
            .steps
            .iter()
            .filter(|planned| match &planned.step {
                Step::Routing(RoutingStep::AddRule(rule)) => {
                    (WRITTEN_RULES..SOURCE_RULES).contains(&rule.priority)
                }
                _ => false,
            });
        let place = u32::try_from(planned.count()).unwrap_or(u32::MAX);
        WRITTEN_RULES.saturating_add(place).min(SOURCE_RULES - 1)
    }

    /// A table of the interface's own: what has an address of the interface for
    /// its source is looked up there.
    fn source_based(&mut self, attachment: &Attachment, ifname: &IfName, origin: &Origin) {
        let Some(interface) = self.plan.interfaces.last() else {
            return;
        };
        let (ifindex, addresses) = (interface.ifindex, interface.addresses.clone());
        let table = own_table(ifindex);
        let place = self.current();
        for route in self.own_routes(attachment, ifindex, &addresses) {
            self.push(place, add_route(route, ifname), origin);
        }
        for address in &addresses {
            let selector = Selector {
                from: Some(IpNet::from(address.addr())),
                ..Selector::default()
            };
            let rule = Rule {
                v6: selector.is_ipv6(),
                selector,
                table,
                priority: SOURCE_RULES,
                suppress_prefixlength: None,
            };
            self.push(place, Step::Routing(RoutingStep::AddRule(rule)), origin);
        }
    }

    /// Every way out of the interface, for the table of its own: the networks
    /// of its addresses, the routes that the main table has by it, and its
    /// gateways, whether or not they are default routes there.
    fn own_routes(&self, attachment: &Attachment, ifindex: u32, addresses: &[IpNet]) -> Vec<Route> {
        let table = own_table(ifindex);
        let plain = |destination, via, source| Route {
            ifindex,
            destination,
            via,
            metric: None,
            table: Some(table),
            source,
            onlink: false,
        };
        let mut routes: Vec<Route> = Vec::new();
        for address in addresses {
            let network = address.trunc();
            // The kernel has such a route for the first of several addresses.
            let is_there = routes.iter().any(|route| route.destination == network);
            if !is_there && network.prefix_len() < network.max_prefix_len() {
                let source = Some(address.addr()).filter(IpAddr::is_ipv4);
                routes.push(plain(network, None, source));
            }
        }
        let place = self.current();
        let further = self
            .plan
            .steps
            .iter()
            .filter_map(|planned| match &planned.step {
                Step::AddRoute { route, .. } if planned.interface == place => Some(route),
                _ => None,
            });
        let in_main = further.filter(|route| matches!(route.table, None | Some(MAIN)));
        routes.extend(in_main.map(|route| Route {
            table: Some(table),
            ..route.clone()
        }));
        let addressing = &attachment.addressing;
        let v4 = addressing.gateway4.as_ref();
        let v4 = v4.map(|asked| (IpAddr::V4(asked.value), any4()));
        let v6 = addressing.gateway6.as_ref();
        let v6 = v6.map(|asked| (IpAddr::V6(asked.value), any6()));
        let asks = asks_next_hops(&attachment.uplink.value);
        for (via, everything) in v4.into_iter().chain(v6) {
            let default = plain(everything, Some(via).filter(|_| asks), None);
            routes.extend(to_gateway(&default, addresses));
            routes.push(default);
        }
        // A destination that was written as well was copied before.
        let mut seen: Vec<(IpNet, Option<u32>)> = Vec::new();
        routes.retain(|route| {
            let slot = (route.destination, route.metric);
            let is_new = !seen.contains(&slot);
            seen.push(slot);
            is_new
        });
        routes
    }
}

/// The table of an interface has its number: nobody gives a table such a high
/// one, and no two interfaces of a namespace share it. A device that was handed
/// over may have kept a low one, which may be that of a table in use.
pub(super) fn own_table(ifindex: u32) -> u32 {
    match ifindex < LOWEST_INDEX {
        true => ifindex + LOWEST_INDEX,
        false => ifindex,
    }
}
