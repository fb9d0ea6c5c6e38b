//! Steps for a dummy: an interface that leads nowhere (drivers/net/dummy.c).
//!
//! Made in the container's namespace itself, with which it goes: the host sees
//! nothing of it. Pure: reads the view, never the host.

use super::addressing::Plug;
use super::{Planner, Step};
use crate::host::view::UplinkView;
use crate::request::{Attachment, DeviceRef, IfName, Mtu};

/// What it is called.
pub(super) const KIND: &str = "a dummy";

/// The MTU of a dummy that nobody gave one (`ether_setup`).
const DEFAULT_MTU: u32 = 1500;

/// Whether `pipework.link` means a dummy here: no device has that name, and it
/// begins as pipework wants it to. One that exists is a NIC like any other.
pub(super) fn meant_by_link(device: &DeviceRef, uplink: &UplinkView) -> bool {
    *uplink == UplinkView::Absent && device.stands_for_a_dummy()
}

impl Planner<'_> {
    pub(super) fn dummy(&mut self, attachment: &Attachment) {
        let mtu = attachment.mtu.as_ref().map(|asked| asked.value);
        let mtu = mtu.unwrap_or_else(|| Mtu::clamped(DEFAULT_MTU));
        let guest = self.guest_end(attachment, mtu);
        let plug = Plug {
            uplink: 0,
            uplink_name: IfName::dummy(),
            hostif: None,
        };
        self.begin_interface(attachment, &guest, plug);
        if let Some(interface) = self.plan.interfaces.last_mut() {
            // Nobody hears of its MAC and its addresses.
            interface.mac_is_stable = false;
            interface.announced = false;
        }
        let place = self.current();
        self.push(place, Step::CreateDummy(guest), &attachment.uplink.origin);
        self.finish_interface(attachment, None);
    }
}
