//! The port of a bridge that leads out is in a VLAN while somebody uses it.

use std::fs;
use std::process::Command;

use crate::bridge_vlan::{
    ASKED, GRANTING, bond, filtering_bridge, needs_vlan_filtering, ours, vlan, vlans,
};
use crate::policy;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, ip, lab};
use crate::uplink::{Guards, uplink};
use crate::vlan_device::all_at_once;

#[test]
fn the_uplink_port_is_told_of_the_vlan_while_somebody_uses_it() {
    lab!(|lab| {
        needs_vlan_filtering!();
        filtering_bridge(lab);
        let Some(_machine) = bond(lab) else {
            crate::support::skip!("kernel has no bond");
        };
        let own = vlans("br0");
        let before = lab.snapshot();
        let first = lab.any_container();
        lab.attach(&first, &ASKED).ok();
        let untagged = "1 PVID Egress Untagged";
        assert_eq!(vlans("bond0"), [untagged, "100"]);
        let second = lab.any_container();
        lab.attach(&second, &ASKED).ok();
        let trunk = lab.any_container();
        lab.attach(&trunk, &[ASKED[0], "pipework.trunk=99-101"])
            .ok();
        assert_eq!(vlans("bond0"), [untagged, "99-101"]);
        assert_eq!(vlans("br0"), own, "whether the host takes part is not ours");
        trunk.end();
        lab.poststop("c2").ok();
        assert_eq!(vlans("bond0"), [untagged, "100"], "others use VLAN 100");
        first.end();
        lab.poststop("c0").ok();
        assert_eq!(vlans("bond0"), [untagged, "100"], "one uses VLAN 100");
        second.end();
        lab.poststop("c1").ok();
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn a_port_that_had_the_vlan_before_us_keeps_it() {
    lab!(|lab| {
        needs_vlan_filtering!();
        filtering_bridge(lab);
        let Some(_machine) = bond(lab) else {
            crate::support::skip!("kernel has no bond");
        };
        vlan("add dev bond0 vid 100");
        let before = lab.snapshot();
        let container = lab.any_container();
        lab.attach(&container, &[ASKED[0], "pipework.trunk=100-102"])
            .ok();
        assert_eq!(vlans("bond0"), ["1 PVID Egress Untagged", "100-102"]);
        container.end();
        lab.poststop("c0").ok();
        before.assert_equal(&lab.snapshot(), "host");
    });
}

#[test]
fn policy_names_the_ports_that_lead_out() {
    lab!(|lab| {
        needs_vlan_filtering!();
        filtering_bridge(lab);
        let _machine = lab.nic("up0");
        ip("link set up0 master br0");
        let container = lab.any_container();
        let plan = || {
            let mut command = Command::new(crate::support::lab::PIPEWORK);
            command.args(["plan", "--annotation", ASKED[0], "--annotation", ASKED[1]]);
            String::from_utf8(command.output().unwrap().stdout).unwrap()
        };
        let nowhere = "VLAN 100 ends inside this host: br0 has no uplink port";
        assert!(plan().contains(nowhere), "{}", plan());
        lab.attach(&container, &ASKED).ok();
        assert_eq!(vlans("up0"), ["1 PVID Egress Untagged"]);
        policy::write(&format!("{GRANTING}uplink-ports = [\"up*\"]\n"));
        assert!(!plan().contains("ends inside"), "{}", plan());
        let second = lab.any_container();
        lab.attach(&second, &ASKED).ok();
        assert_eq!(vlans("up0"), ["1 PVID Egress Untagged", "100"]);
        second.end();
        lab.poststop("c1").ok();
        assert_eq!(vlans("up0"), ["1 PVID Egress Untagged"]);
    });
}

#[test]
fn an_uplink_that_comes_after_its_users_is_told_at_once() {
    lab!(|lab| {
        needs_vlan_filtering!();
        let _guards = Guards;
        filtering_bridge(lab);
        policy::write(&format!("{GRANTING}uplink-ports = [\"up*\"]\n"));
        let container = lab.any_container();
        lab.attach(&container, &ASKED).ok();
        let _machine = lab.cable("up0");
        uplink("add br0 up0 --confirm-within 0").ok();
        assert_eq!(vlans("up0"), ["1 PVID Egress Untagged", "100"]);
        uplink("del br0").ok();
        container.end();
        lab.poststop("c0").ok();
        assert!(Records::take().of("objects").is_empty());
    });
}

#[test]
fn a_port_that_came_after_the_first_user_is_told_by_the_next() {
    lab!(|lab| {
        needs_vlan_filtering!();
        filtering_bridge(lab);
        policy::write(&format!("{GRANTING}uplink-ports = [\"up*\"]\n"));
        let first = lab.any_container();
        lab.attach(&first, &ASKED).ok();
        let _machine = lab.nic("up0");
        ip("link set up0 master br0");
        let second = lab.any_container();
        lab.attach(&second, &ASKED).ok();
        assert_eq!(vlans("up0"), ["1 PVID Egress Untagged", "100"]);
    });
}

#[test]
fn an_uplink_port_that_left_and_came_back_is_told_again_by_the_sweep() {
    lab!(|lab| {
        needs_vlan_filtering!();
        filtering_bridge(lab);
        let Some(_machine) = bond(lab) else {
            crate::support::skip!("kernel has no bond");
        };
        let before = lab.snapshot();
        let container = lab.any_container();
        lab.attach(&container, &ASKED).ok();
        ip("link set bond0 nomaster");
        ip("link set bond0 master br0");
        assert_eq!(vlans("bond0"), ["1 PVID Egress Untagged"]);
        lab.gc().ok();
        assert_eq!(vlans("bond0"), ["1 PVID Egress Untagged", "100"]);
        ip("link set bond0 nomaster");
        container.end();
        lab.poststop("c0").ok();
        ip("link set bond0 master br0");
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn users_in_no_record_do_not_keep_the_uplink_port_in_a_vlan() {
    lab!(|lab| {
        needs_vlan_filtering!();
        filtering_bridge(lab);
        let Some(_machine) = bond(lab) else {
            crate::support::skip!("kernel has no bond");
        };
        let before = lab.snapshot();
        let container = lab.any_container();
        lab.attach(&container, &ASKED).ok();
        let port = ours("br0").remove(0);
        for kind in ["attachments", "containers", "macs"] {
            for path in Records::take().of(kind) {
                fs::remove_file(path).unwrap();
            }
        }
        ip(&format!("link del {port}"));
        let said = lab.gc();
        let said = String::from_utf8_lossy(&said.ok().0.stdout).into_owned();
        assert!(said.contains("VLAN 100"), "{said}");
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn sixty_four_starts_at_once_join_the_uplink_port_once() {
    lab!(|lab| {
        needs_vlan_filtering!();
        filtering_bridge(lab);
        let Some(_machine) = bond(lab) else {
            crate::support::skip!("kernel has no bond");
        };
        let before = lab.snapshot();
        let containers: Vec<Container> = (0..64).map(|_| lab.any_container()).collect();
        for outcome in all_at_once(lab, &containers, &ASKED) {
            outcome.ok();
        }
        assert_eq!(vlans("bond0"), ["1 PVID Egress Untagged", "100"]);
        let ids: Vec<String> = containers.iter().map(|c| c.id.clone()).collect();
        drop(containers);
        for id in ids {
            lab.poststop(&id).ok();
        }
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}
