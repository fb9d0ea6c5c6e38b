//! A node: a world with containerd and the plugin in it, a bridge that pods may
//! be plugged into, and a network of the cluster's own.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Deref;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cri::{Cri, Refused};
use crate::runtime_v1::{
    LinuxPodSandboxConfig, LinuxSandboxSecurityContext, NamespaceOption, PodSandboxConfig,
    PodSandboxMetadata,
};
use crate::support::note_flaky;
use crate::support::world::{Skip, World};

/// What the bridge's side of the policy allows.
const POLICY: &str = r#"
[[rule]]
caller = ["namespace:shop"]
uplink = ["br0"]
kind = ["bridge"]
cidr = ["10.0.0.0/24"]
gateway = ["10.0.0.1"]
routes = ["10.7.0.0/16"]
dynamic = ["dhcp"]
dhcp = ["timeout=*"]
wait = { max = 60 }
count = 4
"#;

const CNI: &str = r#"{
  "cniVersion": "1.0.0", "name": "cluster",
  "plugins": [{
    "type": "bridge", "bridge": "cni0",
    "ipam": {"type": "host-local", "subnet": "10.88.0.0/16", "dataDir": "/run/cni-ipam"}
  }]
}"#;

/// An image whose first process sleeps, as a pause does.
const IMAGE: &str = r#"
set -e
cd /tmp && mkdir -p image/layer && tar -C /srv/image -cf image/layer/layer.tar .
sum=$(sha256sum image/layer/layer.tar | cut -d' ' -f1)
cat >image/config.json <<END
{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/bin/busybox","sleep","100000"]},
 "rootfs":{"type":"layers","diff_ids":["sha256:$sum"]}}
END
cat >image/manifest.json <<END
[{"Config":"config.json","RepoTags":["localhost/bb:1"],"Layers":["layer/layer.tar"]}]
END
tar -C image -cf image.tar config.json manifest.json layer/layer.tar
"#;

const COMMON: &str = r#"
[plugins."io.containerd.nri.v1.nri"]
disable = false
plugin_path = "/opt/nri/plugins"
"#;

/// containerd 1.7 and 2.x call the same things otherwise.
const SETTINGS: [(&str, &str); 2] = [
    (
        "trixie",
        r#"version = 2
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/bb:1"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "/etc/cni/net.d"
"#,
    ),
    (
        "forky",
        r#"version = 3
[plugins."io.containerd.cri.v1.images"]
snapshotter = "native"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "localhost/bb:1"
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "/etc/cni/net.d"
"#,
    ),
];

/// A world in which pods run.
pub struct Node {
    world: World,
    pub cri: Cri,
}

impl Deref for Node {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

/// Waits for something that comes soon.
#[track_caller]
pub fn within(what: &str, time: Duration, is_so: impl Fn() -> bool) {
    let end = Instant::now() + time;
    while !is_so() {
        assert!(Instant::now() < end, "not within {time:?}: {what}");
        sleep(Duration::from_millis(20));
    }
}

const SOON: Duration = Duration::from_secs(20);

impl Node {
    /// A node with containerd, and no plugin yet.
    pub fn enter(suite: &'static str) -> Result<Self, Skip> {
        let world = World::enter(suite)?;
        world.write("/etc/pipework/policy.toml", POLICY);
        world.write("/etc/cni/net.d/10-cluster.conflist", CNI);
        let (_, settings) = SETTINGS.iter().find(|(name, _)| *name == suite).unwrap();
        world.write(
            "/etc/containerd/config.toml",
            &format!("{settings}{COMMON}"),
        );
        world.sh("ip link add br0 type bridge && ip addr add 10.0.0.1/24 dev br0 && ip link set br0 up").ok();
        world.sh(IMAGE).ok();
        let cri = Cri(world.path("/run/containerd/containerd.sock"));
        let node = Self { world, cri };
        // What each root is there for.
        let line = if suite == "trixie" { " 1.7." } else { " 2." };
        let version = node.sh("containerd --version").ok();
        assert!(version.contains(line), "{version}");
        node.start_containerd();
        node.import("/tmp/image.tar");
        Ok(node)
    }

    /// Starts a program that stays; its pid in the world is in /tmp/NAME.pid,
    /// what it says in /tmp/NAME.log.
    pub fn start(&self, name: &str, line: &str) {
        let line = format!("echo $$ >/tmp/{name}.pid; exec {line} >>/tmp/{name}.log 2>&1");
        // It ends with the world.
        drop(self.spawn(&["sh", "-c", &line]));
    }

    /// Ends what [`Node::start`] has started.
    pub fn end(&self, name: &str, signal: &str) {
        self.sh(&format!(
            "pid=$(cat /tmp/{name}.pid); kill -{signal} $pid; \
             while [ -d /proc/$pid ] && ! grep -q 'State:.Z' /proc/$pid/status; do sleep 0.02; done"
        ))
        .ok();
    }

    /// Starts containerd, and waits until it makes pods.
    pub fn start_containerd(&self) {
        self.start(
            "containerd",
            "containerd --config /etc/containerd/config.toml",
        );
        let end = Instant::now() + SOON;
        while !self.cri.is_up() {
            assert!(Instant::now() < end, "{}", self.said("containerd"));
            sleep(Duration::from_millis(20));
        }
    }

    /// Starts the plugin, and waits until it is connected.
    pub fn start_plugin(&self) {
        self.start_plugin_by("pipework nri");
    }

