//! VLANs of a bridge: the port's own, the uplink ports', and the switch that
//! makes the bridge sort frames at all.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::policy;
use crate::support::lab::snapshot::Records;
use crate::support::lab::wire::{Capture, answers};
use crate::support::lab::{Container, Lab, ip, ip_json, lab, run};

/// Whether this kernel's bridges sort frames by VLAN; to be asked inside a lab.
pub fn is_here() -> bool {
    let made = Command::new("ip")
        .args("link add probe0 type bridge vlan_filtering 1".split(' '))
        .output();
    let made = made.is_ok_and(|output| output.status.success());
    if made {
        ip("link del probe0");
    }
    made
}

/// Skips the rest of a test where the kernel has no VLAN filtering.
macro_rules! needs_vlan_filtering {
    () => {
        if !$crate::bridge_vlan::is_here() {
            $crate::support::skip!("kernel has no bridge VLAN filtering");
        }
    };
}
pub(crate) use needs_vlan_filtering;

pub const ASKED: [&str; 2] = ["pipework.bridge=br0", "pipework.vlan=100"];
pub const WRONG: &str = "pipework.route=10.9.0.0/16 via 10.8.0.1";

/// Runs `bridge vlan …`.
pub fn vlan(arguments: &str) {
    run("bridge", &format!("vlan {arguments}"));
}

/// The VLANs of a port in the words of `bridge vlan`: `100 PVID untagged`.
pub fn vlans(port: &str) -> Vec<String> {
    let shown = run("bridge", &format!("-compressvlans -j vlan show dev {port}"));
    let shown: Vec<Value> = serde_json::from_str(&shown).unwrap_or_default();
    let Some(port) = shown.into_iter().next() else {
        return Vec::new();
    };
    let vlans = port["vlans"].as_array().unwrap().iter();
    let words = vlans.map(|vlan| {
        let mut words = vec![vlan["vlan"].to_string()];
        words.extend(vlan.get("vlanEnd").map(|end| format!("-{end}")));
        let flags = vlan["flags"].as_array().cloned().unwrap_or_default();
        words.extend(flags.iter().map(|f| format!(" {}", f.as_str().unwrap())));
        words.concat()
    });
    words.collect()
}

pub fn filters(bridge: &str) -> bool {
    let link = ip_json(&format!("-d link show {bridge}"));
    link[0]["linkinfo"]["info_data"]["vlan_filtering"] == 1
}

/// The ports of a bridge that are ours.
pub fn ours(bridge: &str) -> Vec<String> {
    let ports = ip_json(&format!("link show master {bridge}"));
    let names = ports.as_array().unwrap().iter();
    let names = names.map(|port| port["ifname"].as_str().unwrap().to_owned());
    names.filter(|name| name.starts_with("pw")).collect()
}

pub fn filtering_bridge(lab: &Lab) {
    lab.bridge("br0");
    ip("link set br0 type bridge vlan_filtering 1");
}

/// A machine that is plugged into br0 by a port in these VLANs.
fn machine_in(lab: &Lab, nic: &str, vlans: &[&str]) -> Container {
    let machine = lab.nic(nic);
    ip(&format!("link set {nic} master br0"));
    vlan(&format!("del dev {nic} vid 1"));
    for words in vlans {
        vlan(&format!("add dev {nic} vid {words}"));
    }
    machine
}

/// A bond that is a port of br0: to the kernel and to us it leads out.
pub fn bond(lab: &Lab) -> Option<Container> {
    let made = Command::new("ip")
        .args("link add bond0 type bond mode active-backup".split(' '))
        .output();
    if !made.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let machine = lab.nic("up0");
    ip("link set up0 down");
    ip("link set up0 master bond0");
    ip("link set bond0 up");
    ip("link set bond0 master br0");
    Some(machine)
}

