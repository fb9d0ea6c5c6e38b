//! VLANs that are asked for: by name of the NIC, tagged at a bridge, and what a
//! rule grants along with them.

use super::fixtures::*;
use crate::host::view::{
    AttachmentView, DeviceKind, Grant, HostView, UplinkPorts, UplinkView, VlanDeviceView, VlanView,
};
use crate::policy::{Caller, PolicyError, judge};
use crate::request::{Request, Uplink, VlanId};

fn in_vlan(uplink: Uplink, vlan: u16) -> Request {
    let mut attachment = attachment(uplink);
    attachment.vlan = Some(asked(VlanId::try_from(vlan).unwrap()));
    request(attachment)
}

fn with_trunk(trunk: &str) -> Request {
    let mut attachment = attachment(bridge("br0"));
    attachment.trunk = Some(asked(trunk.parse().unwrap()));
    request(attachment)
}

/// eth0, with a device called `name` for the VLAN that is asked for.
fn nic(name: &str) -> HostView {
    let vlan = VlanView::Device(VlanDeviceView {
        name: ifname("eth0.100"),
        present: Some(device(name, DeviceKind::Vlan(100))),
        in_the_way: None,
    });
    let mut view = host(device("eth0", DeviceKind::Nic));
    view.uplinks = vec![AttachmentView {
        vlan: Some(vlan),
        ..UplinkView::Present(device("eth0", DeviceKind::Nic)).into()
    }];
    view
}

fn rule(keys: &str) -> String {
    format!("[[rule]]\ncaller=\"any\"\nkind=\"any\"\n{keys}\n")
}

#[test]
fn a_vlan_of_a_nic_needs_the_nic_and_the_vlan() {
    let request = in_vlan(macvlan("eth0"), 100);
    let asks = |keys: &str| root_asks(&rule(keys), &request, &nic("eth0.100"));
    asks("uplink=\"eth0\"\nvlan=[100]").unwrap();
    let error = asks("uplink=\"eth0\"").unwrap_err();
    assert_eq!(error.to_string(), "eth1: no rule in /p allows VLAN 100");
    asks("uplink=\"eth0\"\nvlan=[101]").unwrap_err();
    asks("uplink=\"eth0.100\"\nvlan=[100]").unwrap_err();
}

#[test]
fn a_ban_on_the_device_of_the_vlan_is_not_evaded_by_asking_its_nic() {
    let request = in_vlan(macvlan("eth0"), 100);
    for name in ["eth0.100", "office"] {
        let ban = format!("[[rule]]\naction=\"deny\"\nuplink=\"{name}\"\n");
        let text = ban + &rule("uplink=\"eth0\"\nvlan=\"any\"");
        let error = root_asks(&text, &request, &nic(name)).unwrap_err();
        assert!(matches!(error, PolicyError::Denied { .. }), "{error}");
    }
}

#[test]
fn a_trunk_needs_each_of_its_vlans_and_not_the_untagged_network() {
    let asks = |trunk: &str, vlan: &str| {
        let keys = format!("uplink=\"br0\"\nvlan={vlan}");
        root_asks(&rule(&keys), &with_trunk(trunk), &br0())
    };
    asks("10,20-30", "[10, \"20-25\", \"26-30\"]").unwrap();
    let error = asks("10,20-30", "[10, \"20-25\"]").unwrap_err();
    assert_eq!(
        error.to_string(),
        "eth1: no rule in /p allows VLAN 20-30 tagged"
    );
    asks("1-4094", "\"any\"").unwrap();
    asks("10", "\"untagged\"").unwrap_err();
}

#[test]
fn a_ban_on_one_vlan_bans_a_trunk_that_carries_it() {
    let text = "[[rule]]\naction=\"deny\"\nvlan=[25]\n".to_owned();
    let text = text + &rule("uplink=\"br0\"\nvlan=\"any\"");
    let denied = |trunk: &str| root_asks(&text, &with_trunk(trunk), &br0()).is_err();
    assert!(denied("20-30"));
    assert!(!denied("10,26-30"));
}

#[test]
fn what_is_suggested_for_a_trunk_is_its_ranges() {
    let error = root_asks("", &with_trunk("10,20-30"), &br0()).unwrap_err();
    let hint = error.hint().unwrap();
    assert!(hint.contains("vlan = [10, \"20-30\"]"), "{hint}");
}

#[test]
fn the_rule_that_allows_says_what_may_be_done_to_the_host() {
    let granted = |keys: &str| {
        let text = rule(&format!("uplink=\"br0\"\n{keys}"));
        let policy = parse(&text).unwrap();
        let asked = request(attachment(bridge("br0")));
        judge(Some(&policy), &Caller::Runtime, &asked, &br0()).unwrap()
    };
    assert_eq!(granted(""), [Grant::default()]);
    assert!(granted("vlan-filtering=true")[0].vlan_filtering);
    let named = UplinkPorts::Named(vec!["eth*".parse().unwrap()]);
    assert_eq!(granted("uplink-ports=[\"eth*\"]")[0].uplink_ports, named);
    let asked = request(attachment(bridge("br0")));
    let without = judge(None, &Caller::Runtime, &asked, &br0()).unwrap();
    assert_eq!(without, [Grant::default()], "without a file nothing");
}

#[test]
fn a_grant_in_a_rule_that_denies_and_every_port_as_uplink_are_mistakes() {
    let flaw = |text: &str| parse(text).unwrap_err().to_string();
    let deny = "[[rule]]\naction=\"deny\"\nuplink=\"br0\"\n";
    for key in ["vlan-filtering=false", "uplink-ports=[\"eth0\"]"] {
        assert!(flaw(&format!("{deny}{key}\n")).ends_with("is what an allow rule grants"));
    }
    let any = rule("uplink=\"br0\"\nuplink-ports=\"any\"");
    assert!(flaw(&any).contains("uplink-ports lists the ports"));
}
