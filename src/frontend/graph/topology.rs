//! What is plugged into what: cards, bonds, VLAN devices and bridges of the host,
//! and the containers of our records.

use std::collections::BTreeMap;

use crate::deadline::Deadline;
use crate::error::Error;
use crate::frontend::graph::plain;
use crate::frontend::{addresses, known};
use crate::host::inspect::InspectError;
use crate::host::ovs;
use crate::record::{AttachmentRecord, Record, Store};
use crate::reference::Reference;
use crate::sys::ovsdb::Ovsdb;
use crate::sys::rtnl::{LinkFacts, Rtnl, RtnlError};
use crate::sys::{block_on, proc};

/// Most devices whose own addresses are asked for.
const MOST_ADDRESSED: usize = 256;

/// What a node is; in the order of the columns that it is drawn in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A network card, or what stands in its place.
    Nic,
    /// Several cards as one.
    Bond,
    /// A VLAN of a device.
    Vlan,
    /// A Linux bridge.
    Bridge,
    /// A bridge of Open vSwitch.
    OvsBridge,
    /// A container: its network namespace.
    Container,
}

/// One box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What is said below the name: addresses, and of a container a line for each
    /// interface.
    pub lines: Vec<String>,
    /// Whether it works: a device that is up, a container that runs.
    pub lives: bool,
}

/// What is plugged into what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The node that is nearer to the outside.
    pub from: usize,
    /// The one that is plugged into it.
    pub to: usize,
    /// Of a container: which of its lines is the interface.
    pub line: Option<usize>,
    /// What is written at the edge, where lines are not to be seen.
    pub label: String,
}

/// Everything that is drawn. Edges form no circle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topology {
    /// The boxes.
    pub nodes: Vec<Node>,
    /// The lines between them.
    pub edges: Vec<Edge>,
}

/// A topology while it is put together.
#[derive(Default)]
struct Builder {
    topology: Topology,
    /// Nodes of devices, by index.
    devices: BTreeMap<u32, usize>,
    /// Names of the other devices, and whether they are up, by index: ends of
    /// containers, which are lines and no boxes, tunnels and the like. Each has a
    /// node once something is plugged into it.
    others: BTreeMap<u32, (String, bool)>,
    /// Nodes of devices that are not on the host, by name.
    absent: BTreeMap<String, usize>,
}

impl Topology {
    /// Looks at the host, and joins what is there with the records.
    pub fn look(records: &[Record], store: &Store, deadline: Deadline) -> Result<Self, Error> {
        let kernel = |error: RtnlError| Error::from(InspectError::from(error));
        let rtnl = Rtnl::open(deadline).map_err(Error::Socket)?;
        let links = block_on(rtnl.links())
            .map_err(Error::Socket)?
            .map_err(kernel)?;
        // Without it only ports of Open vSwitch's bridges are missing.
        let mut ovsdb = ovs::open(deadline).ok();
        let mut builder = Builder::default();
        for link in &links {
            builder.device(link, ovsdb.as_mut());
        }
        builder.join_devices(&links);
        if let Some(ovsdb) = ovsdb.as_mut() {
            builder.join_ports(&links, ovsdb);
        }
        let look = addresses::Look::begin();
        for record in records {
            builder.container(record, &lines_of(record, store, &look));
        }
        builder.addresses(&rtnl);
        Ok(builder.topology)
    }
}

/// What a device of the host is; `None` for what is not drawn.
fn kind_of(link: &LinkFacts, ovsdb: Option<&mut Ovsdb>) -> Option<Kind> {
    match link.kind.as_deref() {
        None if link.is_loopback => None,
        None | Some("dummy" | "wwan") => Some(Kind::Nic),
        Some("bond" | "team") => Some(Kind::Bond),
        Some("vlan") => Some(Kind::Vlan),
        Some("bridge") => Some(Kind::Bridge),
        // Internal ports are of this kind as well, and the datapath itself.
        Some("openvswitch" | "tun") => {
            let bridge = ovsdb?.bridge(&link.name).ok()?;
            bridge.map(|_| Kind::OvsBridge)
        }
        Some(_) => None,
    }
}

impl Builder {
    fn add(&mut self, node: Node) -> usize {
        self.topology.nodes.push(node);
        self.topology.nodes.len() - 1
    }

    fn device(&mut self, link: &LinkFacts, ovsdb: Option<&mut Ovsdb>) {
        let Some(kind) = kind_of(link, ovsdb) else {
            let other = (link.name.clone(), link.up);
            self.others.insert(link.ifindex, other);
            return;
        };
        let mut lines = Vec::new();
        if let Some(vlan) = link.vlan {
            lines.push(format!("VLAN {vlan}"));
        }
        let node = self.add(Node {
            kind,
            name: plain(&link.name),
            lines,
            lives: link.up,
        });
        self.devices.insert(link.ifindex, node);
    }

