//! The device for a VLAN of a NIC: made once for all who use it, however many
//! start and end at the same time, and removed with the last.

use std::fs;
use std::process::{Command, Stdio};

use crate::macvlan::needs_macvlan;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, Outcome, ip, lab};
use crate::vlan::{ASKED, cable_in_vlan_100, link, needs_8021q, pings, vlans_of};

#[test]
fn the_device_is_made_once_and_goes_with_its_last_user() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let before = lab.snapshot();
        let first = lab.any_container();
        lab.attach(&first, &ASKED[..2]).ok();
        let index = link("up0.100").unwrap()["ifindex"].clone();
        let second = lab.any_container();
        lab.attach(&second, &ASKED[..2]).ok();
        assert_eq!(link("up0.100").unwrap()["ifindex"], index);
        first.end();
        lab.poststop("c0").ok();
        assert!(link("up0.100").is_some(), "the second one uses it");
        lab.gc().ok();
        assert!(link("up0.100").is_some(), "the second one uses it still");
        second.end();
        lab.poststop("c1").ok();
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn two_interfaces_of_one_container_share_it_too() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let before = lab.snapshot();
        let container = lab.any_container();
        let asked = [
            "pipework.0.parent=up0",
            "pipework.0.vlan=100",
            "pipework.1.parent=up0",
            "pipework.1.vlan=100",
            "pipework.2.parent=up0",
            "pipework.2.vlan=200",
        ];
        lab.attach(&container, &asked).ok();
        assert_eq!(vlans_of("up0"), ["up0.100", "up0.200"]);
        container.end();
        lab.poststop("c0").ok();
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn who_asks_for_the_device_by_its_name_uses_it_too() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = cable_in_vlan_100(lab);
        let before = lab.snapshot();
        let first = lab.any_container();
        lab.attach(&first, &ASKED[..2]).ok();
        let second = lab.any_container();
        lab.attach(&second, &["pipework.parent=up0.100", ASKED[2]])
            .ok();
        first.end();
        lab.poststop("c0").ok();
        assert!(pings(lab, &second), "the second one has its interface");
        second.end();
        lab.poststop("c1").ok();
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn a_device_that_carries_one_of_the_hosts_stays() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let container = lab.any_container();
        lab.attach(&container, &ASKED[..2]).ok();
        ip("link add own0 link up0.100 type macvlan mode bridge");
        container.end();
        lab.poststop("c0").ok();
        assert!(link("own0").is_some(), "the administrator's is there");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn what_goes_with_its_nic_is_gone() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let container = lab.any_container();
        lab.attach(&container, &ASKED).ok();
        ip("link del up0");
        container.end();
        lab.poststop("c0").ok();
        assert!(Records::take().is_empty());
    });
}

#[test]
fn a_device_of_ours_that_was_renamed_is_ours_and_one_that_the_host_uses_stays() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let round = |change: &dyn Fn()| {
            let container = lab.any_container();
            lab.attach(&container, &ASKED[..2]).ok();
            change();
            let second = lab.any_container();
            lab.attach(&second, &ASKED[..2]).ok();
            for container in [container, second] {
                let id = container.id.clone();
                container.end();
                lab.poststop(&id).ok();
            }
            assert!(Records::take().is_empty());
        };
        round(&|| {
            ip("link set up0.100 down");
            ip("link set up0.100 name office");
        });
        assert!(vlans_of("up0").is_empty());
        round(&|| {
            ip("addr add 10.7.0.1/24 dev up0.100");
        });
        assert_eq!(vlans_of("up0"), ["up0.100"]);
    });
}

#[test]
fn a_user_in_no_record_does_not_keep_the_device_from_the_sweep() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let before = lab.snapshot();
        let container = lab.any_container();
        lab.attach(&container, &ASKED[..2]).ok();
        for kind in ["attachments", "containers", "macs"] {
            for path in Records::take().of(kind) {
                fs::remove_file(path).unwrap();
            }
        }
        let said = lab.gc();
        let said = String::from_utf8_lossy(&said.ok().0.stdout).into_owned();
        assert!(said.contains("up0.100"), "{said}");
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

/// Starts `count` hooks that wait for each other, and waits for all.
pub fn all_at_once(lab: &Lab, containers: &[Container], asked: &[&str]) -> Vec<Outcome> {
    use std::io::Write;
    let mut runs = Vec::new();
    for container in containers {
        let state = lab.state(container, asked);
        let mut run = Command::new(crate::support::lab::PIPEWORK)
            .args(["hook", "--stage", "createRuntime"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // They wait for the end of stdin, which comes to all at once.
        let mut stdin = run.stdin.take().unwrap();
        stdin.write_all(state.to_string().as_bytes()).unwrap();
        runs.push((run, stdin));
    }
    let runs: Vec<_> = runs.into_iter().map(|(run, _stdin)| run).collect();
    let ended = runs.into_iter().map(|run| run.wait_with_output().unwrap());
    ended.map(Outcome).collect()
}

#[test]
fn a_hundred_starts_at_once_make_one_device_and_their_ends_remove_it() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let before = lab.snapshot();
        let containers: Vec<Container> = (0..100).map(|_| lab.any_container()).collect();
        for outcome in all_at_once(lab, &containers, &ASKED[..2]) {
            outcome.ok();
        }
        assert_eq!(vlans_of("up0"), ["up0.100"]);
        assert_eq!(Records::take().of("attachments").len(), 100);
        let ids: Vec<String> = containers.iter().map(|c| c.id.clone()).collect();
        drop(containers);
        std::thread::scope(|scope| {
            for id in &ids {
                let state = format!(
                    r#"{{"ociVersion":"1.0.2","id":"{id}","status":"stopped","bundle":"/run/bundles/{id}","annotations":{{"pipework.vlan":"1"}}}}"#
                );
                let mut command = Command::new(crate::support::lab::PIPEWORK);
                command.args(["hook", "--stage", "poststop"]);
                scope.spawn(move || {
                    crate::support::lab::feed(&mut command, state.as_bytes()).ok();
                });
            }
        });
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn starts_and_ends_at_once_leave_every_running_container_its_vlan() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = cable_in_vlan_100(lab);
        for round in 0..20 {
            let old = lab.container("old");
            lab.attach(&old, &ASKED[..2]).ok();
            drop(old);
            let new = lab.container("new");
            let state = lab.state(&new, &ASKED).to_string();
            let mut start = Command::new(crate::support::lab::PIPEWORK);
            start.args(["hook", "--stage", "createRuntime"]);
            std::thread::scope(|scope| {
                let started =
                    scope.spawn(move || crate::support::lab::feed(&mut start, state.as_bytes()));
                lab.poststop("old").ok();
                started.join().unwrap().ok();
            });
            assert!(pings(lab, &new), "round {round}");
            drop(new);
            lab.poststop("new").ok();
            assert!(vlans_of("up0").is_empty(), "round {round}");
        }
    });
}
