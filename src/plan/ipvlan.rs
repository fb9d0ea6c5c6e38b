//! Steps for an ipvlan uplink: a child device of a NIC with the NIC's own MAC.
//!
//! In mode l2 it is one more host on the link. In modes l3 and l3s the host
//! routes for it: nobody is asked for a hardware address, nothing is broadcast,
//! and a next hop says nothing. All children of one parent have one mode: the
//! last one asked for holds for all (drivers/net/ipvlan, `ipvlan_set_port_mode`),
//! so another one is refused. Pure: reads the view, never the host.

use super::addressing::Plug;
use super::error::Unsuited;
use super::macvlan::{check_parent, guest_mtu};
use super::shared::SharedObject;
use super::{PlanError, Planner, Step};
use crate::host::view::{AttachmentView, DeviceView, UplinkView};
use crate::request::{Attachment, DeviceRef, IpvlanMode};
use crate::rt::{Ipvlan, ShimKind};

impl Planner<'_> {
    pub(super) fn ipvlan(
        &mut self,
        attachment: &Attachment,
        parent: &DeviceRef,
        mode: IpvlanMode,
        view: &AttachmentView,
    ) -> Result<(), PlanError> {
        let origin = attachment.uplink.origin.clone();
        let UplinkView::Present(nic) = &view.uplink else {
            return Err(PlanError::NoSuchDevice {
                device: parent.to_string(),
                origin,
            });
        };
        check_parent(attachment, nic)?;
        let Some(mac) = nic.mac else {
            return Err(PlanError::from(Unsuited::NoMac {
                device: nic.name.clone(),
                origin,
            }));
        };
        let access = self.host_access(attachment, view, ShimKind::Ipvlan(mode))?;
        let mut guest = self.guest_end(attachment, guest_mtu(attachment, nic)?);
        guest.mac = mac;
        let ipvlan = Ipvlan {
            guest,
            parent: nic.ifindex,
            mode,
        };
        let plug = Plug {
            uplink: nic.ifindex,
            uplink_name: nic.name.clone(),
            hostif: None,
        };
        self.begin_interface(attachment, &ipvlan.guest, plug);
        if let Some(interface) = self.plan.interfaces.last_mut() {
            interface.mac_is_stable = false;
            interface.announced &= mode == IpvlanMode::L2;
        }
        self.note_mode(attachment, nic, mode);
        let place = self.current();
        if !nic.up {
            let (ifindex, name) = (nic.ifindex, nic.name.clone());
            // Of no single interface: others of this request may use it too.
            self.push(None, Step::RaiseParent { ifindex, name }, &origin);
        }
        self.share(
            SharedObject::IpvlanMode {
                parent: nic.ifindex,
                parent_name: nic.name.clone(),
                mode,
            },
            &origin,
        );
        self.make_shim(access.as_ref());
        let parent = nic.name.clone();
        self.push(place, Step::CreateIpvlan { ipvlan, parent }, &origin);
        self.finish_interface(attachment, None);
        self.reach_from_host(attachment, access.as_ref());
        Ok(())
    }

    /// What people expect of a link and the modes that route do not give.
    fn note_mode(&mut self, attachment: &Attachment, nic: &DeviceView, mode: IpvlanMode) {
        if mode == IpvlanMode::L2 {
            return;
        }
        let ifname = &attachment.ifname.value;
        self.plan.notices.push(format!(
            "{ifname} is in mode {mode}, in which this host routes for it: others on {} reach it \
             only by a route that leads through this host",
            nic.name
        ));
        let addressing = &attachment.addressing;
        if addressing.gateway4.is_some() || addressing.gateway6.is_some() {
            self.plan.notices.push(format!(
                "no gateway is asked in that mode: the default route leads to {ifname} itself"
            ));
        }
    }
}
