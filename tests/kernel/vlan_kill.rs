//! A hook that is refused or killed while it makes what several containers share
//! leaves nothing, neither by itself nor for those who come after it.

use serde_json::Value;

use crate::bridge_vlan::{GRANTING, bond, filtering_bridge, filters, needs_vlan_filtering, vlans};
use crate::kill::{attach_killed_at, strace_works, was_killed};
use crate::macvlan::needs_macvlan;
use crate::policy;
use crate::refusal::refuse_each;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Lab, ip, ip_json, lab};
use crate::support::ovs::eventually;
use crate::support::skip;
use crate::vlan::needs_8021q;

/// Kills the hook in one call after another, until it survives. Each time the
/// runtime tries once more, and then the container ends.
fn killed_and_tried_again(lab: &Lab, asked: &[&str], is_in_place: impl Fn() -> bool) {
    let before = lab.snapshot();
    for call in (4..400).step_by(3) {
        let container = lab.container("web");
        let killed = was_killed(&attach_killed_at(lab, &container, asked, call));
        if call % 2 == 0 {
            lab.attach(&container, asked).ok();
            assert!(is_in_place(), "call {call}");
        }
        container.end();
        lab.poststop("web").ok();
        if !Records::take().is_empty() {
            lab.gc().ok();
        }
        before.assert_equal(&lab.snapshot(), &format!("host, call {call}"));
        let records = Records::take();
        assert!(records.is_empty(), "call {call}: {records:?}");
        if !killed {
            return;
        }
    }
    panic!("the hook never survived");
}

#[test]
fn a_vlan_of_a_nic_is_taken_back_from_every_step() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let asked = [
            "pipework.0.parent=up0",
            "pipework.0.vlan=100",
            "pipework.0.ip=10.0.0.5/24@10.0.0.1",
            "pipework.1.parent=up0",
            "pipework.1.vlan=100",
        ];
        refuse_each(lab, &lab.any_container(), &asked);
    });
}

#[test]
fn a_port_in_a_vlan_is_taken_back_from_every_step() {
    lab!(|lab| {
        needs_vlan_filtering!();
        filtering_bridge(lab);
        let Some(_machine) = bond(lab) else {
            skip!("kernel has no bond");
        };
        let asked = [
            "pipework.bridge=br0",
            "pipework.vlan=100",
            "pipework.trunk=10,20-30",
            "pipework.ip=10.0.0.5/24@10.0.0.1",
        ];
        refuse_each(lab, &lab.any_container(), &asked);
    });
}

#[test]
fn a_bridge_made_for_a_vlan_is_taken_back_from_every_step() {
    lab!(|lab| {
        needs_vlan_filtering!();
        let asked = ["pipework.bridge=br7", "pipework.vlan=100"];
        refuse_each(lab, &lab.any_container(), &asked);
    });
}

#[test]
fn a_hook_that_is_killed_leaves_no_vlan_device() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let asked = ["pipework.parent=up0", "pipework.vlan=100"];
        let is_there = || {
            let links: Value = ip_json("link show type vlan");
            links[0]["ifname"] == "up0.100"
        };
        killed_and_tried_again(lab, &asked, is_there);
    });
}

#[test]
fn a_hook_that_is_killed_leaves_no_membership() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        needs_vlan_filtering!();
        filtering_bridge(lab);
        let Some(_machine) = bond(lab) else {
            skip!("kernel has no bond");
        };
        let asked = ["pipework.bridge=br0", "pipework.vlan=100"];
        let is_member = || vlans("bond0") == ["1 PVID Egress Untagged", "100"];
        killed_and_tried_again(lab, &asked, is_member);
    });
}

#[test]
fn filtering_that_a_killed_hook_switched_on_stays_for_whoever_joined_since() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        needs_vlan_filtering!();
        policy::write(GRANTING);
        let asked = ["pipework.bridge=br0", "pipework.vlan=100"];
        let mut was_on = 0;
        for call in 4..400 {
            lab.bridge("br0");
            let before = lab.snapshot();
            let container = lab.container("web");
            let killed = was_killed(&attach_killed_at(lab, &container, &asked, call));
            // A start whose record is complete has happened: its end is any end.
            let is_cut = killed && !Records::take().has_complete();
            was_on += usize::from(is_cut && filters("br0"));
            let joins = call % 2 == 0;
            let other = lab.any_container();
            if joins {
                lab.attach(&other, &asked).ok();
            }
            container.end();
            if !joins {
                // The kernel takes the port away in the background, and a port
                // that is there may rely on it.
                eventually("its port is gone", || {
                    ip_json("link show master br0")
                        .as_array()
                        .unwrap()
                        .is_empty()
                });
            }
            if is_cut && !joins {
                // Who was killed may still hold its lock while it dies.
                eventually(&format!("filtering is off again, call {call}"), || {
                    lab.gc().ok();
                    !filters("br0")
                });
            }
            lab.gc().ok();
            if joins || !is_cut {
                assert!(filters("br0"), "call {call}: somebody relies on it");
            } else {
                before.assert_equal(&lab.snapshot(), &format!("call {call}"));
            }
            let id = other.id.clone();
            other.end();
            lab.poststop(&id).ok();
            ip("link del br0");
            lab.gc().ok();
            let records = Records::take();
            assert!(records.is_empty(), "call {call}: {records:?}");
            if !killed {
                assert!(was_on > 0, "it was never switched on in between");
                return;
            }
        }
        panic!("the hook never survived");
    });
}
