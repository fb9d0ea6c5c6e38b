//! Steps for a device that is handed over itself: a NIC or a virtual function.
//!
//! Only what the kernel gives back when the container's namespace ends is taken:
//! physical devices, which have no `rtnl_link_ops` (`default_device_exit_net`).
//! What the host uses it keeps, unless it is told otherwise.

use super::error::NicPlanError;
use super::handover::{does_apply, gone, is_a_nic, may_be_taken, no_free_vf, present, traveller};
use super::step::NicStep;
use super::vf::vf_changes;
use super::{PlanError, Planner, Step, addressing::Plug, suits};
use crate::host::view::{AttachmentView, DeviceView, VfView};
use crate::request::{Asked, Attachment, Mtu, Origin, PhysicalRef};
use crate::rt::{LinkEnd, NicSetting, VlanChild};
use crate::sys::rtnl::NicHome;

/// What it is called.
pub(super) const KIND: &str = "a device that is handed over";

impl Planner<'_> {
    /// A NIC or a virtual function; or a VLAN of it, which is born in the
    /// namespace and leaves the NIC where it is.
    pub(super) fn physical(
        &mut self,
        attachment: &Attachment,
        device: &PhysicalRef,
        view: &AttachmentView,
    ) -> Result<(), PlanError> {
        let link = present(attachment, device, view)?;
        does_apply(attachment, KIND)?;
        if let (Some(vlan), PhysicalRef::FreeVf(_)) = (&attachment.vlan, device) {
            let origin = vlan.origin.clone();
            return Err(NicPlanError::VlanOfFreeVf { origin }.into());
        }
        let origin = &attachment.uplink.origin;
        if let Some(busy) = &view.busy {
            return Err(no_free_vf(link, busy, origin).into());
        }
        is_a_nic(link, origin)?;
        if attachment.vlan.is_some() {
            return self.vlan_of_nic(attachment, link);
        }
        let Some(nic) = view.nic.as_deref() else {
            return Err(gone(attachment, device));
        };
        if nic.radio.is_some() {
            let device = link.name.clone();
            let origin = origin.clone();
            return Err(NicPlanError::Wireless { device, origin }.into());
        }
        may_be_taken(attachment, link, nic)?;
        let changes = vf_changes(attachment, link, nic.vf.as_ref())?;
        self.not_used_before(link.ifindex, link, origin)?;

        let guest = self.guest_of(attachment, link, nic.index_is_free);
        let claim = (self.choose)();
        let traveller = traveller(&nic.home, claim);
        self.begin_device(attachment, &guest, link, nic.vf.as_ref());
        let place = self.current();
        if let Some(vf) = nic.vf.as_ref().filter(|vf| !vf.function_up) {
            let (ifindex, name) = (vf.function, vf.function_name.clone());
            self.push(None, Step::RaiseParent { ifindex, name }, origin);
        }
        self.take_off(place, nic.home.clone(), claim, origin);
        for change in changes {
            let Some(vf) = &nic.vf else { continue };
            let step = NicStep::TuneVf {
                traveller: traveller.clone(),
                vf: vf.address.clone(),
                settings: change.settings,
                former: change.former,
            };
            self.push(place, Step::Nic(step), &change.origin);
        }
        let step = NicStep::Move {
            traveller,
            ifindex: guest.ifindex,
            ifname: guest.name.clone(),
        };
        self.push(place, Step::Nic(step), origin);
        self.settings_of_device(attachment, &guest);
        self.finish_interface(attachment, None);
        Ok(())
    }

    fn vlan_of_nic(&mut self, attachment: &Attachment, link: &DeviceView) -> Result<(), PlanError> {
        let Some(vlan) = &attachment.vlan else {
            return Ok(());
        };
        const STAYS: &str = "the card stays where it is";
        let force = attachment.device.force.as_ref().map(suits::origin);
        let vf = attachment.device.vf.first();
        let (field, vf) = vf.map_or(("vf", None), |(field, origin)| (field, Some(origin)));
        let given = [("device.force", STAYS, force), (field, STAYS, vf)];
        suits::refuse_first(&given, "a VLAN of a network card")?;
        if let Some(Asked { value, origin }) = &attachment.mtu
            && value.get() > link.mtu
        {
            return Err(PlanError::MtuAboveUplink {
                mtu: *value,
                uplink: link.name.clone(),
                uplink_mtu: link.mtu,
                origin: origin.clone(),
            });
        }
        let guest = self.guest_of(attachment, link, false);
        self.begin_device(attachment, &guest, link, None);
        let place = self.current();
        let origin = &attachment.uplink.origin;
        if !link.up {
            let (ifindex, name) = (link.ifindex, link.name.clone());
            self.push(None, Step::RaiseParent { ifindex, name }, origin);
        }
        let step = NicStep::CreateVlan {
            vlan: VlanChild {
                guest,
                parent: link.ifindex,
                vlan: vlan.value,
            },
            parent: link.name.clone(),
        };
        self.push(place, Step::Nic(step), &vlan.origin);
        self.finish_interface(attachment, None);
        Ok(())
    }

    /// What the device is in the container: it keeps its own address, and its
    /// own index where that is free, so that it also comes back with it.
    pub(super) fn guest_of(
        &mut self,
        attachment: &Attachment,
        link: &DeviceView,
        keeps: bool,
    ) -> LinkEnd {
        let mtu = attachment.mtu.as_ref().map(|asked| asked.value);
        let mut guest = self.guest_end(attachment, mtu.unwrap_or(Mtu::clamped(link.mtu)));
        if keeps {
            guest.ifindex = link.ifindex;
        }
        if let (None, Some(mac)) = (&attachment.mac, link.mac) {
            guest.mac = mac;
        }
        guest
    }

    /// A virtual function's uplink is its card: the function itself is gone.
    pub(super) fn begin_device(
        &mut self,
        attachment: &Attachment,
        guest: &LinkEnd,
        link: &DeviceView,
        vf: Option<&VfView>,
    ) {
        let (uplink, uplink_name) = match vf {
            Some(vf) => (vf.function, vf.function_name.clone()),
            None => (link.ifindex, link.name.clone()),
        };
        let plug = Plug {
            uplink,
            uplink_name,
            hostif: None,
        };
        self.begin_interface(attachment, guest, plug);
        if let Some(interface) = self.plan.interfaces.last_mut() {
            interface.mac_is_stable = false;
        }
    }

    pub(super) fn take_off(
        &mut self,
        place: Option<usize>,
        home: NicHome,
        claim: u32,
        origin: &Origin,
    ) {
        let step = NicStep::TakeOff {
            home: Box::new(home),
            container: self.identity.name.clone(),
            claim,
        };
        self.push(place, Step::Nic(step), origin);
    }

    pub(super) fn settings_of_device(&mut self, attachment: &Attachment, guest: &LinkEnd) {
        let Attachment {
            mac, mtu, txqlen, ..
        } = attachment;
        let asked = [
            mac.as_ref().map(|a| (NicSetting::Mac(a.value), &a.origin)),
            mtu.as_ref().map(|a| (NicSetting::Mtu(a.value), &a.origin)),
            txqlen
                .as_ref()
                .map(|a| (NicSetting::Txqlen(a.value), &a.origin)),
        ];
        for (setting, origin) in asked.into_iter().flatten() {
            let step = NicStep::Set {
                ifindex: guest.ifindex,
                ifname: guest.name.clone(),
                setting,
            };
            self.push(self.current(), Step::Nic(step), origin);
        }
    }

    pub(super) fn not_used_before(
        &self,
        ifindex: u32,
        link: &DeviceView,
        origin: &Origin,
    ) -> Result<(), NicPlanError> {
        match self.plan.interfaces.iter().any(|i| i.uplink == ifindex) {
            false => Ok(()),
            true => Err(NicPlanError::UsedTwice {
                device: link.name.clone(),
                origin: origin.clone(),
            }),
        }
    }
}
