//! Neighbours that nobody asks for, and addresses that are answered for.

use std::time::Duration;

use crate::support::lab::wire::{Capture, answers};
use crate::support::lab::{Container, Lab, ip, lab};

fn attached(lab: &Lab, neigh: &str) -> Container {
    let container = lab.any_container();
    let neigh = format!("pipework.neigh={neigh}");
    let annotations = [
        "pipework.bridge=br0",
        "pipework.ip=10.0.0.5/24,fd00::5/64",
        &neigh,
        "pipework.sysctl.ipv4.conf.forwarding=1",
        "pipework.sysctl.ipv4.conf.proxy_arp=0",
    ];
    lab.attach(&container, &annotations).ok();
    container
}

fn entries(lab: &Lab, container: &Container, what: &str) -> Vec<String> {
    let text = lab.inside(container, || ip(&format!("neigh show {what}")));
    let mut lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    lines.sort();
    lines
}

#[test]
fn neighbours_stay_where_two_addresses_of_a_network_are_announced() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        let annotations = [
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24,10.0.0.6/24,fd00::5/64",
            "pipework.neigh=10.0.0.9 lladdr 02:00:00:00:00:09; fd00::9 lladdr 02:00:00:00:00:09",
        ];
        lab.attach(&container, &annotations).ok();
        let known = entries(lab, &container, "dev eth1 nud permanent");
        assert_eq!(known.len(), 2, "{known:?}");
    });
}

#[test]
fn a_neighbour_is_entered_for_ever_in_both_families() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let neigh =
            "10.0.0.9 lladdr 02:00:00:00:00:09; fd00::9 lladdr 02:00:00:00:00:09 nud permanent";
        let container = attached(lab, neigh);
        assert_eq!(
            entries(lab, &container, "dev eth1 nud permanent"),
            [
                "10.0.0.9 lladdr 02:00:00:00:00:09 PERMANENT",
                "fd00::9 lladdr 02:00:00:00:00:09 PERMANENT",
            ]
        );
    });
}

#[test]
fn a_neighbour_that_is_entered_is_sent_to_without_a_question() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let container = attached(lab, "10.0.0.9 lladdr 02:00:00:00:00:09");
        let capture = Capture::start(lab, &machine);
        assert!(!answers(lab, &container, "10.0.0.9"));
        let to_it = |frame: &[u8]| frame[..6] == [2, 0, 0, 0, 0, 9] && frame[12..14] == [8, 0];
        assert!(capture.sees(Duration::from_millis(900), to_it));
    });
}

#[test]
fn an_address_is_answered_for_on_the_link() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let container = attached(lab, "192.0.2.9 proxy; proxy fd09::9");
        assert_eq!(
            entries(lab, &container, "proxy"),
            ["192.0.2.9 dev eth1 proxy", "fd09::9 dev eth1 proxy"]
        );
        // Forwarded elsewhere, else there would be nothing to answer for.
        lab.inside(&container, || ip("route add 192.0.2.9/32 dev lo"));
        lab.inside(&machine, || ip("route add 192.0.2.9/32 dev wire"));
        answers(lab, &machine, "192.0.2.9");
        let known = entries(lab, &machine, "192.0.2.9");
        assert!(
            known.iter().any(|line| line.contains("lladdr")),
            "{known:?}"
        );
    });
}
