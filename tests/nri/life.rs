//! Pods that live as pods do.

use crate::node::Node;

pub const ASK: [(&str, &str); 2] = [
    ("pipework.bridge", "br0"),
    ("pipework.ip", "10.0.0.5/24@10.0.0.1"),
];
/// The same, with a way to elsewhere.
const ASK_ROUTE: [(&str, &str); 3] = [
    ASK[0],
    ASK[1],
    ("pipework.route", "10.7.0.0/16 via 10.0.0.1"),
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

/// A pod of CRI by its name, and what `ctr` and `nerdctl` run, by what those write
/// down: a name among the annotations, or an id that somebody chose.
fn people_find_what_containerd_runs(node: &Node, pod: &str) {
    let route = |name: &str| node.sh(&format!("pipework route {name} show 10.7.0.0/16"));
    for name in ["shop/web", pod, &pod[..12], "containerd:shop/web"] {
        assert!(route(name).ok().contains("dev net1"), "{name}");
    }
    node.sh(
        "ctr run --detach --annotation nerdctl/name=cam --rootfs /srv/image box /bin/look stay",
    )
    .ok();
    for name in ["box", "cam", "containerd:cam"] {
        assert_eq!(route(name).ok(), "", "{name}");
    }
    node.sh("ctr task rm --force box && ctr container rm box")
        .ok();
    let gone = route("cam").stderr;
    assert!(gone.contains("Container cam not found"), "{gone}");
}

/// What has no task: a container that was only made, a pod that was stopped, and what
/// `ctr` made and nothing but containerd's database knows of.
fn people_hear_of_what_does_not_run(node: &Node, made: &str, stopped: &str) {
    let told = |name: &str| {
        node.sh(&format!("pipework attach {name} bridge=br0"))
            .stderr
    };
    for id in [made, &made[..12], stopped, &stopped[..12]] {
        let text = told(id);
        assert!(text.contains("(containerd) is not running"), "{id}: {text}");
    }
    node.sh("ctr container create --rootfs /srv/image box /bin/look")
        .ok();
    let text = told("box");
    assert!(
        text.contains("no container box is known") && text.contains("start it first"),
        "{text}"
    );
    node.sh("ctr container rm box").ok();
}

pub fn a_pods_first_instruction_sees_its_interface_and_the_clusters(node: &Node) {
    node.start_plugin();
    let plain = node.pod("plain", &[]);
    let plain_id = node.cri.run_pod(&plain).unwrap();
    let config = node.pod("web", &ASK_ROUTE);
    let pod = node.cri.run_pod(&config).unwrap();
    // Before the first container is made.
    let route = node.in_pod(&pod, "ip route show 10.7.0.0/16");
    assert!(route.contains("via 10.0.0.1 dev net1"), "{route}");
    assert_complete(&node.look(&pod, &config));
    let seen = node.look(&plain_id, &plain);
    assert!(!seen.contains("net1"), "{seen}");
    assert_eq!((node.ports(), node.records()), (1, 1));
    people_find_what_containerd_runs(node, &pod);
    let made = node.cri.create(&pod, &config, "made", &["/bin/look"]);
    node.cri.stop_pod(&pod).unwrap();
    node.assert_nothing_left();
    people_hear_of_what_does_not_run(node, &made.unwrap(), &pod);
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
