//! The host's own way to a macvlan child whose address is leased.

use std::net::Ipv4Addr;
use std::process::Command;

use pipework::dhcp::wire::MessageType;

use crate::process::{Daemon, soon, store, within};
use crate::server::{Server, grants, timed};
use crate::support::lab::wire::{answers, pings};
use crate::support::lab::{Container, Lab, ip, ip_json, lab};
use crate::support::skip;

const ASKED: [&str; 4] = [
    "pipework.parent=up0",
    "pipework.host-access=true",
    "pipework.ip=dhcp",
    "pipework.dhcp.arp=off",
];

/// Where the host's own child leads.
fn reached() -> Vec<String> {
    let routes = ip_json("route show scope link");
    let all = routes.as_array().unwrap().iter();
    let by_shim = |route: &&serde_json::Value| {
        let device = route["dev"].as_str().unwrap_or_default();
        device.starts_with("pws")
    };
    let all = all.filter(by_shim).map(|route| route["dst"].as_str());
    all.flatten().map(str::to_owned).collect()
}

pub fn has_macvlan() -> bool {
    let made = Command::new("ip")
        .args("link add probe0 link up0 type macvlan".split(' '))
        .output();
    let is_made = made.unwrap().status.success();
    if is_made {
        ip("link del probe0");
    }
    is_made
}

/// Gives 10.0.0.5 at first and 10.0.0.6 from then on.
fn moving(lab: &Lab, machine: &Container) -> Server {
    let mut requests = 0;
    Server::start(lab, machine, move |message| {
        requests += u8::from(message.kind() == Some(MessageType::Request));
        let address = Ipv4Addr::new(10, 0, 0, if requests > 1 { 6 } else { 5 });
        let granted = grants(message, address, 30).into_iter();
        granted.map(|answer| timed(answer, 3, 20)).collect()
    })
}

#[test]
fn the_host_reaches_a_leased_address_and_the_next_one_when_it_changes() {
    lab!(|lab| {
        let machine = lab.cable("up0");
        ip("addr add 10.0.0.1/24 dev up0");
        if !has_macvlan() {
            skip!("kernel has no macvlan");
        }
        let _server = moving(lab, &machine);
        let _daemon = Daemon::start();
        let mut web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        assert_eq!(reached(), ["10.0.0.5"]);
        assert!(pings("10.0.0.5") && answers(lab, &web, "10.0.0.1"));

        within("the host's way is another", || reached() == ["10.0.0.6"]);
        assert!(pings("10.0.0.6") && answers(lab, &web, "10.0.0.1"));
        web.kill();
        within("it is gone", || reached().is_empty());
    });
}

#[test]
fn the_hosts_way_is_tried_again_when_it_could_not_be_changed() {
    lab!(|lab| {
        let machine = lab.cable("up0");
        ip("addr add 10.0.0.1/24 dev up0");
        if !has_macvlan() {
            skip!("kernel has no macvlan");
        }
        let _server = moving(lab, &machine);
        let _daemon = Daemon::start();
        let web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        assert_eq!(reached(), ["10.0.0.5"]);
        // As a start in the same namespace has it, for longer than the daemon waits.
        let key = web.namespace_key();
        let lock = store().lock_namespace(&key, soon()).unwrap();
        let kept = || {
            let leases = store().leases().unwrap().into_iter().flatten();
            let mut leases = leases.filter_map(|kept| kept.dhcp4);
            leases.next().unwrap()
        };
        within("the lease is another", || kept().unreached.is_some());
        assert_eq!(reached(), ["10.0.0.5"]);
        drop(lock);
        within("the host's way is too", || {
            reached() == ["10.0.0.6"] && kept().unreached.is_none()
        });
    });
}
