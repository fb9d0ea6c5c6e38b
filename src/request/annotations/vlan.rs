//! `vlan`, `trunk` and `mac=…@VLAN` held against each other and against the
//! uplink: a field that cannot apply is refused by name, never ignored.

use super::entry::Entry;
use super::fields::{Fields, Plug, Read};
use crate::request::error::RequestError;

const TRUNK_NEEDS_A_PORT: &str = "only a port of a bridge carries VLANs tagged";

/// Fails when an interface is asked into two VLANs, or into one by an uplink
/// that has none.
pub(super) fn check(fields: &Fields<'_>, plug: &Read<'_, Plug>) -> Result<(), RequestError> {
    if let (Some(one), Some(other)) = (&fields.mac_vlan, &fields.vlan)
        && one.value != other.value
    {
        return Err(one
            .entry
            .contradicts(other.entry, "an interface is in one VLAN"));
    }
    let vlan = fields.vlan.as_ref().or(fields.mac_vlan.as_ref());
    if let Some(vlan) = vlan.map(|vlan| vlan.entry)
        && let Some(why) = vlan_is_in_vain(fields, plug)
    {
        return Err(plug.entry.contradicts(vlan, why));
    }
    if let Some(trunk) = fields.trunk.as_ref().map(|trunk| trunk.entry)
        && let Some(why) = trunk_is_in_vain(fields, plug.entry)
    {
        return Err(plug.entry.contradicts(trunk, why));
    }
    Ok(())
}

fn kind_of<'f>(fields: &Fields<'f>) -> Option<&'f str> {
    fields.kind.as_ref().map(|kind| kind.value)
}

fn vlan_is_in_vain(fields: &Fields<'_>, plug: &Read<'_, Plug>) -> Option<&'static str> {
    match (plug.entry.field.name, kind_of(fields)) {
        ("dummy", _) => Some("a dummy leads nowhere, so it is in no VLAN"),
        (_, Some("wifi")) => Some("the radio is handed over whole, and not into a VLAN"),
        (_, _) => None,
    }
}

fn trunk_is_in_vain(fields: &Fields<'_>, plug: &Entry<'_>) -> Option<&'static str> {
    match (plug.field.name, kind_of(fields)) {
        ("bridge" | "ovs", _) | ("link", None | Some("bridge" | "ovs")) => None,
        (_, _) => Some(TRUNK_NEEDS_A_PORT),
    }
}
