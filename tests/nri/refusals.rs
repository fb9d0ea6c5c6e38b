//! Pods that may not have what they ask for.

use crate::cri::Refused;
use crate::node::Node;
use crate::runtime_v1::{NamespaceMode, NamespaceOption, PodSandboxConfig};

/// Makes a pod and a container of it: refused at the one or the other.
#[track_caller]
fn refused(node: &Node, config: &PodSandboxConfig) -> String {
    let pod = match node.cri.run_pod(config) {
        Err(Refused(text)) => return text,
        Ok(pod) => pod,
    };
    let made = node.cri.create(&pod, config, "look", &["/bin/look"]);
    let Refused(text) = made.expect_err("a container was made");
    let links = node.in_pod(&pod, "ip -o link show");
    assert!(!links.contains("net1"), "{links}");
    node.cri.stop_pod(&pod).unwrap();
    node.cri.remove_pod(&pod).unwrap();
    text
}

pub fn what_is_refused_is_told_and_leaves_nothing(node: &Node) {
    node.start_plugin();
    let before = node.shims();
    for (ask, text) in [
        (
            [("pipework.bridg", "br0"), ("pipework.ip", "10.0.0.5/24")],
            "pipework: shop/web: annotation key pipework.bridg names no field of pipework; did you mean",
        ),
        (
            [("pipework.bridge", "br0"), ("pipework.ip", "10.9.9.5/24")],
            "pipework: shop/web: net1: no rule in /etc/pipework/policy.toml allows",
        ),
        (
            [("pipework.bridge", "br0"), ("pipework.hostif", "web0")],
            "pipework: shop/web: net1: no ",
        ),
        (
            [
                ("pipework.cmd", "br0 10.0.0.5/24 U:@CONTAINER_NAME@"),
                ("pipework.cmd.1", "route add 10.9.0.0/16 via 10.0.0.1"),
            ],
            "pipework: shop/web: annotation pipework.cmd: no pod may ask for a line of the pipework script",
        ),
        (
            [("pipework.bridge", "br0"), ("pipework.ip", "10.0.0.1/24")],
            "pipework: shop/web: ",
        ),
    ] {
        let said = refused(node, &node.pod("web", &ask));
        assert!(said.contains(text), "{ask:?}: {said}");
        // The first line of the report, and nothing of the rest.
        assert!(!said.contains('\n') && !said.contains("hint"), "{said}");
        node.assert_nothing_left();
    }
    let mut hosts = node.pod("hosts", &crate::life::ASK);
    let linux = hosts.linux.as_mut().unwrap();
    let security = linux.security_context.as_mut().unwrap();
    security.namespace_options = Some(NamespaceOption {
        network: NamespaceMode::Node.into(),
        ..NamespaceOption::default()
    });
    hosts.hostname = String::new();
    let said = refused(node, &hosts);
    assert!(said.contains("uses the network of the host"), "{said}");
    let after = node.shims();
    assert_eq!(before, after, "a shim is left");
    // Made anew under another id it has what it asks for, once that is allowed.
    let config = node.pod(
        "web",
        &[("pipework.bridge", "br0"), ("pipework.ip", "10.9.9.5/24")],
    );
    node.sh("sed -i 's#10.0.0.0/24#10.9.9.0/24#' /etc/pipework/policy.toml")
        .ok();
    let pod = node.cri.run_pod(&config).unwrap();
    let seen = node.look(&pod, &config);
    assert!(seen.contains("addr net1 10.9.9.5/24"), "{seen}");
    node.cri.stop_pod(&pod).unwrap();
    node.cri.remove_pod(&pod).unwrap();
}
