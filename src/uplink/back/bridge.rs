//! What becomes of the bridge, and of what we made to plug into it.

use super::{Planner, bridge_goes};
use crate::sys::rtnl::{NicState, RawAddress};
use crate::uplink::record::PortPart;
use crate::uplink::settings;
use crate::uplink::step::{OvsStep, Step};
use crate::uplink::view::DeviceView;

impl Planner<'_> {
    /// Takes the port out of the bridge, now that nothing arrives there.
    pub(super) fn leave(&mut self) {
        let port = self.record.port_device();
        if self.record.bridge.ovs.is_some() {
            let from = self.bridge_device();
            return self.step(Step::Ovs(OvsStep::Leave { port, from }));
        }
        if self
            .view
            .ports
            .iter()
            .any(|other| other.ifindex == port.ifindex)
        {
            self.step(Step::Leave {
                port,
                from: self.bridge_device(),
            });
        }
    }

    /// The bridge goes, or is what it was.
    pub(super) fn bridge(&mut self) {
        let Some(bridge) = &self.view.bridge else {
            return;
        };
        let device = self.bridge_device();
        if bridge_goes(self.record, self.view) {
            return self.step(Step::Delete(device));
        }
        let nothing = Vec::new();
        let before = self.record.bridge.before.as_ref();
        let stays = before.map_or(&nothing, |state| &state.addresses);
        let recorded = &self.record.nic;
        let given = recorded.addresses_as_given();
        let given: Vec<_> = given
            .map(|a| a.on(device.ifindex, &recorded.name, &device.name))
            .collect();
        if self.record.moved {
            let kept = |a: &RawAddress| stays.iter().any(|other| other.is_same_as(a));
            for address in given.into_iter().rev().filter(|a| !kept(a)) {
                let mut there = bridge.state.addresses.iter();
                if there.any(|other| other.is_same_as(&address)) {
                    self.step(Step::DropAddress {
                        device: device.clone(),
                        address,
                    });
                }
            }
        }
        self.unlearn(bridge, before);
        let given = recorded.neighbours.iter().map(|n| n.on(device.ifindex));
        let kept = |n: &_| before.is_some_and(|state| state.neighbours.contains(n));
        let given: Vec<_> = given.filter(|n| self.record.moved && !kept(n)).collect();
        if !given.is_empty() {
            self.step(Step::DropNeighbours {
                device: device.clone(),
                neighbours: given,
            });
        }
        match before {
            Some(before) => self.restore_link(bridge, before),
            None => self.set(&device, settings::strict(&bridge.state)),
        }
    }

    /// What a bridge that stays learned from routers behind the NIC, or serves
    /// until it does.
    fn unlearn(&mut self, bridge: &DeviceView, before: Option<&NicState>) {
        let device = self.bridge_device();
        let routes = bridge.state.routes.iter().filter(|route| {
            let had = before.is_some_and(|state| state.routes.iter().any(|r| r.is_same_as(route)));
            route.is_advertised() && !had
        });
        for route in routes {
            self.steps.push(Step::DropRoute {
                device: device.clone(),
                route: route.clone(),
            });
        }
        let addresses = bridge.state.addresses.iter().filter(|address| {
            let had =
                before.is_some_and(|state| state.addresses.iter().any(|a| a.is_same_as(address)));
            address.is_v6() && address.is_finite() && !had
        });
        for address in addresses {
            self.steps.push(Step::DropAddress {
                device: device.clone(),
                address: address.clone(),
            });
        }
    }

    fn restore_link(&mut self, bridge: &DeviceView, before: &NicState) {
        let device = self.bridge_device();
        // Somebody may have given it another address since.
        let is_ours = bridge.link.mac == Some(self.record.bridge.mac);
        // The database may have been told, and the switch not have followed yet.
        let is_untouched = bridge.link.mac == before.mac;
        if let Some(ovs) = self
            .record
            .bridge
            .ovs
            .as_ref()
            .filter(|_| (is_ours || is_untouched) && self.record.moved)
        {
            self.step(Step::Ovs(OvsStep::Address {
                bridge: device.clone(),
                hwaddr: ovs.hwaddr.clone(),
            }));
        }
        let is_ours = is_ours && self.record.bridge.ovs.is_none();
        match before.mac {
            Some(mac) if is_ours && mac != self.record.bridge.mac => {
                self.step(Step::SetMac {
                    device: device.clone(),
                    mac,
                });
            }
            Some(_) | None => {}
        }
        self.set(&device, settings::strict(before));
        if bridge.link.up && !before.up {
            self.step(Step::Lower(device));
        }
    }

    /// The VLAN device or the bond goes, and the NICs are what they were.
    pub(super) fn port(&mut self) {
        let made = self
            .view
            .made_port
            .as_ref()
            .map(|_| self.record.port_device());
        if let Some(device) = made {
            self.step(Step::Delete(device));
        }
        if let PortPart::Bond { others, .. } = &self.record.port {
            for other in &self.view.others {
                let mut all = others.iter();
                let was_up = all.any(|state| state.ifindex == other.link.ifindex && state.up);
                if was_up {
                    self.step(Step::Raise(other.device()));
                }
            }
        }
        if let Some(nic) = self
            .view
            .nic
            .as_ref()
            .filter(|_| !self.record.nic.up && self.record.moved)
        {
            self.step(Step::Lower(nic.device()));
        }
    }
}
