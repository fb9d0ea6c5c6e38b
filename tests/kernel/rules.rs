//! Rules that choose a table: what is made, and that it is taken back and
//! nothing else.

use std::fs;

use serde_json::json;

use crate::support::lab::{Container, Lab, bundle_of, ip, lab, run};

const PATH: &str = "/run/netns-of-web";

/// The rules but for the kernel's own.
fn rules(lab: &Lab, container: &Container, family: &str) -> Vec<String> {
    let text = lab.inside(container, || ip(&format!("{family} rule show")));
    let lines = text
        .lines()
        .map(|line| line.replace('\t', " ").trim().to_owned());
    lines
        .filter(|line| {
            !["0:", "32766:", "32767:"]
                .iter()
                .any(|own| line.starts_with(own))
        })
        .collect()
}

fn attach(lab: &Lab, container: &Container, rule: &str) {
    let rule = format!("pipework.rule={rule}");
    let annotations = [
        "pipework.bridge=br0",
        "pipework.ip=10.0.0.5/24,fd00::5/64",
        "pipework.route=default via 10.0.0.2 table 100",
        &rule,
    ];
    lab.attach(container, &annotations).ok();
}

#[test]
fn every_word_arrives_in_the_kernel() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        attach(
            lab,
            &container,
            "from 10.0.0.5 lookup 100; \
             not to 10.9.0.0/16 iif eth1 lookup main suppress_prefixlength 0; \
             fwmark 0x10/0xf0 oif eth1 table 4000000000 priority 5; \
             ipproto tcp sport 1000-2000 dport 443 lookup default; \
             from fd00::/64 to ::/0 lookup 100",
        );
        assert_eq!(
            rules(lab, &container, "-4"),
            [
                "5: from all fwmark 0x10/0xf0 oif eth1 lookup 4000000000 proto 112",
                "20000: from 10.0.0.5 lookup 100 proto 112",
                "20001: not from all to 10.9.0.0/16 iif eth1 lookup main suppress_prefixlength 0 proto 112",
                "20002: from all ipproto tcp sport 1000-2000 dport 443 lookup default proto 112",
            ]
        );
        assert_eq!(
            rules(lab, &container, "-6"),
            ["20003: from fd00::/64 lookup 100 proto 112"]
        );
    });
}

#[test]
fn a_rule_chooses_the_table_that_its_routes_are_in() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        attach(lab, &container, "from 10.0.0.5 lookup 100");
        let way = lab.inside(&container, || ip("route get 192.0.2.1 from 10.0.0.5"));
        assert!(
            way.contains("via 10.0.0.2") && way.contains("table 100"),
            "{way}"
        );
    });
}

/// A container whose namespace outlives it by a path that its bundle names.
fn held_by_a_path(lab: &Lab) -> Container {
    let container = lab.container("web");
    fs::create_dir_all(bundle_of("web")).unwrap();
    let namespace = json!({ "type": "network", "path": PATH });
    let config = json!({ "linux": { "namespaces": [namespace] } });
    fs::write(bundle_of("web").join("config.json"), config.to_string()).unwrap();
    fs::write(PATH, "").unwrap();
    let pid = container.pid();
    run("mount", &format!("--bind /proc/{pid}/ns/net {PATH}"));
    container
}

#[test]
fn rules_leave_with_their_interface_and_those_of_others_stay() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let mut container = held_by_a_path(lab);
        lab.inside(&container, || {
            ip("rule add from 10.0.0.5 lookup 100 priority 20000");
            ip("rule add from 10.0.0.6 lookup 100 priority 20000");
            ip("-6 rule add from fd00::5 lookup 100 priority 20001");
        });
        let guest = lab.snapshot_of(&container);
        attach(
            lab,
            &container,
            "from 10.0.0.5 lookup 100; from fd00::5 lookup 100",
        );
        assert_eq!(rules(lab, &container, "-4").len(), 3);
        container.kill();
        lab.poststop("web").ok();
        guest.assert_equal(&lab.snapshot_of(&container), "container");
        run("umount", PATH);
    });
}

#[test]
fn a_rule_that_somebody_took_away_is_no_obstacle_at_the_end() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let mut container = held_by_a_path(lab);
        let guest = lab.snapshot_of(&container);
        attach(lab, &container, "from 10.0.0.5 lookup 100");
        lab.inside(&container, || ip("rule del from 10.0.0.5 lookup 100"));
        container.kill();
        lab.poststop("web").ok();
        guest.assert_equal(&lab.snapshot_of(&container), "container");
        run("umount", PATH);
    });
}
