//! VLANs of a NIC: the device that is made once and shared, and whose it is.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::macvlan::needs_macvlan;
use crate::support::lab::snapshot::Records;
use crate::support::lab::wire::{Capture, answers};
use crate::support::lab::{Container, Lab, ip, ip_json, lab};

/// Whether this kernel has VLAN devices; to be asked inside a lab.
pub fn is_here() -> bool {
    ip("link add probe0 type veth peer name probe1");
    let made = Command::new("ip")
        .args("link add link probe0 name probe2 type vlan id 2".split(' '))
        .output();
    ip("link del probe0");
    made.is_ok_and(|output| output.status.success())
}

/// Skips the rest of a test where the kernel has no VLAN devices.
macro_rules! needs_8021q {
    () => {
        if !$crate::vlan::is_here() {
            $crate::support::skip!("kernel has no 8021q");
        }
    };
}
pub(crate) use needs_8021q;

pub const ASKED: [&str; 3] = [
    "pipework.parent=up0",
    "pipework.vlan=100",
    "pipework.ip=10.0.0.5/24",
];
/// The same, and a route that the kernel refuses.
const WRONG: [&str; 3] = [
    ASKED[0],
    ASKED[1],
    "pipework.route=10.9.0.0/16 via 10.8.0.1",
];

/// The devices of the lab called `name`, none or one.
pub fn link(name: &str) -> Option<Value> {
    let output = Command::new("ip")
        .args(["-d", "-j", "link", "show", "dev", name])
        .output()
        .unwrap();
    let shown: Vec<Value> = serde_json::from_slice(&output.stdout).ok()?;
    shown.into_iter().next()
}

pub fn vlans_of(nic: &str) -> Vec<String> {
    let shown = ip_json("link show type vlan");
    let links = shown.as_array().unwrap().iter();
    let on_it = links.filter(|link| link["link"] == nic);
    let names = on_it.map(|link| link["ifname"].as_str().unwrap().to_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The machine behind a NIC, which has 10.0.0.2/24 in VLAN 100.
pub fn cable_in_vlan_100(lab: &Lab) -> Container {
    let machine = lab.nic("up0");
    lab.inside(&machine, || {
        ip("link add link wire name wire.100 type vlan id 100");
        ip("addr add 10.0.0.2/24 dev wire.100");
        ip("link set wire.100 up");
    });
    machine
}

pub fn pings(lab: &Lab, container: &Container) -> bool {
    answers(lab, container, "10.0.0.2")
}

#[test]
fn a_child_of_a_nic_is_in_the_vlan_that_it_asks_for() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = cable_in_vlan_100(lab);
        for (uplink, vlan) in [
            ("pipework.parent=up0", "pipework.vlan=100"),
            ("pipework.link=up0", "pipework.vlan=100"),
            ("pipework.link=up0", "pipework.mac=02:00:00:00:00:07@100"),
        ] {
            let container = lab.any_container();
            lab.attach(&container, &[uplink, vlan, ASKED[2]]).ok();
            assert!(pings(lab, &container), "{uplink} {vlan}");
            let device = link("up0.100").unwrap();
            assert_eq!(device["linkinfo"]["info_data"]["id"], 100);
            assert_eq!(device["linkinfo"]["info_data"]["protocol"], "802.1Q");
            container.end();
        }
        let container = lab.any_container();
        let other = [ASKED[0], "pipework.vlan=200", ASKED[2]];
        lab.attach(&container, &other).ok();
        assert!(!pings(lab, &container), "VLAN 200 is another network");
    });
}

#[test]
fn the_announcement_leaves_with_the_tag() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let machine = lab.nic("up0");
        // A device for the VLAN, so that the frame comes with its tag taken off.
        lab.inside(&machine, || {
            ip("link add link wire name wire.100 type vlan id 100");
            ip("link set wire.100 up");
        });
        let seen = Capture::start_on(lab, &machine, "wire.100");
        let container = lab.any_container();
        let mac = "pipework.mac=02:00:00:00:00:42";
        lab.attach(&container, &[ASKED[0], ASKED[1], ASKED[2], mac])
            .ok();
        let time = Duration::from_secs(5);
        assert!(seen.sees(time, |frame| {
            crate::support::lab::wire::is_arp_announcement(
                frame,
                [2, 0, 0, 0, 0, 0x42],
                [10, 0, 0, 5],
            )
        }));
    });
}

#[test]
fn a_device_that_was_there_before_us_is_used_under_any_name_and_left() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = cable_in_vlan_100(lab);
        for name in ["up0.100", "office"] {
            ip(&format!("link add link up0 name {name} type vlan id 100"));
            let container = lab.any_container();
            lab.attach(&container, &ASKED).ok();
            assert!(pings(lab, &container), "{name}");
            assert_eq!(vlans_of("up0"), [name]);
            let id = container.id.clone();
            container.end();
            lab.poststop(&id).ok();
            lab.gc().ok();
            assert_eq!(vlans_of("up0"), [name]);
            assert!(Records::take().is_empty());
            ip(&format!("link del {name}"));
        }
    });
}

