//! How rules are matched: order, resolved devices, allow and deny.

use super::fixtures::*;
use crate::host::view::{DeviceKind, UplinkView};
use crate::policy::{Caller, PolicyError, judge};
use crate::request::{DeviceRef, MacvlanMode, Uplink};

const ROOT_BR0: &str = "[[rule]]\ncaller=\"runtime\"\nuplink=\"br0\"\nkind=\"bridge\"\n";

fn on_br0() -> crate::request::Request {
    request(attachment(bridge("br0")))
}

#[test]
fn an_altname_does_not_evade_the_rule_on_the_primary_name() {
    let rule = "[[rule]]\ncaller=\"any\"\nuplink=\"lan\"\nkind=\"macvlan\"\n";
    let asks_lan = request(attachment(macvlan("lan")));
    let is_eth0 = host(device("eth0", DeviceKind::Nic));
    root_asks(rule, &asks_lan, &is_eth0).unwrap_err();
}

#[test]
fn a_device_named_by_its_mac_is_judged_by_its_primary_name() {
    let uplink = Uplink::Macvlan {
        parent: DeviceRef::Mac("02:00:00:00:00:07".parse().unwrap()),
        mode: MacvlanMode::Bridge,
    };
    let rule = "[[rule]]\ncaller=\"any\"\nuplink=\"eth0\"\nkind=\"macvlan\"\n";
    let is_eth0 = host(device("eth0", DeviceKind::Nic));
    root_asks(rule, &request(attachment(uplink)), &is_eth0).unwrap();
}

#[test]
fn a_vlan_device_needs_its_lower_device_covered_too() {
    let request = request(attachment(macvlan("eth0.100")));
    let rule = |more: &str| {
        let text = format!("[[rule]]\ncaller=\"any\"\nkind=\"any\"\nvlan=[100]\n{more}\n");
        root_asks(&text, &request, &host(vlan_device()))
    };
    rule("uplink=\"eth0.100\"").unwrap_err();
    rule("uplink=\"eth0.100\"\nlower=\"eth0\"").unwrap();
    rule("uplink=[\"eth0.100\", \"eth0\"]").unwrap();
}

#[test]
fn a_rule_without_vlan_covers_no_vlan_device() {
    let rule = "[[rule]]\ncaller=\"any\"\nkind=\"any\"\nuplink=\"eth0*\"\n";
    let request = request(attachment(macvlan("eth0.100")));
    let error = root_asks(rule, &request, &host(vlan_device())).unwrap_err();
    assert_eq!(error.to_string(), "eth1: no rule in /p allows VLAN 100");
}

#[test]
fn every_tag_of_stacked_vlans_must_be_covered() {
    let mut stacked = device("qinq", DeviceKind::Vlan(200));
    stacked.lower = vec![crate::host::view::LowerDevice {
        ifindex: 3,
        name: ifname("eth0.100"),
        kind: DeviceKind::Vlan(100),
    }];
    let host = host(stacked);
    let request = request(attachment(macvlan("qinq")));
    let rule = |vlan: &str| {
        let text = format!("[[rule]]\ncaller=\"any\"\nkind=\"any\"\nuplink=\"any\"\nvlan={vlan}\n");
        root_asks(&text, &request, &host)
    };
    rule("[200]").unwrap_err();
    rule("[\"100-200\"]").unwrap();
}

#[test]
fn a_ban_on_the_lower_device_is_not_evaded_by_a_vlan_on_it() {
    let text = "[[rule]]\naction=\"deny\"\nuplink=\"eth0\"\n[[rule]]\ncaller=\"any\"\nuplink=\"any\"\nkind=\"any\"\nvlan=\"any\"\n";
    let request = request(attachment(macvlan("eth0.100")));
    let error = root_asks(text, &request, &host(vlan_device())).unwrap_err();
    assert_eq!(error.to_string(), "eth1: the deny rule at /p:1 matches");
}

#[test]
fn the_first_match_wins_when_it_allows() {
    let text = format!("{ROOT_BR0}[[rule]]\naction=\"deny\"\n");
    root_asks(&text, &on_br0(), &br0()).unwrap();
}

#[test]
fn the_first_match_wins_when_it_denies() {
    let text = format!("[[rule]]\naction=\"deny\"\nuplink=\"br*\"\n{ROOT_BR0}");
    let error = root_asks(&text, &on_br0(), &br0()).unwrap_err();
    assert!(matches!(error, PolicyError::Denied { line: 1, .. }));
}

#[test]
fn a_deny_rule_matches_only_when_all_its_criteria_do() {
    let text = format!("[[rule]]\naction=\"deny\"\nuplink=\"br0\"\nkind=\"macvlan\"\n{ROOT_BR0}");
    root_asks(&text, &on_br0(), &br0()).unwrap();
}

#[test]
fn one_banned_address_among_others_is_enough_for_a_ban() {
    let text = "[[rule]]\naction=\"deny\"\ncidr=\"10.0.0.128/25\"\n[[rule]]\ncaller=\"any\"\nuplink=\"any\"\nkind=\"any\"\ncidr=\"any\"\n";
    let mut wanted = attachment(bridge("br0"));
    wanted.addressing.addresses = vec![
        asked("192.168.1.5/24".parse().unwrap()),
        asked("10.0.0.200/24".parse().unwrap()),
    ];
    let error = root_asks(text, &request(wanted), &br0()).unwrap_err();
    assert!(matches!(error, PolicyError::Denied { .. }));
}

