//! spoofcheck: forged frames do not pass, good ones do, from the first on.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::ipvlan::needs_ipvlan;
use crate::macvlan::needs_macvlan;
use crate::policy::write;
use crate::support::lab::frames::{Forge, Trial, arp, ethernet, icmp6, ipv6, udp4};
use crate::support::lab::wire::Capture;
use crate::support::lab::{Container, Lab, ip, lab};
use crate::support::skip;
use crate::traffic::needs_limits;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 5];
const OTHER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 6];
const V4: [u8; 4] = [10, 0, 0, 5];
const OTHER_V4: [u8; 4] = [10, 0, 0, 6];
const ROUTER: [u8; 4] = [10, 0, 0, 1];

pub const GUARDED: [&str; 4] = [
    "pipework.bridge=br0",
    "pipework.mac=02:00:00:00:00:05",
    "pipework.ip=10.0.0.5/24,fd00::5/64",
    "pipework.spoofcheck=true",
];

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// A machine and a guarded container on one bridge.
fn guarded(lab: &Lab, asked: &[&str]) -> (Container, Container) {
    let machine = lab.lan("br0");
    // Else the bridge sends what is for many to those only who asked for it.
    ip("link set br0 type bridge mcast_snooping 0");
    let container = lab.any_container();
    lab.attach(&container, asked).ok();
    (machine, container)
}

/// Frames of the container's own.
pub fn good() -> Vec<(&'static str, Vec<u8>)> {
    let (own, link) = (v6("fd00::5"), v6("fe80::ff:fe00:5"));
    let none = Ipv6Addr::UNSPECIFIED;
    vec![
        ("an ARP request", arp(MAC, 1, V4, ROUTER)),
        ("an ARP reply", arp(MAC, 2, V4, ROUTER)),
        ("an ARP probe", arp(MAC, 1, [0; 4], V4)),
        ("IPv4", udp4(MAC, V4, [1000, 2000])),
        ("a DHCP request", udp4(MAC, V4, [68, 67])),
        (
            "IPv6",
            ipv6(MAC, own, &[], 17, &[3, 232, 7, 208, 0, 20, 0, 0]),
        ),
        ("of the link", ipv6(MAC, link, &[], 59, &[])),
        ("advertised", ipv6(MAC, own, &[], 58, &icmp6(136, own))),
        (
            "a neighbour asked for",
            ipv6(MAC, own, &[], 58, &icmp6(135, v6("fd00::1"))),
        ),
        ("asked if free", ipv6(MAC, none, &[], 58, &icmp6(135, own))),
        (
            "a router asked for",
            ipv6(MAC, link, &[], 58, &icmp6(133, none)),
        ),
        (
            "options",
            ipv6(MAC, own, &[0, 60], 17, &[3, 232, 7, 208, 0, 20, 0, 0]),
        ),
    ]
}

/// Frames that speak for somebody else.
pub fn forged() -> Vec<(&'static str, Vec<u8>)> {
    let (own, router) = (v6("fd00::5"), v6("fd00::1"));
    let none = Ipv6Addr::UNSPECIFIED;
    vec![
        ("another MAC", udp4(OTHER_MAC, V4, [1000, 2000])),
        ("another IPv4 address", udp4(MAC, OTHER_V4, [1000, 2000])),
        ("no IPv4 address", udp4(MAC, [0; 4], [68, 67])),
        ("the router's ARP", arp(MAC, 2, ROUTER, V4)),
        (
            "an announcement of another",
            arp(MAC, 1, OTHER_V4, OTHER_V4),
        ),
        ("a probe for another", arp(MAC, 1, [0; 4], OTHER_V4)),
        ("another MAC inside", {
            let mut frame = arp(OTHER_MAC, 2, V4, V4);
            frame[6..12].copy_from_slice(&MAC);
            frame
        }),
        ("ARP that is cut", arp(MAC, 1, V4, ROUTER)[..24].to_vec()),
        (
            "another IPv6 address",
            ipv6(MAC, v6("fd00::6"), &[], 59, &[]),
        ),
        (
            "another of the link",
            ipv6(MAC, v6("fe80::1"), &[], 59, &[]),
        ),
        (
            "the router advertised",
            ipv6(MAC, own, &[], 58, &icmp6(136, router)),
        ),
        (
            "another asked if free",
            ipv6(MAC, none, &[], 58, &icmp6(135, router)),
        ),
    ]
}

