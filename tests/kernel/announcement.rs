//! What neighbours hear of a new interface, and that its first frame passes.

use std::net::Ipv6Addr;
use std::time::Duration;

use crate::commands::{named, pipework};
use crate::macvlan::needs_macvlan;
use crate::support::lab::wire::{Capture, is_advertisement, is_arp_announcement};
use crate::support::lab::{Container, Lab, has, lab, run};
use crate::support::skip;

const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x42];
const ASKED_MAC: &str = "pipework.mac=02:00:00:00:00:42";
const V4: [u8; 4] = [10, 0, 0, 5];
const V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 5);
const PATIENCE: Duration = Duration::from_millis(900);

/// Attaches a container while `machine` listens.
fn heard(lab: &Lab, machine: &Container, annotations: &[&str]) -> (Capture, Container) {
    let capture = Capture::start(lab, machine);
    let container = lab.any_container();
    let mut all = vec![ASKED_MAC];
    all.extend(annotations);
    lab.attach(&container, &all).ok();
    (capture, container)
}

#[test]
fn a_port_of_a_bridge_announces_its_ipv4_address() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let asked = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];
        let (capture, _container) = heard(lab, &machine, &asked);
        assert!(capture.sees(PATIENCE, |f| is_arp_announcement(f, MAC, V4)));
    });
}

#[test]
fn the_classic_command_announces_what_it_gives() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let container = lab.any_container();
        type Is = fn(&[u8]) -> bool;
        let each: [(&str, &str, Is); 2] = [
            ("eth1", "10.0.0.5/24", |f| is_arp_announcement(f, MAC, V4)),
            ("eth2", "fd00::5/64", |f| is_advertisement(f, MAC, V6)),
        ];
        for (interface, address, is_said) in each {
            let capture = Capture::start(lab, &machine);
            let name = named(&container);
            let mac = "02:00:00:00:00:42";
            pipework(&format!("br0 -i {interface} {name} {address} {mac}")).ok();
            assert!(capture.sees(PATIENCE, is_said), "{address}");
        }
    });
}

#[test]
fn a_macvlan_announces_its_ipv4_address() {
    lab!(|lab| {
        needs_macvlan!();
        let machine = lab.cable("up0");
        let asked = ["pipework.parent=up0", "pipework.ip=10.0.0.5/24"];
        let (capture, _container) = heard(lab, &machine, &asked);
        assert!(capture.sees(PATIENCE, |f| is_arp_announcement(f, MAC, V4)));
    });
}

#[test]
fn a_port_of_a_bridge_advertises_its_ipv6_address() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let asked = ["pipework.bridge=br0", "pipework.ip=fd00::5/64"];
        let (capture, _container) = heard(lab, &machine, &asked);
        assert!(capture.sees(PATIENCE, |f| is_advertisement(f, MAC, V6)));
    });
}

#[test]
fn a_macvlan_advertises_its_ipv6_address() {
    lab!(|lab| {
        needs_macvlan!();
        let machine = lab.cable("up0");
        let asked = ["pipework.parent=up0", "pipework.ip=fd00::5/64"];
        let (capture, _container) = heard(lab, &machine, &asked);
        assert!(capture.sees(PATIENCE, |f| is_advertisement(f, MAC, V6)));
    });
}

#[test]
fn addresses_of_several_subnets_are_all_announced() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let asked = ["pipework.bridge=br0", "pipework.ip=10.1.0.5/24,10.0.0.5/24"];
        let (capture, _container) = heard(lab, &machine, &asked);
        assert!(capture.sees(PATIENCE, |f| is_arp_announcement(f, MAC, V4)));
        // The kernel repeats each of them after a second.
        let first = |frame: &[u8]| is_arp_announcement(frame, MAC, [10, 1, 0, 5]);
        assert!(capture.sees(2 * PATIENCE, first));
    });
}

#[test]
fn a_second_address_of_one_subnet_is_announced() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let asked = ["pipework.bridge=br0", "pipework.ip=10.0.0.6/24,10.0.0.5/24"];
        let (capture, _container) = heard(lab, &machine, &asked);
        assert!(capture.sees(PATIENCE, |f| is_arp_announcement(f, MAC, V4)));
    });
}

#[test]
fn nothing_is_announced_where_that_is_declined() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24,fd00::5/64",
            "pipework.announce=0",
        ];
        let (capture, _container) = heard(lab, &machine, &asked);
        let any = |f: &[u8]| is_arp_announcement(f, MAC, V4) || is_advertisement(f, MAC, V6);
        assert!(!capture.sees(PATIENCE, any));
    });
}

fn first_ping_is_answered(lab: &Lab, uplink: &str) {
    for round in 0..20 {
        let container = lab.any_container();
        let ip = "pipework.ip=10.0.0.5/24";
        lab.attach(&container, &[uplink, ip]).ok();
        let said = lab.inside(&container, || run("ping", "-n -c1 -W5 10.0.0.2"));
        assert!(said.contains(" 0% packet loss"), "{round}: {said}");
        container.end();
        lab.poststop(&format!("c{round}")).ok();
    }
}

#[test]
fn the_first_packet_through_a_bridge_is_answered() {
    if !has("ping", "-V") {
        skip!("there is no ping");
    }
    lab!(|lab| {
        let _machine = lab.lan("br0");
        first_ping_is_answered(lab, "pipework.bridge=br0");
    });
}

#[test]
fn the_first_packet_of_a_macvlan_is_answered() {
    if !has("ping", "-V") {
        skip!("there is no ping");
    }
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.cable("up0");
        first_ping_is_answered(lab, "pipework.parent=up0");
    });
}
