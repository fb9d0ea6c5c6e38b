//! A bridge in a NIC's place: what it has then, what the NIC has again, and who
//! goes back when nobody confirms.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pipework::sys::rtnl::NicState;

use crate::nic_state::{capture, furnish};
use crate::support::lab::snapshot::Snapshot;
use crate::support::lab::{Outcome, PIPEWORK, ip, ip_json, lab, run};

/// The guards of this lab's uplinks; those that are left end with it, and their
/// cgroups.
pub struct Guards;

impl Guards {
    /// Pids of the guards in this namespace.
    pub fn all() -> Vec<i32> {
        let own = fs::read_link("/proc/thread-self/ns/net").unwrap();
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let netns = fs::read_link(format!("/proc/{pid}/ns/net"));
            line.contains(" uplink guard ") && netns.is_ok_and(|netns| netns == own)
        })
        .collect()
    }

    /// Ends them as nobody should.
    pub fn kill() {
        for pid in Self::all() {
            run("kill", &format!("-KILL {pid}"));
        }
        wait_for("guards to end", || Self::all().is_empty());
    }
}

impl Drop for Guards {
    fn drop(&mut self) {
        for pid in Self::all() {
            Command::new("kill")
                .args(["-KILL", &pid.to_string()])
                .status()
                .ok();
            for root in ["", "systemd/", "unified/"] {
                let cgroup = format!("/sys/fs/cgroup/{root}pipework-uplink-{pid}");
                for _ in 0..50 {
                    if fs::remove_dir(&cgroup).is_ok() || !Path::new(&cgroup).exists() {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }
}

/// Waits for something that must happen within a minute.
#[track_caller]
pub fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !happened() {
        assert!(Instant::now() < end, "waiting for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs `pipework uplink`.
pub fn uplink(arguments: &str) -> Outcome {
    let mut command = Command::new(PIPEWORK);
    command.arg("uplink").args(arguments.split_whitespace());
    Outcome(command.stdin(Stdio::null()).output().unwrap())
}

/// What a run printed.
pub fn printed(outcome: &Outcome) -> String {
    outcome.ok();
    String::from_utf8_lossy(&outcome.0.stdout).into_owned()
}

/// Whether any uplink stands in the records.
pub fn is_recorded() -> bool {
    let entries = fs::read_dir("/run/pipework/uplinks").into_iter().flatten();
    entries.flatten().next().is_some()
}

/// What `state` would be on another device.
fn on(state: &NicState, other: &NicState) -> NicState {
    let index = |route: &pipework::sys::rtnl::RawRoute| route.on(state.ifindex, other.ifindex);
    NicState {
        addresses: state
            .addresses
            .iter()
            .map(|a| a.on(other.ifindex, &state.name, &other.name))
            .collect(),
        routes: state.routes.iter().map(index).collect(),
        nexthops: state
            .nexthops
            .iter()
            .map(|n| n.on(state.ifindex, other.ifindex))
            .collect(),
        rules: state
            .rules
            .iter()
            .map(|r| r.renamed(&state.name, &other.name))
            .collect(),
        ..other.clone()
    }
}

#[track_caller]
fn assert_has(bridge: &NicState, had: &NicState) {
    let wanted = on(had, bridge);
    assert_eq!(bridge.addresses, wanted.addresses);
    assert_eq!(bridge.rules, wanted.rules);
    assert_eq!(bridge.nexthops, wanted.nexthops);
    let lacks = |a: &NicState, b: &NicState| -> Vec<String> {
        let routes = a.routes.iter();
        let lacking = routes.filter(|route| !b.routes.iter().any(|other| other.is_same_as(route)));
        lacking.map(|route| format!("{route} {route:?}")).collect()
    };
    assert_eq!(lacks(&wanted, bridge), [""; 0], "the bridge lacks routes");
    assert_eq!(
        lacks(bridge, &wanted),
        [""; 0],
        "the bridge has more routes"
    );
    assert_eq!((bridge.mac, bridge.mtu), (had.mac, had.mtu));
}

#[test]
fn a_bridge_has_all_that_the_nic_had_and_the_nic_has_it_again() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = furnish(lab, "eth0");
        let (had, before) = (capture("eth0"), lab.snapshot());
        let said = printed(&uplink("add br0 eth0"));
        assert!(said.contains("pipework uplink confirm br0"), "{said}");
        assert!(said.contains("60 s"), "the time that README says: {said}");
        assert_has(&capture("br0"), &had);
        let nic = capture("eth0");
        assert!(nic.addresses.is_empty() && nic.routes.is_empty(), "{nic:?}");
        assert_eq!(printed(&uplink("confirm")), "br0 stays as it is\n");
        assert_eq!(printed(&uplink("list")), "br0  eth0  confirmed\n");
        assert_eq!(printed(&uplink("del br0")), "eth0 has its place back\n");
        before.assert_equal(&lab.snapshot(), "after del");
        assert!(!is_recorded());
    });
}

#[test]
fn a_dry_run_says_every_step_and_changes_nothing() {
    lab!(|lab| {
        let _machine = lab.cable("eth0");
        ip("link set eth0 address 02:00:00:00:00:05");
        ip("addr add 10.0.0.5/24 dev eth0");
        ip("route add default via 10.0.0.2");
        ip("rule add iif eth0 lookup 100 pref 500");
        fs::write("/proc/sys/net/ipv4/conf/eth0/rp_filter", "0").unwrap();
        let before = lab.snapshot();
        let said = printed(&uplink("add br0 eth0 --dry-run"));
        let lines = said
            .lines()
            .filter(|line| !line.contains("settings of the NIC"));
        let lines: Vec<&str> = lines
            .filter(|line| !line.contains("IPv6") && !line.contains("::"))
            .collect();
        let steps: Vec<&str> = lines
            .iter()
            .filter_map(|line| Some(line.split_once(". ")?.1))
            .collect();
        assert_eq!(
            steps,
            [
                "make the bridge br0 with 02:00:00:00:00:05 and MTU 1500, without spanning tree",
                "bring br0 up",
                "give br0 10.0.0.5/24",
                "add the rules 500 iif br0 lookup 100",
                "make eth0 a port of br0",
                "wait for the carrier of br0",
                "move the route 10.0.0.0/24 from 10.0.0.5 to br0",
                "move the route default via 10.0.0.2 to br0",
                "set rp_filter of br0 to 0",
                "take 10.0.0.5/24 from eth0",
                "delete the rules 500 iif eth0 lookup 100",
            ],
            "{said}"
        );
        before.assert_equal(&lab.snapshot(), "after a dry run");
        assert!(!is_recorded());
        uplink("add br0 eth0 --confirm-within 0").ok();
        let there = lab.snapshot();
        let said = printed(&uplink("del br0 --dry-run"));
        assert!(
            said.contains("take eth0 out of br0\n") && said.contains("delete br0\n"),
            "{said}"
        );
        there.assert_equal(&lab.snapshot(), "after a dry run of del");
    });
}

#[test]
fn a_bridge_that_was_there_is_afterwards_what_it_was() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = furnish(lab, "eth0");
        let container = lab.any_container();
        lab.bridge("br0");
        ip("link set br0 address 02:00:00:00:00:77");
        ip("addr add 192.168.7.1/24 dev br0");
        ip("route add 10.66.0.0/16 via 192.168.7.2");
        lab.attach(
            &container,
            &["pipework.bridge=br0", "pipework.ip=192.168.7.5/24"],
        )
        .ok();
        let (before, had) = (lab.snapshot(), capture("eth0"));
        let gateway = || {
            let of_container = || ip_json("neigh show 192.168.7.1")[0]["lladdr"].clone();
            lab.inside(&container, of_container)
        };
        lab.inside(&container, || run("ping", "-c 1 -W 2 192.168.7.1"));
        assert_eq!(gateway(), "02:00:00:00:00:77");
        // What a neighbour was learned by holds for a second (`neigh_update`, locktime).
        std::thread::sleep(Duration::from_millis(1100));
        uplink("add br0 eth0 --confirm-within 0").ok();
        let now = capture("br0");
        assert_eq!(now.mac, had.mac);
        let shown = ip_json("link show br0")[0]["address"].clone();
        wait_for("the container to be told", || gateway() == shown);
        std::thread::sleep(Duration::from_millis(1100));
        let shown = ip_json("addr show dev br0").to_string();
        assert!(
            shown.contains("192.168.7.1") && shown.contains("10.0.0.5"),
            "{shown}"
        );
        uplink("del br0").ok();
        wait_for("the container to be told", || {
            gateway() == "02:00:00:00:00:77"
        });
        before.assert_equal(&lab.snapshot(), "after del");
    });
}