#[test]
fn something_else_under_its_name_is_refused_and_named() {
    lab!(|lab| {
        needs_8021q!();
        let _machine = lab.nic("up0");
        let _other = lab.nic("up1");
        let container = lab.any_container();
        for (make, what) in [
            (
                "link add link up0 name up0.100 type vlan id 200",
                "up0.100 is a VLAN device with tag 200 on up0, not VLAN 100 of up0",
            ),
            (
                "link add link up1 name up0.100 type vlan id 100",
                "up0.100 is a VLAN device with tag 100 on up1, not VLAN 100 of up0",
            ),
            (
                "link add link up0 name up0.100 type vlan proto 802.1ad id 100",
                "not VLAN 100 of up0",
            ),
            (
                "link add up0.100 type bridge",
                "up0.100 is a bridge, not VLAN 100 of up0",
            ),
        ] {
            ip(make);
            let before = lab.snapshot();
            let text = lab.attach(&container, &ASKED).refused(19);
            assert!(text.contains(what), "{text}");
            assert!(text.contains("hint: "), "{text}");
            before.assert_equal(&lab.snapshot(), "host");
            ip("link del up0.100");
        }
    });
}

#[test]
fn a_nic_with_a_long_name_has_its_vlan_under_a_short_one() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = lab.nic("averylongnic01");
        let asked = ["pipework.parent=averylongnic01", "pipework.vlan=100"];
        let container = lab.any_container();
        lab.attach(&container, &asked).ok();
        let names = vlans_of("averylongnic01");
        assert!(names[0].starts_with("pw") && names[0].ends_with(".100"));
        assert_eq!(names.len(), 1);
    });
}

#[test]
fn a_nic_and_the_hosts_own_device_on_it_are_down_again_after_a_refusal() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = lab.nic("up0");
        ip("link add link up0 name up0.100 type vlan id 100");
        ip("link set up0 down");
        let before = lab.snapshot();
        lab.attach(&lab.any_container(), &WRONG).refused(16);
        before.assert_equal(&lab.snapshot(), "host");
    });
}

#[test]
fn a_nic_that_is_down_comes_up_and_goes_down_again_only_when_nobody_uses_a_vlan_of_it() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = cable_in_vlan_100(lab);
        ip("link set up0 down");
        let before = lab.snapshot();
        lab.attach(&lab.any_container(), &WRONG).refused(16);
        before.assert_equal(&lab.snapshot(), "host");
        let container = lab.any_container();
        lab.attach(&container, &ASKED).ok();
        assert!(pings(lab, &container));
        // Down beside a container: the next start raises it, and fails.
        ip("link set up0 down");
        lab.attach(&lab.any_container(), &WRONG).refused(16);
        let flags = ip_json("link show up0")[0]["flags"].to_string();
        assert!(
            flags.contains("\"UP\""),
            "another container uses it: {flags}"
        );
    });
}

#[test]
fn the_device_and_its_children_have_the_mtu_of_the_nic() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = lab.nic("up0");
        ip("link set up0 mtu 1400");
        let container = lab.any_container();
        lab.attach(&container, &ASKED).ok();
        assert_eq!(link("up0.100").unwrap()["mtu"], 1400);
        lab.inside(&container, || {
            assert_eq!(ip_json("link show eth1")[0]["mtu"], 1400);
        });
        let above = [ASKED[0], ASKED[1], "pipework.mtu=1500"];
        let text = lab.attach(&lab.any_container(), &above).refused(19);
        assert!(text.contains("1400"), "{text}");
    });
}

#[test]
fn a_trunk_of_a_nic_is_refused() {
    lab!(|lab| {
        let _machine = lab.nic("up0");
        let container = lab.any_container();
        let asked = ["pipework.link=up0", "pipework.trunk=10,20"];
        let text = lab.attach(&container, &asked).refused(19);
        assert!(text.contains("only a port of a bridge"), "{text}");
        let asked = ["pipework.parent=up0", "pipework.trunk=10,20"];
        lab.attach(&container, &asked).refused(10);
    });
}

#[test]
fn a_rule_for_the_nic_and_the_vlan_covers_it_and_no_ban_is_evaded() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let rule = |more: &str| {
            crate::policy::write(&format!(
                "[[rule]]\naction = \"deny\"\ncaller = \"any\"\n{more}\n\
                 [[rule]]\ncaller = \"runtime\"\nuplink = \"up0\"\nkind = \"macvlan\"\nvlan = [100]\n"
            ));
        };
        rule("uplink = \"other\"");
        let container = lab.any_container();
        lab.attach(&container, &ASKED[..2]).ok();
        let text = lab
            .attach(&lab.any_container(), &[ASKED[0], "pipework.vlan=200"])
            .refused(12);
        assert!(text.contains("VLAN 200"), "{text}");
        for ban in [
            "uplink = \"up0.100\"",
            "vlan = [\"90-110\"]",
            "uplink = \"up0\"",
        ] {
            rule(ban);
            lab.attach(&lab.any_container(), &ASKED[..2]).refused(12);
        }
        ip("link set up0.100 name office");
        rule("uplink = \"office\"");
        lab.attach(&lab.any_container(), &ASKED[..2]).refused(12);
    });
}
