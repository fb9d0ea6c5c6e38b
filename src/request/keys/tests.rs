//! The table of keys: complete, consistent, and helpful to those who mistype.

use std::collections::BTreeSet;

use super::*;

#[test]
fn no_field_is_there_twice() {
    let names: BTreeSet<&str> = all().map(|key| key.name).collect();
    assert_eq!(names.len(), all().count());
}

#[test]
fn every_example_and_every_default_has_the_fields_form() {
    for key in all() {
        assert_eq!(key.form.check(key.example), Ok(()), "{}", key.name);
        if let Some(default) = key.default {
            assert_eq!(key.form.check(default), Ok(()), "{}", key.name);
        }
    }
}

#[test]
fn every_field_is_found_by_its_name() {
    for key in all() {
        assert_eq!(lookup(key.stem()), Some(key));
    }
    let open = lookup("sysctl.ipv4.conf.arp_ignore").unwrap();
    assert_eq!(open.name, "sysctl.ipv4.conf.<leaf>");
    assert!(lookup("ovs.external-idsx").is_none());
}

#[test]
fn slips_of_the_pen_are_recognised() {
    for (typed, meant) in [
        ("brige", "bridge"),
        ("pi", "ip"),
        ("IP", "ip"),
        ("gateway", "gw"),
        ("vlna", "vlan"),
        ("dhcp.host-name", "dhcp.hostname"),
        ("host_access", "host-access"),
    ] {
        assert_eq!(suggest(typed), Some(meant), "{typed}");
    }
    assert_eq!(suggest("frobnicate"), None);
}

#[test]
fn booleans_are_taken_in_every_spelling() {
    for (text, value) in [
        ("TRUE", Some(true)),
        ("Yes", Some(true)),
        ("1", Some(true)),
        ("off", Some(false)),
        ("No", Some(false)),
        ("maybe", None),
    ] {
        assert_eq!(form::boolean(text), value);
    }
}

#[test]
fn reserved_vlans_are_named_in_the_refusal() {
    for text in ["0", "4095"] {
        assert_eq!(
            Form::Vlan.check(text).unwrap_err().to_string(),
            format!("{text} is not a VLAN from 1 to 4094 (0 and 4095 are reserved)")
        );
    }
}

#[test]
fn durations_need_a_unit_and_end_at_ten_minutes() {
    for text in ["0s", "500ms", "10m", "600s"] {
        assert_eq!(Form::Duration.check(text), Ok(()), "{text}");
    }
    for text in ["", "20", "11m", "601s", "-1s", "s", "99999999999s"] {
        assert!(Form::Duration.check(text).is_err(), "{text}");
    }
}

#[test]
fn rates_have_units() {
    for text in ["1000", "10mbit", "10M", "1Gbit"] {
        assert_eq!(Form::Rate.check(text), Ok(()), "{text}");
    }
    for text in ["", "mbit", "10 mbit", "10mb", "-1", "0"] {
        assert!(Form::Rate.check(text).is_err(), "{text}");
    }
}

#[test]
fn the_markdown_table_has_a_row_for_every_field() {
    assert_eq!(markdown_table().lines().count(), all().count() + 2);
}

#[test]
fn one_field_is_described_with_its_form_and_example() {
    let described = text(Some("pipework.mtu")).unwrap();
    assert!(described.contains("from 68 to 65535"), "{described}");
    assert!(described.contains("example: 1400"), "{described}");
}

#[test]
fn the_settings_are_listed_by_their_family() {
    assert!(
        text(Some("sysctl.ipv4.conf"))
            .unwrap()
            .contains("arp_ignore")
    );
}

#[test]
fn an_unknown_field_is_answered_with_the_nearest() {
    assert_eq!(
        text(Some("brige")),
        Err("no field is called brige; did you mean bridge".to_owned())
    );
    let unknown = text(Some("frobnicate")).unwrap_err();
    assert!(unknown.ends_with("`pipework keys` lists them"), "{unknown}");
    assert_eq!(suggest("dhcp"), Some("ip"));
}