#[test]
fn what_a_bridge_of_ours_was_given_since_goes_along_to_the_nic() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        ip("addr add 10.0.0.5/24 dev eth0");
        uplink("add br0 eth0 --confirm-within 0").ok();
        ip("addr add 10.5.0.1/24 dev br0");
        ip("route add 10.6.0.0/16 via 10.0.0.2");
        ip("rule add oif br0 lookup 77 pref 600");
        uplink("del br0").ok();
        let shown = ip_json("addr show dev eth0").to_string();
        assert!(
            shown.contains("10.5.0.1") && shown.contains("10.0.0.5"),
            "{shown}"
        );
        assert_eq!(ip_json("route show 10.6.0.0/16")[0]["dev"], "eth0");
        assert_eq!(ip_json("rule show pref 600")[0]["oif"], "eth0");
    });
}

#[test]
fn a_bridge_of_ours_stays_for_the_containers_that_are_plugged_in() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        ip("addr add 10.0.0.5/24 dev eth0");
        let before = Snapshot::take();
        uplink("add br0 eth0 --confirm-within 0").ok();
        let mut container = lab.container("web");
        lab.attach(&container, &["pipework.bridge=br0"]).ok();
        uplink("del br0").ok();
        assert_eq!(ip_json("link show master br0").as_array().unwrap().len(), 1);
        let global = ip_json("addr show dev br0 scope global").to_string();
        assert!(!global.contains("10.0.0.5"), "{global}");
        container.kill();
        lab.poststop("web").ok();
        crate::kill::age_bridges();
        lab.gc().ok();
        before.assert_equal(&Snapshot::take(), "after the container is gone");
    });
}
