//! What is plugged into the bridge: the NIC, a VLAN of it, or a bond.

use super::Planner;
use crate::request::IfName;
use crate::uplink::error::UplinkError;
use crate::uplink::record::PortPart;
use crate::uplink::step::Step;
use crate::uplink::view::{Device, VlanView};
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

    pub(super) fn join(&mut self, port: &PortPart, bridge: &Device) {
        let (device, has_carrier) = match port {
            PortPart::Nic => {
                let source = self.source.unwrap_or(&self.view.nic);
                (source.device(), source.link.carrier)
            }
            PortPart::Vlan { device, .. } => (device.clone(), self.view.nic.link.carrier),
            PortPart::Bond { device, .. } => (device.clone(), true),
        };
        self.step(Step::Join {
            port: device,
            to: bridge.clone(),
        });
        if has_carrier {
            self.step(Step::AwaitCarrier(bridge.clone()));
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
