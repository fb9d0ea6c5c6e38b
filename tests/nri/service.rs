//! The unit of the plugin under systemd itself, on a node whose containerd is a
//! service as well.

use std::time::Duration;

use crate::crowd::DNSMASQ;
use crate::node::{Node, within};
use crate::support::skip;
use crate::support::systemd::Booted;
use crate::support::world::Skip;

const SOON: Duration = Duration::from_secs(20);
const ASK: [(&str, &str); 4] = [
    ("pipework.0.bridge", "br0"),
    ("pipework.0.ip", "10.0.0.5/24@10.0.0.1"),
    ("pipework.1.bridge", "br0"),
    ("pipework.1.ip", "dhcp"),
];

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
    let has_both = seen.contains("addr net1 10.0.0.5/24") && seen.contains("addr net2 10.0.0.1");
    assert!(has_both, "{seen}\n{:#?}", booted.said("pipework-nri"));
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
    assert_eq!((node.ports(), node.records()), (2, 1));
    node.cri.stop_pod(&pod).unwrap();
    node.cri.remove_pod(&pod).unwrap();
    node.assert_nothing_left();
    booted.assert_nothing_refused(UNIT);
}
