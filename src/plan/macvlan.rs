//! Steps for a macvlan uplink: a child device of a NIC with its own MAC.
//!
//! Parent and child cannot talk to each other (drivers/net/macvlan.c: bridge
//! mode forwards between children only), so host and container do not reach
//! each other by it, unless `host_access` makes a way. Pure: reads the view,
//! never the host.

use super::addressing::Plug;
use super::{PlanError, Planner, Step};
use crate::host::view::{AttachmentView, DeviceKind, DeviceView, UplinkView};
use crate::request::{Asked, Attachment, DeviceRef, MacvlanMode, Mtu};
use crate::rt::{Macvlan, ShimKind};

impl Planner<'_> {
    pub(super) fn macvlan(
        &mut self,
        attachment: &Attachment,
        parent: &DeviceRef,
        mode: MacvlanMode,
        around: &AttachmentView,
    ) -> Result<(), PlanError> {
        let origin = attachment.uplink.origin.clone();
        let view = match &around.uplink {
            UplinkView::Present(view) => view,
            UplinkView::Absent => {
                return Err(PlanError::NoSuchDevice {
                    device: parent.to_string(),
                    origin,
                });
            }
        };
        check_parent(attachment, view)?;
        if let (MacvlanMode::Passthru, Some(asked)) = (mode, &attachment.mac) {
            return Err(PlanError::PassthruMac {
                device: view.name.clone(),
                origin: asked.origin.clone(),
            });
        }
        let access = self.host_access(attachment, around, ShimKind::Macvlan)?;
        let mtu = guest_mtu(attachment, view)?;
        let mut guest = self.guest_end(attachment, mtu);
        // In this mode the child has its parent's address (macvlan_common_newlink).
        if let (MacvlanMode::Passthru, Some(mac)) = (mode, view.mac) {
            guest.mac = mac;
        }
        let macvlan = Macvlan {
            guest,
            parent: view.ifindex,
            mode,
        };

        let (uplink, uplink_name) = (view.ifindex, view.name.clone());
        let plug = Plug {
            uplink,
            uplink_name,
            hostif: None,
        };
        self.begin_interface(attachment, &macvlan.guest, plug);
        if let (MacvlanMode::Passthru, Some(interface)) = (mode, self.plan.interfaces.last_mut()) {
            interface.mac_is_stable = false;
        }
        let place = self.current();
        if !view.up {
            let (ifindex, name) = (view.ifindex, view.name.clone());
            // Of no single interface: others of this request may use it too.
            self.push(None, Step::RaiseParent { ifindex, name }, &origin);
        }
        self.make_shim(access.as_ref());
        self.push(
            place,
            Step::CreateMacvlan {
                macvlan,
                parent: view.name.clone(),
            },
            &origin,
        );
        self.finish_interface(attachment, None);
        self.reach_from_host(attachment, access.as_ref());
        Ok(())
    }
}

pub(super) fn check_parent(attachment: &Attachment, view: &DeviceView) -> Result<(), PlanError> {
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
    if attachment.hostif.is_some() {
        return Err(PlanError::NoHostEnd { device, origin });
    }
    Ok(())
}

/// The given MTU, which a child may not have above its parent's
/// (`macvlan_change_mtu`).
pub(super) fn guest_mtu(attachment: &Attachment, view: &DeviceView) -> Result<Mtu, PlanError> {
    match &attachment.mtu {
        Some(Asked { value, origin }) if value.get() > view.mtu => Err(PlanError::MtuAboveUplink {
            mtu: *value,
            uplink: view.name.clone(),
            uplink_mtu: view.mtu,
            origin: origin.clone(),
        }),
        Some(Asked { value, .. }) => Ok(*value),
        None => Ok(Mtu::clamped(view.mtu)),
    }
}
