//! dnsmasq, Kea, ISC and udhcpd: each gives, and knows again.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pipework::dhcp::options::code;
use pipework::dhcp::wire::{Message, MessageType};

use crate::overheard::Overheard;
use crate::plain::{ALONE, addresses, alone, routes};
use crate::support::daemon::Daemon;
use crate::support::dhcp_daemons::{Kind, LEASES, Server};
use crate::support::dhcp_server::{Scripted, ordinary};
use crate::support::lab::{Container, Lab, PIPEWORK, ip, ip_json, lab};
use crate::support::note_flaky;

pub const RANGE: &str = "--dhcp-range=10.0.0.100,10.0.0.110,10m";

pub fn options(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Dnsmasq => &[RANGE],
        Kind::Kea | Kind::Isc | Kind::Udhcpd => &[],
    }
}

/// A server that was to be started, or the test is skipped.
macro_rules! server {
    ($started:expr) => {
        match $started {
            Some(server) => server,
            None => $crate::support::skip!("there is no Debian root with DHCP servers"),
        }
    };
}
pub(crate) use server;

pub fn local(lab: &Lab, container: &Container) -> String {
    let found = addresses(lab, container);
    found[0]["local"].as_str().unwrap().to_owned()
}

/// A first start, which the server may take seconds for, then others of the same
/// container, which asks for its address outright, without a DISCOVER.
fn gives_and_knows_again(kind: Kind) {
    lab!(move |lab| {
        let machine = lab.lan("br0");
        let _server = server!(kind.start(lab, &machine, options(kind)));
        let mut container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        let first = local(lab, &container);
        assert!(first.starts_with("10.0.0.1"), "{first}");
        let expected = match kind {
            // It names itself as the router without being told.
            Kind::Dnsmasq | Kind::Kea | Kind::Isc | Kind::Udhcpd => "default via 10.0.0.2",
        };
        assert!(routes(lab, &container).contains(&expected.to_owned()));
        // A server that the machine keeps from answering in time is asked anew.
        let is_known = ["answered late", ""].iter().any(|why| {
            container.kill();
            lab.poststop("web").ok();
            let overheard = Overheard::on(lab, &machine);
            container = lab.container("web");
            lab.attach(&container, &ALONE).ok();
            assert_eq!(local(lab, &container), first);
            let is_known = reboots(&overheard.until_ack(), &first);
            if !is_known && !why.is_empty() {
                note_flaky(why);
            }
            is_known
        });
        assert!(is_known, "no REQUEST for the former address was answered");
    });
}

/// Whether what was said is a REQUEST for the former address and its ACK; that it
/// began with one is so in any case (RFC 2131 §4.3.2).
fn reboots(said: &[Message], former: &str) -> bool {
    let (first, last) = (&said[0], &said[said.len() - 1]);
    assert_eq!(first.kind(), Some(MessageType::Request), "{said:?}");
    let wanted = first.options.address(code::REQUESTED_ADDRESS);
    assert_eq!(wanted, former.parse().ok());
    assert_eq!(first.options.address(code::SERVER_ID), None);
    assert!(first.ciaddr.is_unspecified());
    let is_discover = |message: &Message| message.kind() == Some(MessageType::Discover);
    last.xid == first.xid && !said.iter().any(is_discover)
}

#[test]
fn dnsmasq_gives_a_lease_and_knows_it_again() {
    gives_and_knows_again(Kind::Dnsmasq);
}

#[test]
fn kea_gives_a_lease_and_knows_it_again() {
    gives_and_knows_again(Kind::Kea);
}

#[test]
fn isc_gives_a_lease_and_knows_it_again() {
    gives_and_knows_again(Kind::Isc);
}

#[test]
fn udhcpd_gives_a_lease_and_knows_it_again() {
    gives_and_knows_again(Kind::Udhcpd);
}

/// A container that comes back to another network than the one it left.
fn refuses_a_foreign_address(kind: Kind) {
    lab!(move |lab| {
        let machine = lab.lan("br0");
        let elsewhere = Scripted::on(lab, &machine, |message, _| {
            ordinary(message, |m| m.yiaddr = [192, 168, 55, 5].into())
        });
        let mut container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        assert_eq!(local(lab, &container), "192.168.55.5");
        container.kill();
        lab.poststop("web").ok();
        drop(elsewhere);
        let _server = server!(kind.start(lab, &machine, options(kind)));
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        assert!(local(lab, &container).starts_with("10.0.0.1"));
    });
}

