//! Behaviour of the annotation parser.

mod traffic;

use super::*;
use crate::request::{Announce, DefaultRoute, MacvlanMode, Uplink};

fn asked(annotations: &[(&str, &str)]) -> Request {
    parse(annotations.iter().copied()).unwrap().unwrap()
}

fn refused(annotations: &[(&str, &str)]) -> String {
    parse(annotations.iter().copied()).unwrap_err().to_string()
}

/// The only interface of a bridge port with one more annotation.
fn with(key: &str, value: &str) -> Attachment {
    let mut request = asked(&[("pipework.bridge", "br0"), (key, value)]);
    request.attachments.remove(0)
}

fn refused_with(key: &str, value: &str) -> String {
    refused(&[("pipework.bridge", "br0"), (key, value)])
}

#[test]
fn a_key_beyond_63_characters_is_refused() {
    let key = format!("pipework.{}", "a".repeat(55));
    assert!(refused(&[(&key, "1")]).ends_with("has 64 characters; the limit is 63"));
}

#[test]
fn annotations_of_others_ask_for_nothing() {
    assert_eq!(
        parse([("io.kubernetes.x", "1"), ("pipeworks.ip", "1")]),
        Ok(None)
    );
}

#[test]
fn a_bridge_port_is_called_eth1() {
    let request = asked(&[("pipework.bridge", "br0"), ("other", "x")]);
    let attachment = &request.attachments[0];
    assert_eq!(attachment.ifname.value.as_str(), "eth1");
    assert!(
        matches!(&attachment.uplink.value, Uplink::Bridge { device } if device.as_str() == "br0")
    );
}

#[test]
fn an_address_its_gateway_and_a_mac_are_read() {
    let request = asked(&[
        ("pipework.parent", "eth5"),
        ("pipework.ip", " 10.0.0.5/24@10.0.0.1 "),
        ("pipework.mac", "U:myhost.foo.com"),
        ("pipework.mode", "private"),
    ]);
    let attachment = &request.attachments[0];
    assert_eq!(
        attachment.mac.as_ref().unwrap().value.to_string(),
        "02:72:6c:cd:9b:8d"
    );
    assert_eq!(
        attachment.addressing.addresses[0].value.to_string(),
        "10.0.0.5/24"
    );
    assert_eq!(
        attachment
            .addressing
            .gateway4
            .as_ref()
            .unwrap()
            .origin
            .to_string(),
        "annotation pipework.ip=10.0.0.5/24@10.0.0.1"
    );
    assert!(matches!(
        attachment.uplink.value,
        Uplink::Macvlan {
            mode: MacvlanMode::Private,
            ..
        }
    ));
}

#[test]
fn numbered_interfaces_are_in_order_of_their_numbers() {
    let request = asked(&[("pipework.10.bridge", "br0"), ("pipework.9.bridge", "br1")]);
    let names: Vec<&str> = request
        .attachments
        .iter()
        .map(|a| a.ifname.value.as_str())
        .collect();
    assert_eq!(names, ["eth10", "eth11"]);
}

#[test]
fn a_name_in_the_key_is_the_interfaces_name() {
    let request = asked(&[("pipework.eth0.100.bridge", "br0")]);
    assert_eq!(request.attachments[0].ifname.value.as_str(), "eth0.100");
}

#[test]
fn another_ifname_than_the_keys_is_refused() {
    let error = refused(&[
        ("pipework.lan0.bridge", "br0"),
        ("pipework.lan0.ifname", "lan1"),
    ]);
    assert!(
        error.ends_with("the key names another interface"),
        "{error}"
    );
}

#[test]
fn forms_do_not_mix() {
    for other in ["pipework.0.ip", "pipework.eth1.ip"] {
        let error = refused(&[("pipework.bridge", "br0"), (other, "0/0")]);
        assert!(error.contains("mix two forms"), "{error}");
    }
}

#[test]
fn a_lone_address_is_refused_with_the_uplinks() {
    assert_eq!(
        refused(&[("pipework.ip", "10.0.0.5/24")]),
        "annotation pipework.ip asks for an interface without an uplink: one of bridge, parent, link, ovs, device, ipoib, dummy, net is needed"
    );
}

#[test]
fn a_lone_name_is_refused() {
    assert!(refused(&[("pipework.name", "web")]).contains("without an uplink"));
}

