//! What is plugged into the bridge: the NIC, a VLAN of it, or a bond.

use super::Planner;
use crate::request::IfName;
use crate::sys::ovsdb::vswitch::OvsUplinkFacts;
use crate::uplink::error::UplinkError;
use crate::uplink::record::{BridgePart, OvsPart, PortPart};
use crate::uplink::settings;
use crate::uplink::step::{Mac, OvsStep, Step};
use crate::uplink::view::{Device, DeviceView, VlanView};
use crate::uplink::wanted::{BondMode, Wanted};

impl Planner<'_> {
    /// What is plugged in, made if need be.
    pub(super) fn port(&mut self, wanted: &Wanted) -> Result<PortPart, UplinkError> {
        let nic = &self.view.nic;
        let mac = nic.link.mac.unwrap_or_default();
        let mtu = nic.link.mtu;
        if let (Some(vlan), Some(VlanView::Missing(device))) = (wanted.vlan, &self.view.vlan) {
            self.step(Step::CreateVlan {
                port: device.clone(),
                parent: nic.device(),
                vlan,
                mac,
                mtu,
            });
            self.step(Step::Raise(device.clone()));
            let device = device.clone();
            return Ok(PortPart::Vlan { device, vlan });
        }
        let Some(mode) = wanted.bond else {
            if let Some(source) = self.source.filter(|source| !source.link.up) {
                self.step(Step::Raise(source.device()));
            }
            return Ok(PortPart::Nic);
        };
        let bond = Device {
            ifindex: self.view.bond_ifindex,
            name: bond_name(&wanted.bridge)?,
        };
        self.bond(&bond, mode, mac, mtu);
        Ok(PortPart::Bond {
            device: bond,
            mode,
            others: self.view.others.iter().map(|o| o.state.clone()).collect(),
        })
    }

    /// The idle NICs first: traffic goes over to them, and the NIC in use
    /// follows when nothing needs it any more, because a member must be down
    /// when it joins (`bond_enslave`).
    fn bond(&mut self, bond: &Device, mode: BondMode, mac: [u8; 6], mtu: u32) {
        self.step(Step::CreateBond {
            bond: bond.clone(),
            mode,
            mac,
            mtu,
        });
        for other in &self.view.others {
            self.enslave(&other.device(), bond);
        }
        self.step(Step::Raise(bond.clone()));
        self.step(Step::AwaitCarrier(bond.clone()));
        if mode == BondMode::Lacp {
            self.notices.push(
                "the switch must speak LACP on these ports, or only one of them carries".to_owned(),
            );
        }
    }

    pub(super) fn enslave(&mut self, nic: &Device, bond: &Device) {
        self.step(Step::Lower(nic.clone()));
        self.step(Step::Join {
            port: nic.clone(),
            to: bond.clone(),
        });
    }

    pub(super) fn join(&mut self, port: &PortPart, bridge: &BridgePart) {
        let (device, has_carrier) = match port {
            PortPart::Nic => {
                let source = self.source.unwrap_or(&self.view.nic);
                (source.device(), source.link.carrier)
            }
            PortPart::Vlan { device, .. } => (device.clone(), self.view.nic.link.carrier),
            PortPart::Bond { device, .. } => (device.clone(), true),
        };
        let to = bridge.device.clone();
        self.step(match bridge.ovs {
            Some(_) => Step::Ovs(OvsStep::Join { port: device, to }),
            None => Step::Join { port: device, to },
        });
        if has_carrier {
            self.step(Step::AwaitCarrier(bridge.device.clone()));
        }
    }

    /// A bridge of Open vSwitch, whose database decides what it is.
    pub(super) fn ovs_bridge(
        &mut self,
        view: &DeviceView,
        facts: &OvsUplinkFacts,
        mac: [u8; 6],
    ) -> BridgePart {
        let device = view.device();
        if self.source.is_some() && view.link.mac != Some(mac) {
            self.step(Step::Ovs(OvsStep::Address {
                bridge: device.clone(),
                hwaddr: Some(Mac(mac).to_string()),
            }));
        }
        if !view.link.up {
            self.step(Step::Raise(device.clone()));
        }
        if self.source.is_some() {
            let strict = settings::strict(&view.state);
            self.set(&device, strict.map(settings::meanwhile));
        }
        let name = &device.name;
        self.notices.push(
            "the database of Open vSwitch keeps the port across boots, while addresses do not last: \
             make the change permanent, or take it back, before the machine starts anew"
                .to_owned(),
        );
        if facts.is_controlled {
            self.notices.push(format!(
                "{name} has a controller or is of fail mode secure: its flows must let the host through"
            ));
        }
        BridgePart {
            device,
            mac,
            before: Some(view.state.clone()),
            ovs: Some(OvsPart {
                hwaddr: facts.hwaddr.clone(),
            }),
        }
    }
}

/// `bond-` and the bridge's name. `bond0` is the module's own.
fn bond_name(bridge: &IfName) -> Result<String, UplinkError> {
    let name = format!("bond-{bridge}");
    match name.parse::<IfName>() {
        Ok(name) => Ok(name.to_string()),
        Err(_) => Err(UplinkError::NoName {
            what: "a bond",
            name,
        }),
    }
}
