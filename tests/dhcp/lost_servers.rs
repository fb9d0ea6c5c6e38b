//! Real servers that are killed while a lease is in use: what another one with
//! the same records answers, and what the end of the lease brings.
//!
//! By Kea, whose leases may be of seconds; dnsmasq gives none below two minutes,
//! so that of its only the times of renewal pass here.

use std::cell::RefCell;
use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use pipework::dhcp::wire::{Message, MessageType};
use pipework::record::{Kept, Store};
use serde_json::Value;

use crate::plain::addresses;
use crate::servers::{local, server, within};
use crate::support::daemon::Daemon;
use crate::support::dhcp_daemons::{Kind, Server};
use crate::support::lab::wire::Capture;
use crate::support::lab::{Container, Lab, RECORDS, ip, lab};

const ASKED: [&str; 3] = [
    "pipework.bridge=br0",
    "pipework.ip=dhcp",
    "pipework.dhcp.arp=off",
];
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const SECOND: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
/// How long a server may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// Two machines on br0, at [`FIRST`] and [`SECOND`].
fn machines(lab: &Lab) -> (Container, Container) {
    let first = lab.lan("br0");
    let second = lab.nic("up1");
    ip("link set up1 master br0");
    lab.inside(&second, || ip(&format!("addr add {SECOND}/24 dev wire")));
    (first, second)
}

/// Kea with leases of `secs` seconds, to be renewed after two and rebound after
/// four, that it writes down where the next one finds them.
fn kea(lab: &Lab, machine: &Container, secs: u32) -> Option<Server> {
    let server = Kind::Kea.start_changed(lab, machine, |text| {
        let mut text: Value = serde_json::from_str(text).unwrap();
        let kea = &mut text["Dhcp4"];
        kea["valid-lifetime"] = secs.into();
        kea["renew-timer"] = 2.into();
        kea["rebind-timer"] = 4.into();
        kea["lease-database"] = serde_json::json!({
            "type": "memfile", "persist": true, "name": "/run/kea-leases4.csv",
            "lfc-interval": 0,
        });
        text.to_string()
    })?;
    within("it listens", || log().contains("DHCP4_STARTED"));
    Some(server)
}

fn log() -> String {
    fs::read_to_string("/run/kea-dhcp4.log").unwrap()
}

/// What a frame says to a server.
fn said(frame: &[u8]) -> Option<Message> {
    const IS_UDP_TO_SERVER: ([u8; 2], u8, [u8; 2]) = ([8, 0], 17, [0, 67]);
    if frame.len() < 42 {
        return None;
    }
    let is = ([frame[12], frame[13]], frame[23], [frame[36], frame[37]]);
    Message::read(&frame[42..]).filter(|_| is == IS_UDP_TO_SERVER)
}

/// Whether a frame asks for more of a lease that is in use, and then whether all
/// servers are asked.
fn extends(frame: &[u8]) -> Option<bool> {
    let message = said(frame)?;
    let is_question = message.kind() == Some(MessageType::Request);
    (is_question && !message.ciaddr.is_unspecified()).then(|| frame[..6] == [0xff; 6])
}

fn begins_anew(frame: &[u8]) -> bool {
    said(frame).and_then(|message| message.kind()) == Some(MessageType::Discover)
}

/// Waits until all servers are asked for more of a lease; before that, its own
/// was.
#[track_caller]
fn assert_renews_and_then_rebinds(wire: &Capture) {
    let asked = RefCell::new(Vec::new());
    let is_to_all = |frame: &[u8]| {
        let to_all = extends(frame);
        asked.borrow_mut().extend(to_all);
        to_all == Some(true)
    };
    assert!(wire.sees(PATIENCE, is_to_all), "it does not rebind");
    let asked = asked.into_inner();
    assert!(asked.len() > 1, "its own server was not asked before");
}

