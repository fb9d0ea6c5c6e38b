//! Steps for a port of a Linux bridge: a veth pair whose host end joins it.
//!
//! A bridge that exists is used as it is. A missing one whose name begins with
//! `br` is made, as pipework does. Pure: reads the view, never the host.

use super::addressing::Plug;
use super::bridge_vlan::{self, BridgeVlans, Trunking};
use super::traffic::Place;
use super::{PlanError, Planner, Step, names};
use crate::host::view::{AttachmentView, DeviceKind, DeviceView, OvsView, UplinkView, VlanView};
use crate::request::{Asked, Attachment, DeviceRef, IfName, Mtu, Uplink};
use crate::rt::{Bridge, LinkEnd, VethPair};

/// The MTU of a bridge without ports (`ETH_DATA_LEN`, `br_dev_setup`).
const NEW_BRIDGE_MTU: u32 = 1500;

/// A bridge as it is, or as it will be.
struct Target {
    ifindex: u32,
    name: IfName,
    mtu: u32,
    /// What has to be done to it first.
    first: Option<Step>,
}

/// Whether `pipework.link` means a bridge here: an existing one, or a missing
/// one that we would make. Otherwise it means a NIC.
pub(super) fn meant_by_link(device: &DeviceRef, uplink: &UplinkView) -> Option<IfName> {
    match (uplink, device) {
        (UplinkView::Present(device), _) if device.kind == DeviceKind::Bridge => {
            Some(device.name.clone())
        }
        (UplinkView::Absent, DeviceRef::Name(name)) if may_be_made(name) => Some(name.clone()),
        (UplinkView::Present(_) | UplinkView::Absent, _) => None,
    }
}

/// The bridge that would be made for `uplink`, were it missing.
pub fn bridge_to_make(uplink: &Uplink) -> Option<&IfName> {
    let name = match uplink {
        Uplink::Bridge { device } => device,
        Uplink::Link {
            device: DeviceRef::Name(name),
            ..
        } => name,
        Uplink::Link {
            device: DeviceRef::Mac(_) | DeviceRef::Pci(_),
            ..
        }
        | Uplink::Macvlan { .. }
        | Uplink::Ovs { .. }
        | Uplink::Ipvlan { .. }
        | Uplink::Physical { .. }
        | Uplink::Dummy
        | Uplink::Ipoib { .. }
        | Uplink::Wifi { .. } => return None,
    };
    may_be_made(name).then_some(name)
}

/// pipework makes a missing bridge if its name says that it is one.
fn may_be_made(name: &IfName) -> bool {
    name.as_str().starts_with("br")
}

