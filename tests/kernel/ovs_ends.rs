//! Ports of Open vSwitch that end: in good order, unannounced, by a reboot; and
//! rows of somebody else, which do not.

use std::fs;
use std::time::Instant;

use crate::support::daemon::Daemon;
use crate::support::lab::snapshot::{Records, Snapshot};
use crate::support::lab::{Container, Lab, ip, lab};
use crate::support::ovs::{Ovs, eventually, ovs};

/// Links, rows and records of a lab.
pub struct Before {
    host: Snapshot,
    rows: Vec<String>,
    records: Records,
}

impl Before {
    pub fn take(lab: &Lab, ovs: &Ovs) -> Self {
        Self {
            host: lab.snapshot(),
            rows: ovs.rows(),
            records: Records::take(),
        }
    }

    #[track_caller]
    pub fn is_now(&self, lab: &Lab, ovs: &Ovs, what: &str) {
        self.host.assert_equal(&lab.snapshot(), what);
        assert_eq!(self.rows, ovs.rows(), "{what}");
        self.records.assert_equal(&Records::take(), what);
    }
}

pub const ASKED: [&str; 3] = [
    "pipework.ovs=ovs0",
    "pipework.vlan=100",
    "pipework.ip=10.0.0.5/24@10.0.0.1",
];

#[test]
fn poststop_removes_the_port() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let before = Before::take(lab, &ovs);
        let container = lab.container("web");
        lab.attach(&container, &ASKED).ok();
        assert_eq!(ovs.ports("ovs0").len(), 1);
        container.end();
        lab.poststop("web").ok();
        before.is_now(lab, &ovs, "after poststop");
    });
}

#[test]
fn a_container_that_died_unannounced_loses_its_port_to_gc() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let before = Before::take(lab, &ovs);
        let (dies, lives) = (lab.container("dies"), lab.container("lives"));
        for container in [&dies, &lives] {
            lab.attach(container, &["pipework.ovs=ovs0"]).ok();
        }
        dies.end();
        lab.gc().ok();
        assert_eq!(ovs.ports("ovs0").len(), 1, "that of the living one");
        lives.end();
        lab.gc().ok();
        before.is_now(lab, &ovs, "after both");
    });
}

/// Of every port of ours: made in another boot.
fn pretend_reboot(ovs: &Ovs) {
    for port in ovs.ports("ovs0") {
        let boot = "external_ids:\"pipework.boot-id\"=00000000-0000-0000-0000-000000000000";
        ovs.vsctl(&format!("set Interface {port} {boot}"));
    }
    fs::remove_dir_all("/run/pipework").unwrap();
}

#[test]
fn after_a_reboot_a_start_replaces_its_own_row_and_gc_removes_the_others() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let containers = ["web", "db", "mail"].map(|name| lab.container(name));
        for container in &containers {
            lab.attach(container, &["pipework.ovs=ovs0", "pipework.vlan=7"])
                .ok();
        }
        containers.into_iter().for_each(Container::end);
        eventually("the devices are gone", || !ip("-br link").contains("pw"));
        pretend_reboot(&ovs);
        let web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        assert_eq!(ovs.ports("ovs0").len(), 3);
        let said = String::from_utf8(lab.gc().ok().0.stdout.clone()).unwrap();
        assert!(said.contains("removed 2 ports of Open vSwitch"), "{said}");
        let ports = ovs.ports("ovs0");
        assert_eq!(ports.len(), 1);
        assert_eq!(ovs.get("Port", &ports[0], "tag"), "100");
        assert!(
            ovs.get("Interface", &ports[0], "ofport")
                .parse::<u32>()
                .is_ok()
        );
    });
}

#[test]
fn a_daemon_that_starts_after_a_reboot_removes_the_rows_of_what_is_gone() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let rows = ovs.rows();
        let container = lab.container("web");
        lab.attach(&container, &["pipework.ovs=ovs0"]).ok();
        container.end();
        eventually("the device is gone", || !ip("-br link").contains("pw"));
        pretend_reboot(&ovs);
        assert_eq!(ovs.ports("ovs0").len(), 1, "nobody has looked yet");
        let _daemon = Daemon::start();
        eventually("the row is gone", || ovs.ports("ovs0").is_empty());
        assert_eq!(ovs.rows(), rows);
    });
}

#[test]
fn five_hundred_ports_of_another_boot_go_at_once_and_others_stay() {
    lab!(|lab| {
        let mut ovs = ovs!(lab);
        ovs.bridge("ovs0");
        ip("link add mine type veth peer name mine-peer");
        ovs.vsctl("add-port ovs0 mine -- set Interface mine external_ids:pipework.interface=eth1");
        let mut words = Vec::new();
        // What ovs-vswitchd would do about them takes a while.
        ovs.kill_switch();
        for number in 0..500 {
            let port = format!("pw{number:010x}");
            for word in [
                "--",
                "add-port",
                "ovs0",
                &port,
                "--",
                "set",
                "Interface",
                &port,
            ] {
                words.push(word.to_owned());
            }
            for (key, value) in [("made", "port"), ("boot-id", "old"), ("interface", "eth1")] {
                words.push(format!("external_ids:\"pipework.{key}\"={value}"));
            }
            words.push(format!(
                "external_ids:\"pipework.netns-cookie\"=\"{number}\""
            ));
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let all: Vec<&str> = ["--no-wait"].into_iter().chain(words).collect();
        ovs.vsctl_words(&all);
        assert_eq!(ovs.ports("ovs0").len(), 501);
        let begin = Instant::now();
        let said = String::from_utf8(lab.gc().ok().0.stdout.clone()).unwrap();
        assert!(said.contains("removed 500 ports"), "{said}");
        eprintln!("500 ports: {:?}", begin.elapsed());
        assert_eq!(ovs.ports("ovs0"), ["mine"], "one of the shell script stays");
    });
}

#[test]
fn a_strangers_port_of_that_name_is_left_alone() {
    lab!(|lab| {
        let mut ovs = ovs!(lab);
        ovs.bridge("ovs0");
        ovs.kill_switch();
        ovs.vsctl("--no-wait add-port ovs0 web0");
        let before = Before::take(lab, &ovs);
        let asked = ["pipework.ovs=ovs0", "pipework.hostif=web0"];
        let text = lab.attach(&lab.any_container(), &asked).refused(16);
        assert!(
            text.contains("a port web0 already, which pipework did not make"),
            "{text}"
        );
        assert!(text.contains("Nothing is left behind"), "{text}");
        before.is_now(lab, &ovs, "after the refusal");
    });
}
