//! The way of the documentation, without a cluster: the image of the static program
//! alone, run as the DaemonSet says, and a replica of the example.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::cri::OfNode;
use crate::node::{Node, within};
use crate::runtime_v1::{Mount, MountPropagation, NamespaceOption};
use crate::support::config_map::in_config_map;
use crate::support::skip;

const SOON: Duration = Duration::from_secs(20);
const MANIFESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/kubernetes");

fn read(name: &str) -> String {
    std::fs::read_to_string(format!("{MANIFESTS}/{name}")).unwrap()
}

/// What stands behind `key:` in a line, without quotes and what is said about it.
fn value<'t>(line: &'t str, key: &str) -> Option<&'t str> {
    let line = line.trim_start().trim_start_matches("- ");
    let rest = line.strip_prefix(key)?.strip_prefix(':')?;
    Some(rest.split(" #").next().unwrap_or_default().trim())
}

/// `["a", "b"]`.
fn words(text: &str) -> Vec<String> {
    let inner = text.trim_matches(['[', ']']).split(", ");
    inner
        .map(|word| word.trim_matches('"').to_owned())
        .collect()
}

/// The container of daemonset.yaml; a ConfigMap is the folder `config`.
fn daemon(config: &str) -> OfNode {
    let manifest = read("daemonset.yaml");
    let (containers, volumes) = manifest.split_once("\n      volumes:\n").unwrap();
    let host_path = |name: &str| {
        let (_, after) = volumes.split_once(&format!("- name: {name}\n")).unwrap();
        let path = after.lines().take(2).find_map(|line| value(line, "path"));
        path.unwrap_or(config).to_owned()
    };
    let mut of = OfNode::default();
    let (before, mounts) = containers.split_once("volumeMounts:\n").unwrap();
    for line in before.lines() {
        if let Some(image) = value(line, "image") {
            of.image = image.to_owned();
        } else if let Some(command) = value(line, "command") {
            of.command = words(command);
        } else if let Some(args) = value(line, "args") {
            of.args = words(args);
        }
    }
    let (_, added) = before.split_once("add:\n").unwrap();
    let added = added
        .lines()
        .map_while(|line| line.trim().strip_prefix("- "));
    of.capabilities = added
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    let mut name = "";
    for line in mounts.lines() {
        if let Some(of) = value(line, "name") {
            name = of;
        } else if let Some(path) = value(line, "mountPath") {
            of.mounts.push(Mount {
                container_path: path.to_owned(),
                host_path: host_path(name),
                ..Mount::default()
            });
        } else if let Some(last) = of.mounts.last_mut() {
            last.readonly |= value(line, "readOnly") == Some("true");
            if value(line, "mountPropagation") == Some("HostToContainer") {
                last.propagation = MountPropagation::HostToContainer.into();
            }
        }
    }
    of
}

pub fn the_daemon_set_and_the_example_put_a_pod_on_the_lan(node: &Node) {
    if node.sh("ldd /usr/bin/pipework").status.success() {
        skip!("the program under test is not static");
    }
    let of = daemon("/tmp/config");
    let archive = node.path("/tmp/pipework.tar");
    let made = Command::new(Path::new(MANIFESTS).join("make-image"))
        .arg(node.path("/usr/bin/pipework"))
        .arg(&archive)
        .arg(&of.image)
        .status();
    assert!(made.unwrap().success());
    node.import("/tmp/pipework.tar");
    assert_eq!((of.mounts.len(), of.capabilities.len()), (7, 6), "{of:?}");
    // The card that the ConfigMap names, with another machine of the LAN at the far end of
    // its wire; and a node's namespaces are shared, as systemd makes them.
    node.sh(
        "mkdir -p /run/netns && mount --bind /run/netns /run/netns && mount --make-shared /run/netns && \
         ip netns add lan && ip link add eth1 type veth peer name wire netns lan && \
         ip -n lan addr add 192.168.7.2/24 dev wire && ip -n lan link set wire up && \
         ip link set eth1 up && mkdir -p /run/pipework /var/lib/pipework && \
         echo 0123456789abcdef0123456789abcdef >/etc/machine-id && rm -r /etc/pipework",
    )
    .ok();
    node.write("/tmp/config/policy.toml", &in_config_map("policy.toml"));
    node.write(
        "/tmp/config/networks.d/lan.toml",
        &in_config_map("lan.toml"),
    );
    let mut host = node.pod("pipework", &[]);
    let linux = host.linux.as_mut().unwrap();
    let security = linux.security_context.as_mut().unwrap();
    security.namespace_options = Some(NamespaceOption::of_node());
    host.hostname = String::new();
    let daemon_pod = node.cri.run_pod(&host).unwrap();
    let daemon = node.cri.create_of_node(&daemon_pod, &host, "pipework", of);
    node.cri.start(&daemon.unwrap()).unwrap();
    let log = node.path(&format!("{}/pipework.log", host.log_directory));
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    let probe = "busybox wget -qO- http://127.0.0.1:9464/healthz";
    within("the plugin is connected", SOON, || node.is_served());
    assert_eq!(node.sh(probe).ok(), "ok\n", "{}", said());
    // A replica of the example.
    let example = read("example.yaml");
    let network = example.lines().find_map(|line| value(line, "pipework.net"));
    let mut web = node.pod("web", &[("pipework.net", network.unwrap())]);
    web.metadata.as_mut().unwrap().namespace = "default".to_owned();
    let pod = node
        .cri
        .run_pod(&web)
        .unwrap_or_else(|e| panic!("{e:?}\n{}", said()));
    let seen = node.look(&pod, &web);
    let (_, address) = seen.split_once("addr net1 ").unwrap_or_else(|| {
        panic!("{seen}\n{}", said());
    });
    let address = address.split('/').next().unwrap();
    assert!(address.starts_with("192.168.7.1"), "{seen}");
    // From where the documentation has it tried.
    node.sh(&format!(
        "nsenter --net=/run/netns/lan ping -n -c 1 -w 20 {address}"
    ))
    .ok();
    node.cri.stop_pod(&pod).unwrap();
    node.cri.remove_pod(&pod).unwrap();
    node.assert_nothing_left();
    node.cri.stop_pod(&daemon_pod).unwrap();
    node.cri.remove_pod(&daemon_pod).unwrap();
}
