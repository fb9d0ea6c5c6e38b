//! A bridge of a real Open vSwitch in a NIC's place, and what its database says
//! before and after.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::nic_state::furnish;
use crate::support::lab::{Lab, ip, ip_json, lab};
use crate::support::ovs::{Ovs, SOCKET, ovs, reaches};
use crate::support::skip;
use crate::uplink::{Guards, is_recorded, printed, uplink, wait_for};
use crate::uplink_links::{has_vlans, needs_bonds, switch};
use crate::uplink_traffic::{finish, prepared, start};

fn mac(device: &str) -> String {
    let link = ip_json(&format!("link show {device}"));
    link[0]["address"].as_str().unwrap().to_owned()
}

/// A bridge that is up and has an address of its own.
fn bridge(ovs: &Ovs) {
    ovs.bridge("ovs0");
    ovs.vsctl("set bridge ovs0 other-config:hwaddr=\"02:00:00:00:00:77\"");
    ip("addr add 192.168.7.1/24 dev ovs0");
}

#[test]
fn a_bridge_of_open_vswitch_has_the_nics_place_and_gives_it_back() {
    lab!(|lab| {
        let _guards = Guards;
        let ovs = ovs!(lab);
        bridge(&ovs);
        let _machine = furnish(lab, "eth0");
        let (before, rows) = (lab.snapshot(), ovs.rows());
        let said = printed(&uplink("add ovs0 eth0"));
        assert!(said.contains("keeps the port across boots"), "{said}");
        assert_eq!(ovs.ports("ovs0"), ["eth0"]);
        assert_eq!(mac("ovs0"), mac("eth0"));
        let shown = ip_json("addr show dev ovs0").to_string();
        assert!(
            shown.contains("10.0.0.5") && shown.contains("192.168.7.1"),
            "{shown}"
        );
        assert_eq!(ip_json("route show default")[0]["dev"], "ovs0");
        uplink("confirm").ok();
        uplink("del ovs0").ok();
        assert_eq!(ovs.rows(), rows);
        before.assert_equal(&lab.snapshot(), "after del");
        assert!(!is_recorded());
    });
}

/// A port of ovs0 with this name reaches what is behind it, until it is taken back.
fn serves(lab: &Lab, ovs: &Ovs, arguments: &str, port: &str, (own, other): (&str, &str)) {
    let (before, rows) = (lab.snapshot(), ovs.rows());
    uplink(&format!("add ovs0 {arguments}")).ok();
    assert_eq!(ovs.ports("ovs0"), [port]);
    uplink("confirm").ok();
    ip(&format!("addr add {own}/24 dev ovs0"));
    let container = lab.container("probe");
    let asked = format!("pipework.ip={}9/24", own.trim_end_matches('5'));
    lab.attach(&container, &["pipework.ovs=ovs0", &asked]).ok();
    // A switch that is new to a neighbour may take a moment.
    wait_for(other, || reaches(lab, &container, other));
    container.end();
    lab.poststop("probe").ok();
    ip(&format!("addr del {own}/24 dev ovs0"));
    uplink("del ovs0").ok();
    assert_eq!(ovs.rows(), rows, "{arguments}");
    for nic in ["eth0", "eth1"] {
        // ovs-vswitchd classifies what comes by a bond where it comes in, and leaves that
        // behind (netdev_linux_update_lag).
        let mut tc = Command::new("tc");
        tc.args(["qdisc", "del", "dev", nic, "ingress"])
            .output()
            .ok();
    }
    before.assert_equal(&lab.snapshot(), arguments);
}

#[test]
fn a_vlan_of_the_nic_becomes_a_port_of_open_vswitch_and_goes_again() {
    lab!(|lab| {
        let _guards = Guards;
        let machine = lab.cable("eth0");
        if !has_vlans() {
            skip!("kernel has no 8021q");
        }
        let ovs = ovs!(lab);
        bridge(&ovs);
        ip("addr add 10.0.0.5/24 dev eth0");
        lab.inside(&machine, || {
            ip("link add link wire name wire.100 type vlan id 100");
            ip("link set wire.100 up");
            ip("addr add 10.100.0.2/24 dev wire.100");
        });
        let reached = ("10.100.0.5", "10.100.0.2");
        serves(lab, &ovs, "eth0 --vlan 100", "eth0.100", reached);
    });
}

#[test]
fn two_nics_become_a_bond_of_open_vswitch_and_two_nics_again() {
    lab!(|lab| {
        let _guards = Guards;
        needs_bonds!();
        let ovs = ovs!(lab);
        bridge(&ovs);
        let machine = switch(lab);
        lab.inside(&machine, || ip("addr add 10.100.0.2/24 dev sw"));
        let reached = ("10.100.0.5", "10.100.0.2");
        let arguments = "eth0 eth1 --bond active-backup";
        serves(lab, &ovs, arguments, "bond-ovs0", reached);
    });
}

