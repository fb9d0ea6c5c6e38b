//! What ipvlan, dummy, host-access and the routing fields take and refuse.

use crate::request::annotations::parse;
use crate::request::{Attachment, Dad, IpvlanMode, Uplink};

fn asked(pairs: &[(&str, &str)]) -> Attachment {
    let pairs = pairs.iter().map(|(key, value)| (*key, *value));
    parse(pairs).unwrap().unwrap().attachments.remove(0)
}

fn refused(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(key, value)| (*key, *value));
    parse(pairs).unwrap_err().to_string()
}

const PARENT: (&str, &str) = ("pipework.parent", "eth1");
const LINK: (&str, &str) = ("pipework.link", "eth1");
const IPVLAN: (&str, &str) = ("pipework.type", "ipvlan");
const DUMMY: (&str, &str) = ("pipework.dummy", "any0");

#[test]
fn an_ipvlan_is_asked_for_by_its_type_and_has_its_own_modes() {
    for uplink in [PARENT, LINK] {
        let attachment = asked(&[uplink, IPVLAN]);
        assert!(matches!(
            attachment.uplink.value,
            Uplink::Ipvlan {
                mode: IpvlanMode::L2,
                ..
            }
        ));
        let attachment = asked(&[uplink, IPVLAN, ("pipework.mode", "l3s")]);
        assert!(matches!(
            attachment.uplink.value,
            Uplink::Ipvlan {
                mode: IpvlanMode::L3s,
                ..
            }
        ));
        let error = refused(&[uplink, IPVLAN, ("pipework.mode", "private")]);
        assert!(error.ends_with("that mode is one of macvlan"), "{error}");
    }
}

#[test]
fn an_ipvlan_takes_no_mac_but_a_vlan_behind_its_at_sign() {
    let error = refused(&[PARENT, IPVLAN, ("pipework.mac", "U:web")]);
    assert!(
        error.ends_with("an ipvlan has the MAC of its parent"),
        "{error}"
    );
}

#[test]
fn a_dummy_is_asked_for_in_three_ways() {
    for pairs in [
        &[DUMMY][..],
        &[("pipework.type", "dummy")],
        &[LINK, ("pipework.type", "dummy")],
    ] {
        assert_eq!(asked(pairs).uplink.value, Uplink::Dummy, "{pairs:?}");
    }
}

#[test]
fn what_needs_others_on_the_link_is_refused_on_a_dummy() {
    for field in [
        ("pipework.neigh", "10.0.0.1 lladdr 02:00:00:00:00:01"),
        ("pipework.dad", "arp"),
        ("pipework.host-access", "true"),
    ] {
        let error = refused(&[DUMMY, field]);
        assert!(error.ends_with("a dummy leads nowhere"), "{error}");
    }
    let error = refused(&[DUMMY, ("pipework.hostif", "web0")]);
    assert!(error.ends_with("a dummy has no end on the host"), "{error}");
    asked(&[
        DUMMY,
        ("pipework.dad", "off"),
        ("pipework.host-access", "no"),
    ]);
}

#[test]
fn in_the_modes_that_route_nobody_is_asked_for_a_mac() {
    for mode in ["l3", "l3s"] {
        let mode = ("pipework.mode", mode);
        for field in [
            ("pipework.neigh", "10.0.0.1 lladdr 02:00:00:00:00:01"),
            ("pipework.dad", "arp:300"),
        ] {
            let error = refused(&[PARENT, IPVLAN, mode, field]);
            assert!(error.contains("nobody is asked"), "{error}");
            asked(&[PARENT, IPVLAN, field]);
        }
    }
}

#[test]
fn host_access_is_for_children_that_reach_each_other() {
    let access = ("pipework.host-access", "true");
    for uplink in [&[PARENT][..], &[LINK], &[PARENT, IPVLAN]] {
        let pairs = [uplink, &[access]].concat();
        assert!(asked(&pairs).host_access.unwrap().value);
    }
    for mode in ["private", "vepa", "passthru"] {
        for uplink in [PARENT, LINK] {
            let error = refused(&[uplink, access, ("pipework.mode", mode)]);
            assert!(error.contains("in mode bridge only"), "{error}");
        }
    }
    let error = refused(&[("pipework.bridge", "br0"), access]);
    assert!(error.contains("an address on the bridge itself"), "{error}");
}

#[test]
fn the_routing_fields_are_read() {
    let routing = asked(&[
        PARENT,
        (
            "pipework.rule",
            "from 10.0.0.5 lookup 100; oif eth1 lookup 5",
        ),
        ("pipework.neigh", "10.0.0.1 lladdr 02:00:00:00:00:01"),
        ("pipework.sbr", "yes"),
        ("pipework.dad", "arp"),
    ])
    .routing;
    assert_eq!((routing.rules.len(), routing.neighbours.len()), (2, 1));
    assert!(routing.is_source_based());
    assert_eq!(routing.dad.unwrap().value, Dad::Arp { ms: 200 });
}

#[test]
fn a_rule_is_about_its_own_interface_only() {
    let error = refused(&[
        ("pipework.0.parent", "eth1"),
        ("pipework.0.rule", "iif eth2 lookup 100"),
        ("pipework.1.parent", "eth1"),
    ]);
    assert!(
        error.ends_with("eth2 is not the interface that it belongs to, which is eth1"),
        "{error}"
    );
}

#[test]
fn rules_that_could_be_taken_for_each_other_are_refused() {
    let rules = |text| [PARENT, ("pipework.rule", text)];
    for text in [
        "from 10.0.0.5 lookup 1 priority 5; lookup 1 priority 5",
        "lookup 1 priority 5; not lookup 1 priority 5",
    ] {
        let error = refused(&rules(text));
        assert!(error.contains("cannot be told apart"), "{error}");
    }
    for text in [
        "lookup 1; lookup 1",
        "from 10.0.0.5 lookup 1 priority 5; from 10.0.0.6 lookup 1 priority 5",
        "lookup 1 priority 5; lookup 2 priority 5",
        "from ::/0 lookup 1 priority 5; lookup 1 priority 5",
    ] {
        asked(&rules(text));
    }
}
