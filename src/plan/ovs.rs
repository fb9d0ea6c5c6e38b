//! Steps for a port of an Open vSwitch bridge: a veth pair whose host end is
//! given to `ovs-vswitchd` by its database.
//!
//! The kernel's datapath takes the device in by itself, so it is enslaved by
//! nobody here. The container's end stays down until the port works, with its
//! VLANs. A missing bridge whose name begins with `ovs` is made, as pipework
//! does. Pure: reads the view, never the host.

use sha2::{Digest, Sha256};

use super::addressing::Plug;
use super::bridge::{guest_mtu, no_uplink_yet};
use super::names::{self, Life};
use super::traffic::place_of;
use super::{OvsStep, PlanError, Planner, Step};
use crate::host::view::{AttachmentView, DeviceView, OvsView, UplinkView, ovs_may_be_made};
use crate::request::{Asked, Attachment, Datapath, IfName, MacAddr, Uplink, VlanMode};
use crate::rt::{OvsBridge, OvsOwner, OvsPort, OvsVlan};

/// The MTU of the local port of a new bridge (`ETH_DATA_LEN`).
const NEW_BRIDGE_MTU: u32 = 1500;

/// A bridge as it is, or as it will be.
struct Target {
    name: IfName,
    mtu: u32,
    /// It has to be made first.
    made: Option<OvsBridge>,
}

impl Planner<'_> {
    pub(super) fn ovs(
        &mut self,
        attachment: &Attachment,
        bridge: &IfName,
        view: &AttachmentView,
    ) -> Result<(), PlanError> {
        let Target { name, mtu, made } = self.ovs_target(attachment, bridge, view)?;
        let guest_mtu = guest_mtu(attachment, &name, mtu)?;
        let pair = self.veth(attachment, mtu, guest_mtu);
        let plug = Plug {
            uplink: index_of(&name),
            uplink_name: name.clone(),
            hostif: Some(pair.host.name.clone()),
        };
        self.begin_interface(attachment, &pair.guest, plug);
        let origin = &attachment.uplink.origin;
        if let Some(bridge) = made {
            self.plan.notices.push(no_uplink_yet(&name));
            // Of no single interface: others of this request may use it too.
            let step = OvsStep::CreateBridge(bridge);
            self.push(None, Step::Ovs(step), origin);
        }
        let (ifindex, port) = (pair.host.ifindex, pair.host.name.clone());
        let alias = names::alias(&self.identity.name, &attachment.ifname.value);
        let add = OvsPort {
            bridge: name.clone(),
            name: port.clone(),
            vlan: vlan_of(attachment),
            protected: is_isolated(attachment),
            external_ids: self.external_ids(attachment, &name, pair.guest.mac),
            owner: self.owner(&attachment.ifname.value),
        };
        let place = self.current();
        self.push(place, Step::CreateVeth(pair.clone()), origin);
        let alias = Step::SetAlias {
            ifindex,
            name: port.clone(),
            alias,
        };
        self.push(place, alias, origin);
        let on = place_of(&attachment.uplink.value, view);
        self.host_traffic(attachment, &pair.host, &pair.guest, on);
        for step in [
            // Before `ovs-vswitchd` has it: for promiscuous mode it reads the flags
            // and writes all of them back (SIOCSIFFLAGS), and whoever raises the
            // link in between is undone.
            Step::Ovs(OvsStep::RaisePort {
                ifindex,
                name: port.clone(),
            }),
            Step::Ovs(OvsStep::AddPort(add)),
            Step::Ovs(OvsStep::Settle {
                name: port.clone(),
                bridge: name,
            }),
        ] {
            self.push(place, step, origin);
        }
        self.finish_interface(attachment, Some(port));
        Ok(())
    }

    fn ovs_target(
        &mut self,
        asked: &Attachment,
        bridge: &IfName,
        view: &AttachmentView,
    ) -> Result<Target, PlanError> {
        let (name, origin) = (bridge.clone(), asked.uplink.origin.clone());
        if let UplinkView::Present(device) = &view.uplink {
            return present(asked, device, view);
        }
        let mtu = NEW_BRIDGE_MTU;
        match &view.ovs {
            // `ovs-vswitchd` may be on its way up; the wait for the port tells.
            OvsView::Bridge { .. } => Ok(Target {
                name,
                mtu,
                made: None,
            }),
            OvsView::NoBridge { datapath } if ovs_may_be_made(&name) => {
                let made = self.ovs_bridge_to_make(&name, *datapath);
                Ok(Target { name, mtu, made })
            }
            OvsView::NoBridge { .. } | OvsView::Unasked => {
                Err(PlanError::NoOvsBridge { name, origin })
            }
            OvsView::NotInstalled => Err(PlanError::OvsNotInstalled { name, origin }),
            OvsView::Silent { reason } => Err(PlanError::OvsSilent {
                name,
                reason: reason.clone(),
                origin,
            }),
        }
    }

    /// Made once, whichever of our interfaces asks for it first.
    fn ovs_bridge_to_make(&self, name: &IfName, datapath: Datapath) -> Option<OvsBridge> {
        let is_made = self.plan.steps.iter().any(|planned| match &planned.step {
            Step::Ovs(OvsStep::CreateBridge(bridge)) => bridge.name == *name,
            _ => false,
        });
        let Life {
            boot_id, cookie, ..
        } = &self.identity.life;
        (!is_made).then(|| OvsBridge {
            name: name.clone(),
            datapath,
            maker: format!("{boot_id} {cookie}"),
        })
    }

    fn owner(&self, ifname: &IfName) -> OvsOwner {
        let Life {
            id: _,
            pid: _,
            boot_id,
            cookie,
        } = &self.identity.life;
        OvsOwner {
            boot_id: boot_id.clone(),
            cookie: *cookie,
            ifname: ifname.clone(),
        }
    }

    /// pipework's own keys, and what was asked for.
    fn external_ids(
        &self,
        attachment: &Attachment,
        bridge: &IfName,
        mac: MacAddr,
    ) -> Vec<(String, String)> {
        let Life { id, pid, .. } = &self.identity.life;
        let ours = [
            ("pipework.bridge", Some(bridge.to_string())),
            ("pipework.containerid", Some(id.clone())),
            ("pipework.containername", Some(self.identity.name.clone())),
            ("pipework.nspid", Some(pid.to_string())),
            (
                "pipework.vlan",
                attachment.vlan.as_ref().map(|vlan| vlan.value.to_string()),
            ),
        ];
        let ours = ours.into_iter();
        let mut ids: Vec<(String, String)> = ours
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect();
        let asked = &attachment.ovs.external_ids;
        if let Some(iface_id) = &attachment.ovs.iface_id {
            ids.push(("iface-id".to_owned(), iface_id.value.clone()));
            // Controllers read both (Documentation/topics/integration.rst).
            if !asked.iter().any(|asked| asked.value.0 == "attached-mac") {
                ids.push(("attached-mac".to_owned(), mac.to_string()));
            }
        }
        ids.extend(asked.iter().map(|asked| asked.value.clone()));
        ids
    }
}

