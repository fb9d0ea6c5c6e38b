//! VLANs, bonds and real NICs in a bridge's place, where the kernel has them.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};

use pipework::request::VlanId;
use serde_json::Value;

use crate::support::lab::{Container, Lab, ip, ip_json, lab, run};
use crate::support::skip;
use crate::support::vm::vm;
use crate::uplink::{Guards, is_recorded, printed, uplink, wait_for};
use crate::uplink_refusal::KINDS;
use crate::uplink_traffic::{finish, start};

/// Whether the kernel can make a link of this kind.
fn has(kind: &str) -> bool {
    let made = Command::new("ip")
        .args(["link", "add", "probe0"])
        .args(kind.split(' '))
        .output();
    Command::new("ip")
        .args(["link", "del", "probe0"])
        .output()
        .ok();
    made.is_ok_and(|output| output.status.success())
}

pub fn has_bonds() -> bool {
    has("type bond")
}

/// Skips where the kernel has no bonds.
macro_rules! needs_bonds {
    () => {
        if !$crate::uplink_links::has_bonds() {
            skip!("kernel has no bonding");
        }
    };
}
pub(crate) use needs_bonds;

fn pings(address: &str) -> bool {
    let mut command = Command::new("ping");
    command.args(["-c", "1", "-W", "2", address]);
    command.output().unwrap().status.success()
}

/// Whether the kernel can make VLANs of eth0.
pub fn has_vlans() -> bool {
    has("link eth0 type vlan id 7")
}

#[test]
fn a_vlan_device_has_no_name_that_managers_of_the_network_leave_alone() {
    lab!(|lab| {
        for (nic, begins) in [("eth0", "eth0."), ("enp130s0f1np1", "vl")] {
            let _machine = lab.cable(nic);
            let vlan = VlanId::try_from(4000).unwrap();
            let name = vlan.host_device_on(&nic.parse().unwrap()).to_string();
            assert!(name.starts_with(begins), "{name}");
            let arguments = format!("add br100 {nic} --vlan 4000 --dry-run");
            let said = printed(&uplink(&arguments));
            assert!(
                said.contains(&format!("make {name} a port of br100")),
                "{said}"
            );
        }
    });
}

#[test]
fn a_vlan_of_a_nic_is_plugged_in_and_the_nic_keeps_what_it_has() {
    lab!(|lab| {
        let machine = lab.cable("eth0");
        if !has_vlans() {
            skip!("kernel has no 8021q");
        }
        let _guards = Guards;
        ip("addr add 10.0.0.5/24 dev eth0");
        lab.inside(&machine, || {
            ip("link add link wire name wire.100 type vlan id 100");
            ip("link set wire.100 up");
            ip("addr add 10.100.0.2/24 dev wire.100");
        });
        let before = lab.snapshot();
        let said = printed(&uplink("add br100 eth0 --vlan 100"));
        assert!(said.starts_with("eth0.100 is a port of br100\n"), "{said}");
        uplink("confirm").ok();
        assert_eq!(printed(&uplink("list")), "br100  eth0.100  confirmed\n");
        ip("addr add 10.100.0.5/24 dev br100");
        assert!(pings("10.100.0.2") && pings("10.0.0.2"));
        ip("addr del 10.100.0.5/24 dev br100");
        uplink("del br100").ok();
        before.assert_equal(&lab.snapshot(), "after del");
    });
}

#[test]
fn a_vlan_device_that_is_there_hands_its_addresses_to_the_bridge() {
    lab!(|lab| {
        let _machine = lab.cable("eth0");
        if !has_vlans() {
            skip!("kernel has no 8021q");
        }
        let _guards = Guards;
        ip("link add link eth0 name lan type vlan id 100");
        ip("link set lan up");
        ip("addr add 10.100.0.5/24 dev lan");
        ip("route add default via 10.100.0.2");
        let before = lab.snapshot();
        uplink("add br100 eth0 --vlan 100 --confirm-within 0").ok();
        assert_eq!(ip_json("link show lan")[0]["master"], "br100");
        assert_eq!(ip_json("route show default")[0]["dev"], "br100");
        uplink("del br100").ok();
        before.assert_equal(&lab.snapshot(), "after del");
    });
}

#[test]
fn what_is_printed_for_a_vlan_device_that_was_there_makes_it_as_well() {
    lab!(|lab| {
        let _machine = lab.cable("eth0");
        if !has_vlans() {
            skip!("kernel has no 8021q");
        }
        let _guards = Guards;
        ip("link add link eth0 name lan type vlan id 100");
        ip("link set lan up");
        ip("addr add 10.100.0.5/24 dev lan");
        for kind in KINDS {
            let before = printed(&uplink(&format!(
                "add br100 eth0 --vlan 100 --print-config {kind}"
            )));
            uplink("add br100 eth0 --vlan 100 --confirm-within 0").ok();
            let after = printed(&uplink(&format!("snippet br100 {kind}")));
            assert!(after.contains("100") && after.contains("eth0"), "{after}");
            assert_eq!(after, before);
            uplink("del br100").ok();
        }
    });
}

