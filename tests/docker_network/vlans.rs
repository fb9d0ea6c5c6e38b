//! The README's two services in two VLANs, of an Open vSwitch bridge: that switches
//! where the kernel's bridges know no VLAN.

use crate::plugin::Lan;
use crate::readme::block;
use crate::vswitch::{assert_answers, start, stop, tags};

/// The places of the world itself on ovs0.
const WORLD: [(u16, &str); 2] = [(100, "10.0.100.1/24"), (200, "10.0.200.1/24")];

pub fn two_services_are_in_two_vlans_and_leave_no_row(lan: &Lan) {
    start(lan, &WORLD);
    let file = block("Compose: two services in two VLANs", "yaml");
    let file = file.replace("bridge: br0", "ovs: ovs0");
    lan.write("/srv/lan/compose.yaml", &file);
    let compose = |line: &str| {
        lan.sh(&format!("cd /srv/lan && docker compose {line}"))
            .ok()
    };
    compose("up -d");
    assert_eq!(tags(lan), ["100", "200"]);
    assert_answers(lan, "10.0.100.20");
    assert_answers(lan, "10.0.200.20");
    compose("restart -t 1");
    assert_eq!(tags(lan), ["100", "200"]);
    assert_answers(lan, "10.0.100.20");
    compose("down -t 1");
    assert_eq!(tags(lan), [""; 0]);
    stop(lan);
}
