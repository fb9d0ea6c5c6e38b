//! What a NIC had, captured and given back by the kernel's own bytes.

use std::time::Duration;

use pipework::deadline::Deadline;
use pipework::sys::block_on;
use pipework::sys::rtnl::{NicState, Rtnl};

use crate::support::lab::snapshot::Snapshot;
use crate::support::lab::{Container, Lab, await_own_route, ip, ip_json, lab, sleeper};

/// Everything that a NIC can have, with a bit of each family.
pub fn furnish(lab: &Lab, nic: &str) -> Container {
    let machine = lab.nic(nic);
    for line in [
        "link set NIC mtu 1400 txqueuelen 77",
        "addr add 10.0.0.5/24 brd + dev NIC label NIC:1",
        "addr add 10.0.0.6/24 dev NIC",
        "addr add 10.9.0.1 peer 10.9.0.2 dev NIC metric 50",
        "addr add 10.8.0.1/16 dev NIC noprefixroute scope link",
        "-6 addr add fd00::5/64 dev NIC nodad",
        "-6 addr add fd00:1::5/64 dev NIC nodad noprefixroute",
        "-6 addr add fe80::5/64 dev NIC nodad",
        "route add default via 10.0.0.1 metric 100 proto dhcp src 10.0.0.6",
        "route add default via 10.7.0.1 dev NIC onlink table 100",
        "route add 10.20.0.0/16 mtu 1300 advmss 1200 nexthop via 10.0.0.1 weight 2 nexthop via 10.0.0.3",
        "route append 10.20.0.0/16 via 10.0.0.4",
        "-6 route add default via fe80::1 dev NIC metric 30 pref high",
        "-6 route add fd20::/64 nexthop via fd00::1 nexthop via fd00::2",
        "-6 route add fd21::/64 via fd00::1 expires 900",
        "nexthop add id 7 via 10.0.0.1 dev NIC",
        "nexthop add id 8 via 10.0.0.2 dev NIC",
        "nexthop add id 9 group 7,3/8",
        "route add 10.30.0.0/16 nhid 9",
        "route add 10.31.0.0/16 nhid 7",
        "rule add iif NIC lookup 100 pref 500",
        "rule add oif NIC uidrange 0-7 lookup 100 pref 501",
        "-6 rule add not oif NIC fwmark 3/7 lookup 100 pref 502",
        "neigh add 10.0.0.77 lladdr 02:00:00:00:00:77 dev NIC",
        "neigh add proxy 10.0.0.78 dev NIC",
        "-6 neigh add fd00::77 lladdr 02:00:00:00:00:77 dev NIC",
    ] {
        ip(&line.replace("NIC", nic));
    }
    for address in ["fd00::5", "fd00:1::5", "fe80::5"] {
        await_own_route(address, nic);
    }
    for (leaf, value) in [
        ("ipv4", "rp_filter=2"),
        ("ipv6", "accept_ra=2"),
        ("ipv4", "arp_ignore=1"),
    ] {
        let (name, value) = value.split_once('=').unwrap();
        let path = format!("/proc/sys/net/{leaf}/conf/{nic}/{name}");
        std::fs::write(path, value).unwrap();
    }
    machine
}

pub fn rtnl() -> Rtnl {
    Rtnl::open(Deadline::after(Duration::from_secs(20))).unwrap()
}

pub fn index_of(nic: &str) -> u32 {
    let index = ip_json(&format!("link show {nic}"))[0]["ifindex"].as_u64();
    u32::try_from(index.unwrap()).unwrap()
}

pub fn capture(nic: &str) -> NicState {
    let captured = block_on(NicState::capture(&rtnl(), index_of(nic))).unwrap();
    captured.unwrap().unwrap()
}

#[track_caller]
fn restore(state: &NicState, nic: &str) {
    // Through a record, as it will be.
    let text = serde_json::to_string(state).unwrap();
    let state: NicState = serde_json::from_str(&text).unwrap();
    let failures = block_on(state.restore(&rtnl(), index_of(nic)))
        .unwrap()
        .unwrap();
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Without what counts on by itself, and without what changed on purpose.
fn steady(state: NicState) -> NicState {
    NicState {
        captured_at: 0,
        ifindex: 0,
        routes: Vec::new(),
        ..state
    }
}

#[test]
fn what_a_nic_had_is_there_again_after_it_was_in_another_namespace() {
    lab!(|lab| {
        let _machine = furnish(lab, "nic0");
        let state = capture("nic0");
        let before = Snapshot::take();
        let away = lab.any_container();
        ip(&format!("link set nic0 netns {}", away.pid()));
        let mut home = sleeper();
        lab.inside(&away, || {
            ip("link set nic0 up mtu 1500 txqueuelen 5");
            ip(&format!("link set nic0 netns {}", home.id()));
        });
        home.kill().unwrap();
        home.wait().unwrap();
        restore(&state, "nic0");
        before.assert_equal(&Snapshot::take(), "after it came back");
        let again = capture("nic0");
        // How long a route still lasts is another by now.
        let (again, before) = [again, state].map(steady).into();
        assert_eq!(again, before);
    });
}

#[test]
fn what_a_nic_has_already_is_not_given_twice() {
    lab!(|lab| {
        let _machine = furnish(lab, "nic0");
        let state = capture("nic0");
        let before = Snapshot::take();
        restore(&state, "nic0");
        restore(&state, "nic0");
        before.assert_equal(&Snapshot::take(), "after it was restored twice");
    });
}
