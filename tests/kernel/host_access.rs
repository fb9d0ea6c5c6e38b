//! Host and container reach each other in spite of macvlan and ipvlan, and
//! nobody else notices.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::Value;

use crate::macvlan::needs_macvlan;
use crate::support::lab::snapshot::Records;
use crate::support::lab::wire::{Capture, answers, pings};
use crate::support::lab::{Container, Lab, add_ipv6_address, ip, ip_json, lab};

const BOTH: &str = "pipework.ip=10.0.0.5/24,fd00::5/64";

/// A NIC up0 that has the host's addresses, and a machine behind it.
pub fn host_with_addresses(lab: &Lab) -> Container {
    let machine = lab.cable("up0");
    ip("addr add 10.0.0.1/24 dev up0");
    add_ipv6_address("fd00::1", "up0");
    machine
}

fn attach(lab: &Lab, container: &Container, more: &[&str]) {
    let mut annotations = vec!["pipework.parent=up0", "pipework.host-access=true"];
    annotations.extend(more);
    lab.attach(container, &annotations).ok();
}

/// The host's own children.
pub fn shims() -> Vec<Value> {
    let links = ip_json("-d link show");
    let all = links.as_array().unwrap().iter();
    let is_shim = |link: &&Value| link["ifname"].as_str().unwrap().starts_with("pws");
    all.filter(is_shim).cloned().collect()
}

fn mac_of(link: &Value) -> [u8; 6] {
    let text = link["address"].as_str().unwrap();
    let octets = text.split(':').map(|octet| u8::from_str_radix(octet, 16));
    let octets: Vec<u8> = octets.map(Result::unwrap).collect();
    octets.try_into().unwrap()
}

#[test]
fn host_and_container_reach_each_other_in_both_families() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = host_with_addresses(lab);
        let container = lab.any_container();
        let more = ["pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.2,fd00::2"];
        attach(lab, &container, &more);
        for address in ["10.0.0.5", "fd00::5"] {
            assert!(pings(address), "host to {address}");
        }
        for address in ["10.0.0.1", "fd00::1", "10.0.0.2", "fd00::2"] {
            assert!(answers(lab, &container, address), "container to {address}");
        }
    });
}

#[test]
fn without_it_they_do_not() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = host_with_addresses(lab);
        let container = lab.any_container();
        lab.attach(&container, &["pipework.parent=up0", BOTH]).ok();
        assert!(!pings("10.0.0.5"));
        assert!(!answers(lab, &container, "fd00::1"));
    });
}

#[test]
fn a_host_that_drops_what_would_go_back_another_way_is_reached_all_the_same() {
    lab!(|lab| {
        needs_macvlan!();
        let machine = host_with_addresses(lab);
        std::fs::write("/proc/sys/net/ipv4/conf/all/rp_filter", "1").unwrap();
        let container = lab.any_container();
        attach(lab, &container, &[BOTH]);
        assert!(pings("10.0.0.5"));
        assert!(answers(lab, &container, "10.0.0.1"));
        assert!(answers(lab, &machine, "10.0.0.1"));
    });
}

#[test]
fn others_on_the_lan_never_see_the_hosts_own_child() {
    lab!(|lab| {
        needs_macvlan!();
        let machine = host_with_addresses(lab);
        let capture = Capture::start(lab, &machine);
        let container = lab.any_container();
        attach(lab, &container, &[BOTH]);
        let shim = mac_of(&shims()[0]);
        assert!(pings("10.0.0.5") && pings("fd00::5"));
        assert!(answers(lab, &container, "10.0.0.1"));
        assert!(answers(lab, &container, "fd00::1"));
        lab.inside(&machine, || ip("neigh flush dev wire"));
        for address in ["10.0.0.1", "fd00::1", "10.0.0.5", "fd00::5"] {
            assert!(answers(lab, &machine, address), "machine to {address}");
        }
        let is_from_shim = |frame: &[u8]| frame[6..12] == shim;
        assert!(!capture.sees(Duration::from_millis(500), is_from_shim));
    });
}

#[test]
fn a_container_that_did_not_ask_for_it_is_not_answered() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = host_with_addresses(lab);
        let (asking, other) = (lab.any_container(), lab.any_container());
        attach(lab, &asking, &[BOTH]);
        let annotations = ["pipework.parent=up0", "pipework.ip=10.0.0.6/24"];
        lab.attach(&other, &annotations).ok();
        assert!(!answers(lab, &other, "10.0.0.1"));
        let known = lab.inside(&other, || ip("neigh show 10.0.0.1"));
        assert!(!known.contains("lladdr"), "{known}");
        assert!(
            answers(lab, &other, "10.0.0.5"),
            "siblings reach each other"
        );
    });
}

#[test]
fn an_address_outside_of_the_hosts_networks_is_reached_by_a_route_to_the_host() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = host_with_addresses(lab);
        let container = lab.any_container();
        let more = ["pipework.ip=10.7.0.5/32,fd07::5/128@10.0.0.2,fd00::2"];
        attach(lab, &container, &more);
        assert!(pings("10.7.0.5") && pings("fd07::5"));
        assert!(answers(lab, &container, "10.0.0.1"));
        assert!(answers(lab, &container, "fd00::1"));
    });
}