#[test]
fn an_address_of_another_network_is_given_up_before_dnsmasq() {
    refuses_a_foreign_address(Kind::Dnsmasq);
}

#[test]
fn an_address_of_another_network_is_given_up_before_kea() {
    refuses_a_foreign_address(Kind::Kea);
}

#[test]
fn an_address_of_another_network_is_given_up_before_isc() {
    refuses_a_foreign_address(Kind::Isc);
}

#[test]
fn an_address_of_another_network_is_given_up_before_udhcpd() {
    refuses_a_foreign_address(Kind::Udhcpd);
}

/// Starts dnsmasq or Kea with these addresses of 10.0.0.0/24.
fn with_pool(kind: Kind, lab: &Lab, machine: &Container, pool: [u8; 2]) -> Option<Server> {
    let [first, last] = pool.map(|host| format!("10.0.0.{host}"));
    if kind == Kind::Kea {
        let pool = format!("{first} - {last}");
        let change = |text: &str| text.replace("10.0.0.100 - 10.0.0.110", &pool);
        return kind.start_changed(lab, machine, change);
    }
    let range = format!("--dhcp-range={first},{last},10m");
    kind.start(lab, machine, &[&range, "--no-ping"])
}

fn has_a_pool_without_a_free_address(kind: Kind) {
    lab!(move |lab| {
        let machine = lab.lan("br0");
        let _server = server!(with_pool(kind, lab, &machine, [100, 100]));
        let first = lab.container("first");
        lab.attach(&first, &ALONE).ok();
        let second = lab.container("second");
        let text = lab
            .attach(&second, &alone(&["pipework.dhcp.timeout=1s"]))
            .refused(22);
        assert!(text.contains("no DHCP server offered eth1"), "{text}");
        assert!(text.contains("free addresses"), "{text}");
    });
}

#[test]
fn a_pool_without_a_free_address_is_told_as_no_offer() {
    has_a_pool_without_a_free_address(Kind::Dnsmasq);
}

#[test]
fn a_pool_of_kea_without_a_free_address_is_told_as_no_offer() {
    has_a_pool_without_a_free_address(Kind::Kea);
}

#[test]
fn a_server_tells_clients_apart_by_class_and_by_identifier() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let options = [
            RANGE,
            "--no-ping",
            "--dhcp-vendorclass=set:ours,pipework",
            "--dhcp-option=tag:ours,option:mtu,1400",
            "--dhcp-host=id:00:77:65:62,10.0.0.107",
        ];
        let _server = server!(Kind::Dnsmasq.start(lab, &machine, &options));
        let container = lab.container("web");
        let asked = alone(&[
            "pipework.dhcp.vendor-class=pipework",
            "pipework.dhcp.client-id=web",
        ]);
        lab.attach(&container, &asked).ok();
        assert_eq!(local(lab, &container), "10.0.0.107");
        let link = lab.inside(&container, || ip_json("link show dev eth1"));
        assert_eq!(link[0]["mtu"], 1400);
    });
}

#[test]
fn dnsmasq_has_a_lease_back_that_was_given_back() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        ip("addr add 10.0.0.1/24 dev br0");
        let options = [RANGE, "--no-ping"];
        let _server = server!(Kind::Dnsmasq.start(lab, &machine, &options));
        let mut container = lab.container("web");
        lab.attach(&container, &alone(&["pipework.dhcp.release=true"]))
            .ok();
        let address = local(lab, &container);
        let knows = || fs::read_to_string(LEASES).unwrap().contains(&address);
        assert!(knows());
        container.kill();
        lab.poststop("web").ok();
        within("it is given back", || !knows());
    });
}