/// Frames that only routers, DHCP servers and switches send, with the sender's
/// own addresses.
fn of_the_network() -> Vec<(&'static str, Vec<u8>)> {
    let (own, none) = (v6("fe80::ff:fe00:5"), Ipv6Addr::UNSPECIFIED);
    let advertisement = icmp6(134, none);
    vec![
        ("RA", ipv6(MAC, own, &[], 58, &advertisement)),
        (
            "RA behind options",
            ipv6(MAC, own, &[0, 60, 60], 58, &advertisement),
        ),
        ("RA in fragments", ipv6(MAC, own, &[44], 58, &advertisement)),
        (
            "RA behind both",
            ipv6(MAC, own, &[60, 44, 60], 58, &advertisement),
        ),
        ("a redirect", ipv6(MAC, own, &[], 58, &icmp6(137, none))),
        ("a DHCP offer", udp4(MAC, V4, [67, 68])),
        ("an offer from another port", udp4(MAC, V4, [1000, 68])),
        (
            "a DHCPv6 reply",
            ipv6(MAC, own, &[], 17, &[2, 35, 2, 34, 0, 20, 0, 0]),
        ),
        ("a tag", ethernet(MAC, 0x8100, &[0, 100, 8, 0, 69, 0])),
        (
            "a service tag",
            ethernet(MAC, 0x88a8, &[0, 100, 8, 0, 69, 0]),
        ),
        ("PPPoE", ethernet(MAC, 0x8863, &[0; 30])),
        ("LLDP", ethernet(MAC, 0x88cc, &[0; 30])),
        (
            "a bridge's own",
            ethernet(MAC, 0x0026, &[0x42, 0x42, 3, 0, 0, 0]),
        ),
    ]
}

#[track_caller]
pub fn assert_verdicts(trial: &Trial, frames: &[(&str, Vec<u8>)], passes: bool) {
    let wrong = frames
        .iter()
        .filter(|(_, frame)| trial.passes(frame) != passes);
    let wrong: Vec<&str> = wrong.map(|(what, _)| *what).collect();
    assert!(wrong.is_empty(), "passed must be {passes}: {wrong:?}");
}

#[test]
fn a_container_that_is_guarded_sends_its_own_frames_and_no_others() {
    lab!(|lab| {
        needs_limits!();
        let (machine, container) = guarded(lab, &GUARDED);
        let trial = Trial::start(lab, &container, &machine, &arp(MAC, 1, V4, ROUTER));
        assert_verdicts(&trial, &good(), true);
        assert_verdicts(&trial, &forged(), false);
        assert_verdicts(&trial, &of_the_network(), false);
    });
}

#[test]
fn without_the_guard_all_of_them_pass() {
    lab!(|lab| {
        let (machine, container) = guarded(lab, &GUARDED[..3]);
        let trial = Trial::start(lab, &container, &machine, &arp(MAC, 1, V4, ROUTER));
        assert_verdicts(&trial, &forged(), true);
        assert_verdicts(&trial, &of_the_network(), true);
    });
}

#[test]
fn a_guard_without_addresses_looks_at_the_mac_and_at_what_routers_send() {
    lab!(|lab| {
        needs_limits!();
        let asked = [GUARDED[0], GUARDED[1], GUARDED[3]];
        let (machine, container) = guarded(lab, &asked);
        let trial = Trial::start(lab, &container, &machine, &arp(MAC, 1, V4, ROUTER));
        assert_verdicts(&trial, &good(), true);
        let by_mac = ["another MAC", "another MAC inside", "ARP that is cut"];
        let (dropped, passed): (Vec<_>, Vec<_>) = forged()
            .into_iter()
            .partition(|(what, _)| by_mac.contains(what));
        assert_verdicts(&trial, &dropped, false);
        assert_verdicts(&trial, &passed, true);
        assert_verdicts(&trial, &of_the_network(), false);
    });
}

#[test]
fn a_guard_lets_the_kernels_own_traffic_pass_and_limits_it_too() {
    lab!(|lab| {
        needs_limits!();
        let mut asked = GUARDED.to_vec();
        asked.extend(["pipework.rate.out=100mbit", "pipework.rate.in=100mbit"]);
        let (machine, container) = guarded(lab, &asked);
        for target in ["10.0.0.2", "fd00::2"] {
            crate::traffic::assert_reaches(lab, &container, &machine, target);
        }
        let trial = Trial::start(lab, &container, &machine, &arp(MAC, 1, V4, ROUTER));
        assert_verdicts(&trial, &forged(), false);
        assert_verdicts(&trial, &good(), true);
    });
}

