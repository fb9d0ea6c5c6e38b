//! Steps for a child of an InfiniBand interface, born in the container's
//! namespace (drivers/infiniband/ulp/ipoib/ipoib_netlink.c).
//!
//! Its address is that of its queue pair and cannot be chosen, and has twenty
//! bytes, so its IP addresses are not announced by us.

use super::error::NicPlanError;
use super::handover::does_apply;
use super::step::NicStep;
use super::{PlanError, Planner, Step, addressing::Plug, suits};
use crate::host::view::UplinkView;
use crate::request::{Attachment, DeviceRef, IpoibMode, Mtu, Pkey};
use crate::rt::IpoibChild;

/// What it is called.
pub(super) const KIND: &str = "an InfiniBand interface";

/// Whether pipework's first argument names an InfiniBand interface.
pub(super) fn is_meant_by_link(uplink: &UplinkView) -> bool {
    match uplink {
        UplinkView::Present(view) => view.kind.is_infiniband(),
        UplinkView::Absent => false,
    }
}

impl Planner<'_> {
    pub(super) fn ipoib(
        &mut self,
        attachment: &Attachment,
        parent: &DeviceRef,
        pkey: Option<Pkey>,
        mode: Option<IpoibMode>,
        uplink: &UplinkView,
    ) -> Result<(), PlanError> {
        let origin = attachment.uplink.origin.clone();
        let UplinkView::Present(view) = uplink else {
            return Err(PlanError::NoSuchDevice {
                device: parent.to_string(),
                origin,
            });
        };
        does_apply(attachment, KIND)?;
        if !view.kind.is_infiniband() {
            return Err(NicPlanError::NotInfiniband {
                device: view.name.clone(),
                kind: view.kind.clone(),
                origin,
            }
            .into());
        }
        let mac = attachment.mac.as_ref().map(suits::origin);
        let given = [
            ("mac", "its address is that of its queue pair", mac),
            (
                "dad",
                "duplicates are asked for on Ethernet only",
                suits::dad(attachment),
            ),
        ];
        suits::refuse_first(&given, KIND)?;
        let mtu = attachment.mtu.as_ref().map(|asked| asked.value);
        // The address that is recorded is the one that tells containers apart.
        let guest = self.guest_end(attachment, mtu.unwrap_or(Mtu::clamped(view.mtu)));
        let plug = Plug {
            uplink: view.ifindex,
            uplink_name: view.name.clone(),
            hostif: None,
        };
        self.begin_interface(attachment, &guest, plug);
        if let Some(interface) = self.plan.interfaces.last_mut() {
            interface.mac_is_stable = false;
            interface.announced = false;
        }
        let place = self.current();
        if !view.up {
            let (ifindex, name) = (view.ifindex, view.name.clone());
            self.push(None, Step::RaiseParent { ifindex, name }, &origin);
        }
        let child = IpoibChild {
            ifindex: guest.ifindex,
            name: guest.name,
            mtu,
            txqlen: guest.txqlen,
            parent: view.ifindex,
            pkey,
            mode,
        };
        let parent = view.name.clone();
        let step = NicStep::CreateIpoib { child, parent };
        self.push(place, Step::Nic(step), &origin);
        self.finish_interface(attachment, None);
        Ok(())
    }
}
