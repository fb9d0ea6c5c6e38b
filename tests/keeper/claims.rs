//! Another host that claims an address while its lease holds (RFC 5227 §2.4), and
//! telling others whose it is.

use std::net::Ipv4Addr;
use std::time::Duration;

use pipework::dhcp::lease::Times;
use pipework::dhcp::wire::MessageType;
use pipework::record::Kept;
use pipework::request::ArpProbe;
use pipework::sys::{arp, filter, packet::PacketSocket};

use crate::process::{Daemon, hand_over, store, within};
use crate::renewals::{leased, names};
use crate::server::{Server, grants};
use crate::support::lab::wire::{Capture, is_arp_announcement};
use crate::support::lab::{Container, Lab, ip, ip_json, lab};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 5];
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 6);

/// A lease of an hour whose address is watched.
fn watched(mut kept: Kept) -> Kept {
    let kept4 = kept.dhcp4.as_mut().unwrap();
    kept4.arp = ArpProbe::Rfc;
    kept4.watches = true;
    let bound = kept4.bound.as_mut().unwrap();
    bound.lease.times = Some(Times {
        renewal: 1800,
        rebinding: 3150,
        lease: 3600,
    });
    kept
}

/// The protocols of the packet sockets that hear something in a container
/// (net/packet/af_packet.c, `packet_seq_show`: the fourth column; the sixth says
/// that it hears).
fn protocols(lab: &Lab, container: &Container) -> Vec<String> {
    let table = lab.inside(container, || {
        std::fs::read_to_string("/proc/thread-self/net/packet").unwrap()
    });
    let sockets = table.lines().skip(1);
    let sockets = sockets.map(|line| line.split_whitespace().collect::<Vec<_>>());
    let hears = sockets.filter(|socket| socket[5] == "1");
    hears.map(|socket| socket[3].to_owned()).collect()
}

/// How many there are.
fn listeners(lab: &Lab, container: &Container) -> usize {
    protocols(lab, container).len()
}

/// Says to all on the LAN that another host has the address.
fn claim(lab: &Lab, machine: &Container) {
    lab.inside(machine, || {
        let ifindex = ip_json("link show wire")[0]["ifindex"].as_u64().unwrap();
        let ifindex = u32::try_from(ifindex).unwrap();
        let socket = PacketSocket::open(ifindex, &filter::DHCP_AND_ARP).unwrap();
        let mac = "02:00:00:00:00:99".parse().unwrap();
        socket.send(&arp::announcement(mac, ADDRESS)).unwrap();
    });
}

/// Whether the address is announced as ours, by and by.
fn announced(capture: &Capture) -> bool {
    let is_ours = |frame: &[u8]| is_arp_announcement(frame, MAC, ADDRESS.octets());
    capture.sees(Duration::from_secs(30), is_ours)
}

#[test]
fn a_claim_of_the_address_is_met_and_one_that_is_repeated_ends_the_lease() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Server::start(lab, &machine, |message| grants(message, OTHER, 3600));
        let _daemon = Daemon::start();
        let (web, kept) = leased(lab, "web", 1, 5);
        hand_over(&watched(kept));
        within("it listens", || listeners(lab, &web) == 1);
        assert_eq!(protocols(lab, &web), ["0806"], "to ARP and nothing else");
        let capture = Capture::start(lab, &machine);
        claim(lab, &machine);
        assert!(announced(&capture), "the address is defended");
        assert_eq!(names(lab, &web), ["10.0.0.5"]);
        within("it is given up", || {
            claim(lab, &machine);
            names(lab, &web).is_empty()
        });
        within("its server is told", || {
            server.kinds() == [MessageType::Decline]
        });
        let declined = &server.heard()[0];
        let option = pipework::dhcp::options::code::REQUESTED_ADDRESS;
        assert_eq!(declined.options.get(option), Some(&ADDRESS.octets()[..]));
        within("another is asked for", || {
            server.kinds().contains(&MessageType::Discover)
        });
    });
}

#[test]
fn a_namespace_whose_address_is_watched_is_free_when_its_container_ends() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let daemon = Daemon::start();
        let (web, kept) = leased(lab, "web", 1, 5);
        let before = daemon.descriptors();
        hand_over(&watched(kept));
        within("it listens", || listeners(lab, &web) == 1);
        within("two descriptors are held", || {
            daemon.descriptors() == before + 2
        });
        let has_port = || {
            let links = ip_json("link show");
            let mut links = links.as_array().unwrap().iter();
            links.any(|link| link["ifname"] == "to-web")
        };
        assert!(has_port());
        // The test holds the namespace until here as well.
        web.end();
        within("its interface is gone", || !has_port());
    });
}

#[test]
fn a_killed_daemon_listens_for_claims_again_and_for_none_unasked() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let daemon = Daemon::start();
        let (db, other) = leased(lab, "db", 1800, 3150);
        hand_over(&other);
        let (web, kept) = leased(lab, "web", 1, 5);
        hand_over(&watched(kept));
        within("it listens", || listeners(lab, &web) == 1);
        daemon.kill();
        within("nobody listens", || listeners(lab, &web) == 0);
        let _daemon = Daemon::start();
        within("it listens again", || listeners(lab, &web) == 1);
        assert_eq!(listeners(lab, &db), 0);
    });
}

#[test]
fn a_start_that_probes_as_the_rfc_says_is_watched_from_then_on() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Server::start(lab, &machine, |message| grants(message, OTHER, 3600));
        let _daemon = Daemon::start();
        let web = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=dhcp",
            "pipework.dhcp.arp=rfc",
        ];
        lab.attach(&web, &asked).ok();
        // That of the start goes, and the daemon's comes.
        within("one listens", || listeners(lab, &web) == 1);
        let kept = store()
            .leases()
            .unwrap()
            .into_iter()
            .flatten()
            .next()
            .unwrap();
        assert!(kept.dhcp4.unwrap().watches);
    });
}

#[test]
fn an_address_is_announced_as_often_as_was_asked_for() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _daemon = Daemon::start();
        let (_web, kept) = leased(lab, "web", 1, 5);
        let mut kept = watched(kept);
        kept.announces = 2;
        let capture = Capture::start(lab, &machine);
        // Who started the container has announced it once.
        hand_over(&kept);
        assert!(announced(&capture));
    });
}

#[test]
fn a_leased_address_beside_a_written_one_is_announced_as_often() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _daemon = Daemon::start();
        let (web, kept) = leased(lab, "web", 1800, 3150);
        // The written one comes first, so the kernel asks by that alone.
        lab.inside(&web, || {
            ip("addr flush dev eth1");
            ip("addr add 10.0.0.9/24 dev eth1");
            ip("addr add 10.0.0.5/24 dev eth1");
        });
        let mut kept = watched(kept);
        kept.announces = 2;
        let capture = Capture::start(lab, &machine);
        hand_over(&kept);
        assert!(announced(&capture));
    });
}