/// A lease that is given back, and what its server says of it then.
fn gives_back(kind: Kind, is_back: fn(&str) -> bool) {
    lab!(move |lab| {
        let machine = lab.lan("br0");
        ip("addr add 10.0.0.1/24 dev br0");
        let _server = server!(kind.start(lab, &machine, options(kind)));
        let mut container = lab.container("web");
        lab.attach(&container, &alone(&["pipework.dhcp.release=true"]))
            .ok();
        let address = local(lab, &container);
        assert!(!is_back(&address));
        container.kill();
        lab.poststop("web").ok();
        let end = Instant::now() + Duration::from_secs(10);
        while !is_back(&address) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(is_back(&address));
    });
}

#[test]
fn kea_has_a_lease_back_that_was_given_back() {
    gives_back(Kind::Kea, |address| {
        let log = fs::read_to_string("/run/kea-dhcp4.log").unwrap();
        let mut lines = log.lines();
        lines.any(|line| line.contains("DHCP4_RELEASE ") && line.contains(address))
    });
}

#[test]
fn isc_has_a_lease_back_that_was_given_back() {
    gives_back(Kind::Isc, |address| {
        let leases = fs::read_to_string("/run/dhcpd.leases").unwrap();
        // Each change is written behind the others.
        let last = leases.rsplit(&format!("lease {address} {{")).next();
        last.is_some_and(|last| last.contains("\n  binding state free;"))
    });
}

#[test]
fn a_bridge_that_still_listens_is_waited_for() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let options = [RANGE, "--no-ping"];
        let _server = server!(Kind::Dnsmasq.start(lab, &machine, &options));
        ip("link set br0 type bridge stp_state 1 forward_delay 200");
        let container = lab.container("web");
        let begin = Instant::now();
        lab.attach(&container, &ALONE).ok();
        // Twice the forward delay of 2 s.
        let took = begin.elapsed();
        assert!(took > Duration::from_secs(3), "{took:?}");
    });
}

#[test]
fn a_bridge_with_the_usual_delays_of_a_spanning_tree_is_waited_for() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let options = [RANGE, "--no-ping"];
        let _server = server!(Kind::Dnsmasq.start(lab, &machine, &options));
        ip("link set br0 type bridge stp_state 1 forward_delay 1500");
        let container = lab.container("web");
        let begin = Instant::now();
        // Two delays of 15 s, which is more than the 20 s without a word.
        lab.attach(&container, &alone(&["pipework.dhcp.timeout=40s"]))
            .ok();
        let took = begin.elapsed();
        assert!(took > Duration::from_secs(28), "{took:?}");
    });
}

/// A hook under way.
fn start(lab: &Lab, container: &Container, asked: &[&str]) -> Child {
    let mut child = Command::new(PIPEWORK)
        .args(["hook", "--stage", "createRuntime"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let state = lab.state(container, asked).to_string();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(state.as_bytes()).unwrap();
    child
}

fn gives_a_hundred_at_once(kind: Kind) {
    lab!(move |lab| {
        let machine = lab.lan("br0");
        let _server = server!(with_pool(kind, lab, &machine, [50, 250]));
        let containers: Vec<Container> = (0..100).map(|_| lab.any_container()).collect();
        let hooks: Vec<Child> = containers.iter().map(|c| start(lab, c, &ALONE)).collect();
        for hook in hooks {
            let output = hook.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{text}");
        }
        let mut found: Vec<String> = containers.iter().map(|c| local(lab, c)).collect();
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 100);
    });
}

#[test]
fn a_hundred_starts_at_once_all_end_in_an_address_of_their_own() {
    gives_a_hundred_at_once(Kind::Dnsmasq);
}

#[test]
fn a_hundred_starts_at_once_all_end_in_an_address_of_kea() {
    gives_a_hundred_at_once(Kind::Kea);
}

#[track_caller]
pub fn within(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_lease_is_handed_to_the_daemon_and_ends_with_its_container() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let options = [RANGE, "--no-ping"];
        let _server = server!(Kind::Dnsmasq.start(lab, &machine, &options));
        let _daemon = Daemon::start();
        let mut container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=dhcp",
            "pipework.dhcp.arp=off",
        ];
        let outcome = lab.attach(&container, &asked);
        assert_eq!(outcome.ok().stderr(), "");
        let kept = || fs::read_dir("/run/pipework/leases").map_or(0, Iterator::count);
        assert_eq!(kept(), 1);
        container.kill();
        lab.poststop("web").ok();
        within("the lease ends", || kept() == 0);
    });
}
