//! The steps by which a NIC takes its place back from a bridge.
//!
//! Starts from whatever is there: a move that was killed half-way, one that
//! nobody confirmed, or one of last month. The NIC gets what the record says
//! that it had; what a bridge of ours was given since goes along to the NIC
//! where the bridge goes away. Pure: reads record and view, never the host.

mod bridge;
mod order;

use super::plan::{neighbours, served, untidy};
use super::record::{PortPart, UplinkRecord};
use super::rules;
use super::settings;
use super::step::Step;
use super::view::{BackView, Device, DeviceView, accepts_advertisements};
use crate::sys::rtnl::{RawAddress, RawNeighbour, RawRoute, Setting};

/// Plans the way back. `elapsed` seconds have passed since the NIC was looked
/// at: what has ended by itself meanwhile does not come back.
pub fn back(record: &UplinkRecord, view: &BackView, elapsed: u64) -> Vec<Step> {
    let mut planner = Planner {
        record,
        view,
        elapsed,
        steps: Vec::new(),
        loses_routes: false,
    };
    if let Some(nic) = view.nic.as_ref() {
        planner.release(nic);
        if record.moved {
            planner.give_back(nic);
        }
    }
    planner.leave();
    planner.bridge();
    planner.port();
    planner.steps
}

/// Whether the bridge goes away: we made it, and nobody else is plugged in.
pub fn bridge_goes(record: &UplinkRecord, view: &BackView) -> bool {
    let port = record.port_device().ifindex;
    record.bridge.before.is_none() && view.ports.iter().all(|p| p.ifindex == port)
}

struct Planner<'a> {
    record: &'a UplinkRecord,
    view: &'a BackView,
    elapsed: u64,
    steps: Vec<Step>,
    /// Whether steps before take routes of IPv4 from the NIC.
    loses_routes: bool,
}

