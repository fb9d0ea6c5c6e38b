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

#[cfg(test)]
mod tests {
    use crate::request::annotations::parse;
    use crate::request::{Attachment, RequestError};

    fn read(pairs: &[(&str, &str)]) -> Result<Attachment, RequestError> {
        let request = parse(pairs.iter().copied())?;
        Ok(request.unwrap().attachments.remove(0))
    }

    fn refused(pairs: &[(&str, &str)]) -> String {
        read(pairs).unwrap_err().to_string()
    }

    #[test]
    fn mac_and_vlan_name_the_same_vlan() {
        for pairs in [
            [("pipework.bridge", "br0"), ("pipework.vlan", "100")],
            [("pipework.parent", "eth0"), ("pipework.mac", "@100")],
            // As pipework does, a second @ is dropped.
            [("pipework.link", "eth0"), ("pipework.mac", "U:web@100@300")],
        ] {
            let vlan = read(&pairs).unwrap().vlan.unwrap();
            assert_eq!(vlan.value.get(), 100, "{pairs:?}");
        }
        let text = refused(&[
            ("pipework.bridge", "br0"),
            ("pipework.vlan", "100"),
            ("pipework.mac", "@200"),
        ]);
        assert!(text.contains("pipework.mac=@200"), "{text}");
        assert!(text.ends_with("an interface is in one VLAN"), "{text}");
    }

    #[test]
    fn a_trunk_needs_a_port_of_a_bridge() {
        let trunk = ("pipework.trunk", "10,20-30");
        let read_by = |uplink| read(&[("pipework.bridge", uplink), trunk]).unwrap();
        assert_eq!(read_by("br0").trunk.unwrap().value.to_string(), "10,20-30");
        assert!(
            read(&[("pipework.link", "br0"), trunk]).is_ok(),
            "a bridge?"
        );
        for uplink in ["parent", "device"] {
            let key = format!("pipework.{uplink}");
            let text = refused(&[(&key, "eth0"), trunk]);
            assert!(text.contains("pipework.trunk=10,20-30"), "{text}");
            assert!(text.ends_with("only a port of a bridge carries VLANs tagged"));
        }
    }

    #[test]
    fn a_vlan_where_there_is_none_is_refused_by_name() {
        let text = refused(&[("pipework.dummy", "dummy"), ("pipework.vlan", "7")]);
        assert!(text.contains("pipework.vlan=7"), "{text}");
        assert!(text.contains("leads nowhere"), "{text}");
    }
}
