//! Where the runtime itself is ours, or calls our hook: what NRI lets pass is
//! stopped.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cri::Refused;
use crate::life::{ASK, assert_complete};
use crate::node::{Node, within};
use crate::runtime_v1::PodSandboxConfig;

const SOON: Duration = Duration::from_secs(20);

/// Adds the handler `hooked`, whose containers have our hook in their specification
/// and the annotations of their pods.
fn add_hooked(node: &Node) {
    let mut spec: Value = serde_json::from_str(&node.sh("ctr oci spec").ok()).unwrap();
    let args = ["pipework", "hook", "--stage", "createRuntime"];
    spec["hooks"] = json!({"createRuntime": [{"path": "/usr/bin/pipework", "args": args}]});
    node.write("/etc/containerd/hooked.json", &spec.to_string());
    let config = node.sh("cat /etc/containerd/config.toml").ok();
    let plugin = match config.contains("version = 3") {
        true => "io.containerd.cri.v1.runtime",
        false => "io.containerd.grpc.v1.cri",
    };
    let handler = format!(
        "\n[plugins.\"{plugin}\".containerd.runtimes.hooked]\n\
         runtime_type = \"io.containerd.runc.v2\"\n\
         base_runtime_spec = \"/etc/containerd/hooked.json\"\n\
         pod_annotations = [\"pipework.*\"]\n"
    );
    node.write("/etc/containerd/config.toml", &(config + &handler));
}

/// Makes a container of a pod without interfaces, which must not start.
#[track_caller]
fn is_refused(node: &Node, pod: &str, config: &PodSandboxConfig) {
    let early = node.cri.create(pod, config, "early", &["/bin/look"]);
    let Err(Refused(text)) = node.cri.start(&early.unwrap()) else {
        panic!("a container runs without its interfaces");
    };
    assert!(text.contains("pipework"), "{text}");
    let log = node.path(&format!("{}/early.log", config.log_directory));
    let seen = std::fs::read_to_string(log).unwrap_or_default();
    assert!(!seen.contains("looked"), "{seen}");
}

pub fn a_runtime_of_ours_starts_no_container_whose_pod_has_no_interfaces(node: &Node) {
    node.sh("ln -s pipework /usr/bin/pipework-runtime && pipework install containerd --runtime")
        .ok();
    add_hooked(node);
    node.end("containerd", "TERM");
    node.start_containerd();
    let config = node.pod("web", &ASK);
    // Without a plugin it makes them itself.
    let pod = node.cri.run_pod_by("pipework", &config).unwrap();
    assert_complete(&node.look(&pod, &config));
    node.cri.stop_pod(&pod).unwrap();
    node.cri.remove_pod(&pod).unwrap();
    node.assert_nothing_left();
    node.start_plugin();
    // The hook finds what the plugin has made, and makes nothing.
    let beside = [ASK[0], ("pipework.ip", "10.0.0.6/24")];
    let beside = node.pod("beside", &beside);
    let see = |name: &str, pod: &str| {
        let seen = node.look_as(pod, &beside, name);
        assert!(seen.contains("addr net1 10.0.0.6/24"), "{seen}");
        assert!(!seen.contains("eth1"), "{seen}");
    };
    let hooked = node.cri.run_pod_by("hooked", &beside).unwrap();
    see("look", &hooked);
    assert_eq!((node.ports(), node.records()), (1, 1));
    node.cri.stop_pod(&hooked).unwrap();
    node.cri.remove_pod(&hooked).unwrap();
    // A plugin that is connected and says nothing: the pods run without it.
    node.sh("kill -STOP $(cat /tmp/nri.pid)").ok();
    let pod = node.cri.run_pod_by("pipework", &config).unwrap();
    let hooked = node.cri.run_pod_by("hooked", &beside).unwrap();
    assert_eq!(node.ports(), 0);
    is_refused(node, &pod, &config);
    is_refused(node, &hooked, &beside);
    // The next ones are as they should be, once the plugin is.
    node.sh("kill -CONT $(cat /tmp/nri.pid)").ok();
    for (pod, address) in [(&pod, "10.0.0.5"), (&hooked, "10.0.0.6")] {
        within("the plugin attaches it", SOON, || {
            let addresses = node.in_pod(pod, "ip -o -4 addr show");
            addresses.contains(address)
        });
    }
    assert_complete(&node.look_as(&pod, &config, "later"));
    see("later", &hooked);
    for pod in [pod, hooked] {
        node.cri.stop_pod(&pod).unwrap();
        node.cri.remove_pod(&pod).unwrap();
    }
}