#[test]
fn the_port_of_a_pod_is_guarded_unless_it_has_leave_to_go_without() {
    lab!(|lab| {
        needs_limits!();
        let machine = lab.lan("br0");
        write(
            "[[rule]]\ncaller = \"namespace:shop\"\nuplink = \"br0\"\nkind = \"bridge\"\nmac = \"any\"\n\
             ifname = \"eth1\"\nno-spoofcheck = true\n\
             [[rule]]\ncaller = \"namespace:other\"\nuplink = \"br0\"\nkind = \"bridge\"\nmac = \"any\"\n\
             ifname = \"eth1\"\n",
        );
        let attach = |namespace: &str, field: &str| {
            let namespace = format!("io.kubernetes.cri.sandbox-namespace={namespace}");
            let container = lab.any_container();
            let asked = [
                GUARDED[0],
                GUARDED[1],
                "pipework.ifname=eth1",
                field,
                &namespace,
            ];
            let outcome = lab.attach(&container, &asked);
            (container, outcome)
        };
        let is_forged_seen = |container: &Container| {
            let trial = Trial::start(lab, container, &machine, &arp(MAC, 1, V4, ROUTER));
            trial.passes(&udp4(OTHER_MAC, V4, [1000, 2000]))
        };
        let (guarded, outcome) = attach("other", "pipework.announce=1");
        outcome.ok();
        assert!(!is_forged_seen(&guarded));
        guarded.end();
        let (_refused, outcome) = attach("other", "pipework.spoofcheck=false");
        let report = outcome.refused(12);
        assert!(report.contains("no-spoofcheck = true"), "{report}");
        let (free, outcome) = attach("shop", "pipework.spoofcheck=false");
        outcome.ok();
        assert!(is_forged_seen(&free));
    });
}

/// Attaches a container that sends what belongs to somebody else by eth1, from the
/// instant on that it can, and returns when it has done so a hundred times.
pub fn forging_from_the_first_instant(lab: &Lab, asked: &[&str]) -> Container {
    let mut frame = udp4(OTHER_MAC, OTHER_V4, [666, 666]);
    // The length that it tells; a bridge may drop what is shorter (br_netfilter).
    frame.extend([0; 12]);
    let container = lab.any_container();
    let done = Arc::new(AtomicBool::new(false));
    let sent = Arc::new(AtomicU32::new(0));
    let attacker = lab.inside(&container, || {
        let (done, sent) = (Arc::clone(&done), Arc::clone(&sent));
        // The thread stays in the namespace that it was started in.
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                if let Some(forge) = Forge::open("eth1")
                    && forge.send(&frame)
                {
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    });
    lab.attach(&container, asked).ok();
    while sent.load(Ordering::Relaxed) < 100 {
        std::thread::sleep(Duration::from_millis(1));
    }
    done.store(true, Ordering::Relaxed);
    attacker.join().unwrap();
    container
}

/// Whether a frame is one of those.
pub fn is_forged(frame: &[u8]) -> bool {
    frame.len() > 12 && frame[6..12] == OTHER_MAC
}

#[test]
fn no_forged_frame_passes_from_the_first_instant_on() {
    lab!(|lab| {
        needs_limits!();
        let machine = lab.lan("br0");
        ip("link set br0 type bridge mcast_snooping 0");
        let capture = Capture::start(lab, &machine);
        let _guarded = forging_from_the_first_instant(lab, &GUARDED);
        assert!(!capture.sees(Duration::from_millis(300), is_forged));
        let _other = forging_from_the_first_instant(lab, &["pipework.bridge=br0"]);
        assert!(capture.sees(Duration::from_secs(5), is_forged), "unguarded");
    });
}

#[test]
fn a_guard_is_refused_on_a_macvlan() {
    lab!(|lab| {
        needs_macvlan!();
        refused_on(lab, "macvlan", "a macvlan");
    });
}

#[test]
fn a_guard_is_refused_on_an_ipvlan() {
    lab!(|lab| {
        needs_ipvlan!();
        refused_on(lab, "ipvlan", "an ipvlan");
    });
}

fn refused_on(lab: &Lab, kind: &str, words: &str) {
    let _machine = lab.nic("up1");
    let container = lab.any_container();
    let before = lab.snapshot_of(&container);
    for field in ["spoofcheck", "isolate", "hairpin"] {
        let asked = [
            "pipework.parent=up1",
            &format!("pipework.type={kind}"),
            &format!("pipework.{field}=true"),
        ];
        let report = lab.attach(&container, &asked).refused(19);
        let why = format!("{field} is not possible on {words}: it is a setting of a bridge port");
        assert!(report.contains(&why), "{report}");
        before.assert_equal(&lab.snapshot_of(&container), field);
    }
}
