//! A lease whose interface a person takes back or spoils: given back only where
//! that was asked for, and used again where it is missing.

use std::net::Ipv4Addr;
use std::process::Command;

use pipework::dhcp::wire::{Message, MessageType};

use crate::process::{Daemon, store, within};
use crate::server::{Server, grants};
use crate::support::lab::{Container, PIPEWORK, ip, lab};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);

/// Gives everybody the same address for an hour, with a router.
fn willing(message: &Message) -> Vec<Message> {
    let mut granted = grants(message, ADDRESS, 3600);
    for answer in &mut granted {
        answer
            .options
            .set(pipework::dhcp::options::code::ROUTERS, [10, 0, 0, 2]);
    }
    granted
}

fn pipework(words: &str) -> (Option<i32>, String) {
    let output = Command::new(PIPEWORK)
        .args(words.split_whitespace())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.code(), text)
}

fn named(container: &Container) -> String {
    format!("pid:{}", container.pid())
}

#[test]
fn a_lease_is_given_back_at_a_detach_only_where_that_was_asked_for() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Server::start(lab, &machine, willing);
        let _daemon = Daemon::start();
        let web = lab.container("web");
        let name = named(&web);
        let releases = || {
            let kinds = server.kinds().into_iter();
            kinds.filter(|kind| *kind == MessageType::Release).count()
        };
        for (release, expected) in [("false", 0), ("true", 1)] {
            let fields = format!("bridge=br0 ip=dhcp dhcp.arp=off dhcp.release={release}");
            let said = pipework(&format!("attach {name} {fields}"));
            assert_eq!(said.0, Some(0), "{said:?}");
            let said = pipework(&format!("detach {name}"));
            assert_eq!(said.0, Some(0), "{said:?}");
            within("its file is gone", || store().leases().unwrap().is_empty());
            // What is to be sent was sent before the interface went.
            within("the server was told", || releases() >= expected);
            assert_eq!(releases(), expected);
        }
    });
}

#[test]
fn a_leased_address_that_somebody_took_away_comes_back_with_its_route() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Server::start(lab, &machine, willing);
        let _daemon = Daemon::start();
        let web = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=dhcp",
            "pipework.dhcp.arp=off",
        ];
        lab.attach(&web, &asked).ok();
        for act in ["addr flush dev eth1", "route del default"] {
            assert_eq!(pipework("check").0, Some(0));
            lab.inside(&web, || ip(act));
            let (code, text) = pipework("check");
            assert_eq!(code, Some(1), "{text}");
            assert!(text.contains("default route via 10.0.0.2"), "{text}");
            assert!(text.contains("which it has leased"), "{text}");
            assert_eq!(pipework("check --repair").0, Some(0));
            within("it is as it was", || pipework("check").0 == Some(0));
            let route = lab.inside(&web, || ip("route show default"));
            assert!(route.contains("via 10.0.0.2 dev eth1"), "{route}");
        }
    });
}

#[test]
fn leases_that_nobody_renews_are_an_error_of_the_doctor_until_somebody_does() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Server::start(lab, &machine, willing);
        let daemon = Daemon::start();
        let web = lab.container("web");
        let name = named(&web);
        let said = pipework(&format!("attach {name} bridge=br0 ip=dhcp dhcp.arp=off"));
        assert_eq!(said.0, Some(0), "{said:?}");
        assert_eq!(pipework("doctor daemon").0, Some(0));
        // What list says of it, who is asked or not.
        let (_, listed) = pipework("list");
        assert!(
            listed.contains("10.0.0.50/24") && listed.contains(" left"),
            "{listed}"
        );
        daemon.kill();
        let (code, text) = pipework("doctor daemon");
        assert_eq!(code, Some(2), "{text}");
        assert!(
            text.contains("1 lease to be renewed, and nobody does"),
            "{text}"
        );
        assert!(text.contains("cure: "), "{text}");
        let _daemon = Daemon::start();
        assert_eq!(pipework("doctor daemon").0, Some(0));
    });
}
