//! Who takes part, and the command line, environment and standard input with
//! which each makes the same attachment: eth1 on br0, an address, a default
//! route.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use crate::uplinks::{ON_BRIDGE, Uplink};
use crate::world::{BRIDGE, GATEWAY, World};

/// A program that attaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contestant {
    /// floor.c: four netlink messages and nothing else.
    Floor,
    /// The createRuntime hook.
    Pipework,
    /// iproute2: one batch for the host, one for the container.
    IpBatch,
    /// podman's network tool, with the bridge left alone (`mode=unmanaged`).
    Netavark,
    /// The CNI reference plugins bridge and static.
    Cni,
}

/// One process to be started.
#[derive(Debug)]
pub struct Start {
    /// Absolute path and arguments.
    pub command: Vec<String>,
    /// The whole environment.
    pub environment: Vec<(&'static str, String)>,
    /// What is on standard input, complete before the start.
    pub stdin: String,
    /// The folder that is the process's root.
    pub root: Option<PathBuf>,
}

impl Contestant {
    /// Everybody, in the order of the tables.
    pub const ALL: [Self; 5] = [
        Self::Floor,
        Self::Pipework,
        Self::IpBatch,
        Self::Netavark,
        Self::Cni,
    ];

    /// The row's name.
    pub fn title(self) -> &'static str {
        match self {
            Self::Floor => "floor (C, 4 messages)",
            Self::Pipework => "pipework hook",
            Self::IpBatch => "ip -batch, twice, by sh",
            Self::Netavark => "netavark setup",
            Self::Cni => "CNI bridge + static",
        }
    }

    /// Its container's network namespace, a name in /run/netns.
    pub fn namespace(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Pipework => "pipework",
            Self::IpBatch => "ip",
            Self::Netavark => "netavark",
            Self::Cni => "cni",
        }
    }

    fn address(self) -> &'static str {
        match self {
            Self::Floor => "10.77.0.2",
            Self::Pipework => "10.77.0.3",
            Self::IpBatch => "10.77.0.4",
            Self::Netavark => "10.77.0.5",
            Self::Cni => "10.77.0.6",
        }
    }

    /// How to start it for its own namespace, where `pid` is the container's
    /// first process; else the reason why it cannot take part.
    pub fn start(self, world: &World, pid: u32) -> Result<Start, &'static str> {
        let netns = format!("/run/netns/{}", self.namespace());
        match self {
            Self::Floor => Ok(floor(world, ON_BRIDGE, &netns, ("vfloor", self.address()))),
            Self::Pipework => attach(world, ON_BRIDGE, ("contestant", pid), self.address())
                .ok_or("absent: target/release/pipework is not built"),
            Self::IpBatch => Ok(self.ip_batch()),
            Self::Netavark => self.netavark(world, &netns),
            Self::Cni => self.cni(world, netns),
        }
    }

    fn ip_batch(self) -> Start {
        let (name, address) = (self.namespace(), self.address());
        let host = format!("link add vip up master {BRIDGE} type veth peer name eth1 netns {name}");
        let container = format!(
            "link set eth1 up\\naddress add {address}/16 brd + dev eth1\\n\
             route add default via {GATEWAY}"
        );
        let script = format!(
            "printf '{host}\\n' | ip -batch - && printf '{container}\\n' | ip -n {name} -batch -"
        );
        Start {
            command: vec!["/bin/sh".into(), "-c".into(), script],
            environment: vec![("PATH", "/usr/sbin:/usr/bin:/sbin:/bin".into())],
            stdin: String::new(),
            root: None,
        }
    }

    fn netavark(self, world: &World, netns: &str) -> Result<Start, &'static str> {
        let root = world.root.clone().ok_or(NO_ROOT)?;
        let id = "0".repeat(64);
        let options = json!({
            "container_id": id, "container_name": "contestant",
            "networks": {"lan": {"static_ips": [self.address()], "interface_name": "eth1"}},
            "network_info": {"lan": {
                "name": "lan", "id": id, "driver": "bridge", "network_interface": BRIDGE,
                "subnets": [{"subnet": "10.77.0.0/16", "gateway": GATEWAY}],
                "ipv6_enabled": false, "internal": false, "dns_enabled": false,
                "ipam_options": {"driver": "host-local"}, "options": {"mode": "unmanaged"},
            }},
        });
        let words = [
            "/usr/lib/podman/netavark",
            "--config",
            "/run/netavark",
            "--firewall-driver",
            "none",
            "setup",
            netns,
        ];
        Ok(Start {
            command: words.map(String::from).to_vec(),
            environment: vec![("PATH", "/usr/sbin:/usr/bin".into())],
            stdin: options.to_string(),
            root: Some(root),
        })
    }

    fn cni(self, world: &World, netns: String) -> Result<Start, &'static str> {
        let root = world.root.clone().ok_or(NO_ROOT)?;
        let address = format!("{}/16", self.address());
        let config = json!({
            "cniVersion": "1.0.0", "name": "lan", "type": "bridge", "bridge": BRIDGE,
            "isGateway": false, "ipMasq": false,
            "ipam": {
                "type": "static", "routes": [{"dst": "0.0.0.0/0"}],
                "addresses": [{"address": address, "gateway": GATEWAY}],
            },
        });
        Ok(Start {
            command: vec!["/usr/lib/cni/bridge".into()],
            environment: vec![
                ("PATH", "/usr/sbin:/usr/bin".into()),
                ("CNI_COMMAND", "ADD".into()),
                ("CNI_CONTAINERID", "contestant".into()),
                ("CNI_NETNS", netns),
                ("CNI_IFNAME", "eth1".into()),
                ("CNI_PATH", "/usr/lib/cni".into()),
            ],
            stdin: config.to_string(),
            root: Some(root),
        })
    }
}