#[test]
fn a_port_is_in_its_vlan_untagged_and_in_no_other() {
    lab!(|lab| {
        needs_vlan_filtering!();
        filtering_bridge(lab);
        let inside = machine_in(lab, "up0", &["100 pvid untagged"]);
        let outside = machine_in(lab, "up1", &["1 pvid untagged"]);
        for machine in [&inside, &outside] {
            lab.inside(machine, || ip("addr add 10.0.0.2/24 dev wire"));
        }
        let container = lab.any_container();
        lab.attach(&container, &[ASKED[0], ASKED[1], "pipework.ip=10.0.0.5/24"])
            .ok();
        assert_eq!(vlans(&ours("br0")[0]), ["100 PVID Egress Untagged"]);
        assert!(answers(lab, &container, "10.0.0.2"));
        lab.inside(&inside, || ip("link set wire down"));
        lab.inside(&container, || ip("neigh flush dev eth1"));
        assert!(
            !answers(lab, &container, "10.0.0.2"),
            "the other is in VLAN 1"
        );
        let plain = lab.any_container();
        lab.attach(&plain, &[ASKED[0], "pipework.ip=10.0.0.6/24"])
            .ok();
        assert!(answers(lab, &plain, "10.0.0.2"), "VLAN 1 as before");
    });
}

#[test]
fn no_frame_of_a_container_is_seen_outside_its_vlan_from_the_first_one_on() {
    lab!(|lab| {
        needs_vlan_filtering!();
        filtering_bridge(lab);
        let inside = machine_in(lab, "up0", &["100 pvid untagged"]);
        let outside = machine_in(lab, "up1", &["1 pvid untagged", "2-99"]);
        let (seen, leaked) = (Capture::start(lab, &inside), Capture::start(lab, &outside));
        let is_ours = |frame: &[u8]| frame[6..8] == [0x02, 0xaa];
        let mut containers = Vec::new();
        for number in 0..20 {
            let container = lab.any_container();
            let mac = format!("pipework.mac=02:aa:00:00:00:{number:02x}");
            let address = format!("pipework.ip=10.0.0.{0}/24,fd00::{0}/64", number + 5);
            lab.attach(&container, &[ASKED[0], ASKED[1], &mac, &address])
                .ok();
            containers.push(container);
        }
        assert!(seen.sees(Duration::from_secs(5), is_ours), "they announce");
        assert!(!leaked.sees(Duration::from_secs(3), is_ours));
    });
}

#[test]
fn a_trunk_reaches_the_container_tagged_with_its_native_vlan_untagged() {
    lab!(|lab| {
        needs_vlan_filtering!();
        filtering_bridge(lab);
        let asked = |more: &[&str]| {
            let container = lab.any_container();
            let mut all = vec![ASKED[0], "pipework.trunk=10,20-30"];
            all.extend(more);
            lab.attach(&container, &all).ok();
            let vlans = vlans(&ours("br0")[0]);
            let id = container.id.clone();
            container.end();
            lab.poststop(&id).ok();
            vlans
        };
        assert_eq!(asked(&[]), ["10", "20-30"]);
        let native = "100 PVID Egress Untagged";
        assert_eq!(asked(&[ASKED[1]]), ["10", "20-30", native]);
        // In both: it is the native one.
        let within = asked(&["pipework.vlan=25"]);
        assert_eq!(within, ["10", "20-24", "25 PVID Egress Untagged", "26-30"]);
        assert_eq!(
            asked(&["pipework.vlan=1"]),
            ["1 PVID Egress Untagged", "10", "20-30"]
        );
        let container = lab.any_container();
        lab.attach(&container, &[ASKED[0], "pipework.trunk=1-4094"])
            .ok();
        assert_eq!(vlans(&ours("br0")[0]), ["1-4094"], "and none untagged");
    });
}

#[test]
fn a_bridge_that_does_not_filter_is_refused_with_the_command_that_lets_it() {
    lab!(|lab| {
        needs_vlan_filtering!();
        lab.bridge("br0");
        let container = lab.any_container();
        let before = lab.snapshot();
        let text = lab.attach(&container, &ASKED).refused(19);
        let command = "ip link set br0 type bridge vlan_filtering 1";
        assert!(text.contains(command), "{text}");
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
        ip(command.trim_start_matches("ip "));
        lab.attach(&container, &ASKED).ok();
    });
}

