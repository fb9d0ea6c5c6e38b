//! Turns at asking servers of one segment.

use std::time::{Duration, Instant};

use pipework::deadline::Deadline;
use pipework::keeper::{Turn, turn};

use crate::crowd::waiting;
use crate::process::{Daemon, hand_over, soon, within};
use crate::server::Server;
use crate::support::lab::lab;

fn briefly() -> Deadline {
    Deadline::after(Duration::from_millis(50))
}

#[test]
fn thirty_two_ask_at_once_and_the_next_when_one_of_them_ends() {
    lab!(|_lab| {
        let _daemon = Daemon::start();
        let mut turns: Vec<Turn> = (0..32).map(|_| turn(7, soon()).unwrap()).collect();
        let start = Instant::now();
        assert!(turn(7, briefly()).is_none());
        assert!(start.elapsed() < Duration::from_secs(1));
        assert!(turn(8, briefly()).is_some(), "another segment");
        turns.pop();
        assert!(turn(7, soon()).is_some());
    });
}

#[test]
fn without_a_daemon_nobody_waits() {
    lab!(|_lab| {
        let start = Instant::now();
        assert!(turn(7, soon()).is_none());
        assert!(start.elapsed() < Duration::from_millis(50));
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
        within("it is asked for", Duration::from_secs(2), || {
            !server.heard().is_empty()
        });
        // And it has that turn until its server has had time to answer.
        assert!(turn(uplink, briefly()).is_none());
    });
}