    /// Cards and VLANs that are ports, VLANs that are on something.
    fn join_devices(&mut self, links: &[LinkFacts]) {
        for link in links {
            let above = link
                .controller
                .and_then(|above| self.devices.get(&above))
                .copied();
            let Some(own) = self.devices.get(&link.ifindex).copied() else {
                continue;
            };
            let lower = link.lower.filter(|_| link.kind.as_deref() == Some("vlan"));
            if let Some(below) = lower.and_then(|below| self.below(below)) {
                self.join(below, own);
            }
            if let Some(above) = above {
                self.join(own, above);
            }
        }
    }

    /// Ports of Open vSwitch, of which the kernel tells only the datapath.
    fn join_ports(&mut self, links: &[LinkFacts], ovsdb: &mut Ovsdb) {
        let of_name = |name: &str| links.iter().find(|link| link.name == name);
        for (ifindex, bridge) in self.devices.clone() {
            let node = self.topology.nodes.get(bridge);
            if node.is_none_or(|node| node.kind != Kind::OvsBridge) {
                continue;
            }
            let name = links.iter().find(|link| link.ifindex == ifindex);
            let facts = name.and_then(|link| ovsdb.uplink_facts(&link.name).ok().flatten());
            for port in facts.map(|facts| facts.ports).unwrap_or_default() {
                let port = of_name(&port).and_then(|link| self.devices.get(&link.ifindex));
                if let Some(port) = port.copied().filter(|port| *port != bridge) {
                    self.join(port, bridge);
                }
            }
        }
    }

    fn join(&mut self, from: usize, to: usize) {
        self.topology.edges.push(Edge {
            from,
            to,
            line: None,
            label: String::new(),
        });
    }

    fn container(&mut self, record: &Record, lines: &[String]) {
        let is_bound = record.references().any(Reference::is_bound);
        let lives = is_bound
            || record
                .keepers()
                .any(|keeper| proc::is_same(keeper.pid, keeper.birth));
        let node = Node {
            kind: Kind::Container,
            name: plain(&known::called(record)),
            lines: lines.to_vec(),
            lives,
        };
        let node = self.add(node);
        for (line, attachment) in record.attachments.iter().enumerate() {
            // A dummy leads nowhere.
            if attachment.uplink_ifindex == 0 || attachment.uplink_ifindex == attachment.ifindex {
                continue;
            }
            let uplink = self.uplink(attachment);
            self.topology.edges.push(Edge {
                from: uplink,
                to: node,
                line: Some(line),
                label: attachment.ifname.to_string(),
            });
        }
    }

    /// The node of a device that something is on; one that is not drawn by itself is
    /// for this.
    fn below(&mut self, ifindex: u32) -> Option<usize> {
        if let Some(node) = self.devices.get(&ifindex) {
            return Some(*node);
        }
        let (name, lives) = self.others.remove(&ifindex)?;
        let node = self.add(Node {
            kind: Kind::Nic,
            name: plain(&name),
            lines: Vec::new(),
            lives,
        });
        self.devices.insert(ifindex, node);
        Some(node)
    }

    /// The node of an uplink; a card that is away, or a bridge that is gone, has
    /// one all the same.
    fn uplink(&mut self, attachment: &AttachmentRecord) -> usize {
        if let Some(node) = self.below(attachment.uplink_ifindex) {
            return node;
        }
        let name = attachment.uplink.to_string();
        if let Some(node) = self.ovs_bridge(&plain(&name)) {
            return node;
        }
        if let Some(node) = self.absent.get(&name) {
            return *node;
        }
        let node = self.add(Node {
            kind: match attachment.hostif {
                Some(_) => Kind::Bridge,
                None => Kind::Nic,
            },
            name: name.clone(),
            lines: vec!["not on the host".to_owned()],
            lives: false,
        });
        self.absent.insert(name, node);
        node
    }

    /// The node of a bridge of Open vSwitch, which records know by name: the index
    /// of its local port changes with every start of `ovs-vswitchd`.
    fn ovs_bridge(&self, name: &str) -> Option<usize> {
        let mut nodes = self.topology.nodes.iter();
        nodes.position(|node| node.kind == Kind::OvsBridge && node.name == name)
    }

    /// The addresses that the host's devices have.
    fn addresses(&mut self, rtnl: &Rtnl) {
        for (ifindex, node) in self.devices.iter().take(MOST_ADDRESSED) {
            let addresses = block_on(rtnl.global_addresses(*ifindex));
            let addresses = addresses.ok().and_then(Result::ok).unwrap_or_default();
            if let Some(node) = self.topology.nodes.get_mut(*node) {
                node.lines.extend(addresses.iter().map(ToString::to_string));
            }
        }
    }
}

/// The interfaces of a container, each on one line.
fn lines_of(record: &Record, store: &Store, look: &addresses::Look) -> Vec<String> {
    let inside = look.inside(record);
    let line = |attachment: &AttachmentRecord| {
        let mut parts = vec![attachment.ifname.to_string()];
        parts.extend(attachment.vlan.map(|vlan| format!("VLAN {vlan}")));
        let addresses = inside.of(attachment, store);
        parts.extend(addresses.iter().map(ToString::to_string));
        parts.join("  ")
    };
    record.attachments.iter().map(line).collect()
}
