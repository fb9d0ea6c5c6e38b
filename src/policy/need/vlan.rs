//! The VLANs that an attachment asks for: a trunk by its ranges, and the VLAN of
//! a NIC with the device that it leads to, so that a ban on that is not evaded.

use super::{Ask, Need, ask};
use crate::host::view::{VlanDeviceView, VlanView};
use crate::request::{Asked, Trunk, VlanId};

/// The VLANs that are asked for; without any it is the untagged network.
pub(super) fn needs(
    vlan: Option<&Asked<VlanId>>,
    trunk: Option<&Asked<Trunk>>,
    there: Option<&VlanView>,
) -> Vec<Ask> {
    let mut out = Vec::new();
    if let Some(Asked { value, origin }) = vlan {
        out.push(ask(Need::Vlan(Some(value.get())), origin));
        if let Some(VlanView::Device(VlanDeviceView { name, present, .. })) = there {
            let name = present.as_ref().map_or(name, |device| &device.name);
            out.push(ask(Need::VlanDevice(name.to_string()), origin));
        }
    }
    if let Some(Asked { value, origin }) = trunk {
        let ranges = value.ranges().iter();
        out.extend(ranges.map(|range| ask(Need::Trunk(*range), origin)));
    }
    out
}
