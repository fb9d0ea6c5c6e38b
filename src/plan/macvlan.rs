//! Steps for a macvlan uplink: a child device of a NIC with its own MAC.
//!
//! Parent and child cannot talk to each other (drivers/net/macvlan.c: bridge
//! mode forwards between children only), so host and container do not reach
//! each other by it, unless `host_access` makes a way. Pure: reads the view,
//! never the host.

use super::addressing::Plug;
use super::vlan::{self, Parent};
use super::{PlanError, Planner, Step, suits};
use crate::host::view::{AttachmentView, DeviceKind, DeviceView, UplinkView};
use crate::request::{Asked, Attachment, DeviceRef, MacvlanMode, Mtu};
use crate::rt::{Macvlan, ShimKind};

/// What it is called.
pub(super) const KIND: &str = "a macvlan";

impl Planner<'_> {
    pub(super) fn macvlan(
        &mut self,
        attachment: &Attachment,
        parent: &DeviceRef,
        mode: MacvlanMode,
        view: &AttachmentView,
    ) -> Result<(), PlanError> {
        let origin = attachment.uplink.origin.clone();
        let nic = match &view.uplink {
            UplinkView::Present(nic) => nic,
            UplinkView::Absent => {
                return Err(PlanError::NoSuchDevice {
                    device: parent.to_string(),
                    origin,
                });
            }
        };
        check_parent(attachment, nic, KIND)?;
        let on = vlan::parent(attachment, nic, view.vlan.as_ref())?;
        if let (MacvlanMode::Passthru, Some(asked)) = (mode, &attachment.mac) {
            return Err(PlanError::PassthruMac {
                device: on.name,
                origin: asked.origin.clone(),
            });
        }
        let access = self.host_access(attachment, view, &on, ShimKind::Macvlan)?;
        let mtu = guest_mtu(attachment, &on)?;
        let mut guest = self.guest_end(attachment, mtu);
        // In this mode the child has its parent's address (macvlan_common_newlink).
        if let (MacvlanMode::Passthru, Some(mac)) = (mode, on.mac) {
            guest.mac = mac;
        }
        let macvlan = Macvlan {
            guest,
            parent: on.ifindex,
            mode,
        };

        let plug = Plug {
            uplink: on.ifindex,
            uplink_name: on.name.clone(),
            hostif: None,
        };
        self.begin_interface(attachment, &macvlan.guest, plug);
        if let (MacvlanMode::Passthru, Some(interface)) = (mode, self.plan.interfaces.last_mut()) {
            interface.mac_is_stable = false;
        }
        self.prepare(attachment, &on);
        let place = self.current();
        let parent = on.name;
        self.make_shim(access.as_ref());
        self.push(place, Step::CreateMacvlan { macvlan, parent }, &origin);
        self.finish_interface(attachment, None);
        self.reach_from_host(attachment, access.as_ref());
        Ok(())
    }
}

/// Fails unless children called `kind` can be made on the device.
pub(super) fn check_parent(
    attachment: &Attachment,
    view: &DeviceView,
    kind: &'static str,
) -> Result<(), PlanError> {
    let (device, origin) = (view.name.clone(), attachment.uplink.origin.clone());
    match &view.kind {
        DeviceKind::Nic | DeviceKind::Vlan(_) | DeviceKind::Macvlan => {}
        DeviceKind::Bridge => {
            return Err(PlanError::BridgeAsParent { device, origin });
        }
        // The kernel decides: it refuses loopback, and takes bond and team.
        DeviceKind::Other(kind) if kind == "loopback" || kind == "infiniband" => {
            return Err(PlanError::NotANic {
                device,
                kind: kind.clone(),
                origin,
            });
        }
        DeviceKind::Other(_) => {}
    }
    let hostif = attachment.hostif.as_ref().map(suits::origin);
    suits::refuse_first(&[("hostif", suits::NO_HOST_END, hostif)], kind)?;
    Ok(())
}

/// The given MTU, which a child may not have above its parent's
/// (`macvlan_change_mtu`).
pub(super) fn guest_mtu(attachment: &Attachment, on: &Parent) -> Result<Mtu, PlanError> {
    match &attachment.mtu {
        Some(Asked { value, origin }) if value.get() > on.mtu => Err(PlanError::MtuAboveUplink {
            mtu: *value,
            uplink: on.name.clone(),
            uplink_mtu: on.mtu,
            origin: origin.clone(),
        }),
        Some(Asked { value, .. }) => Ok(*value),
        None => Ok(Mtu::clamped(on.mtu)),
    }
}