#[test]
fn a_ban_on_a_destination_covers_a_wider_route() {
    let text = "[[rule]]\naction=\"deny\"\nroutes=\"10.0.0.0/8\"\n[[rule]]\ncaller=\"any\"\nuplink=\"any\"\nkind=\"any\"\nroutes=\"any\"\ngateway=true\n";
    let mut wanted = attachment(bridge("br0"));
    let route = crate::request::Route::parse_list("0.0.0.0/1 via 10.0.0.1").unwrap();
    wanted.routes = route.into_iter().map(asked).collect();
    let error = root_asks(text, &request(wanted), &br0()).unwrap_err();
    assert!(matches!(error, PolicyError::Denied { .. }));
}

#[test]
fn two_rules_do_not_add_up() {
    let text = "[[rule]]\ncaller=\"any\"\nuplink=\"br0\"\n[[rule]]\ncaller=\"any\"\nuplink=\"br1\"\nkind=\"any\"\n";
    root_asks(text, &on_br0(), &br0()).unwrap_err();
}

#[test]
fn an_empty_policy_refuses_root_as_well() {
    let error = root_asks("", &on_br0(), &br0()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "eth1: no rule in /p allows a container runtime"
    );
}

#[test]
fn a_missing_bridge_needs_leave_to_make_it() {
    let absent = view(vec![UplinkView::Absent]);
    let error = root_asks(ROOT_BR0, &on_br0(), &absent).unwrap_err();
    assert_eq!(
        error.to_string(),
        "eth1: no rule in /p allows making the bridge"
    );
    let text = format!("{ROOT_BR0}create-bridge=true\n");
    root_asks(&text, &on_br0(), &absent).unwrap();
}

#[test]
fn a_missing_first_argument_is_judged_as_a_bridge_to_be_made() {
    let uplink = Uplink::Link {
        device: DeviceRef::Name(ifname("br0")),
        mode: MacvlanMode::Bridge,
    };
    let absent = view(vec![UplinkView::Absent]);
    root_asks(ROOT_BR0, &request(attachment(uplink)), &absent).unwrap_err();
}

#[test]
fn a_first_argument_is_judged_by_the_kind_of_its_device() {
    let uplink = Uplink::Link {
        device: DeviceRef::Name(ifname("br0")),
        mode: MacvlanMode::Bridge,
    };
    let request = request(attachment(uplink));
    root_asks(ROOT_BR0, &request, &br0()).unwrap();
    root_asks(ROOT_BR0, &request, &host(device("br0", DeviceKind::Nic))).unwrap_err();
}

#[test]
fn hardware_that_is_not_there_has_no_name_to_judge() {
    let uplink = Uplink::Macvlan {
        parent: DeviceRef::Mac("02:00:00:00:00:07".parse().unwrap()),
        mode: MacvlanMode::Bridge,
    };
    let absent = view(vec![UplinkView::Absent]);
    let error = root_asks(ROOT_BR0, &request(attachment(uplink)), &absent).unwrap_err();
    assert!(matches!(error, PolicyError::NoSuchDevice { .. }));
}

#[test]
fn an_attachment_without_a_view_is_refused() {
    let error = root_asks(ROOT_BR0, &on_br0(), &view(Vec::new())).unwrap_err();
    assert!(matches!(error, PolicyError::NotLookedUp { .. }));
}

#[test]
fn the_second_attachment_is_judged_as_well() {
    let mut both = on_br0();
    both.attachments.push(attachment(bridge("br9")));
    let seen = |name| UplinkView::Present(device(name, DeviceKind::Bridge));
    let text = format!("{ROOT_BR0}count=2\n");
    root_asks(&text, &both, &view(vec![seen("br0"), seen("br9")])).unwrap_err();
}

#[test]
fn a_person_is_not_a_runtime() {
    let policy = parse(ROOT_BR0).unwrap();
    let judged = judge(Some(&policy), &Caller::Person, &on_br0(), &br0());
    judged.unwrap_err();
}

#[test]
fn the_closest_rule_is_the_one_that_lacks_least() {
    let text = "[[rule]]\ncaller=\"person\"\nuplink=\"eth9\"\n\n[[rule]]\ncaller=\"runtime\"\nuplink=\"br0\"\n";
    let error = root_asks(text, &on_br0(), &br0()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "eth1: no rule in /p allows the kind bridge"
    );
    assert!(
        error
            .hint()
            .unwrap()
            .starts_with("the closest rule is at line 5; ")
    );
}

#[test]
fn a_refusal_names_the_annotation_that_was_too_much() {
    let mut wanted = attachment(bridge("br0"));
    let mtu = asked("9000".parse().unwrap());
    let origin = mtu.origin.clone();
    wanted.mtu = Some(mtu);
    let error = root_asks(ROOT_BR0, &request(wanted), &br0()).unwrap_err();
    assert_eq!(error.origin(), Some(&origin));
}

#[test]
fn a_rule_for_some_addresses_is_none_for_who_brings_any() {
    let bare = on_br0();
    let with = |more: &str| root_asks(&format!("{ROOT_BR0}{more}"), &bare, &br0());
    with("").unwrap();
    with("cidr=\"any\"").unwrap();
    with("cidr=[\"10.0.0.0/24\"]\ndynamic=[\"none\"]").unwrap();
    let error = with("cidr=[\"10.0.0.0/24\"]\ndynamic=[\"dhcp\"]").unwrap_err();
    assert_eq!(
        error.to_string(),
        "eth1: no rule in /p allows an interface without an address"
    );
}