#[test]
fn what_is_printed_for_a_bridge_that_keeps_vlans_apart_says_so() {
    lab!(|lab| {
        let _guards = Guards;
        if !has("type bridge vlan_filtering 1") {
            skip!("kernel has no bridge VLAN filtering");
        }
        let _machine = lab.cable("eth0");
        ip("link add br0 type bridge vlan_filtering 1 vlan_default_pvid 7");
        ip("link set br0 up");
        let before = printed(&uplink("add br0 eth0 --print-config networkd"));
        assert!(
            before.contains("VLANFiltering=yes\nDefaultPVID=7\n"),
            "{before}"
        );
        uplink("add br0 eth0 --confirm-within 0").ok();
        assert_eq!(printed(&uplink("snippet br0 networkd")), before);
    });
}

#[test]
fn vlan_devices_of_a_nic_go_on_working_when_it_is_a_port() {
    lab!(|lab| {
        let machine = lab.cable("eth0");
        if !has_vlans() {
            skip!("kernel has no 8021q");
        }
        let _guards = Guards;
        for (place, side) in [("10.100.0.5", "eth0"), ("10.100.0.2", "wire")] {
            let make = || {
                ip(&format!(
                    "link add link {side} name {side}.100 type vlan id 100"
                ));
                ip(&format!("link set {side}.100 up"));
                ip(&format!("addr add {place}/24 dev {side}.100"));
            };
            match side {
                "wire" => lab.inside(&machine, make),
                _ => make(),
            }
        }
        ip("addr add 10.0.0.5/24 dev eth0");
        uplink("add br0 eth0 --confirm-within 0").ok();
        assert!(pings("10.100.0.2"), "tagged");
        assert!(pings("10.0.0.2"), "untagged");
    });
}

/// A switch with two ports, eth0 and eth1 of the host, which has 10.0.0.5/24 by
/// the first; the machine behind it has 10.0.0.2/24 and fd00::2/64.
pub fn switch(lab: &Lab) -> Container {
    let machine = lab.container("switch");
    for number in 0..2 {
        let pid = machine.pid();
        ip(&format!(
            "link add eth{number} type veth peer name w{number} netns {pid}"
        ));
        ip(&format!("link set eth{number} up"));
    }
    lab.inside(&machine, || {
        ip("link add sw type bridge");
        for device in ["w0", "w1", "sw"] {
            ip(&format!("link set {device} up"));
        }
        ip("link set w0 master sw");
        ip("link set w1 master sw");
        ip("addr add 10.0.0.2/24 dev sw");
        ip("-6 addr add fd00::2/64 dev sw nodad");
    });
    ip("addr add 10.0.0.5/24 dev eth0");
    machine
}

#[test]
fn two_nics_become_a_bond_while_a_transfer_goes_on_and_two_nics_again() {
    lab!(|lab| {
        needs_bonds!();
        let _guards = Guards;
        let machine = switch(lab);
        ip("-6 addr add fd00::5/64 dev eth0 nodad");
        ip("route add default via 10.0.0.2");
        let before = lab.snapshot();
        let stop = Arc::new(AtomicBool::new(false));
        let mut streams = start(lab, &machine, "10.0.0.5", "10.0.0.2", &stop);
        streams.extend(start(lab, &machine, "fd00::5", "fd00::2", &stop));
        sleep(Duration::from_millis(500));
        let change = Instant::now();
        uplink("add br0 eth0 eth1 --bond active-backup").ok();
        uplink("confirm").ok();
        let said = printed(&uplink("list"));
        assert_eq!(said, "br0  bond-br0 (eth0, eth1)  confirmed\n");
        for nic in ["eth0", "eth1"] {
            assert_eq!(
                ip_json(&format!("link show {nic}"))[0]["master"],
                "bond-br0"
            );
        }
        assert_eq!(ip_json("link show bond-br0")[0]["master"], "br0");
        // One of them is enough.
        sleep(Duration::from_millis(500));
        uplink("del br0").ok();
        sleep(Duration::from_millis(500));
        before.assert_equal(&lab.snapshot(), "after del");
        finish(streams, &stop, change);
    });
}

#[test]
fn a_bond_that_nobody_confirms_is_two_nics_again() {
    lab!(|lab| {
        needs_bonds!();
        let _guards = Guards;
        let _machine = switch(lab);
        let before = lab.snapshot();
        uplink("add br0 eth0 eth1 --bond active-backup --confirm-within 1s").ok();
        wait_for("the guard", || !is_recorded());
        before.assert_equal(&lab.snapshot(), "after the guard went back");
        ip("addr add 10.0.1.5/24 dev eth1");
        let text = uplink("add br0 eth0 eth1 --bond active-backup").refused(19);
        assert!(
            text.contains("eth1 has addresses or routes of its own"),
            "{text}"
        );
    });
}

