//! Flags of a bridge port, and an interface that receives everything.

use std::time::Duration;

use serde_json::Value;

use crate::guard::{forging_from_the_first_instant, is_forged};
use crate::macvlan::needs_macvlan;
use crate::support::lab::wire::{Capture, answers};
use crate::support::lab::{Container, Lab, ip, ip_json, lab};
use crate::traffic::assert_reaches;

fn attached(lab: &Lab, number: u8, more: &[&str]) -> Container {
    let container = lab.any_container();
    let ip = format!("pipework.ip=10.0.0.{number}/24");
    let mut asked = vec!["pipework.bridge=br0", &ip];
    asked.extend(more);
    lab.attach(&container, &asked).ok();
    container
}

pub fn reaches(lab: &Lab, from: &Container, to: &Container, address: &str) -> bool {
    let listener = lab.inside(to, || std::net::TcpListener::bind((address, 0)).unwrap());
    let target = listener.local_addr().unwrap();
    let wait = Duration::from_millis(500);
    let reached = lab.inside(from, || std::net::TcpStream::connect_timeout(&target, wait));
    reached.is_ok()
}

#[test]
fn isolated_containers_reach_the_lan_and_not_each_other() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let one = attached(lab, 5, &["pipework.isolate=true"]);
        let other = attached(lab, 6, &["pipework.isolate=true"]);
        let third = attached(lab, 7, &[]);
        assert_reaches(lab, &one, &machine, "10.0.0.2");
        assert_reaches(lab, &one, &third, "10.0.0.7");
        assert_reaches(lab, &third, &other, "10.0.0.6");
        assert_reaches(lab, &other, &machine, "10.0.0.2");
        assert!(!reaches(lab, &one, &other, "10.0.0.6"));
    });
}

#[test]
fn no_frame_passes_between_isolated_containers_from_the_first_instant_on() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        ip("link set br0 type bridge mcast_snooping 0");
        let isolated = "pipework.isolate=true";
        let neighbour = attached(lab, 5, &[isolated]);
        let (theirs, everywhere) = (
            Capture::start(lab, &neighbour),
            Capture::start(lab, &machine),
        );
        let asked = ["pipework.bridge=br0", isolated];
        let _container = forging_from_the_first_instant(lab, &asked);
        assert!(everywhere.sees(Duration::from_secs(5), is_forged));
        assert!(!theirs.sees(Duration::from_millis(300), is_forged));
    });
}

fn port_flags(bridge: &str) -> Vec<(Value, Value)> {
    let ports = ip_json(&format!("-d link show master {bridge}"));
    let ours = ports.as_array().unwrap().iter();
    let ours = ours.filter(|port| port["ifname"].as_str().unwrap().starts_with("pw"));
    ours.map(|port| &port["linkinfo"]["info_slave_data"])
        .map(|data| (data["isolated"].clone(), data["hairpin"].clone()))
        .collect()
}

#[test]
fn only_the_flags_that_are_asked_for_are_set() {
    lab!(|lab| {
        for (asked, isolated, hairpin) in [
            (&["pipework.hairpin=true"][..], false, true),
            (&["pipework.isolate=yes"], true, false),
            (&["pipework.isolate=1", "pipework.hairpin=on"], true, true),
            (
                &["pipework.isolate=off", "pipework.hairpin=0"],
                false,
                false,
            ),
        ] {
            let _machine = lab.lan("br0");
            let container = attached(lab, 5, asked);
            let expected = [(Value::from(isolated), Value::from(hairpin))];
            assert_eq!(port_flags("br0"), expected, "{asked:?}");
            drop(container);
            ip("link del br0");
            ip("link del up0");
        }
    });
}

#[test]
fn an_interface_receives_all_frames_where_that_is_asked_for() {
    lab!(|lab| {
        lab.bridge("br0");
        for (number, promisc) in [(5, true), (6, false)] {
            let container = attached(lab, number, &[&format!("pipework.promisc={promisc}")]);
            let flags = lab.inside(&container, || ip_json("link show eth1")[0]["flags"].clone());
            assert_eq!(flags.to_string().contains("PROMISC"), promisc);
        }
    });
}

/// Children of a container's interface that leave it to the bridge to bring frames
/// from one of them to the other.
fn behind(lab: &Lab, container: &Container, numbers: [u8; 2]) -> [Container; 2] {
    numbers.map(|number| {
        let child = lab.any_container();
        let pid = child.pid();
        lab.inside(container, || {
            ip(&format!(
                "link add m{number} link eth1 netns {pid} type macvlan mode vepa"
            ));
        });
        lab.inside(&child, || {
            ip(&format!("link set m{number} up"));
            ip(&format!("addr add 10.0.0.{number}/24 dev m{number}"));
        });
        child
    })
}

#[test]
fn two_behind_one_port_reach_each_other_where_frames_may_come_back() {
    lab!(|lab| {
        needs_macvlan!();
        let machine = lab.lan("br0");
        for (number, hairpin) in [(5, true), (6, false)] {
            let asked = format!("pipework.hairpin={hairpin}");
            let container = attached(lab, number, &[&asked]);
            // Those of the former round may still be there for a moment.
            let numbers = [10 * number + 1, 10 * number + 2];
            let [one, _other] = behind(lab, &container, numbers);
            assert_reaches(lab, &one, &machine, "10.0.0.2");
            let other = format!("10.0.0.{}", numbers[1]);
            assert_eq!(answers(lab, &one, &other), hairpin, "{asked}");
        }
    });
}