const NO_ROOT: &str = "SKIP: no cached Debian root (tests/roots/make-root trixie)";

/// floor.c for a namespace given by path; the host's end and the address.
pub fn floor(world: &World, uplink: Uplink, netns: &str, (host, address): (&str, &str)) -> Start {
    let program = world.tools.join("floor").to_string_lossy().into_owned();
    let words = [host, "eth1", address, "16", GATEWAY];
    let mut command = vec![program];
    command.extend(uplink.floor.map(String::from));
    command.push(netns.to_owned());
    command.extend(words.map(String::from));
    Start {
        command,
        environment: Vec::new(),
        stdin: String::new(),
        root: None,
    }
}

/// The createRuntime hook for a container, by id and first process; none while
/// the binary is absent.
pub fn attach(
    world: &World,
    uplink: Uplink,
    (id, pid): (&str, u32),
    address: &str,
) -> Option<Start> {
    let ip = format!("{address}/16@{GATEWAY}");
    let others = [
        ("org.opencontainers.image.stopSignal", "15"),
        ("pipework.ip", &ip),
    ];
    let annotations: BTreeMap<&str, &str> =
        uplink.annotations.iter().copied().chain(others).collect();
    let state = json!({
        "ociVersion": "1.2.0", "id": id, "status": "creating", "pid": pid,
        "bundle": world.tools.join("bundle"), "annotations": annotations,
    });
    hook(world, "createRuntime", state.to_string())
}

/// The poststop hook of the same container.
pub fn detach(world: &World, id: &str) -> Option<Start> {
    let state = json!({
        "ociVersion": "1.2.0", "id": id, "status": "stopped",
        "bundle": world.tools.join("bundle"),
        "annotations": {"pipework.bridge": BRIDGE},
    });
    hook(world, "poststop", state.to_string())
}

/// The sweep of what dead containers left.
pub fn gc(world: &World) -> Option<Start> {
    let program = world.ours.as_ref()?.to_string_lossy().into_owned();
    Some(Start {
        command: vec![program, "gc".to_owned()],
        environment: Vec::new(),
        stdin: String::new(),
        root: None,
    })
}

/// The createRuntime hook for a container that asks for nothing.
pub fn unannotated(world: &World, pid: u32) -> Option<Start> {
    let state = json!({
        "ociVersion": "1.2.0", "id": "plain", "status": "creating", "pid": pid,
        "bundle": world.tools.join("bundle"),
        "annotations": {"org.opencontainers.image.stopSignal": "15"},
    });
    hook(world, "createRuntime", state.to_string())
}

fn hook(world: &World, stage: &str, stdin: String) -> Option<Start> {
    let program = world.ours.as_ref()?.to_string_lossy().into_owned();
    let words = ["hook", "--stage", stage].map(String::from);
    let mut command = vec![program];
    command.extend(words);
    Some(Start {
        command,
        environment: Vec::new(),
        stdin,
        root: None,
    })
}

/// The runtime wrapper, asked for something that is none of its business.
pub fn wrapper(world: &World) -> Option<Start> {
    let program = world.ours.as_ref()?.to_string_lossy().into_owned();
    let words = ["runtime", "--root", "/run/none", "state", "web"].map(String::from);
    let mut command = vec![program];
    command.extend(words);
    Some(Start {
        command,
        environment: Vec::new(),
        stdin: String::new(),
        root: None,
    })
}