impl Planner<'_> {
    fn step(&mut self, step: Step) {
        self.steps.push(step);
    }

    fn set(&mut self, device: &Device, setting: Option<Setting>) {
        self.steps.extend(setting.map(|setting| Step::Settings {
            device: device.clone(),
            settings: vec![setting],
        }));
    }

    fn bridge_device(&self) -> Device {
        self.record.bridge.device.clone()
    }

    /// Takes the NIC out of a bond of ours while another member carries.
    fn release(&mut self, nic: &DeviceView) {
        if let PortPart::Bond { device, .. } = &self.record.port
            && nic.link.controller == Some(device.ifindex)
        {
            self.step(Step::Leave {
                port: nic.device(),
                from: device.clone(),
            });
            self.step(Step::Raise(nic.device()));
            if self.view.ports.iter().any(|port| port.carrier) {
                self.step(Step::AwaitCarrier(nic.device()));
            }
        } else if !nic.link.up && self.record.nic.up {
            self.step(Step::Raise(nic.device()));
        }
    }

    fn give_back(&mut self, nic: &DeviceView) {
        let device = nic.device();
        if let Some(bridge) = &self.view.bridge {
            let strict = settings::strict(&bridge.state);
            self.set(&bridge.device(), strict.map(settings::meanwhile));
        }
        let addresses = self.addresses();
        self.give_addresses(nic, &addresses);
        self.steps.extend(served(&addresses, &device));
        let changed = self.record.nic.settings.iter();
        let changed = changed.filter(|setting| !nic.state.settings.contains(setting));
        let settings: Vec<_> = changed.cloned().collect();
        if !settings.is_empty() {
            self.step(Step::Settings {
                device: device.clone(),
                settings,
            });
        }
        self.steps.extend(neighbours(&self.neighbours(), &device));
        self.routes(nic);
        self.rules(nic);
    }

    /// Gives the NIC the addresses that it lacks. One that is to stand before others
    /// which it has, after a way back of which a part was refused, is given before
    /// them: the first of a network is the one that others see.
    fn give_addresses(&mut self, nic: &DeviceView, addresses: &[RawAddress]) {
        let device = nic.device();
        let on_nic = |a: &RawAddress| a.on(device.ifindex, &self.record.nic.name, &device.name);
        let wanted: Vec<RawAddress> = addresses.iter().map(on_nic).collect();
        let behind = order::behind_missing(&wanted, &nic.state.addresses);
        // The last first: the kernel takes those of a network away with its first.
        for address in behind.iter().rev() {
            self.step(Step::DropAddress {
                device: device.clone(),
                address: address.clone(),
            });
        }
        // The routes of IPv4 may go with the last address (`fib_disable_ip`).
        self.loses_routes = behind.iter().any(|address| !address.is_v6());
        for address in wanted {
            if behind.contains(&address) || !nic.state.addresses.contains(&address) {
                self.step(Step::PutAddress {
                    device: device.clone(),
                    address,
                });
            }
        }
    }

    /// What the NIC had, then what a bridge that goes away was given since.
    fn addresses(&self) -> Vec<RawAddress> {
        let had = self.record.nic.addresses_as_given();
        let mut addresses: Vec<_> = had.filter_map(|a| a.aged(self.elapsed)).collect();
        if let Some(bridge) = self.extra() {
            let moved = |address: &RawAddress| {
                let nic = &self.record.nic;
                address.on(nic.ifindex, &bridge.link.name, &nic.name)
            };
            let since = bridge.state.addresses_as_given();
            let since = since
                .filter(|a| !a.is_link_local() && !a.is_finite())
                .map(moved);
            let known: Vec<_> = addresses
                .iter()
                .map(|a| (a.address(), a.prefix_length()))
                .collect();
            addresses.extend(since.filter(|a| !known.contains(&(a.address(), a.prefix_length()))));
        }
        addresses
    }

    /// What the NIC knew, and what the bridge has learned since. The kernel takes
    /// the former away with the last address (`arp_ifdown`).
    fn neighbours(&self) -> Vec<RawNeighbour> {
        let mut known = self.record.nic.neighbours.clone();
        if let Some(bridge) = &self.view.bridge {
            let goes = bridge_goes(self.record, self.view);
            let since = bridge
                .neighbours
                .iter()
                .filter(|n| goes || !n.is_permanent());
            let given = |n: &RawNeighbour| {
                let mut known = self.record.nic.neighbours.iter();
                known.any(|own| own.on(bridge.link.ifindex) == *n)
            };
            known.extend(since.filter(|n| !given(n)).cloned());
        }
        known
    }

    /// The bridge, if it goes away with what it was given since.
    fn extra(&self) -> Option<&DeviceView> {
        let bridge = self.view.bridge.as_ref()?;
        bridge_goes(self.record, self.view).then_some(bridge)
    }

    fn routes(&mut self, nic: &DeviceView) {
        let (from, to) = (self.record.bridge.device.ifindex, nic.link.ifindex);
        let recorded = self.record.nic.ifindex;
        let had: Vec<RawRoute> = self
            .record
            .nic
            .routes
            .iter()
            .filter_map(|route| route.aged(self.elapsed))
            .map(|route| route.on(recorded, to))
            .collect();
        let (links, others): (Vec<_>, Vec<_>) = had.iter().partition(|route| route.is_on_link());
        for route in links {
            self.route(nic, route, from);
        }
        for nexthop in &self.record.nic.nexthops {
            let nexthop = nexthop.on(recorded, to);
            if !nic.state.nexthops.contains(&nexthop) {
                self.step(Step::PutNexthop {
                    device: nic.device(),
                    nexthop,
                });
            }
        }
        for route in others {
            self.route(nic, route, from);
        }
        if let Some(bridge) = self.extra() {
            let since = bridge.state.routes.iter().zip(&bridge.leading);
            let since = since.filter(|(route, _)| {
                let ours = had.iter().any(|h| {
                    let there = h.on(to, from);
                    there.is_same_as(route) || there.outranked().is_same_as(route)
                });
                !ours && !route.is_kernels() && !route.is_advertised() && route.nexthop().is_none()
            });
            let since: Vec<_> = since.map(|(r, l)| (r.clone(), *l)).collect();
            for (route, leads) in since {
                self.step(Step::MoveRoute {
                    to: route.on(from, to),
                    from: route,
                    device: nic.device(),
                    leads,
                });
            }
        }
        if let Some(addresses) = untidy(&self.record.nic) {
            self.step(Step::TidyRoutes {
                device: nic.device(),
                keep: had,
                addresses,
            });
        }
    }

    fn route(&mut self, nic: &DeviceView, route: &RawRoute, bridge: u32) {
        let on_bridge = route.on(nic.link.ifindex, bridge);
        let stays = !self.loses_routes || route.is_v6();
        let on_nic = stays && nic.state.routes.iter().any(|other| other.is_same_as(route));
        let there = self.leads_on_bridge(&on_bridge);
        let device = nic.device();
        let advertised = route.is_advertised() && accepts_advertisements(&self.record.nic);
        if advertised && !on_nic {
            // As on the way there: the kernel takes its own only.
            return self.step(Step::PutRoute {
                device,
                route: route.outranked(),
            });
        }
        match there.filter(|_| route.nexthop().is_none() && !advertised) {
            Some(leads) => self.step(Step::MoveRoute {
                from: on_bridge,
                to: route.clone(),
                device,
                leads,
            }),
            // A nexthop object brings its routes along.
            None if on_nic || route.nexthop().is_some() && there.is_some() => {}
            None => self.step(Step::PutRoute {
                device,
                route: route.clone(),
            }),
        }
    }

    /// Whether a route that the bridge got from the NIC comes before others;
    /// `None` when the bridge does not have it, or had it before.
    fn leads_on_bridge(&self, route: &RawRoute) -> Option<bool> {
        let is_it = |other: &&RawRoute| other.is_same_as(route);
        let before = self.record.bridge.before.as_ref();
        if before.is_some_and(|state| state.routes.iter().any(|r| is_it(&r))) {
            return None;
        }
        let bridge = self.view.bridge.as_ref()?;
        let mut all = bridge.state.routes.iter().zip(&bridge.leading);
        all.find(|(other, _)| is_it(other)).map(|(_, leads)| *leads)
    }

    fn rules(&mut self, nic: &DeviceView) {
        let exchange = rules::back(
            &self.record.rules,
            &self.view.rules,
            &nic.link.name,
            &self.record.bridge.device.name,
            bridge_goes(self.record, self.view),
        );
        if !exchange.put.is_empty() {
            self.step(Step::PutRules(exchange.put));
        }
        if !exchange.drop.is_empty() {
            self.step(Step::DropRules(exchange.drop));
        }
    }
}
