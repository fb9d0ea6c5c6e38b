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
use super::{PlanError, Planner, Step, vlan};
use crate::host::view::{AttachmentView, DeviceView, UplinkView};
use crate::request::{Attachment, DeviceRef, IpvlanMode};
use crate::rt::{Ipvlan, ShimKind};

/// What it is called.
pub(super) const KIND: &str = "an ipvlan";

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
        check_parent(attachment, nic, KIND)?;
        let on = vlan::parent(attachment, nic, view.vlan.as_ref())?;
        let Some(mac) = on.mac else {
            return Err(PlanError::from(Unsuited::NoMac {
                device: on.name,
                origin,
            }));
        };
        let access = self.host_access(attachment, view, &on, ShimKind::Ipvlan(mode))?;
        let mut guest = self.guest_end(attachment, guest_mtu(attachment, &on)?);
        guest.mac = mac;
        let ipvlan = Ipvlan {
            guest,
            parent: on.ifindex,
            mode,
        };
        let plug = Plug {
            uplink: on.ifindex,
            uplink_name: on.name.clone(),
            hostif: None,
        };
        self.begin_interface(attachment, &ipvlan.guest, plug);
        if let Some(interface) = self.plan.interfaces.last_mut() {
            interface.mac_is_stable = false;
            interface.announced &= mode == IpvlanMode::L2;
        }
        self.note_mode(attachment, nic, mode);
        let place = self.current();
        self.prepare(attachment, &on);
        self.share(
            SharedObject::IpvlanMode {
                parent: on.ifindex,
                parent_name: on.name.clone(),
                mode,
            },
            &origin,
        );
        self.make_shim(access.as_ref());
        let parent = on.name;
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

#[cfg(test)]
mod tests {
    use crate::host::view::{AttachmentView, DeviceKind, DeviceView, NamespaceView, UplinkView};
    use crate::plan::tests::plan_of;

    #[test]
    fn what_only_an_end_on_the_host_can_do_is_refused_by_name() {
        for field in ["spoofcheck", "isolate", "hairpin"] {
            let eth1 = DeviceView::sample("eth1", DeviceKind::Nic);
            let view = AttachmentView::from(UplinkView::Present(eth1));
            let asked = format!("pipework.{field}=true");
            let asked = ["pipework.parent=eth1", "pipework.type=ipvlan", &asked];
            let error = plan_of(&asked, NamespaceView::default(), vec![view]).unwrap_err();
            let said = format!("{field} is not possible on an ipvlan: ");
            assert!(error.to_string().starts_with(&said), "{error}");
        }
    }
}