impl Planner<'_> {
    pub(super) fn bridge(
        &mut self,
        attachment: &Attachment,
        device: &IfName,
        view: &AttachmentView,
    ) -> Result<(), PlanError> {
        let vlans = bridge_vlan::vlans(attachment, trunking(device, view))?;
        let target = match &view.uplink {
            UplinkView::Present(view) => self.present(attachment, view)?,
            UplinkView::Absent => self.missing(attachment, device, view, vlans.is_some())?,
        };
        let guest_mtu = guest_mtu(attachment, &target.name, target.mtu)?;
        let pair = self.veth(attachment, target.mtu, guest_mtu);
        let plug = Plug {
            uplink: target.ifindex,
            uplink_name: target.name.clone(),
            hostif: Some(pair.host.name.clone()),
        };
        self.begin_interface(attachment, &pair.guest, plug);
        let trunking = trunking(device, view);
        match &vlans {
            Some(vlans) => self.vlan_notices(attachment, trunking, vlans),
            None => self.no_vlan_notice(trunking),
        }
        self.bridge_steps(attachment, target, pair, vlans);
        Ok(())
    }

    /// The pair behind a port: the host's end has the bridge's MTU.
    pub(super) fn veth(&mut self, attachment: &Attachment, mtu: u32, guest_mtu: Mtu) -> VethPair {
        let ifname = &attachment.ifname.value;
        let asked_name = attachment.hostif.as_ref().map(|asked| asked.value.clone());
        let host = LinkEnd {
            ifindex: (self.choose)(),
            name: asked_name.unwrap_or_else(|| names::host_name(&self.identity.name, ifname)),
            mac: names::host_mac(self.identity, ifname),
            mtu: Mtu::clamped(mtu),
            txqlen: None,
        };
        let guest = self.guest_end(attachment, guest_mtu);
        VethPair { host, guest }
    }

    fn bridge_steps(
        &mut self,
        attachment: &Attachment,
        target: Target,
        pair: VethPair,
        vlans: Option<BridgeVlans>,
    ) {
        let origin = &attachment.uplink.origin;
        let place = self.current();
        if let Some(Step::CreateBridge(bridge)) = &target.first {
            self.plan.notices.push(no_uplink_yet(&bridge.name));
        }
        if let Some(step) = target.first {
            // Of no single interface: others of this request may use it too.
            self.push(None, step, origin);
        }
        let bridge_name = target.name;
        let bridge = (target.ifindex, &bridge_name);
        if let Some(vlans) = &vlans {
            self.before_port(bridge, vlans);
        }
        let (ifindex, name) = (pair.host.ifindex, pair.host.name.clone());
        let alias = names::alias(&self.identity.name, &attachment.ifname.value);
        // Named while it is no port yet: the kernel tells a bridge of every
        // change to a port, which costs what the bridge has ports.
        let alias = Step::SetAlias {
            ifindex,
            name: name.clone(),
            alias,
        };
        let join = Step::JoinBridge {
            ifindex,
            name: name.clone(),
            bridge: target.ifindex,
            bridge_name: bridge_name.clone(),
        };
        self.push(place, Step::CreateVeth(pair.clone()), origin);
        self.push(place, alias, origin);
        self.host_traffic(attachment, &pair.host, &pair.guest, Place::Bridge);
        self.push(place, join, origin);
        self.port_flags(attachment, &pair.host);
        if let Some(vlans) = vlans {
            self.after_port(bridge, (ifindex, &name), vlans);
        }
        self.finish_interface(attachment, Some(name));
    }

    fn present(&mut self, asked: &Attachment, view: &DeviceView) -> Result<Target, PlanError> {
        if view.kind != DeviceKind::Bridge {
            return Err(PlanError::NotABridge {
                device: view.name.clone(),
                kind: view.kind.clone(),
                origin: asked.uplink.origin.clone(),
            });
        }
        if !view.up {
            let notice = format!(
                "{} is down: nothing passes until it is brought up",
                view.name
            );
            self.plan.notices.push(notice);
        }
        let (ifindex, name, mtu) = (view.ifindex, view.name.clone(), view.mtu);
        // A bridge takes the lowest MAC of its ports for its own, unless it was
        // told one. Where another port gives it, ours is above every other;
        // where nothing does, it is told the one that it has.
        let first = view
            .mac
            .filter(|_| view.mac_is_loose)
            .map(|mac| Step::KeepBridgeMac {
                ifindex,
                name: name.clone(),
                mac,
            });
        Ok(Target {
            ifindex,
            name,
            mtu,
            first,
        })
    }

    fn missing(
        &mut self,
        asked: &Attachment,
        name: &IfName,
        view: &AttachmentView,
        filters: bool,
    ) -> Result<Target, PlanError> {
        let (device, origin) = (name.clone(), asked.uplink.origin.clone());
        if !may_be_made(name) {
            return Err(PlanError::NoSuchDevice {
                device: device.to_string(),
                origin,
            });
        }
        if let OvsView::Silent { reason } = &view.ovs {
            let reason = reason.clone();
            return Err(PlanError::OpenVSwitchSilent {
                device,
                reason,
                origin,
            });
        }
        // Made once, whichever of our interfaces asks for it first.
        let mut steps = self.plan.steps.iter_mut();
        let made = steps.find_map(|planned| match &mut planned.step {
            Step::CreateBridge(bridge) if bridge.name == *name => Some(bridge),
            _ => None,
        });
        let (ifindex, first) = match made {
            Some(bridge) => {
                bridge.vlan_filtering |= filters;
                (bridge.ifindex, None)
            }
            None => {
                let bridge = Bridge {
                    ifindex: (self.choose)(),
                    name: device.clone(),
                    mac: names::bridge_mac(&self.identity.machine_id, name),
                    vlan_filtering: filters,
                };
                (bridge.ifindex, Some(Step::CreateBridge(bridge)))
            }
        };
        Ok(Target {
            ifindex,
            name: device,
            mtu: NEW_BRIDGE_MTU,
            first,
        })
    }
}

/// The bridge as VLANs see it.
fn trunking<'a>(device: &'a IfName, view: &'a AttachmentView) -> Trunking<'a> {
    let bridge = match &view.uplink {
        UplinkView::Present(view) => &view.name,
        UplinkView::Absent => device,
    };
    Trunking {
        bridge,
        view: match &view.vlan {
            Some(VlanView::Bridge(view)) => Some(view),
            Some(VlanView::Device(_)) | None => None,
        },
        grant: &view.grant,
    }
}

/// What a person is told of a bridge that was made for them.
pub(super) fn no_uplink_yet(name: &IfName) -> String {
    format!("made {name}: it has no uplink yet, which pipework uplink add {name} NIC gives it")
}

/// The container's end takes the given MTU, if the bridge can carry it.
pub(super) fn guest_mtu(
    attachment: &Attachment,
    bridge: &IfName,
    mtu: u32,
) -> Result<Mtu, PlanError> {
    let uplink = Mtu::clamped(mtu);
    match &attachment.mtu {
        Some(Asked { value, origin }) if *value > uplink => Err(PlanError::MtuAboveUplink {
            mtu: *value,
            uplink: bridge.clone(),
            uplink_mtu: mtu,
            origin: origin.clone(),
        }),
        Some(Asked { value, .. }) => Ok(*value),
        None => Ok(uplink),
    }
}
