//! Turns at asking servers of one segment.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::spawn;
use std::time::{Duration, Instant};

use pipework::deadline::Deadline;
use pipework::keeper::{Turn, turn};

use crate::crowd::waiting;
use crate::process::{Daemon, hand_over, soon, within};
use crate::server::Server;
use crate::support::dhcp6_server::{GIVEN, Scripted6, lan6, locals6};
use crate::support::lab::{ip_json, lab};

/// Somebody who waits for his turn for as long as it takes.
struct Waiting(Receiver<Turn>);

impl Waiting {
    fn for_a_turn(uplink: u32) -> Self {
        let (tell, told) = channel();
        let patience = Deadline::after(Duration::from_secs(60));
        spawn(move || turn(uplink, patience).map(|turn| tell.send(turn)));
        Self(told)
    }

    /// The daemon has had the time for several others, and none for him.
    fn is_heard_and_not_answered(&self) {
        for other in 1000..1010 {
            assert!(turn(other, soon()).is_ok(), "a segment of nobody");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(self.0.try_recv().err(), Some(TryRecvError::Empty));
    }

    fn comes(&self) -> bool {
        self.0.recv_timeout(Duration::from_secs(30)).is_ok()
    }
}

#[test]
fn thirty_two_ask_at_once_and_the_next_when_one_of_them_ends() {
    lab!(|_lab| {
        let _daemon = Daemon::start();
        let mut turns: Vec<Turn> = (0..32).map(|_| turn(7, soon()).unwrap()).collect();
        let next = Waiting::for_a_turn(7);
        next.is_heard_and_not_answered();
        assert!(turn(8, soon()).is_ok(), "another segment");
        next.is_heard_and_not_answered();
        turns.pop();
        assert!(next.comes(), "its turn comes when another ends");
    });
}

#[test]
fn without_a_daemon_nobody_waits() {
    lab!(|_lab| {
        let start = Instant::now();
        let late = Duration::from_secs(60);
        assert!(turn(7, Deadline::after(late)).is_err());
        assert!(start.elapsed() < late / 2);
    });
}

#[test]
fn a_lease_that_the_daemon_asks_for_itself_waits_for_its_turn_too() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Server::start(lab, &machine, |_| Vec::new());
        let _daemon = Daemon::start();
        let (_web, kept) = waiting(lab, 1);
        let uplink = kept.uplink;
        let mut turns: Vec<Turn> = (0..32).map(|_| turn(uplink, soon()).unwrap()).collect();
        hand_over(&kept);
        std::thread::sleep(Duration::from_millis(400));
        assert!(server.heard().is_empty());
        turns.pop();
        within("it is asked for", || !server.heard().is_empty());
        // And it has that turn until its server has had time to answer.
        let next = Waiting::for_a_turn(uplink);
        next.is_heard_and_not_answered();
        turns.pop();
        assert!(next.comes());
    });
}

#[test]
fn a_lease_of_ipv6_that_the_daemon_asks_for_itself_waits_for_its_turn_too() {
    lab!(|lab| {
        let machine = lan6(lab);
        let _daemon = Daemon::start();
        let bridge = ip_json("link show br0")[0]["ifindex"].as_u64().unwrap();
        let uplink = u32::try_from(bridge).unwrap();
        let mut turns: Vec<Turn> = (0..32).map(|_| turn(uplink, soon()).unwrap()).collect();
        let web = lab.container("web");
        // It waits for a turn for a while, and then asks all the same.
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=dhcp6",
            "pipework.default=false",
            "pipework.dhcp.arp=off",
            "pipework.dhcp.timeout=300ms",
            "pipework.dhcp.fallback=background",
        ];
        lab.attach(&web, &asked).ok();
        let server = Scripted6::ordinary(lab, &machine);
        std::thread::sleep(Duration::from_millis(400));
        assert!(server.heard().is_empty());
        turns.pop();
        within("it is asked for", || !server.heard().is_empty());
        within("it has an address", || {
            locals6(lab, &web) == [GIVEN.to_string()]
        });
    });
}
