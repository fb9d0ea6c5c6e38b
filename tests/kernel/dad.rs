//! Addresses that are asked for before they are taken.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pipework::request::MacAddr;
use pipework::sys::packet::PacketSocket;
use pipework::sys::{arp, filter, ndisc};

use crate::bridge_vlan::{filtering_bridge, needs_vlan_filtering};
use crate::macvlan::needs_macvlan;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, Outcome, ip, ip_json, lab};
use crate::support::ovs::ovs;
use crate::vlan::needs_8021q;

/// Tries to attach a port of br0 with these fields.
fn on_bridge(lab: &Lab, container: &Container, more: &[&str]) -> Outcome {
    let mut annotations = vec!["pipework.bridge=br0"];
    annotations.extend(more);
    lab.attach(container, &annotations)
}

fn mac_of(lab: &Lab, machine: &Container, name: &str) -> String {
    let link = lab.inside(machine, || ip_json(&format!("link show {name}")));
    link[0]["address"].as_str().unwrap().to_owned()
}

#[test]
fn an_address_of_another_host_is_refused_by_name_and_mac() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let mac = mac_of(lab, &machine, "wire");
        let (host, records) = (lab.snapshot(), Records::take());
        for address in ["10.0.0.2", "fd00::2"] {
            let length = if address.contains(':') { 64 } else { 24 };
            let container = lab.any_container();
            let guest = lab.snapshot_of(&container);
            let asked = format!("pipework.ip={address}/{length}");
            let outcome = on_bridge(lab, &container, &[&asked, "pipework.dad=arp"]);
            let text = outcome.refused(21);
            assert!(text.contains(&format!("{mac} has {address}")), "{text}");
            assert!(text.contains("from: annotation pipework.dad=arp"), "{text}");
            guest.assert_equal(&lab.snapshot_of(&container), "container");
        }
        host.assert_equal(&lab.snapshot(), "host");
        records.assert_equal(&Records::take(), "store");
    });
}

#[test]
fn without_being_asked_for_nothing_is_asked() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        on_bridge(lab, &container, &["pipework.ip=10.0.0.2/24"]).ok();
    });
}

#[test]
fn a_free_address_is_taken_after_the_time_that_was_given() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        for (dad, least) in [("arp", 200), ("arp:600", 600)] {
            let container = lab.any_container();
            let id = container.id.clone();
            let dad = format!("pipework.dad={dad}");
            let begin = Instant::now();
            on_bridge(
                lab,
                &container,
                &["pipework.ip=10.0.0.5/24,fd00::5/64", &dad],
            )
            .ok();
            let took = begin.elapsed();
            let least = Duration::from_millis(least);
            assert!(took >= least, "{took:?}");
            // Not what RFC 5227 takes.
            assert!(took < least + Duration::from_secs(3), "{took:?}");
            container.end();
            lab.poststop(&id).ok();
        }
    });
}

#[test]
fn many_addresses_are_asked_for_at_once() {
    const WAIT: Duration = Duration::from_millis(600);
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        let number = 5..13;
        let addresses: Vec<String> = number
            .flat_map(|n| [format!("10.0.0.{n}/24"), format!("fd00::{n}/64")])
            .collect();
        let ip = format!("pipework.ip={}", addresses.join(","));
        let begin = Instant::now();
        on_bridge(lab, &container, &[&ip, "pipework.dad=arp:600"]).ok();
        let took = begin.elapsed();
        assert!(took >= WAIT, "{took:?}");
        // One after another they would take 16 times as long.
        assert!(took < 8 * WAIT, "{took:?}");
    });
}

#[test]
fn nobodys_cache_learns_anything_from_the_question() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let container = lab.any_container();
        on_bridge(
            lab,
            &container,
            &["pipework.ip=10.0.0.2/24", "pipework.dad=arp"],
        )
        .refused(21);
        let known = lab.inside(&machine, || ip("neigh show"));
        assert!(!known.contains("10.0.0."), "{known}");
    });
}

#[test]
fn a_sibling_on_the_same_nic_is_heard_and_named() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.cable("up0");
        let (one, other) = (lab.container("web"), lab.container("db"));
        let annotations = [
            "pipework.parent=up0",
            "pipework.ip=10.0.0.5/24,fd00::5/64",
            "pipework.dad=arp",
        ];
        lab.attach(&one, &annotations).ok();
        let text = lab.attach(&other, &annotations).refused(21);
        assert!(text.contains(" has 10.0.0.5"), "{text}");
        assert!(text.contains("in use by: web (eth1)"), "{text}");
        let v6 = [annotations[0], "pipework.ip=fd00::5/64", annotations[2]];
        let text = lab.attach(&other, &v6).refused(21);
        assert!(text.contains(" has fd00::5"), "{text}");
    });
}

