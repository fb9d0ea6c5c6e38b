//! Links whose carrier comes back: behind them may be another network, so their
//! leases are verified at once (RFC 2131 §3.7, RFC 8415 §18.2.3).

use std::net::Ipv4Addr;
use std::time::Duration;

use pipework::dhcp::lease::Times;
use pipework::dhcp::options::code;
use pipework::dhcp::v6;
use pipework::dhcp::wire::{Message, MessageType};
use pipework::record::Kept;

use crate::process::{Daemon, hand_over, store, within};
use crate::renewals::{leased, names};
use crate::server::{Server, answer, grants};
use crate::support::dhcp6_server::{GIVEN, Scripted6, lan6, locals6};
use crate::support::lab::{Container, Lab, ip, ip_json, lab};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 6);

/// A lease of an hour, so that nothing is due by itself.
pub fn of_an_hour(lab: &Lab, id: &str) -> (Container, Kept) {
    let (container, mut kept) = leased(lab, id, 1800, 3150);
    lab.inside(&container, || ip("addr replace 10.0.0.5/24 dev eth1"));
    let kept4 = kept.dhcp4.as_mut().unwrap();
    let bound = kept4.bound.as_mut().unwrap();
    bound.lease.times = Some(Times {
        renewal: 1800,
        rebinding: 3150,
        lease: 3600,
    });
    // What the kernel calls the bridge.
    let bridge = ip_json("link show br0")[0]["ifindex"].as_u64().unwrap();
    kept.uplink = u32::try_from(bridge).unwrap();
    (container, kept)
}

/// Takes a link's carrier away and gives it back.
pub fn replug(link: &str) {
    ip(&format!("link set {link} down"));
    // The daemon hears of both, however far apart they are.
    std::thread::sleep(Duration::from_millis(50));
    ip(&format!("link set {link} up"));
}

/// Whether a message asks for an address that is in use, of whoever is there.
pub fn verifies(message: &Message) -> bool {
    message.kind() == Some(MessageType::Request)
        && message.ciaddr.is_unspecified()
        && message.options.address(code::REQUESTED_ADDRESS) == Some(ADDRESS)
        && message.options.get(code::SERVER_ID).is_none()
}

#[test]
fn a_lease_is_verified_when_the_carrier_comes_back_and_used_meanwhile() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Server::start(lab, &machine, |message| grants(message, ADDRESS, 3600));
        let daemon = Daemon::start();
        let (web, kept) = of_an_hour(lab, "web");
        let idle = daemon.descriptors();
        hand_over(&kept);
        replug("to-web");
        within("it is verified", || {
            assert_eq!(names(lab, &web), ["10.0.0.5"]);
            !server.heard().is_empty()
        });
        assert!(verifies(&server.heard()[0]), "{:?}", server.heard());
        // Of the container it holds its process, and no socket of its namespace.
        within("no socket stays", || daemon.descriptors() <= idle + 1);
        assert_eq!(names(lab, &web), ["10.0.0.5"]);
        assert_eq!(server.heard().len(), 1, "it has its answer");
    });
}

#[test]
fn a_verification_that_nobody_answers_is_given_up_and_owed_no_more() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Server::start(lab, &machine, |_| Vec::new());
        let _daemon = Daemon::start();
        let (web, kept) = of_an_hour(lab, "web");
        hand_over(&kept);
        let owed = || {
            let kept = store().lease(&kept.id).unwrap().unwrap();
            kept.dhcp4.unwrap().verifies
        };
        replug("to-web");
        within("it is owed", owed);
        within("it is asked for", || server.heard().iter().any(verifies));
        within("it is given up", || !owed());
        // Silence says nothing against a lease that holds.
        assert_eq!(names(lab, &web), ["10.0.0.5"]);
        assert!(server.heard().iter().all(verifies));
    });
}

#[test]
fn a_port_of_the_bridge_that_leads_out_brings_every_lease_behind_it_to_be_verified() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Server::start(lab, &machine, |message| grants(message, ADDRESS, 3600));
        let _daemon = Daemon::start();
        // A card of the host's, as far as a bridge can tell.
        ip("link add card0 type veth peer name plug0");
        ip("link set card0 master br0 up");
        ip("link set plug0 up");
        let (_web, kept) = of_an_hour(lab, "web");
        hand_over(&kept);
        replug("plug0");
        within("it is verified", || server.heard().iter().any(verifies));
    });
}

#[test]
fn another_container_that_sets_its_interface_down_and_up_makes_nobody_ask() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Server::start(lab, &machine, |message| grants(message, ADDRESS, 3600));
        let _daemon = Daemon::start();
        let (_web, kept) = of_an_hour(lab, "web");
        hand_over(&kept);
        let other = lab.container("other");
        let pid = other.pid();
        ip(&format!(
            "link add to-other type veth peer name eth1 netns {pid}"
        ));
        ip("link set to-other master br0 up");
        lab.inside(&other, || {
            ip("link set eth1 up");
            replug("eth1");
        });
        // What comes after it is heard after it.
        replug("to-web");
        within("its own is verified", || !server.heard().is_empty());
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(server.heard().len(), 1);
    });
}

#[test]
fn a_carrier_that_comes_back_on_another_network_brings_another_address() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Server::start(lab, &machine, |message| {
            if message.options.address(code::REQUESTED_ADDRESS) == Some(ADDRESS) {
                return vec![answer(message, MessageType::Nak, ADDRESS, 0)];
            }
            grants(message, OTHER, 3600)
        });
        let _daemon = Daemon::start();
        let (web, kept) = of_an_hour(lab, "web");
        hand_over(&kept);
        replug("to-web");
        within("it has another", || names(lab, &web) == ["10.0.0.6"]);
    });
}

#[test]
fn an_ipv6_lease_is_confirmed_when_the_carrier_comes_back() {
    lab!(|lab| {
        let machine = lan6(lab);
        let server = Scripted6::ordinary(lab, &machine);
        let _daemon = Daemon::start();
        let web = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=dhcp6",
            "pipework.default=false",
            "pipework.dhcp.arp=off",
        ];
        lab.attach(&web, &asked).ok();
        let ports = ip_json("link show master br0");
        let mut ports = ports.as_array().unwrap().iter();
        let port = ports.find(|port| port["ifname"].as_str().unwrap().starts_with("pw"));
        replug(port.unwrap()["ifname"].as_str().unwrap());
        within("it is confirmed", || {
            server.kinds().contains(&v6::wire::MessageType::Confirm)
        });
        assert_eq!(locals6(lab, &web), [GIVEN.to_string()]);
    });
}
