//! Turns at asking servers of one segment.

use std::time::{Duration, Instant};

use pipework::deadline::Deadline;
use pipework::keeper::{Turn, turn};

use crate::process::{Daemon, soon};
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
