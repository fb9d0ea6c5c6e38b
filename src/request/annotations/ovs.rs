//! `ovs.…` held against the uplink, and the VLAN mode of a port against its
//! VLANs: what Open vSwitch would pass over is refused.

use super::entry::Entry;
use super::fields::{Fields, Plug, Read};
use crate::request::VlanMode;
use crate::request::error::RequestError;

/// Fails when a field of Open vSwitch is asked of something else, or when the
/// mode of the port leaves `vlan` or `trunk` without effect.
pub(super) fn check(fields: &Fields<'_>, plug: &Read<'_, Plug>) -> Result<(), RequestError> {
    let Some(first) = fields.of_ovs else {
        return Ok(());
    };
    if !may_be_ovs(fields, plug) {
        let why = "only a port of Open vSwitch has that field";
        return Err(first.contradicts(plug.entry, why));
    }
    match (&fields.ovs.vlan_mode, fields.vlan_mode) {
        (Some(mode), Some(entry)) => check_mode(mode.value, entry, fields, plug.entry),
        (_, _) => Ok(()),
    }
}

/// A bridge and a link may turn out to be one.
fn may_be_ovs(fields: &Fields<'_>, plug: &Read<'_, Plug>) -> bool {
    let kind = fields.kind.as_ref().map(|kind| kind.value);
    match plug.entry.field.name {
        "ovs" => true,
        "bridge" | "link" => matches!(kind, None | Some("ovs")),
        _ => false,
    }
}

fn check_mode(
    mode: VlanMode,
    entry: &Entry<'_>,
    fields: &Fields<'_>,
    plug: &Entry<'_>,
) -> Result<(), RequestError> {
    let vlan = fields.vlan.as_ref().or(fields.mac_vlan.as_ref());
    let vlan = vlan.map(|vlan| vlan.entry);
    let trunk = fields.trunk.as_ref().map(|trunk| trunk.entry);
    match (mode, vlan, trunk) {
        (VlanMode::Dot1qTunnel, None, _) => {
            Err(entry.contradicts(plug, "a tunnel needs the VLAN that it goes through"))
        }
        (mode, Some(vlan), _) if !mode.has_tag() => {
            Err(entry.contradicts(vlan, "a port in that mode has no untagged VLAN"))
        }
        (mode, _, Some(trunk)) if !mode.has_trunks() => {
            Err(entry.contradicts(trunk, "a port in that mode carries no tagged VLANs"))
        }
        (_, _, _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::request::annotations::parse;
    use crate::request::{Attachment, Uplink, VlanMode};

    fn asked(annotations: &[(&str, &str)]) -> Attachment {
        let request = parse(annotations.iter().copied()).unwrap().unwrap();
        request.attachments.into_iter().next().unwrap()
    }

    fn refused(annotations: &[(&str, &str)]) -> String {
        let error = parse(annotations.iter().copied()).unwrap_err();
        error.to_string()
    }

    #[test]
    fn ovs_and_the_type_ovs_are_the_same_uplink() {
        let wanted = Uplink::Ovs {
            bridge: "lan0".parse().unwrap(),
        };
        for annotations in [
            &[("pipework.ovs", "lan0")][..],
            &[("pipework.bridge", "lan0"), ("pipework.type", "ovs")],
            &[("pipework.link", "lan0"), ("pipework.type", "ovs")],
            &[("pipework.ovs", "lan0"), ("pipework.type", "ovs")],
        ] {
            assert_eq!(asked(annotations).uplink.value, wanted, "{annotations:?}");
        }
        let error = refused(&[("pipework.ovs", "lan0"), ("pipework.type", "bridge")]);
        assert!(error.ends_with("the uplink is not of that type"), "{error}");
    }

    #[test]
    fn what_is_written_to_the_rows_is_kept_with_its_key() {
        let ovs = asked(&[
            ("pipework.ovs", "ovs0"),
            ("pipework.ovs.iface-id", "p1"),
            ("pipework.ovs.external-ids.a.b", "c d"),
            ("pipework.ovs.vlan-mode", "native-tagged"),
        ])
        .ovs;
        assert_eq!(ovs.iface_id.unwrap().value, "p1");
        let pair = ("a.b".to_owned(), "c d".to_owned());
        assert_eq!(ovs.external_ids.first().unwrap().value, pair);
        assert_eq!(ovs.vlan_mode.unwrap().value, VlanMode::NativeTagged);
    }

    #[test]
    fn a_field_of_open_vswitch_is_refused_where_none_can_be() {
        for plug in [
            &[("pipework.parent", "eth0")][..],
            &[("pipework.link", "eth0"), ("pipework.type", "macvlan")],
            &[("pipework.bridge", "br0"), ("pipework.type", "bridge")],
        ] {
            let all: Vec<_> = [("pipework.ovs.iface-id", "x")]
                .iter()
                .chain(plug)
                .copied()
                .collect();
            let error = refused(&all);
            assert!(
                error.ends_with("only a port of Open vSwitch has that field"),
                "{error}"
            );
        }
        // These may turn out to be one.
        asked(&[("pipework.bridge", "lan0"), ("pipework.ovs.iface-id", "x")]);
        asked(&[("pipework.link", "lan0"), ("pipework.ovs.iface-id", "x")]);
    }

    #[test]
    fn a_mode_that_leaves_a_vlan_without_effect_is_refused() {
        let with = |more: &[(&'static str, &'static str)]| {
            let all: Vec<_> = [("pipework.ovs", "ovs0")]
                .iter()
                .chain(more)
                .copied()
                .collect();
            refused(&all)
        };
        let mode = "pipework.ovs.vlan-mode";
        for (more, why) in [
            (
                &[(mode, "access"), ("pipework.trunk", "5")][..],
                "carries no tagged VLANs",
            ),
            (
                &[(mode, "trunk"), ("pipework.vlan", "5")],
                "has no untagged VLAN",
            ),
            (
                &[(mode, "trunk"), ("pipework.mac", "@5")],
                "has no untagged VLAN",
            ),
            (
                &[(mode, "dot1q-tunnel")],
                "needs the VLAN that it goes through",
            ),
            (
                &[
                    (mode, "dot1q-tunnel"),
                    ("pipework.vlan", "5"),
                    ("pipework.trunk", "6"),
                ],
                "carries no tagged VLANs",
            ),
            (
                &[(mode, "Trunk")],
                "is not one of access, trunk, native-tagged, native-untagged, dot1q-tunnel",
            ),
        ] {
            let error = with(more);
            assert!(error.ends_with(why), "{error}");
        }
    }

    #[test]
    fn what_proves_whose_a_row_is_cannot_be_asked_for() {
        for (key, why) in [
            (
                "pipework.ovs.external-ids.pipework.boot-id",
                "pipework's own",
            ),
            ("pipework.ovs.external-ids.iface-id", "ovs.iface-id"),
        ] {
            let error = refused(&[("pipework.ovs", "ovs0"), (key, "x")]);
            assert!(error.contains(why), "{error}");
        }
    }
}
