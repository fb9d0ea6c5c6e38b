//! Two services of a Compose file in two VLANs of an Open vSwitch bridge, whose
//! switch works where the kernel has none.

use crate::plugin::Lan;
use crate::vswitch::{assert_answers, start, stop};

const FILE: &str = r#"services:
  web:
    image: bb
    command: /bin/look stay
    stop_grace_period: 1s
    networks: {dmz: {ipv4_address: 10.7.0.20}}
  db:
    image: bb
    command: /bin/look stay
    stop_grace_period: 1s
    networks: {inner: {ipv4_address: 10.8.0.20}}
networks:
  dmz:
    driver: pipework
    driver_opts: {ovs: ovs0, vlan: "100"}
    ipam: {config: [{subnet: 10.7.0.0/24, gateway: 10.7.0.1}]}
  inner:
    driver: pipework
    driver_opts: {ovs: ovs0, vlan: "200"}
    ipam: {config: [{subnet: 10.8.0.0/24, gateway: 10.8.0.1}]}
"#;

/// The places of the world itself on ovs0.
const WORLD: [(u16, &str); 2] = [(100, "10.7.0.1/24"), (200, "10.8.0.1/24")];

/// The tags of the containers' ports.
fn tags(lan: &Lan) -> Vec<String> {
    let text = lan
        .sh("for port in $(ovs-vsctl list-ports ovs0); do
                 case $port in pw*) ovs-vsctl get Port $port tag;; esac
             done")
        .ok();
    let mut tags: Vec<String> = text.lines().map(str::to_owned).collect();
    tags.sort();
    tags
}

pub fn two_services_are_in_two_vlans_and_leave_no_row(lan: &Lan) {
    start(lan, &WORLD);
    lan.write("/srv/lan/compose.yaml", FILE);
    let compose = |line: &str| {
        lan.sh(&format!("cd /srv/lan && docker compose {line}"))
            .ok()
    };
    compose("up -d");
    assert_eq!(tags(lan), ["100", "200"]);
    assert_answers(lan, "10.7.0.20");
    assert_answers(lan, "10.8.0.20");
    compose("restart -t 1");
    assert_eq!(tags(lan), ["100", "200"]);
    assert_answers(lan, "10.7.0.20");
    compose("down -t 1");
    assert_eq!(tags(lan), [""; 0]);
    stop(lan);
}
