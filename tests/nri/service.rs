//! The unit of the plugin under systemd itself, on a node whose containerd is a
//! service as well.

use std::time::Duration;

use crate::crowd::DNSMASQ;
use crate::node::{Node, within};
use crate::support::skip;
use crate::support::systemd::Booted;
use crate::support::world::Skip;
use crate::vswitch;

const SOON: Duration = Duration::from_secs(20);
const ASK: [(&str, &str); 7] = [
    ("pipework.0.bridge", "br0"),
    ("pipework.0.ip", "10.0.0.5/24@10.0.0.1"),
    ("pipework.1.bridge", "br0"),
    ("pipework.1.ip", "dhcp"),
    ("pipework.2.ovs", "ovs0"),
    ("pipework.2.vlan", "100"),
    ("pipework.2.ip", "10.7.0.5/24"),
];

/// What lets the pod have the third.
const RULE: &str = r#"
[[rule]]
caller = ["namespace:shop"]
uplink = ["ovs0"]
kind = ["ovs"]
vlan = ["100"]
cidr = ["10.7.0.0/24"]
count = 3
"#;

/// The hierarchy of cgroups that systemd wants may have no controllers here, and a pod
/// asks for a share of the processors.
const RUNC: &str = r#"#!/bin/sh
last=
for word; do
    [ "$last" != --bundle ] || sed -i -E 's/"shares":[0-9]+,?//' "$word/config.json"
    last=$word
done
exec /usr/sbin/runc "$@"
"#;

/// The unit of the plugin.
const UNIT: &str = "pipework-nri";

pub fn a_pod_has_its_interfaces_from_the_plugin_as_its_unit_confines_it(node: &Node) {
    node.end("containerd", "TERM");
    node.write("/usr/local/bin/runc", RUNC);
    node.sh("chmod +x /usr/local/bin/runc").ok();
    node.sh(&format!("echo '{RULE}' >>/etc/pipework/policy.toml"))
        .ok();
    vswitch::start(node, &[(100, "10.7.0.1/24")]);
    vswitch::give_away(node);
    let booted = match Booted::start(node) {
        Ok(booted) => booted,
        Err(Skip(reason)) => skip!(reason),
    };
    booted
        .sh(&format!(
            "systemd-run --quiet --unit=dnsmasq {DNSMASQ} && \
             systemctl enable --now pipework.socket pipework-nri && systemctl start containerd"
        ))
        .ok();
    within("containerd is there", SOON, || node.cri.is_up());
    within("the plugin is connected", SOON, || node.is_served());
    booted.assert_confined(UNIT);
    let config = node.pod("web", &ASK);
    let pod = node.cri.run_pod(&config).unwrap();
    let seen = node.look_patiently(&pod, &config);
    for address in ["net1 10.0.0.5/24", "net2 10.0.0.1", "net3 10.7.0.5/24"] {
        let is_there = seen.contains(&format!("addr {address}"));
        assert!(is_there, "{address}: {seen}\n{:#?}", booted.said(UNIT));
    }
    assert_eq!(vswitch::tags(node), ["100"]);
    // The lease is kept by the daemon, which its socket has started.
    assert!(booted.sh("pipework leases").ok().contains("shop/web"));
    // Upgraded, and killed.
    booted.sh("systemctl restart pipework-nri").ok();
    within("it is connected again", SOON, || node.is_served());
    let former = booted.pid(UNIT);
    booted.sh("systemctl kill -s KILL pipework-nri").ok();
    within("there is another", SOON, || {
        let now = booted.pid(UNIT);
        now.trim() != "0" && now != former
    });
    within("that one is connected", SOON, || node.is_served());
    booted.assert_confined(UNIT);
    assert_eq!((node.ports(), node.records()), (3, 1));
    node.cri.stop_pod(&pod).unwrap();
    node.cri.remove_pod(&pod).unwrap();
    node.assert_nothing_left();
    assert_eq!(vswitch::tags(node), [""; 0]);
    vswitch::stop(node);
    booted.assert_nothing_refused(UNIT);
}
