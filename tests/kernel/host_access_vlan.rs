//! Host and container reach each other in a VLAN of a NIC: the host's own child
//! is one of the VLAN's device.

use crate::host_access::shims;
use crate::ipvlan::needs_ipvlan;
use crate::kill::{attach_killed_at, strace_works, was_killed};
use crate::macvlan::needs_macvlan;
use crate::refusal::refuse_each;
use crate::support::lab::snapshot::Records;
use crate::support::lab::wire::{answers, pings};
use crate::support::lab::{Container, Lab, add_ipv6_address, ip, ip_json, lab};
use crate::support::skip;
use crate::vlan::needs_8021q;

const ASKED: [&str; 4] = [
    "pipework.parent=up0",
    "pipework.vlan=100",
    "pipework.host-access=true",
    "pipework.ip=10.7.0.5/24,fd07::5/64",
];

/// A NIC up0 that has the host's addresses, and behind it a machine that is
/// 10.7.0.2 and fd07::2 in VLAN 100.
fn host_at_a_trunk(lab: &Lab) -> Container {
    let machine = lab.nic("up0");
    ip("addr add 10.0.0.1/24 dev up0");
    add_ipv6_address("fd00::1", "up0");
    lab.inside(&machine, || {
        ip("link add link wire name wire.100 type vlan id 100");
        ip("link set wire.100 up");
        ip("addr add 10.7.0.2/24 dev wire.100");
        add_ipv6_address("fd07::2", "wire.100");
        // The other machine knows a way to the host, and is not answered on it.
        ip("route add 10.0.0.1/32 dev wire.100");
    });
    machine
}

fn vlan_devices() -> usize {
    ip_json("link show type vlan").as_array().unwrap().len()
}

#[test]
fn host_and_container_reach_each_other_by_the_hosts_address_on_the_nic() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let machine = host_at_a_trunk(lab);
        let before = lab.snapshot();
        let container = lab.container("web");
        lab.attach(&container, &ASKED).ok();
        assert_eq!(shims()[0]["link"], "up0.100");
        for address in ["10.7.0.5", "fd07::5"] {
            assert!(pings(address), "host to {address}");
        }
        for address in ["10.0.0.1", "fd00::1", "10.7.0.2", "fd07::2"] {
            assert!(answers(lab, &container, address), "container to {address}");
        }
        assert!(answers(lab, &machine, "10.7.0.5"));
        assert!(!answers(lab, &machine, "10.0.0.1"), "the LAN sees no host");
        container.end();
        lab.poststop("web").ok();
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn an_ipvlan_in_a_vlan_is_reached_too() {
    lab!(|lab| {
        needs_8021q!();
        needs_ipvlan!();
        let _machine = host_at_a_trunk(lab);
        let container = lab.container("web");
        let asked = [&ASKED[..], &["pipework.type=ipvlan"]].concat();
        lab.attach(&container, &asked).ok();
        assert!(pings("10.7.0.5") && pings("fd07::5"));
        for address in ["10.0.0.1", "fd00::1"] {
            assert!(answers(lab, &container, address), "container to {address}");
        }
    });
}

#[test]
fn an_ipvlan_that_routes_needs_an_address_of_the_host_in_the_vlan() {
    lab!(|lab| {
        needs_8021q!();
        needs_ipvlan!();
        let _machine = host_at_a_trunk(lab);
        let container = lab.container("web");
        let more = ["pipework.type=ipvlan", "pipework.mode=l3s"];
        let asked = [&ASKED[..], &more].concat();
        let text = lab.attach(&container, &asked).refused(19);
        assert!(text.contains("no IPv4 address on up0.100"), "{text}");
        ip("link add link up0 name up0.100 type vlan id 100");
        ip("link set up0.100 up");
        ip("addr add 10.7.0.1/24 dev up0.100");
        add_ipv6_address("fd07::1", "up0.100");
        lab.attach(&container, &asked).ok();
        assert!(pings("10.7.0.5") && pings("fd07::5"));
        for address in ["10.7.0.1", "fd07::1"] {
            assert!(answers(lab, &container, address), "container to {address}");
        }
    });
}

#[test]
fn the_host_is_reached_by_its_own_address_in_the_vlan_where_it_has_one() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = host_at_a_trunk(lab);
        ip("link add link up0 name office type vlan id 100");
        ip("link set office up");
        ip("addr add 10.7.0.1/24 dev office");
        let before = lab.snapshot();
        let container = lab.container("web");
        lab.attach(&container, &ASKED).ok();
        assert_eq!(shims()[0]["link"], "office");
        let way = ip_json("route get 10.7.0.5");
        assert_eq!(way[0]["prefsrc"], "10.7.0.1");
        assert!(pings("10.7.0.5") && pings("fd07::5"));
        for address in ["10.7.0.1", "fd00::1"] {
            assert!(answers(lab, &container, address), "container to {address}");
        }
        container.end();
        lab.poststop("web").ok();
        before.assert_equal(&lab.snapshot(), "host");
    });
}

#[test]
fn the_hosts_child_goes_before_the_vlan_that_others_use() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = host_at_a_trunk(lab);
        let before = lab.snapshot();
        let (one, other) = (lab.container("one"), lab.container("other"));
        lab.attach(&other, &ASKED[..2]).ok();
        lab.attach(&one, &ASKED).ok();
        assert_eq!((shims().len(), vlan_devices()), (1, 1));
        one.end();
        lab.poststop("one").ok();
        assert_eq!((shims().len(), vlan_devices()), (0, 1));
        other.end();
        lab.poststop("other").ok();
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn it_is_taken_back_from_every_step() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = host_at_a_trunk(lab);
        refuse_each(lab, &lab.any_container(), &ASKED);
    });
}

#[test]
fn a_hook_that_is_killed_leaves_nothing_of_it() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = host_at_a_trunk(lab);
        let before = lab.snapshot();
        for call in (4..400).step_by(3) {
            let container = lab.container("web");
            let killed = was_killed(&attach_killed_at(lab, &container, &ASKED, call));
            container.end();
            lab.gc().ok();
            before.assert_equal(&lab.snapshot(), &format!("host, call {call}"));
            let records = Records::take();
            assert!(records.is_empty(), "call {call}: {records:?}");
            if !killed {
                return;
            }
        }
        panic!("the hook never survived");
    });
}

#[test]
fn the_other_kind_of_child_on_one_nic_is_refused_with_who_is_there() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        needs_ipvlan!();
        let _machine = host_at_a_trunk(lab);
        lab.attach(&lab.container("web"), &ASKED).ok();
        let before = lab.snapshot();
        let other = [
            ASKED[0],
            ASKED[1],
            ASKED[2],
            "pipework.type=ipvlan",
            "pipework.ip=10.7.0.6/24",
        ];
        let text = lab.attach(&lab.container("db"), &other).refused(16);
        assert!(
            text.contains("carries children of the other kind"),
            "{text}"
        );
        assert!(text.contains("web (eth1)"), "{text}");
        before.assert_equal(&lab.snapshot(), "host");
    });
}
