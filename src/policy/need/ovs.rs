//! What a port of Open vSwitch asks for besides: the VLANs that its mode lets
//! through, which without a word are all of them, and what controllers read.

use super::{Ask, Need, ask};
use crate::request::vlan::VlanRange;
use crate::request::{Asked, Attachment, Origin, OvsOptions, VlanMode};

/// The VLANs that frames of the port can be in.
pub(super) fn vlans(attachment: &Attachment) -> Vec<Ask> {
    let Attachment {
        vlan, trunk, ovs, ..
    } = attachment;
    let asked = ovs.vlan_mode.as_ref();
    // What Open vSwitch makes of `tag` and `trunks` (vswitch.xml, Port).
    let implied = match (vlan, trunk) {
        (Some(_), Some(_)) => VlanMode::NativeUntagged,
        (Some(_), None) => VlanMode::Access,
        (None, Some(_) | None) => VlanMode::Trunk,
    };
    let mode = asked.map_or(implied, |asked| asked.value);
    let origin = asked.map_or(&attachment.uplink.origin, |asked| &asked.origin);
    let mut out = Vec::new();
    let tag = vlan.as_ref().map(|vlan| vlan.value.get());
    if mode.has_tag() {
        let origin = vlan.as_ref().map_or(origin, |vlan| &vlan.origin);
        out.push(ask(Need::Vlan(tag), origin));
    }
    if mode.has_trunks() {
        match trunk {
            Some(Asked { value, origin }) => {
                let ranges = value.ranges().iter();
                out.extend(ranges.map(|range| ask(Need::Trunk(*range), origin)));
            }
            None => {
                out.push(ask(Need::Trunk(VlanRange::ALL), origin));
                // Without a list untagged frames pass as well.
                if !mode.has_tag() {
                    out.push(ask(Need::Vlan(None), origin));
                }
            }
        }
    }
    out
}

/// What is written to the port's rows.
pub(super) fn options(options: &OvsOptions) -> Vec<Ask> {
    let OvsOptions {
        iface_id,
        external_ids,
        // Judged by the VLANs that it lets through.
        vlan_mode: _,
    } = options;
    let row = |text: String, origin: &Origin| ask(Need::Ovs(text), origin);
    let iface_id = iface_id.iter();
    let iface_id = iface_id.map(|asked| row(format!("iface-id={}", asked.value), &asked.origin));
    let others = external_ids.iter().map(|asked| {
        let (key, value) = &asked.value;
        row(format!("external-ids.{key}={value}"), &asked.origin)
    });
    iface_id.chain(others).collect()
}
