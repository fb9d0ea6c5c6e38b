//! `pipework plan` says the same, word for word, as the files in tests/golden.
//!
//! Each file is a session: what was asked, then all that was said. The host is
//! a lab with a bridge br0, which has the NIC up0 as its port, a NIC up1 that
//! is down and a NIC up2 that is up and has addresses. `UPDATE_GOLDEN=1 cargo test --test golden` writes them anew.
//! Those of cards, radios and InfiniBand are compared in src/frontend/plan/tests.rs.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "golden/people.rs"]
mod people;
#[path = "golden/proofs.rs"]
mod proofs;
#[path = "golden/sessions.rs"]
mod sessions;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sessions::{ON_OVS, SESSIONS};
use support::lab::{Lab, Outcome, PIPEWORK, add_ipv6_address, feed, ip, lab};
use support::ovs::ovs;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.txt"))
}

fn session(asked: &[&str], outcome: &Outcome) -> String {
    let mut text = String::from("$ pipework plan");
    for pair in asked {
        text.push_str(&format!(" \\\n    --annotation '{pair}'"));
    }
    text.push('\n');
    text.push_str(&String::from_utf8_lossy(&outcome.0.stdout));
    text.push_str(&outcome.stderr());
    if outcome.code() != Some(0) {
        text.push_str(&format!("exit code {:?}\n", outcome.code().unwrap()));
    }
    text
}

fn plan(asked: &[&str]) -> Outcome {
    let mut command = Command::new(PIPEWORK);
    command.arg("plan").stdin(Stdio::null());
    for pair in asked {
        command.args(["--annotation", pair]);
    }
    Outcome(command.output().unwrap())
}

/// The difference, if there is one; none when the files are written anew.
fn differs(name: &str, said: &str) -> Option<String> {
    let path = golden(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, said).unwrap();
        return None;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    (expected != said).then(|| format!("{}:\n{said}\ninstead of\n{expected}", path.display()))
}

fn furnish(lab: &Lab) {
    lab.bridge("br0");
    for (number, nic) in ["up0", "up1", "up2"].iter().enumerate() {
        let mac = format!("02:00:00:00:00:1{number}");
        ip(&format!(
            "link add {nic} address {mac} type veth peer name {nic}-peer"
        ));
        ip(&format!("link set {nic}-peer up"));
    }
    ip("link set up0 master br0");
    ip("link set up0 up");
    ip("link set up2 up");
    ip("addr add 10.0.0.9/24 dev up2");
    add_ipv6_address("fd00::9", "up2");
}

#[test]
fn a_plan_reads_as_it_always_did() {
    lab!(|lab| {
        furnish(lab);
        let before = lab.snapshot();
        let differing = SESSIONS
            .iter()
            .filter_map(|(name, asked)| differs(name, &session(asked, &plan(asked))));
        let differing: Vec<String> = differing.collect();
        assert!(differing.is_empty(), "{}", differing.join("\n"));
        before.assert_equal(&lab.snapshot(), "planning changes nothing");
    });
}

/// A bridge that filters, which not every kernel has.
fn furnish_with_vlans() -> bool {
    let filtering = "link set br0 type bridge vlan_filtering 1".split(' ');
    let set = Command::new("ip").args(filtering).output();
    set.is_ok_and(|output| output.status.success())
}

#[test]
fn a_plan_for_a_vlan_of_a_bridge_reads_as_it_always_did() {
    lab!(|lab| {
        furnish(lab);
        let asked = ["pipework.bridge=br0", "pipework.vlan=100"];
        let off = session(&asked, &plan(&asked));
        if !furnish_with_vlans() {
            support::skip!("kernel has no bridge VLAN filtering");
        }
        assert_eq!(differs("bridge-without-vlan-filtering", &off), None);
        let on = session(&asked, &plan(&asked));
        assert_eq!(differs("bridge-vlan", &on), None);
    });
}

#[test]
fn a_plan_on_open_vswitch_reads_as_it_always_did() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        furnish(lab);
        let before = ovs.rows();
        let differing = ON_OVS
            .iter()
            .filter_map(|(name, asked)| differs(name, &session(asked, &plan(asked))));
        let differing: Vec<String> = differing.collect();
        assert!(differing.is_empty(), "{}", differing.join("\n"));
        assert_eq!(before, ovs.rows());
    });
}

#[test]
fn a_plan_for_a_container_that_exists_knows_its_namespace() {
    lab!(|lab| {
        furnish(lab);
        let container = lab.bare_container("web");
        lab.inside(&container, || {
            ip("link add eth0 type veth peer name other");
            ip("addr add 172.17.0.2/16 dev eth0");
            ip("link set eth0 up");
            ip("route add default via 172.17.0.1 dev eth0");
        });
        let asked = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24@10.0.0.1"];
        let state = lab.state(&container, &asked).to_string();
        let before = lab.snapshot_of(&container);
        let outcome = feed(Command::new(PIPEWORK).arg("plan"), state.as_bytes());
        let text = session(&asked, &outcome);
        assert_eq!(differs("container-with-a-default-route", &text), None);
        before.assert_equal(&lab.snapshot_of(&container), "container");
    });
}