#[test]
fn it_survives_that_the_container_forgets_its_neighbours() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = host_with_addresses(lab);
        let container = lab.any_container();
        attach(lab, &container, &[BOTH]);
        lab.inside(&container, || ip("neigh flush dev eth1"));
        assert!(pings("10.0.0.5"));
        assert!(answers(lab, &container, "10.0.0.1"));
        assert!(answers(lab, &container, "fd00::1"));
    });
}

#[test]
fn the_hosts_own_child_is_one_for_all_and_goes_with_the_last() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = host_with_addresses(lab);
        let before = lab.snapshot();
        let (one, other) = (lab.any_container(), lab.any_container());
        attach(lab, &one, &[BOTH]);
        let after_one = lab.snapshot();
        attach(lab, &other, &["pipework.ip=10.0.0.6/24"]);
        assert_eq!(shims().len(), 1);
        assert!(pings("10.0.0.5") && pings("10.0.0.6"));
        other.end();
        lab.poststop("c1").ok();
        after_one.assert_equal(&lab.snapshot(), "host, after the first left");
        assert!(pings("10.0.0.5"));
        one.end();
        lab.poststop("c0").ok();
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn a_container_that_is_back_before_its_former_end_was_told_is_reached() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = host_with_addresses(lab);
        let before = lab.snapshot();
        let mut former = lab.container("web");
        attach(lab, &former, &[BOTH]);
        former.kill();
        // Another name, so that nothing of the former one is cleared away.
        let next = lab.container("web2");
        attach(lab, &next, &[BOTH]);
        assert!(pings("10.0.0.5") && pings("fd00::5"));
        drop(former);
        lab.poststop("web").ok();
        assert!(pings("10.0.0.5") && pings("fd00::5"));
        assert!(answers(lab, &next, "10.0.0.1"));
        next.end();
        lab.poststop("web2").ok();
        before.assert_equal(&lab.snapshot(), "host");
    });
}

#[test]
fn ten_starts_at_once_share_it() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = host_with_addresses(lab);
        let before = lab.snapshot();
        let containers: Vec<Container> = (0..10).map(|_| lab.any_container()).collect();
        let states = containers.iter().enumerate().map(|(place, container)| {
            let address = format!("pipework.ip=10.0.0.{}/24", 10 + place);
            let annotations = ["pipework.parent=up0", "pipework.host-access=true", &address];
            lab.state(container, &annotations).to_string()
        });
        let runs: Vec<_> = states
            .map(|state| {
                std::thread::spawn(move || {
                    crate::support::lab::hook(&["--stage", "createRuntime"], state.as_bytes())
                })
            })
            .collect();
        for run in runs {
            run.join().unwrap().ok();
        }
        assert_eq!(shims().len(), 1);
        for last in 10..20 {
            assert!(pings(&Ipv4Addr::new(10, 0, 0, last).to_string()), "{last}");
        }
        containers.into_iter().for_each(Container::end);
        for place in 0..10 {
            lab.poststop(&format!("c{place}")).ok();
        }
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn a_child_that_somebody_deleted_is_made_again_and_missing_at_the_end_is_fine() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = host_with_addresses(lab);
        let before = lab.snapshot();
        let (one, other) = (lab.any_container(), lab.any_container());
        attach(lab, &one, &[BOTH]);
        let name = shims()[0]["ifname"].as_str().unwrap().to_owned();
        ip(&format!("link del {name}"));
        attach(lab, &other, &["pipework.ip=10.0.0.6/24"]);
        assert!(pings("10.0.0.6"));
        ip(&format!("link del {name}"));
        one.end();
        other.end();
        lab.poststop("c0").ok();
        lab.poststop("c1").ok();
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn a_route_of_the_host_to_that_address_is_not_touched() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = host_with_addresses(lab);
        ip("route add 10.0.0.5/32 dev up0");
        let before = lab.snapshot();
        let container = lab.any_container();
        let annotations = ["pipework.parent=up0", "pipework.host-access=true", BOTH];
        let text = lab.attach(&container, &annotations).refused(16);
        assert!(
            text.contains("has a route to that address already"),
            "{text}"
        );
        before.assert_equal(&lab.snapshot(), "host");
    });
}

#[test]
fn a_host_without_an_address_on_the_nic_is_told_so() {
    lab!(|lab| {
        let _machine = lab.cable("up0");
        let container = lab.any_container();
        let annotations = ["pipework.parent=up0", "pipework.host-access=true", BOTH];
        let text = lab.attach(&container, &annotations).refused(19);
        assert!(text.contains("no IPv4 address on up0"), "{text}");
    });
}

#[test]
fn a_nic_that_is_a_port_of_a_bridge_is_refused_with_the_reason() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.lan("br0");
        ip("addr add 10.0.0.1/24 dev up0");
        let before = lab.snapshot();
        let container = lab.any_container();
        let asked = [
            "pipework.parent=up0",
            "pipework.host-access=true",
            "pipework.ip=10.0.0.5/24",
        ];
        let text = lab.attach(&container, &asked).refused(16);
        assert!(
            text.contains("hint: up0 is a port of a bridge or bond"),
            "{text}"
        );
        before.assert_equal(&lab.snapshot(), "host");
    });
}