#[test]
fn two_uplinks_are_refused_with_both() {
    let error = refused_with("pipework.parent", "eth5");
    assert!(
        error.contains("pipework.bridge=br0 and pipework.parent=eth5"),
        "{error}"
    );
}

#[test]
fn two_interfaces_of_one_name_are_refused() {
    let error = refused(&[
        ("pipework.0.bridge", "br0"),
        ("pipework.1.bridge", "br1"),
        ("pipework.1.ifname", "eth1"),
    ]);
    assert!(
        error.ends_with("both make an interface called eth1"),
        "{error}"
    );
}

#[test]
fn two_annotations_in_one_are_recognised() {
    assert_eq!(
        refused(&[("pipework.bridge", "br0 pipework.ip=1")]),
        "annotation pipework.bridge=br0 pipework.ip=1 holds two annotations in one"
    );
}

#[test]
fn a_line_break_in_a_value_is_named() {
    assert_eq!(
        refused(&[("pipework.bridge", "br0\n")]),
        "annotation pipework.bridge=br0\\n contains the control character \\n"
    );
}

#[test]
fn empty_and_huge_values_are_refused() {
    assert_eq!(
        refused(&[("pipework.ip", "  ")]),
        "annotation pipework.ip has an empty value"
    );
    let huge = "a".repeat(4097);
    assert!(refused(&[("pipework.ip", &huge)]).contains("4097 bytes"));
}

#[test]
fn a_long_value_is_cut_in_its_error() {
    let error = refused(&[("pipework.bridge", &"a".repeat(4000))]);
    assert!(error.chars().count() < 250, "{error}");
}

#[test]
fn what_holds_anyway_may_be_written() {
    for (key, value) in [("pipework.wait", "0m"), ("pipework.dad", "off")] {
        assert!(with(key, value).optional.is_none(), "{key}");
    }
}

#[test]
fn the_form_of_a_feature_without_engine_is_checked() {
    for (key, value) in [
        ("pipework.vlan", "4095"),
        ("pipework.mac", "@0"),
        ("pipework.wait", "11m"),
        ("pipework.isolate", "maybe"),
        ("pipework.announce", "6"),
        ("pipework.type", "veth"),
        ("pipework.net", "../x"),
    ] {
        assert!(refused_with(key, value).contains(" is not "), "{key}");
    }
}

#[test]
fn a_vlan_in_two_places_is_refused_with_both() {
    let error = refused(&[
        ("pipework.bridge", "br0"),
        ("pipework.mac", "@100"),
        ("pipework.vlan", "200"),
    ]);
    assert!(
        error.contains("pipework.mac=@100 and pipework.vlan=200"),
        "{error}"
    );
}

#[test]
fn an_empty_vlan_behind_a_mac_is_none() {
    assert!(with("pipework.mac", "@").mac.is_none());
    assert!(with("pipework.mac", "26:2e:71:98:60:8f@").mac.is_some());
}

#[test]
fn a_type_must_agree_with_the_uplink() {
    assert!(refused_with("pipework.type", "macvlan").contains("contradict"));
    assert!(refused_with("pipework.type", "ipvlan").contains("contradict"));
}

#[test]
fn a_mode_needs_parent_or_link() {
    assert!(refused_with("pipework.mode", "private").contains("only parent and link"));
    let error = refused(&[("pipework.link", "eth1"), ("pipework.mode", "l3")]);
    assert!(
        error.contains("one of ipvlan, which type=ipvlan asks for"),
        "{error}"
    );
}

#[test]
fn default_and_metric_need_a_gateway() {
    for (key, value) in [("pipework.default", "true"), ("pipework.metric", "5")] {
        assert!(refused_with(key, value).ends_with("needs a gateway, and none is given"));
    }
    let error = refused(&[
        ("pipework.bridge", "br0"),
        ("pipework.ip", "10.0.0.5/24@10.0.0.1"),
        ("pipework.default", "v6"),
    ]);
    assert!(error.contains("needs an IPv6 gateway"), "{error}");
}

#[test]
fn default_true_means_the_gateways_that_are_there() {
    let request = asked(&[
        ("pipework.bridge", "br0"),
        ("pipework.default", "Yes"),
        ("pipework.gw", "10.0.0.1"),
        ("pipework.ip", "10.0.0.5/24"),
    ]);
    let default = request.attachments[0].addressing.default.as_ref().unwrap();
    assert_eq!(
        default.value,
        DefaultRoute {
            v4: true,
            v6: false
        }
    );
}

