//! Pods that live as pods do.

use crate::node::Node;

pub const ASK: [(&str, &str); 2] = [
    ("pipework.bridge", "br0"),
    ("pipework.ip", "10.0.0.5/24@10.0.0.1"),
];

/// Checks that a container saw net1 complete, beside the cluster's interface.
#[track_caller]
pub fn assert_complete(seen: &str) {
    for what in [
        "link net1 up running ",
        "addr net1 10.0.0.5/24",
        "link eth0 up",
    ] {
        assert!(seen.contains(what), "no {what}:\n{seen}");
    }
    assert!(!seen.contains("default via 10.0.0.1"), "{seen}");
}

pub fn a_pods_first_instruction_sees_its_interface_and_the_clusters(node: &Node) {
    node.start_plugin();
    let plain = node.pod("plain", &[]);
    let plain_id = node.cri.run_pod(&plain).unwrap();
    let config = node.pod("web", &ASK);
    let pod = node.cri.run_pod(&config).unwrap();
    assert_complete(&node.look(&pod, &config));
    let seen = node.look(&plain_id, &plain);
    assert!(!seen.contains("net1"), "{seen}");
    assert_eq!((node.ports(), node.records()), (1, 1));
    node.cri.stop_pod(&pod).unwrap();
    node.assert_nothing_left();
    // Twice, and removed, and one that was never anything of ours.
    node.cri.stop_pod(&pod).unwrap();
    node.cri.remove_pod(&pod).unwrap();
    node.cri.stop_pod(&plain_id).unwrap();
    node.cri.remove_pod(&plain_id).unwrap();
    // Made anew under a new id it has the same address.
    let again = node.cri.run_pod(&config).unwrap();
    assert_complete(&node.look(&again, &config));
    // Removed without having been stopped.
    node.cri.remove_pod(&again).unwrap();
}