/// The only lease that is kept.
fn lease() -> Kept {
    let store = Store::open(RECORDS.as_ref()).unwrap();
    let mut leases = store.leases().unwrap();
    assert_eq!(leases.len(), 1);
    leases.remove(0).unwrap()
}

fn server_of_lease() -> Option<Ipv4Addr> {
    let bound = lease().dhcp4?.bound;
    bound.map(|bound| bound.lease.server)
}

/// A server that is killed before T1, and another that comes up with its leases
/// while all are asked; the daemon may be killed in between.
fn is_taken_on_by_another(kills_daemon: bool) {
    lab!(move |lab| {
        let (first, second) = machines(lab);
        let server = server!(kea(lab, &first, 40));
        let mut daemon = Some(Daemon::start());
        let web = lab.container("web");
        let wire = Capture::start(lab, &first);
        lab.attach(&web, &ASKED).ok();
        let address = local(lab, &web);
        assert_eq!(server_of_lease(), Some(FIRST));
        drop(server);
        assert_renews_and_then_rebinds(&wire);
        assert_eq!(local(lab, &web), address, "nothing ends by silence");
        if kills_daemon {
            daemon = None;
        }
        let _other = server!(kea(lab, &second, 40));
        let _daemon = daemon.unwrap_or_else(Daemon::start);
        within("the other one is its server", || {
            assert_eq!(local(lab, &web), address, "a gap");
            server_of_lease() == Some(SECOND)
        });
        let log = log();
        assert!(log.contains("DHCPACK"), "{log}");
        assert!(!log.contains("DHCPDISCOVER"), "{log}");
    });
}

#[test]
fn a_lease_whose_kea_is_killed_is_taken_on_by_another_with_its_records() {
    is_taken_on_by_another(false);
}

#[test]
fn killed_while_it_rebinds_a_lease_of_kea_it_is_answered_by_another() {
    is_taken_on_by_another(true);
}

#[test]
fn a_lease_that_ended_while_its_kea_was_dead_is_given_again() {
    lab!(|lab| {
        let (first, _second) = machines(lab);
        let server = server!(kea(lab, &first, 10));
        let _daemon = Daemon::start();
        let web = lab.container("web");
        let wire = Capture::start(lab, &first);
        lab.attach(&web, &ASKED).ok();
        let address = local(lab, &web);
        drop(server);
        assert_renews_and_then_rebinds(&wire);
        assert!(wire.sees(PATIENCE, begins_anew), "nobody asks again");
        within("the address is gone", || addresses(lab, &web).is_empty());
        let _server = server!(kea(lab, &first, 10));
        within("it has one again", || !addresses(lab, &web).is_empty());
        assert_eq!(local(lab, &web), address);
        let log = log();
        // What the other tests look for in vain.
        assert!(log.contains("DHCPDISCOVER"), "{log}");
    });
}

#[test]
fn killed_while_it_rebinds_a_lease_of_dnsmasq_it_is_answered_by_the_next() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        // What is missed at T2 is asked for a minute later, or by a new daemon.
        let options = [
            "--dhcp-range=10.0.0.100,10.0.0.110,2m",
            "--no-ping",
            // T1 is a second before it.
            "--dhcp-option=option:T2,4",
        ];
        let server = server!(Kind::Dnsmasq.start(lab, &machine, &options));
        let daemon = Daemon::start();
        let web = lab.container("web");
        let wire = Capture::start(lab, &machine);
        lab.attach(&web, &ASKED).ok();
        let address = local(lab, &web);
        drop(server);
        assert_renews_and_then_rebinds(&wire);
        drop(daemon);
        let since = || lease().dhcp4.unwrap().bound.unwrap().since;
        let before = since();
        let _server = server!(Kind::Dnsmasq.start(lab, &machine, &options));
        let log = || fs::read_to_string("/run/dnsmasq.log").unwrap();
        within("it listens", || log().contains("sockets bound"));
        let _daemon = Daemon::start();
        within("it is renewed", || {
            assert_eq!(local(lab, &web), address, "a gap");
            since() > before
        });
    });
}