#[test]
fn another_gateway_than_the_addresss_is_refused_and_the_same_accepted() {
    let both = |gw| {
        parse([
            ("pipework.bridge", "br0"),
            ("pipework.gw", gw),
            ("pipework.ip", "10.0.0.5/24@10.0.0.1"),
        ])
    };
    assert!(both("10.0.0.1").is_ok());
    assert!(
        both("10.0.0.2")
            .unwrap_err()
            .to_string()
            .contains("10.0.0.1 and 10.0.0.2")
    );
}

#[test]
fn ipv6_needs_its_mtu() {
    let error = refused(&[
        ("pipework.bridge", "br0"),
        ("pipework.ip", "2001:db8::5/64"),
        ("pipework.mtu", "1279"),
    ]);
    assert!(error.contains("at least 1280"), "{error}");
}

#[test]
fn one_name_holds_for_the_sandbox() {
    let request = asked(&[("pipework.0.bridge", "br0"), ("pipework.name", "web_1")]);
    assert_eq!(request.name.unwrap().value, "web_1");
    let error = refused(&[("pipework.0.name", "a"), ("pipework.1.name", "b")]);
    assert!(error.ends_with("a sandbox has one name"), "{error}");
    assert!(refused_with("pipework.name", "a b").contains("without blanks"));
}

#[test]
fn one_key_with_two_values_is_refused() {
    let error = refused(&[("pipework.bridge", "br0"), ("pipework.bridge", "br1")]);
    assert!(error.ends_with("one key has two values"), "{error}");
}

#[test]
fn once_and_off_are_announcements() {
    assert_eq!(
        with("pipework.announce", "0").announce.unwrap().value,
        Announce::Off
    );
    assert_eq!(
        with("pipework.announce", "1").announce.unwrap().value,
        Announce::Once
    );
}

#[test]
fn more_announcements_need_somebody_who_keeps_the_lease() {
    let all = |further: &[(&str, &str)]| {
        let asked = [("pipework.bridge", "br0"), ("pipework.announce", "3")];
        parse([&asked[..], further].concat())
    };
    let request = all(&[("pipework.ip", "dhcp")]).unwrap().unwrap();
    assert_eq!(request.attachments[0].announces(), 3);
    let text = all(&[("pipework.ip", "10.0.0.5/24")])
        .unwrap_err()
        .to_string();
    assert!(text.contains("ip=dhcp"), "{text}");
    let unkept = [("pipework.ip", "dhcp"), ("pipework.dhcp.keep", "false")];
    let text = all(&unkept).unwrap_err().to_string();
    assert!(text.contains("to repeat it"), "{text}");
}

#[test]
fn every_field_of_the_table_is_carried_out() {
    for key in keys::all() {
        let name = match key.stem() {
            "sysctl.ipv4.conf" => "sysctl.ipv4.conf.tag",
            "sysctl.ipv6.conf" => "sysctl.ipv6.conf.autoconf",
            "ovs.external-ids" => "ovs.external-ids.k",
            stem => stem,
        };
        let full = format!("pipework.{name}");
        let mut map = BTreeMap::from([(full.as_str(), key.example)]);
        if key.scope != Scope::Uplink {
            map.insert("pipework.link", "eth7");
        }
        if matches!(name, "default" | "metric" | "gw") {
            map.insert("pipework.ip", "10.0.0.5/24@10.0.0.1");
        }
        if name.starts_with("dhcp.") {
            map.insert("pipework.ip", "dhcp");
        }
        if name == "burst" {
            map.insert("pipework.rate.in", "10mbit");
        }
        map.extend(super::nic::companions(name));
        let parsed = parse_with(map, &mut network::tests::Lan::of(&[("parent", "eth7")]));
        assert!(parsed.is_ok(), "{name}: {parsed:?}");
    }
}

#[test]
fn hints_help_where_the_text_does_not() {
    let error = parse([("pipework.ip", "10.0.0.5/24")]).unwrap_err();
    assert!(error.hint().unwrap().contains("pipework.bridge=br0"));
    let error = parse([("pipework.ip.mac", "x")]).unwrap_err();
    assert!(error.hint().unwrap().contains("pipework.0.ifname=ip"));
}