#[test]
fn a_transfer_goes_on_while_open_vswitch_takes_the_nic() {
    lab!(|lab| {
        let _guards = Guards;
        let ovs = ovs!(lab);
        if !ovs.in_kernel {
            // A veth leaves checksums to who comes after it, which is nobody.
            skip!("kernel has no datapath of Open vSwitch");
        }
        bridge(&ovs);
        let machine = prepared(lab);
        let stop = Arc::new(AtomicBool::new(false));
        let streams = start(lab, &machine, "10.0.0.5", "10.77.0.1", &stop);
        sleep(Duration::from_millis(500));
        let change = Instant::now();
        uplink("add ovs0 eth0").ok();
        sleep(Duration::from_millis(700));
        uplink("confirm").ok();
        uplink("del ovs0").ok();
        sleep(Duration::from_millis(500));
        finish(streams, &stop, change);
    });
}

#[test]
fn containers_of_that_bridge_reach_the_network_behind_the_nic() {
    lab!(|lab| {
        let _guards = Guards;
        let ovs = ovs!(lab);
        bridge(&ovs);
        let _machine = lab.cable("eth0");
        ip("addr add 10.0.0.5/24 dev eth0");
        uplink("add ovs0 eth0 --confirm-within 0").ok();
        let container = lab.container("web");
        lab.attach(
            &container,
            &["pipework.ovs=ovs0", "pipework.ip=10.0.0.9/24"],
        )
        .ok();
        for address in ["10.0.0.2", "10.0.0.5"] {
            // A switch that is new to a neighbour may take a moment.
            wait_for(address, || reaches(lab, &container, address));
        }
    });
}

#[test]
fn a_change_of_open_vswitch_that_nobody_confirms_goes_back() {
    lab!(|lab| {
        let _guards = Guards;
        let ovs = ovs!(lab);
        bridge(&ovs);
        let _machine = furnish(lab, "eth0");
        let (before, rows) = (lab.snapshot(), ovs.rows());
        uplink("add ovs0 eth0 --confirm-within 1s").ok();
        wait_for("the guard", || !is_recorded());
        assert_eq!(ovs.rows(), rows);
        before.assert_equal(&lab.snapshot(), "after the guard went back");
    });
}

#[test]
fn an_open_vswitch_that_does_not_work_is_not_relied_upon() {
    lab!(|lab| {
        let _guards = Guards;
        let mut ovs = ovs!(lab);
        bridge(&ovs);
        let _machine = lab.cable("eth0");
        ip("addr add 10.0.0.5/24 dev eth0");
        refused_port(lab, &ovs);
        let before = lab.snapshot();
        ovs.kill_server();
        let text = uplink("add ovs0 eth0").refused(19);
        assert!(text.contains("nobody listens"), "{text}");
        // Where it is installed, a missing bridge may be one that the database will have
        // again.
        let settings = format!("ovsdb = \"{SOCKET}\"\n");
        fs::create_dir_all("/etc/pipework").unwrap();
        fs::write("/etc/pipework/config.toml", settings).unwrap();
        let text = uplink("add br0 eth0").refused(19);
        let said = "there is no br0, and Open vSwitch, whose bridge it may be, does not answer";
        assert!(text.contains(said), "{text}");
        // The usual database is not asked where the settings may name another one.
        fs::write("/etc/pipework/config.toml", "ovsbd = \"/run/other\"\n").unwrap();
        let text = uplink("add ovs0 eth0").refused(19);
        let said = "/etc/pipework/config.toml:1:1: unknown field `ovsbd`";
        assert!(text.contains(said), "{text}");
        before.assert_equal(&lab.snapshot(), "without a server");
    });
}

/// A NIC that the database has already is refused, and everything undone.
fn refused_port(lab: &Lab, ovs: &Ovs) {
    ovs.bridge("ovs1");
    ovs.vsctl("add-port ovs1 eth0");
    let (before, rows) = (lab.snapshot(), ovs.rows());
    // The kernel's datapath makes it a port that everybody sees.
    let code = if ovs.in_kernel { 19 } else { 16 };
    let text = uplink("add ovs0 eth0").refused(code);
    assert!(text.contains("already"), "{text}");
    assert_eq!(ovs.rows(), rows);
    before.assert_equal(&lab.snapshot(), "after a refusal");
    ovs.vsctl("del-br ovs1");
}
