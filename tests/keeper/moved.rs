//! Links that change below a lease of dnsmasq: renamed, readdressed, plugged
//! into another network, gone; and what the daemon has open afterwards.

use std::time::Duration;

use pipework::record::Kept;

use crate::crowd::Dnsmasq;
use crate::process::{Daemon, store, within};
use crate::reach::has_macvlan;
use crate::renewals::names;
use crate::support::lab::{Container, Lab, ip, ip_json, lab};
use crate::support::skip;

const ASKED: [&str; 3] = [
    "pipework.bridge=br0",
    "pipework.ip=dhcp",
    "pipework.dhcp.arp=off",
];

/// Leases that are renewed after seconds: T1 is a second before T2, whatever is
/// written of it.
const SOON: [&str; 2] = [
    "--dhcp-range=10.0.0.100,10.0.0.110,2m",
    "--dhcp-option=option:T2,4",
];

macro_rules! dnsmasq {
    ($lab:expr, $machine:expr, $options:expr) => {
        match Dnsmasq::start($lab, $machine, &$options) {
            Some(server) => server,
            None => skip!("there is no Debian root with dnsmasq"),
        }
    };
}

/// The only lease.
fn lease() -> Kept {
    let mut leases = store().leases().unwrap();
    assert_eq!(leases.len(), 1);
    leases.remove(0).unwrap()
}

fn is_over() -> bool {
    store().leases().unwrap().is_empty()
}

/// The container's port of br0.
pub fn port() -> String {
    let ports = ip_json("link show master br0");
    let names = ports.as_array().unwrap().iter();
    let mut names = names.map(|port| port["ifname"].as_str().unwrap().to_owned());
    names.find(|name| name.starts_with("pw")).unwrap()
}

/// Waits for a renewal, in which the address stays.
fn is_renewed(lab: &Lab, container: &Container, ifname: &str) {
    let since = || lease().dhcp4.unwrap().bound.unwrap().since;
    let (before, address) = (since(), lease().dhcp4.unwrap().bound.unwrap().lease.address);
    within("it is renewed", || since() > before);
    let told = lab.inside(container, || ip_json(&format!("-4 addr show dev {ifname}")));
    assert_eq!(
        told[0]["addr_info"][0]["local"],
        address.addr().to_string(),
        "{ifname}"
    );
}

#[test]
fn dnsmasq_renews_a_renamed_and_readdressed_interface_until_it_is_gone() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = dnsmasq!(lab, &machine, SOON);
        let daemon = Daemon::start();
        let idle = daemon.descriptors();
        let web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        is_renewed(lab, &web, "eth1");
        lab.inside(&web, || ip("link set eth1 name lan0"));
        is_renewed(lab, &web, "lan0");
        // By the hardware address that it was given for, the server knows it.
        lab.inside(&web, || ip("link set lan0 address 02:00:00:00:00:77"));
        is_renewed(lab, &web, "lan0");
        ip(&format!("link del {}", port()));
        within("the lease is let go", is_over);
        within("nothing of it stays open", || daemon.descriptors() <= idle);
    });
}

#[test]
fn a_port_that_is_moved_to_the_network_of_another_dnsmasq_has_an_address_of_that() {
    lab!(|lab| {
        let first = lab.lan("br0");
        let range = "--dhcp-range=10.0.0.100,10.0.0.110,10m";
        let server = dnsmasq!(lab, &first, [range]);
        let daemon = Daemon::start();
        let idle = daemon.descriptors();
        let mut web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        assert!(names(lab, &web)[0].starts_with("10.0.0.1"));
        drop(server);
        lab.bridge("br1");
        let second = lab.nic("up1");
        ip("link set up1 master br1");
        lab.inside(&second, || ip("addr add 10.1.0.2/24 dev wire"));
        let range = "--dhcp-range=10.1.0.100,10.1.0.110,10m";
        let _server = dnsmasq!(lab, &second, [range]);
        let port = port();
        ip(&format!("link set {port} down"));
        ip(&format!("link set {port} master br1"));
        ip(&format!("link set {port} up"));
        within("it has an address of the other", || {
            let names = names(lab, &web);
            names.len() == 1 && names[0].starts_with("10.1.0.1")
        });
        // Of the container it holds its process, and no socket.
        within("no socket stays", || daemon.descriptors() <= idle + 1);
        web.kill();
        within("the lease ends", is_over);
        within("nothing of it stays open", || daemon.descriptors() <= idle);
    });
}

#[test]
fn a_lease_outlives_that_the_card_below_it_is_down() {
    lab!(|lab| {
        let machine = lab.cable("up0");
        if !has_macvlan() {
            skip!("kernel has no macvlan");
        }
        let _server = dnsmasq!(lab, &machine, SOON);
        let daemon = Daemon::start();
        let idle = daemon.descriptors();
        let web = lab.container("web");
        let asked = ["pipework.parent=up0", ASKED[1], ASKED[2]];
        lab.attach(&web, &asked).ok();
        is_renewed(lab, &web, "eth1");
        let before = (names(lab, &web), daemon.worked());
        ip("link set up0 down");
        // Both T1 and T2 pass.
        std::thread::sleep(Duration::from_secs(6));
        assert_eq!(names(lab, &web), before.0);
        // What is ready at once never sleeps, so nobody counts how often it wakes.
        let worked = daemon.worked() - before.1;
        assert!(worked < 0.5, "{worked} s: it goes round in circles");
        ip("link set up0 up");
        is_renewed(lab, &web, "eth1");
        within("no socket stays", || daemon.descriptors() <= idle + 1);
    });
}
