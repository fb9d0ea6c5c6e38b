//! Which options a network may have, and what is said of others.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;

fn of(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let pairs = pairs.iter().map(|(key, value)| (*key, *value));
    let generic: BTreeMap<&str, &str> = pairs.collect();
    let options = [(GENERIC.to_owned(), json!(generic))];
    Settings::of_network(&options.into_iter().collect())
}

#[test]
fn every_field_of_annotations_is_decided() {
    for key in keys::all() {
        assert!(place_of(key.name).is_some(), "{}", key.name);
    }
}

#[test]
fn options_are_fields_with_and_without_their_prefix() {
    let settings = of(&[("bridge", "br0"), ("pipework.vlan", "100")]).unwrap();
    let asked = [("pipework.bridge", "br0"), ("pipework.vlan", "100")];
    let asked = asked.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(settings.fields, asked);
}

#[test]
fn the_words_of_other_drivers_are_understood() {
    let asked = [
        (MTU, "1400"),
        ("macvlan_mode", "private"),
        ("parent", "eth0"),
    ];
    let fields = of(&asked).unwrap().fields;
    assert!(fields.contains(&("pipework.mtu".to_owned(), "1400".to_owned())));
    assert!(fields.contains(&("pipework.mode".to_owned(), "private".to_owned())));
    let dhcp = of(&[("dhcp", "true")]).unwrap();
    assert_eq!(dhcp.learns(), Some("dhcp"));
    assert_eq!(of(&[("dhcp", "no")]).unwrap().learns(), None);
}

#[test]
fn the_option_by_which_a_field_was_written_is_remembered() {
    let asked = [(MTU, "1400"), ("dhcp", "yes"), ("pipework.vlan", "5")];
    let settings = of(&asked).unwrap();
    let option = |key: &str, value: &str| {
        let field = (format!("pipework.{key}"), value.to_owned());
        assert!(settings.fields.contains(&field), "{field:?}");
        option_of(&settings.worded, &field)
    };
    assert_eq!(option("mtu", "1400"), Some((MTU, "1400")));
    assert_eq!(option("ip", "dhcp"), Some(("dhcp", "yes")));
    assert_eq!(option("vlan", "5"), None);
}

#[test]
fn a_slip_is_named_with_what_was_meant() {
    let error = of(&[("brigde", "br0")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "brigde is no option; did you mean bridge?"
    );
    let error = of(&[("hostif", "web0")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "hostif is of one container, not of a network"
    );
    assert!(error.hint().unwrap().contains("driver-opt=hostif=VALUE"));
}

#[test]
fn what_docker_does_itself_is_refused_with_dockers_words() {
    for (field, said) in [
        ("mac", "--mac-address"),
        ("gw", "--gateway"),
        ("dns", "--dns"),
        ("sysctl.ipv4.conf.arp_ignore", "--sysctl"),
        ("com.docker.network.bridge.name", "is no option"),
    ] {
        let error = of(&[(field, "1")]).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn addresses_are_dockers_unless_a_server_or_a_pool_gives_them() {
    for (value, is_fine) in [
        ("dhcp", true),
        ("dhcp,dhcp6", true),
        ("pool", true),
        ("10.0.0.5/24", false),
        ("slaac", false),
    ] {
        let settings = of(&[("ip", value)]).unwrap();
        assert_eq!(settings.check_addresses().is_ok(), is_fine, "{value}");
    }
}

#[test]
fn dockers_own_options_of_a_container_are_left_to_docker() {
    let options = json!({
        "com.docker.network.endpoint.exposedports": [{"Proto": 6, "Port": 90}],
        "com.docker.network.endpoint.macaddress": "AkKqu8zd",
        "com.docker.network.portmap": [],
        "dhcp.hostname": "web",
    });
    let settings = Settings::of_container(&serde_json::from_value(options).unwrap()).unwrap();
    let only = [("pipework.dhcp.hostname".to_owned(), "web".to_owned())];
    assert_eq!(settings.fields, only);
}

#[test]
fn one_container_says_better_than_its_network() {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let network = [pair("pipework.bridge", "br0"), pair("pipework.mtu", "1400")];
    let own = [pair("pipework.mtu", "1300")];
    let both = [pair("pipework.bridge", "br0"), pair("pipework.mtu", "1300")];
    assert_eq!(merged(&network, &own), both);
}

#[test]
fn one_container_has_a_card_in_place_of_what_its_network_is_plugged_into() {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let network = [
        pair("pipework.parent", "eth0"),
        pair("pipework.type", "ipvlan"),
        pair("pipework.mtu", "1400"),
    ];
    let own = [pair("pipework.device", "eth5")];
    let both = [
        pair("pipework.mtu", "1400"),
        pair("pipework.device", "eth5"),
    ];
    assert_eq!(merged(&network, &own), both);
}