/// An address of somebody in VLAN 100 is taken there, and free in VLAN 200.
fn each_vlan_is_asked_by_itself(lab: &Lab, uplink: &str) {
    let attach = |name: &str, vlan: &str, more: &[&str]| {
        let container = lab.container(name);
        let asked = [&[uplink, vlan, "pipework.ip=10.0.0.5/24"], more].concat();
        let outcome = lab.attach(&container, &asked);
        (container, outcome)
    };
    let dad = &["pipework.dad=arp"];
    let (_owner, made) = attach("web", "pipework.vlan=100", &[]);
    made.ok();
    let (_rival, refused) = attach("db", "pipework.vlan=100", dad);
    let text = refused.refused(21);
    assert!(text.contains(" has 10.0.0.5"), "{uplink}: {text}");
    let (_elsewhere, made) = attach("mail", "pipework.vlan=200", dad);
    made.ok();
}

#[test]
fn the_question_is_asked_in_the_vlan_of_a_port_of_open_vswitch() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        each_vlan_is_asked_by_itself(lab, "pipework.ovs=ovs0");
    });
}

#[test]
fn the_question_is_asked_in_the_vlan_of_a_nic_and_of_a_bridge() {
    lab!(|lab| {
        needs_8021q!();
        needs_vlan_filtering!();
        let _machine = lab.cable("up0");
        each_vlan_is_asked_by_itself(lab, "pipework.parent=up0");
        filtering_bridge(lab);
        each_vlan_is_asked_by_itself(lab, "pipework.bridge=br0");
    });
}

/// Sends `frame` from `machine` again and again while `act` runs.
fn while_sending<T>(lab: &Lab, machine: &Container, frame: Vec<u8>, act: impl FnOnce() -> T) -> T {
    let socket = lab.inside(machine, || {
        let link = ip_json("link show wire");
        let index = u32::try_from(link[0]["ifindex"].as_u64().unwrap()).unwrap();
        PacketSocket::open(index, &filter::NEIGHBOURS).unwrap()
    });
    let goes_on = Arc::new(AtomicBool::new(true));
    let thread = std::thread::spawn({
        let goes_on = Arc::clone(&goes_on);
        move || {
            while goes_on.load(Ordering::Relaxed) {
                socket.send(&frame).ok();
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    });
    let result = act();
    goes_on.store(false, Ordering::Relaxed);
    thread.join().unwrap();
    result
}

fn stranger() -> MacAddr {
    MacAddr::local([2, 0, 0, 0, 0, 0x99])
}

#[test]
fn another_who_wants_the_address_at_the_same_time_is_noticed() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let v4 = Ipv4Addr::new(10, 0, 0, 5);
        let v6 = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 5);
        for (asked, frame) in [
            ("pipework.ip=10.0.0.5/24", arp::probe(stranger(), v4)),
            ("pipework.ip=fd00::5/64", ndisc::probe(stranger(), v6)),
        ] {
            let container = lab.any_container();
            let outcome = while_sending(lab, &machine, frame, || {
                on_bridge(lab, &container, &[asked, "pipework.dad=arp"])
            });
            let text = outcome.refused(21);
            assert!(text.contains("02:00:00:00:00:99 has "), "{text}");
        }
    });
}

#[test]
fn what_is_said_in_a_vlan_is_of_another_network() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let container = lab.any_container();
        // An announcement, tagged with VLAN 5.
        let mut frame = arp::probe(stranger(), Ipv4Addr::new(10, 0, 0, 5));
        frame.splice(28..32, [10, 0, 0, 5]);
        frame.splice(12..12, [0x81, 0, 0, 5]);
        while_sending(lab, &machine, frame, || {
            on_bridge(
                lab,
                &container,
                &["pipework.ip=10.0.0.5/24", "pipework.dad=arp"],
            )
            .ok();
        });
    });
}

#[test]
fn a_bridge_that_still_learns_is_waited_for() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        // Listening and learning, two seconds each.
        ip("link set br0 type bridge stp_state 1 forward_delay 200");
        let container = lab.any_container();
        let begin = Instant::now();
        let more = ["pipework.ip=10.0.0.2/24", "pipework.dad=arp"];
        on_bridge(lab, &container, &more).refused(21);
        assert!(
            begin.elapsed() > Duration::from_secs(3),
            "{:?}",
            begin.elapsed()
        );
    });
}

#[test]
fn a_nic_without_a_carrier_is_refused_after_a_while() {
    lab!(|lab| {
        needs_macvlan!();
        let machine = lab.cable("up0");
        lab.inside(&machine, || ip("link set wire down"));
        let container = lab.any_container();
        let annotations = [
            "pipework.parent=up0",
            "pipework.ip=10.0.0.5/24",
            "pipework.dad=arp",
        ];
        let before = lab.snapshot();
        let text = lab.attach(&container, &annotations).refused(16);
        assert!(text.contains("eth1 has no carrier"), "{text}");
        before.assert_equal(&lab.snapshot(), "host");
    });
}

#[test]
fn an_optional_interface_is_left_out_when_its_address_is_taken() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        let guest = lab.snapshot_of(&container);
        let more = [
            "pipework.ip=10.0.0.2/24",
            "pipework.dad=arp",
            "pipework.optional=true",
        ];
        on_bridge(lab, &container, &more).ok();
        guest.assert_equal(&lab.snapshot_of(&container), "container");
    });
}
