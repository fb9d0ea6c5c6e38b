//! `check` of interfaces that dockerd has: what is on the host of them, what is in
//! their container, and what only Docker puts back.

use crate::bridge_vlan::ours;
use crate::commands::{pipework, stdout};
use crate::docker_kept::live;
use crate::docker_plugin::{Known, LIFE, Plugin, prepare};
use crate::drift::is_told_and_repaired;
use crate::repair::drifts;
use crate::support::lab::{Container, Lab, ip, lab};

/// A container of one of Docker's networks, as it is once Docker has started it.
fn started(lab: &Lab) -> (Container, Plugin, Known) {
    let container = prepare(lab);
    let plugin = Plugin::start();
    let mut known = Known::default();
    live(&LIFE[..5], &mut known);
    (container, plugin, known)
}

#[test]
fn what_is_on_the_host_of_dockers_interfaces_is_told_and_made_good() {
    lab!(|lab| {
        let (_container, _plugin, mut known) = started(lab);
        let [hostif] = ours("br0").try_into().unwrap();
        let down = || drop(ip(&format!("link set {hostif} down")));
        is_told_and_repaired(down, &["host-down"]);
        let unplug = || drop(ip(&format!("link set {hostif} nomaster")));
        is_told_and_repaired(unplug, &["unplugged", "isolate"]);
        live(&LIFE[5..], &mut known);
    });
}

#[test]
fn what_is_in_the_container_of_dockers_interfaces_is_told_and_made_good() {
    lab!(|lab| {
        let (_container, _plugin, mut known) = started(lab);
        let said = pipework("check");
        assert_eq!(stdout(&said), "1 interface is as it was made\n");
        let mac = || drop(ip("-n web link set eth0 address 02:00:00:00:00:77"));
        is_told_and_repaired(mac, &["mac"]);
        live(&LIFE[5..], &mut known);
    });
}

#[test]
fn what_only_docker_puts_back_in_a_container_is_told_with_how() {
    lab!(|lab| {
        let (_container, _plugin, known) = started(lab);
        let shown = ip("-n web -o addr show eth0 scope global");
        let address = shown.split_whitespace().nth(3).unwrap().to_owned();
        for (act, back, word) in [
            (
                "addr flush dev eth0 scope global".to_owned(),
                format!("addr add {address} dev eth0"),
                "address",
            ),
            (
                "link set eth0 down".to_owned(),
                "link set eth0 up".to_owned(),
                "down",
            ),
        ] {
            ip(&format!("-n web {act}"));
            assert_eq!(drifts(), [word]);
            let said = pipework("check --repair");
            assert_eq!(said.code(), Some(1), "{said:?}");
            let text = stdout(&said);
            assert!(
                text.contains("not repaired: docker network disconnect"),
                "{text}"
            );
            ip(&format!("-n web {back}"));
            assert_eq!(drifts(), [""; 0]);
        }
        // The end on the host is there as long as the other is anywhere.
        ip(&format!(
            "-n web link set eth0 netns home name {}",
            known.link
        ));
        let said = pipework("check");
        let unseen = "of 1 interface of Docker's networks only what is on the host was looked at\n";
        assert_eq!(stdout(&said), unseen);
        ip(&format!("link set {} name elsewhere", known.link));
        assert_eq!(drifts(), ["missing"]);
    });
}