/// Refuses to take pipework's first argument for a NIC where it may be a bridge
/// of Open vSwitch: `inspect` asks the database only about such a device.
pub(super) fn check_no_doubt(
    attachment: &Attachment,
    view: &AttachmentView,
) -> Result<(), PlanError> {
    let (Uplink::Link { .. }, UplinkView::Present(device), OvsView::Silent { reason }) =
        (&attachment.uplink.value, &view.uplink, &view.ovs)
    else {
        return Ok(());
    };
    Err(PlanError::MayBeOvsBridge {
        device: device.name.clone(),
        reason: reason.clone(),
        origin: attachment.uplink.origin.clone(),
    })
}

fn present(
    asked: &Attachment,
    device: &DeviceView,
    view: &AttachmentView,
) -> Result<Target, PlanError> {
    if !view.is_known_to_ovs() && !device.kind.may_be_open_vswitch() {
        return Err(PlanError::NotAnOvsBridge {
            device: device.name.clone(),
            kind: device.kind.clone(),
            origin: asked.uplink.origin.clone(),
        });
    }
    Ok(Target {
        name: device.name.clone(),
        mtu: device.mtu,
        made: None,
    })
}

/// Protected ports do not reach each other: what `isolate` means.
fn is_isolated(attachment: &Attachment) -> bool {
    attachment
        .port
        .isolate
        .as_ref()
        .is_some_and(|asked| asked.value)
}

/// What a port has, in the schema's words. A port that asks for nothing carries
/// every VLAN, as one of `ovs-vsctl add-port` does.
fn vlan_of(attachment: &Attachment) -> OvsVlan {
    let value = |asked: &Asked<VlanMode>| asked.value;
    let tag = attachment.vlan.as_ref().map(|asked| asked.value);
    let trunks = attachment.trunk.as_ref().map(|asked| asked.value.clone());
    let asked = attachment.ovs.vlan_mode.as_ref().map(value);
    let mode = asked.or((tag.is_some() && trunks.is_some()).then_some(VlanMode::NativeUntagged));
    OvsVlan { tag, trunks, mode }
}

/// What stands for a bridge's index: that of its local port changes with every
/// start of `ovs-vswitchd`. Above all that the kernel gives out.
fn index_of(bridge: &IfName) -> u32 {
    let hash = Sha256::digest(format!("pipework ovs {bridge}").as_bytes());
    let [a, b, c, d, ..] = <[u8; 32]>::from(hash);
    u32::from_be_bytes([a, b, c, d]) | 1 << 31
}