#[test]
fn a_bridge_without_vlans_in_the_kernel_is_refused_as_that() {
    lab!(|lab| {
        if is_here() {
            crate::support::skip!("kernel has bridge VLAN filtering");
        }
        lab.bridge("br0");
        let container = lab.any_container();
        let text = lab.attach(&container, &ASKED).refused(19);
        assert!(text.contains("this kernel was built without it"), "{text}");
        let asked = ["pipework.bridge=br7", "pipework.vlan=100"];
        let text = lab.attach(&container, &asked).refused(16);
        assert!(text.contains("CONFIG_BRIDGE_VLAN_FILTERING"), "{text}");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn a_bridge_that_we_make_for_a_vlan_filters_from_the_beginning() {
    lab!(|lab| {
        needs_vlan_filtering!();
        let before = lab.snapshot();
        let container = lab.any_container();
        let asked = [
            "pipework.0.bridge=br7",
            "pipework.1.bridge=br7",
            "pipework.1.vlan=100",
        ];
        lab.attach(&container, &asked).ok();
        assert!(filters("br7"));
        let mut ports: Vec<_> = ours("br7").iter().map(|port| vlans(port)).collect();
        ports.sort();
        assert_eq!(
            ports,
            [["1 PVID Egress Untagged"], ["100 PVID Egress Untagged"]]
        );
        container.end();
        lab.poststop("c0").ok();
        ip("link del br7");
        lab.gc().ok();
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

/// A policy that lets a VLAN be had of any bridge.
pub const GRANTING: &str = "[[rule]]\ncaller = \"runtime\"\nuplink = \"any\"\nkind = \"any\"\nvlan = \"any\"\n\
                        routes = \"any\"\ngateway = true\nvlan-filtering = true\n";

#[test]
fn policy_may_let_filtering_be_switched_on_and_it_stays_on() {
    lab!(|lab| {
        needs_vlan_filtering!();
        policy::write(&GRANTING.replace("vlan-filtering = true\n", ""));
        lab.bridge("br0");
        let container = lab.any_container();
        lab.attach(&container, &ASKED).refused(19);
        policy::write(GRANTING);
        let machine = lab.nic("up0");
        ip("link set up0 master br0");
        vlan("add dev up0 vid 7 untagged");
        let before = vlans("up0");
        lab.attach(&container, &ASKED).ok();
        assert!(filters("br0"));
        assert_eq!(vlans("up0"), before, "the VLANs that were there are kept");
        container.end();
        lab.poststop("c0").ok();
        assert!(filters("br0"), "others may have come to rely on it");
        drop(machine);
    });
}

#[test]
fn a_start_that_fails_switches_filtering_off_again() {
    lab!(|lab| {
        needs_vlan_filtering!();
        policy::write(GRANTING);
        lab.bridge("br0");
        let _machine = lab.nic("up0");
        ip("link set up0 master br0");
        let before = lab.snapshot();
        let container = lab.any_container();
        lab.attach(&container, &[ASKED[0], ASKED[1], WRONG])
            .refused(16);
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn filtering_is_not_switched_on_over_frames_that_pass_now() {
    lab!(|lab| {
        needs_vlan_filtering!();
        policy::write(GRANTING);
        let container = lab.any_container();
        let refused = |change: &[&str], what: &str| {
            lab.bridge("br0");
            let machine = lab.nic("up0");
            ip("link set up0 master br0");
            for change in change {
                match change.split_once(' ') {
                    Some(("bridge", rest)) => drop(run("bridge", rest)),
                    Some(("ip", rest)) => drop(ip(rest)),
                    _ => panic!("{change}"),
                }
            }
            let before = lab.snapshot();
            let text = lab.attach(&container, &ASKED).refused(19);
            assert!(text.contains(what), "{text}");
            before.assert_equal(&lab.snapshot(), what);
            ip("link del br0");
            ip("link del up0");
            drop(machine);
        };
        refused(
            &["bridge vlan add dev up0 vid 7"],
            "up0 takes tagged frames",
        );
        refused(
            &["bridge vlan del dev up0 vid 1"],
            "the untagged frames of up0",
        );
        refused(
            &["bridge vlan del dev br0 vid 1 self"],
            "the untagged frames of br0",
        );
        if crate::vlan::is_here() {
            refused(
                &["ip link add link br0 name br0.7 type vlan id 7"],
                "br0.7 takes tagged frames",
            );
        }
    });
}

#[test]
fn the_port_that_a_bridge_has_no_room_for_is_refused_with_the_number() {
    lab!(|lab| {
        lab.bridge("br0");
        let mut lines = String::new();
        for number in 0..1023 {
            lines.push_str(&format!(
                "link add p{number} master br0 type veth peer name q{number}\n"
            ));
        }
        fs::write("/run/ports", lines).unwrap();
        ip("-batch /run/ports");
        let container = lab.any_container();
        let text = lab.attach(&container, &["pipework.bridge=br0"]).refused(16);
        assert!(text.contains("no bridge can have more"), "{text}");
        assert!(Records::take().is_empty());
    });
}
