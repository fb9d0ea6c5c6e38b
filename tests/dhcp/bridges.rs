//! A start that waits for its lease holds no bridge: others start on it meanwhile,
//! and what is taken back then is only what nobody else has.

use std::process::Command;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use pipework::deadline::Deadline;
use pipework::record::{Mode, Store};

use crate::plain::{addresses, alone};
use crate::support::dhcp_server::Scripted;
use crate::support::lab::{Container, Lab, Outcome, PIPEWORK, RECORDS, feed, ip_json, lab};

/// Starts `container` with a lease on br7, which it makes, beside this thread, and
/// returns once its port is there.
fn begin<'scope>(
    lab: &Lab,
    container: &Container,
    seconds: &str,
    scope: &'scope std::thread::Scope<'scope, '_>,
) -> ScopedJoinHandle<'scope, Outcome> {
    let timeout = format!("pipework.dhcp.timeout={seconds}");
    let mut asked = alone(&[&timeout]);
    asked[0] = "pipework.bridge=br7";
    let state = lab.state(container, &asked).to_string();
    let start = scope.spawn(move || {
        let mut command = Command::new(PIPEWORK);
        command.args(["hook", "--stage", "createRuntime"]);
        feed(&mut command, state.as_bytes())
    });
    let end = Instant::now() + Duration::from_secs(60);
    while ports() == 0 {
        assert!(Instant::now() < end && !start.is_finished(), "no port");
        std::thread::sleep(Duration::from_millis(10));
    }
    start
}

/// How many ports br7 has, if it is there.
fn ports() -> usize {
    let links = ip_json("link show");
    let links = links.as_array().unwrap().iter();
    links.filter(|link| link["master"] == "br7").count()
}

fn is_there(name: &str) -> bool {
    let links = ip_json("link show");
    links
        .as_array()
        .unwrap()
        .iter()
        .any(|l| l["ifname"] == name)
}

#[test]
fn the_server_of_a_bridge_may_be_a_container_that_starts_behind_its_client() {
    lab!(|lab| {
        let (client, server) = (lab.container("web"), lab.container("server"));
        std::thread::scope(|scope| {
            let start = begin(lab, &client, "20s", scope);
            let asked = [
                "pipework.bridge=br7",
                "pipework.ip=10.0.0.2/24",
                "pipework.ifname=wire",
            ];
            lab.attach(&server, &asked).ok();
            let _serves = Scripted::ordinary(lab, &server);
            start.join().unwrap().ok();
        });
        assert_eq!(addresses(lab, &client).len(), 1);
    });
}

#[test]
fn a_start_without_a_lease_leaves_its_bridge_to_who_came_meanwhile() {
    lab!(|lab| {
        let (client, other) = (lab.container("web"), lab.container("other"));
        std::thread::scope(|scope| {
            let start = begin(lab, &client, "3s", scope);
            lab.attach(&other, &["pipework.bridge=br7", "pipework.ip=10.0.0.2/24"])
                .ok();
            start.join().unwrap().refused(22);
        });
        assert_eq!(ports(), 1, "the other one's");
    });
}

#[test]
fn a_start_without_a_lease_leaves_its_bridge_to_who_is_about_to_start_on_it() {
    lab!(|lab| {
        let client = lab.container("web");
        let store = Store::open(RECORDS.as_ref()).unwrap();
        let bridge = "br7".parse().unwrap();
        let patience = Deadline::after(Duration::from_secs(10));
        std::thread::scope(|scope| {
            let start = begin(lab, &client, "2s", scope);
            let other = store.lock_bridge(&bridge, Mode::Shared, patience).unwrap();
            start.join().unwrap().refused(22);
            assert!(is_there("br7"), "somebody looked at it");
            drop(other);
        });
        let start = lab.container("late");
        let mut asked = alone(&["pipework.dhcp.timeout=1s"]);
        asked[0] = "pipework.bridge=br8";
        lab.attach(&start, &asked).refused(22);
        assert!(!is_there("br8"), "nobody else was there");
    });
}