#[test]
fn a_bond_without_a_carrier_is_not_relied_upon() {
    lab!(|lab| {
        needs_bonds!();
        let _guards = Guards;
        let machine = switch(lab);
        lab.inside(&machine, || ip("link set w1 down"));
        let before = lab.snapshot();
        let text = uplink("add br0 eth0 eth1 --bond active-backup").refused(16);
        assert!(text.contains("wait for the carrier of bond-br0"), "{text}");
        before.assert_equal(&lab.snapshot(), "after a refusal");
    });
}

/// What the kernel says of a bond, below `ad_info` of one that speaks LACP.
fn bond(device: &str) -> Value {
    ip_json(&format!("-d link show {device}"))[0]["linkinfo"]["info_data"].clone()
}

#[test]
fn two_nics_become_a_bond_with_a_switch_that_speaks_lacp_and_two_nics_again() {
    lab!(|lab| {
        needs_bonds!();
        let _guards = Guards;
        let machine = switch(lab);
        let switch_mac = lab.inside(&machine, || {
            ip("link del sw");
            ip("link add ag type bond mode 802.3ad miimon 50 lacp_rate fast");
            for port in ["w0", "w1"] {
                ip(&format!("link set {port} down"));
                ip(&format!("link set {port} master ag"));
                ip(&format!("link set {port} up"));
            }
            ip("link set ag up");
            ip("addr add 10.0.0.2/24 dev ag");
            ip_json("link show ag")[0]["address"].clone()
        });
        let before = lab.snapshot();
        uplink("add br0 eth0 eth1 --bond 802.3ad --confirm-within 300s").ok();
        assert_eq!(bond("bond-br0")["mode"], "802.3ad");
        wait_for("one link of both NICs with the switch", || {
            let ad = &bond("bond-br0")["ad_info"];
            ad["partner_mac"] == switch_mac && ad["num_ports"] == 2
        });
        wait_for("the machine", || pings("10.0.0.2"));
        uplink("confirm").ok();
        uplink("del br0").ok();
        before.assert_equal(&lab.snapshot(), "after del");
    });
}

#[test]
fn a_bond_of_which_the_switch_must_know_says_so_beforehand() {
    lab!(|lab| {
        let _machine = switch(lab);
        let before = lab.snapshot();
        let said = printed(&uplink("add br0 eth0 eth1 --bond 802.3ad --dry-run"));
        assert!(said.contains("802.3ad"), "{said}");
        assert!(said.contains("the switch must speak LACP"), "{said}");
        before.assert_equal(&lab.snapshot(), "nothing is done");
    });
}

/// A real NIC gives its place to a bridge and has it back, under traffic.
fn moved(driver: &'static str) {
    vm!(move |vm| {
        let _guards = Guards;
        let (nic, machine) = vm.cable_of(driver);
        let name = &nic.name;
        ip(&format!("link set {name} up"));
        ip(&format!("addr add 10.0.0.5/24 dev {name}"));
        ip(&format!("-6 addr add fd00::5/64 dev {name} nodad"));
        ip("route add default via 10.0.0.2");
        wait_for("the carrier", || pings("10.0.0.2"));
        let before = vm.snapshot();
        let stop = Arc::new(AtomicBool::new(false));
        let mut streams = start(vm, &machine, "10.0.0.5", "10.0.0.2", &stop);
        streams.extend(start(vm, &machine, "fd00::5", "fd00::2", &stop));
        sleep(Duration::from_millis(500));
        let change = Instant::now();
        uplink(&format!("add br0 {name}")).ok();
        uplink("confirm").ok();
        assert_eq!(ip_json(&format!("link show {name}"))[0]["master"], "br0");
        sleep(Duration::from_millis(500));
        uplink("del br0").ok();
        sleep(Duration::from_millis(500));
        before.assert_equal(&vm.snapshot(), "after del");
        finish(streams, &stop, change);
    });
}

#[test]
fn a_virtio_nic_gives_its_place_to_a_bridge_and_has_it_back_under_traffic() {
    moved("virtio_net");
}

#[test]
fn an_igb_nic_gives_its_place_to_a_bridge_and_has_it_back_under_traffic() {
    moved("igb");
}

#[test]
fn a_bridge_with_another_real_nic_is_a_loop_and_refused() {
    vm!(|vm| {
        let nics = vm.nics("virtio_net");
        let (one, other) = (&nics[0].name, &nics[1].name);
        vm.bridge("br0");
        run("ip", &format!("link set {one} master br0 up"));
        run("ip", &format!("link set {other} up"));
        let text = uplink(&format!("add br0 {other}")).refused(19);
        assert!(
            text.contains(&format!("br0 has an uplink already: {one}")),
            "{text}"
        );
        assert!(fs::read_dir("/run/pipework/uplinks").is_err());
    });
}