    /// The same by another command.
    pub fn start_plugin_by(&self, line: &str) {
        self.start("nri", line);
        let end = Instant::now() + SOON;
        while !self.is_served() {
            assert!(
                Instant::now() < end,
                "{}\n{}",
                self.said("nri"),
                self.said("containerd")
            );
            sleep(Duration::from_millis(20));
        }
    }

    /// Whether the plugin is connected.
    pub fn is_served(&self) -> bool {
        let probe =
            "test -e /run/pipework/nri.serving && ! flock -ns /run/pipework/nri.serving true";
        self.sh(probe).status.success()
    }

    /// Takes an archive of a file of the world for an image.
    pub fn import(&self, archive: &str) {
        let is_old = self.sh("containerd --version").ok().contains(" 1.7.");
        let local = if is_old { "" } else { "--local" };
        self.sh(&format!(
            "ctr -n k8s.io images import {local} --snapshotter native {archive}"
        ))
        .ok();
    }

    /// What a program that stays has said.
    pub fn said(&self, name: &str) -> String {
        fs::read_to_string(self.path(&format!("/tmp/{name}.log"))).unwrap_or_default()
    }

    /// A pod of the namespace `shop`.
    pub fn pod(&self, name: &str, annotations: &[(&str, &str)]) -> PodSandboxConfig {
        let annotations = annotations.iter();
        let annotations = annotations.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: name.to_owned(),
                uid: format!("uid-{name}"),
                namespace: "shop".to_owned(),
                attempt: 0,
            }),
            hostname: name.to_owned(),
            log_directory: format!("/tmp/logs/{name}"),
            labels: BTreeMap::new(),
            annotations: annotations.collect(),
            linux: Some(LinuxPodSandboxConfig {
                cgroup_parent: String::new(),
                security_context: Some(LinuxSandboxSecurityContext {
                    namespace_options: Some(NamespaceOption::default()),
                }),
            }),
        }
    }

    /// Makes a container whose first instruction looks at its network, and what
    /// it saw.
    #[track_caller]
    pub fn look(&self, pod: &str, config: &PodSandboxConfig) -> String {
        self.look_as(pod, config, "look")
    }

    /// The same under a name of the container's own.
    #[track_caller]
    pub fn look_as(&self, pod: &str, config: &PodSandboxConfig, name: &str) -> String {
        // containerd now and then loses what a container says that ends at once.
        let again = || {
            note_flaky("what a container said is lost");
            self.look_once(pod, config, &format!("{name}-again"))
        };
        let look = self.look_once(pod, config, name).or_else(again);
        look.expect("no container has looked")
    }

    fn look_once(&self, pod: &str, config: &PodSandboxConfig, name: &str) -> Option<String> {
        let look = self.cri.create(pod, config, name, &["/bin/look"]).unwrap();
        self.cri.start(&look).unwrap();
        let log = self.path(&format!("{}/{name}.log", config.log_directory));
        let text = || fs::read_to_string(&log).unwrap_or_default();
        let end = Instant::now() + SOON;
        while !text().contains('\n') {
            if Instant::now() > end {
                return None;
            }
            sleep(Duration::from_millis(20));
        }
        sleep(Duration::from_millis(100));
        Some(text())
    }

    /// The same for a pod whose lease may come later than its first container: that is
    /// made again then, as a kubelet does.
    #[track_caller]
    pub fn look_patiently(&self, pod: &str, config: &PodSandboxConfig) -> String {
        let end = Instant::now() + SOON;
        for number in 0.. {
            let early = format!("early{number}");
            match self.cri.create(pod, config, &early, &["/bin/look"]) {
                Ok(_) => break,
                Err(Refused(text)) => {
                    assert!(Instant::now() < end && text.contains("goes on"), "{text}");
                    sleep(Duration::from_millis(200));
                }
            }
        }
        self.look(pod, config)
    }

    /// How many interfaces of ours there are on the host.
    pub fn ports(&self) -> usize {
        let links = self
            .sh("ip -o link show | grep -c 'pw[0-9a-f]*@' || true")
            .ok();
        links.trim().parse().unwrap()
    }

    /// How many records there are.
    pub fn records(&self) -> usize {
        let files = self
            .sh("find /run/pipework/attachments -type f 2>/dev/null | wc -l")
            .ok();
        files.trim().parse().unwrap()
    }

    /// Checks that the host has nothing of ours any more.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        within("nothing is left", SOON, || {
            self.ports() == 0 && self.records() == 0
        });
        let leads = self
            .sh("find /run/pipework/containers /run/pipework/macs -type l 2>/dev/null || true")
            .ok();
        assert_eq!(leads, "", "ways to records are left");
    }

    /// How many shims run: one for each pod, whoever knows of it.
    pub fn shims(&self) -> usize {
        let shims = self.sh("pgrep -c containerd-shim || true").ok();
        shims.trim().parse().unwrap()
    }

    /// What a line of shell says in the network namespace of a pod.
    #[track_caller]
    pub fn in_pod(&self, pod: &str, line: &str) -> String {
        let task = format!("/run/containerd/io.containerd.runtime.v2.task/k8s.io/{pod}");
        let pid = self.sh(&format!("cat {task}/init.pid")).ok();
        self.sh(&format!("nsenter --net=/proc/{}/ns/net {line}", pid.trim()))
            .ok()
    }
}
