//! `check --repair` after somebody's hand: what it gives back, on whose behalf,
//! and that one record that cannot be looked at keeps nobody else from it.

use std::fs;

use serde_json::{Value, json};

use crate::commands::{default_route, named, pipework, stdout};
use crate::host_access::shims;
use crate::macvlan::needs_macvlan;
use crate::policy;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, RECORDS, bundle_of, ip, lab};
use crate::vlan::{cable_in_vlan_100, needs_8021q, vlans_of};

/// The drifts that `check` names, by their words.
pub fn drifts() -> Vec<String> {
    let found = pipework("check --json");
    let found: Value = serde_json::from_str(&stdout(&found)).unwrap();
    let found = found.as_array().unwrap().iter();
    found
        .map(|f| f["drift"].as_str().unwrap().to_owned())
        .collect()
}

/// A container's bundle with what it was asked for by.
fn write_bundle(container: &Container, annotations: &[(&str, &str)]) {
    let annotations: serde_json::Map<String, Value> = annotations
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect();
    fs::create_dir_all(bundle_of(&container.id)).unwrap();
    let config = json!({ "annotations": annotations });
    fs::write(
        bundle_of(&container.id).join("config.json"),
        config.to_string(),
    )
    .unwrap();
}

/// What was there before `act` is there again after a repair.
fn is_made_good(lab: &Lab, container: &Container, act: &str, expected: &[&str]) {
    let before = (lab.snapshot(), lab.snapshot_of(container));
    for line in act.split("; ") {
        lab.inside(container, || ip(line));
    }
    assert_eq!(drifts(), expected, "{act}");
    let said = pipework("check --repair");
    assert_eq!(said.code(), Some(0), "{act}: {said:?}");
    pipework("check").ok();
    before.0.assert_equal(&lab.snapshot(), act);
    before.1.assert_equal(&lab.snapshot_of(container), act);
}

#[test]
fn addresses_and_routes_that_somebody_took_away_come_back() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24@10.9.0.1",
            "pipework.route=10.3.0.0/16 via 10.0.0.2",
        ];
        lab.attach(&container, &asked).ok();
        is_made_good(lab, &container, "route del default", &["route"]);
        is_made_good(
            lab,
            &container,
            "addr flush dev eth1",
            &["address", "route", "route", "route"],
        );
        is_made_good(
            lab,
            &container,
            "link set eth1 down",
            &["down", "route", "route", "route"],
        );
    });
}

#[test]
fn a_default_route_that_gave_way_to_another_one_is_not_missed() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        for net in [1, 2] {
            let fields = format!("bridge=br0 ifname=eth{net} ip=10.{net}.0.5/24@10.{net}.0.1");
            pipework(&format!("attach {} {fields}", named(&container))).ok();
        }
        assert!(default_route(lab, &container).contains("eth2"));
        pipework("check").ok();
        lab.inside(&container, || {
            ip("route replace default via 10.1.0.9 dev eth1")
        });
        pipework("check").ok();
    });
}

#[test]
fn an_interface_that_is_made_anew_leaves_nothing_of_its_former_self() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = cable_in_vlan_100(lab);
        let records = Records::take();
        let mut container = lab.container("web");
        let asked = [
            "pipework.parent=up0",
            "pipework.vlan=100",
            "pipework.ip=10.0.0.5/24",
        ];
        lab.attach(&container, &asked).ok();
        lab.inside(&container, || ip("link del eth1"));
        // The runtime says so again, as after a restart of its own.
        lab.attach(&container, &asked).ok();
        assert_eq!(vlans_of("up0"), ["up0.100"]);
        container.kill();
        lab.poststop("web").ok();
        assert!(vlans_of("up0").is_empty(), "its former self uses it still");
        records.assert_equal(&Records::take(), "store");
    });
}

