//! Pods on other uplinks than a bridge, which leave something else behind: a row in
//! a database, or a child of a card. A card itself is in kernel/pod_card.rs.
//!
//! What is looked at after a stop is the host, while the pod's process still is
//! there: nothing goes by itself with a namespace.

use std::fs;
use std::time::Duration;

use crate::mock::{CONTAINERD, Runtime, has, pod, records, said};
use crate::node::within;
use crate::support::lab::{ip, ip_json, lab};
use crate::support::ovs::ovs;
use crate::support::skip;

const SOON: Duration = Duration::from_secs(20);

/// Lets pods have an uplink of this kind.
fn allow(uplink: &str, kind: &str, more: &str) {
    let rule = format!(
        "[[rule]]\ncaller = [\"namespace:shop\"]\nuplink = [\"{uplink}\"]\n\
         kind = [\"{kind}\"]\ncidr = [\"10.0.0.0/16\"]\nmac = \"any\"\n{more}"
    );
    fs::write("/etc/pipework/policy.toml", rule).unwrap();
}

/// Names of the host's links, in order.
fn links() -> Vec<String> {
    let links = ip_json("link show");
    let names = links.as_array().unwrap().iter();
    let mut names: Vec<String> = names
        .map(|link| link["ifname"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_pods_port_of_open_vswitch_goes_with_its_stop() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let (rows, before) = (ovs.rows(), links());
        let web = lab.container("web");
        let runtime = Runtime::start(CONTAINERD, &[]);
        allow("ovs0", "ovs", "vlan = [\"100\"]\n");
        let asks = [
            "pipework.ovs=ovs0",
            "pipework.vlan=100",
            "pipework.ip=10.0.0.5/24",
        ];
        let asks = pod(&web, &asks);
        runtime.run_within(&asks, SOON).unwrap();
        assert!(has(lab, &web, "net1"), "{}", said());
        assert_eq!(ovs.ports("ovs0").len(), 1);
        runtime.stop(&asks);
        within("its port has gone", SOON, || ovs.ports("ovs0").is_empty());
        within("nothing is kept", SOON, || records() == 0);
        assert_eq!((ovs.rows(), links()), (rows, before));
        assert!(!has(lab, &web, "net1"));
    });
}

#[test]
fn a_pods_macvlan_goes_with_its_stop_and_leaves_the_card_as_it_was() {
    lab!(|lab| {
        let _machine = lab.nic("up0");
        if !is_made("up0", "macvlan") {
            skip!("kernel has no macvlan");
        }
        let host = lab.snapshot();
        let web = lab.container("web");
        let inside = lab.snapshot_of(&web);
        let runtime = Runtime::start(CONTAINERD, &[]);
        allow("up0", "macvlan", "");
        let asks = pod(&web, &["pipework.parent=up0", "pipework.ip=10.0.0.5/24"]);
        runtime.run_within(&asks, SOON).unwrap();
        assert!(has(lab, &web, "net1"), "{}", said());
        runtime.stop(&asks);
        within("nothing is kept", SOON, || records() == 0);
        host.assert_equal(&lab.snapshot(), "host");
        inside.assert_equal(&lab.snapshot_of(&web), "pod");
    });
}

/// Whether the kernel has a kind of child.
fn is_made(parent: &str, kind: &str) -> bool {
    let line = format!("link add link {parent} name probe0 type {kind}");
    let made = std::process::Command::new("ip")
        .args(line.split(' '))
        .output();
    let is_made = made.is_ok_and(|made| made.status.success());
    if is_made {
        ip("link del probe0");
    }
    is_made
}