#[test]
fn the_hosts_own_child_goes_with_the_interface_that_was_made_anew() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.cable("up0");
        ip("addr add 10.0.0.1/24 dev up0");
        let records = Records::take();
        let mut container = lab.container("web");
        let asked = [
            "pipework.parent=up0",
            "pipework.host-access=true",
            "pipework.ip=10.0.0.5/24",
        ];
        lab.attach(&container, &asked).ok();
        lab.inside(&container, || ip("link del eth1"));
        lab.attach(&container, &asked).ok();
        assert_eq!(shims().len(), 1);
        container.kill();
        lab.poststop("web").ok();
        assert!(shims().is_empty(), "its former self uses it still");
        records.assert_equal(&Records::take(), "store");
    });
}

#[test]
fn an_interface_that_is_gone_can_be_asked_for_otherwise_by_its_own_container() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let name = named(&container);
        pipework(&format!("attach {name} bridge=br0 ip=10.0.0.5/24")).ok();
        lab.inside(&container, || ip("link del eth1"));
        pipework(&format!("attach {name} bridge=br0 ip=10.0.0.6/24")).ok();
        pipework("check").ok();
    });
}

#[test]
fn an_interface_that_two_share_is_made_anew_for_both() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let asked = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];
        let mut first = lab.container("first");
        lab.attach(&first, &asked).ok();
        let second = lab.container_in(&first, "second");
        lab.attach(&second, &asked).ok();
        lab.inside(&first, || ip("link del eth1"));
        lab.attach(&first, &asked).ok();
        let there = lab.snapshot_of(&second);
        first.kill();
        lab.poststop("first").ok();
        there.assert_equal(&lab.snapshot_of(&second), "the second still refers to it");
    });
}

#[test]
fn a_repair_is_judged_as_the_start_was() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.container("web");
        let asked = [("pipework.bridge", "br0"), ("pipework.ip", "10.0.0.5/24")];
        write_bundle(&container, &asked);
        lab.attach(
            &container,
            &["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"],
        )
        .ok();
        lab.inside(&container, || ip("link del eth1"));
        let rule = |caller: &str| {
            policy::write(&format!(
                "[[rule]]\ncaller = \"{caller}\"\nuplink = [\"br0\"]\nkind = [\"bridge\"]\n\
                 cidr = [\"10.0.0.0/24\"]\n"
            ));
        };
        // A person may, and the runtime, on whose behalf it was made, may not.
        rule("person");
        let said = pipework("check --repair");
        assert_eq!(said.code(), Some(1), "{said:?}");
        assert!(stdout(&said).contains("not repaired: "), "{said:?}");
        rule("runtime");
        let said = pipework("check --repair");
        assert_eq!(said.code(), Some(0), "{said:?}");
        pipework("check").ok();
    });
}

#[test]
fn a_record_that_cannot_be_read_keeps_nobody_else_from_being_checked() {
    lab!(|lab| {
        lab.bridge("br0");
        let (web, db) = (lab.container("web"), lab.container("db"));
        lab.attach(&web, &["pipework.bridge=br0"]).ok();
        let is_record = |path: &std::path::PathBuf| path.is_file();
        let files = || {
            let folders = fs::read_dir(format!("{RECORDS}/attachments")).unwrap();
            let folders = folders.flatten().map(|entry| entry.path());
            let files = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten());
            let files = files.flatten().map(|entry| entry.path());
            files.filter(is_record).collect::<Vec<_>>()
        };
        let record = files().pop().unwrap();
        lab.attach(&db, &["pipework.bridge=br0"]).ok();
        lab.inside(&db, || ip("link set eth1 down"));
        fs::write(&record, "pipework 1 no record\n").unwrap();
        let said = pipework("check --repair");
        assert_eq!(said.code(), Some(1), "{said:?}");
        assert!(
            stdout(&said).contains("db eth1: it is down: repaired"),
            "{said:?}"
        );
        let name = record.file_name().unwrap().to_str().unwrap();
        assert!(said.stderr().contains(name), "{said:?}");
    });
}
