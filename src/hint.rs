//! What to do about a refusal: a pure function of the step and the kernel's
//! error number.
//!
//! Each line here answers a refusal that was seen; a step that has none gets no
//! hint rather than a guess.

#[cfg(test)]
mod tests;

use nix::errno::Errno;

use crate::host::container::ContainerError;
use crate::host::find::{Docker, FindError};
use crate::keeper::KeeperError;
use crate::plan::step::{NicStep, TrafficStep};
use crate::plan::{RoutingStep, SharedObject, Step};
use crate::record::RecordError;
use crate::request::tc::TcObject;
use crate::rt::{Route, ShimKind};
use crate::sys::ovsdb::OvsdbError;
use crate::sys::ovsdb::vswitch::OvsError;

/// The cure for a step that the kernel refused.
pub fn for_step(step: &Step, errno: Option<i32>) -> Option<String> {
    let errno = Errno::from_raw(errno?);
    match (step, errno) {
        (Step::AddRoute { route, .. }, Errno::ENETUNREACH | Errno::EINVAL | Errno::EHOSTUNREACH) => {
            Some(for_unreachable(route))
        }
        (Step::AddRoute { .. }, Errno::EEXIST) => {
            Some("another interface has that route already; give this one a metric".to_owned())
        }
        (Step::CreateMacvlan { parent, .. }, Errno::EBUSY) => Some(format!(
            "{parent} is a port of a bridge or bond, carries ipvlan devices, or has a child in mode passthru; \
             a NIC can be only one of these"
        )),
        (Step::CreateMacvlan { parent, .. }, Errno::EINVAL) => Some(format!(
            "{parent} has children in another mode: mode passthru allows only one child, and it alone"
        )),
        (Step::CreateMacvlan { .. } | Step::RaiseInterface { .. }, Errno::EADDRINUSE) => Some(
            "another device on that NIC has this MAC; leave pipework.mac out, or stop the other container"
                .to_owned(),
        ),
        (Step::CreateIpvlan { parent, .. }, Errno::EBUSY) => Some(format!(
            "{parent} is a port of a bridge or bond, or carries macvlan devices; \
             a NIC can be only one of these"
        )),
        (Step::AddAddress { .. }, Errno::EADDRINUSE) => Some(
            "no two ipvlan devices on one NIC can have the same address".to_owned(),
        ),
        (Step::Routing(RoutingStep::AddRule(_)), Errno::EEXIST) => {
            Some("the container has that very rule already; give this one a priority".to_owned())
        }
        (Step::Share { object: SharedObject::HostRoute { .. }, .. }, Errno::EEXIST) => Some(
            "the host has a route to that address already, by another device: see `ip route`"
                .to_owned(),
        ),
        (Step::CreateVeth(pair), Errno::EEXIST) => Some(format!(
            "the host has a device {} already; pipework.hostif gives another name",
            pair.host.name
        )),
        (Step::JoinBridge { bridge_name, .. }, Errno::EXFULL | Errno::ENOSPC) => {
            Some(format!("{bridge_name} has 1,023 ports, and no bridge can have more"))
        }
        (Step::CreateVeth(_), Errno::EOPNOTSUPP) => kernel_without("veth"),
        (Step::CreateMacvlan { .. }, Errno::EOPNOTSUPP) => kernel_without("macvlan"),
        (Step::CreateBridge(bridge), Errno::EOPNOTSUPP) if bridge.vlan_filtering => Some(
            "this kernel has no bridge that filters by VLAN: CONFIG_BRIDGE and CONFIG_BRIDGE_VLAN_FILTERING"
                .to_owned(),
        ),
        (Step::CreateIpvlan { .. }, Errno::EOPNOTSUPP) => kernel_without("ipvlan"),
        (Step::CreateDummy(_), Errno::EOPNOTSUPP) => kernel_without("dummy"),
        (Step::CreateBridge(_), Errno::EOPNOTSUPP) => kernel_without("bridge"),
        (Step::Traffic(step), Errno::ENOENT | Errno::EOPNOTSUPP) => for_traffic(step),
        (Step::AddAddress { .. }, Errno::EACCES) => Some(
            "IPv6 is switched off in the container: remove the sysctl disable_ipv6, or the address".to_owned(),
        ),
        (Step::Nic(step), errno) => for_nic(step, errno),
        (Step::Share { object, .. }, errno) => for_shared(object, errno),
        (_, Errno::EPERM) => Some("the runtime must be root, with CAP_NET_ADMIN over the host".to_owned()),
        _ => None,
    }
}

fn for_nic(step: &NicStep, errno: Errno) -> Option<String> {
    match (step, errno) {
        (NicStep::TuneVf { vf, .. }, Errno::EOPNOTSUPP) => Some(format!(
            "{} or its driver has no such setting of a virtual function",
            vf.function_name
        )),
        (NicStep::TuneVf { vf, .. }, Errno::EINVAL) => Some(format!(
            "{} refuses the value; some cards take rates only while their link is up",
            vf.function_name
        )),
        (NicStep::Set { .. }, Errno::EADDRNOTAVAIL | Errno::EPERM) => Some(
            "the card holds its virtual function to another address; pipework.vf.trust=true may help"
                .to_owned(),
        ),
        (NicStep::Move { traveller, .. }, Errno::EINVAL) => Some(format!(
            "{} is bound to its network namespace; for a macvlan on it write pipework.parent={}",
            traveller.name, traveller.name
        )),
        (NicStep::MoveRadio { radio_name, .. }, Errno::EOPNOTSUPP) => Some(format!(
            "the driver of {radio_name} does not let it change its namespace: `iw phy {radio_name} info` \
             lists set_wiphy_netns where it does"
        )),
        (NicStep::CreateVlan { parent, vlan }, Errno::EEXIST) => Some(format!(
            "{parent} has VLAN {} already, here or in a container: `ip -d link show type vlan`",
            vlan.vlan
        )),
        (NicStep::CreateVlan { .. }, Errno::EOPNOTSUPP) => kernel_without("8021q"),
        (NicStep::CreateIpoib { .. }, Errno::EOPNOTSUPP) => kernel_without("ib_ipoib"),
        (_, Errno::EPERM) => Some("the runtime must be root, with CAP_NET_ADMIN over the host".to_owned()),
        _ => None,
    }
}

fn for_shared(object: &SharedObject, errno: Errno) -> Option<String> {
    match (object, errno) {
        (SharedObject::VlanDevice { .. }, Errno::EOPNOTSUPP) => kernel_without("8021q"),
        (SharedObject::VlanDevice { parent_name, .. }, Errno::EEXIST) => Some(format!(
            "somebody made that VLAN of {parent_name} at the same moment; start the container again"
        )),
        (SharedObject::VlanDevice { parent_name, .. }, Errno::ENODEV | Errno::ENETDOWN) => Some(
            format!("{parent_name} went away, or down, at the same moment"),
        ),
        (SharedObject::Shim { parent_name, .. }, Errno::EBUSY | Errno::EEXIST) => Some(format!(
            "{parent_name} is a port of a bridge or bond, or carries children of the other kind \
             (macvlan, ipvlan); a NIC can be only one of these"
        )),
        (SharedObject::Shim { shim, .. }, Errno::EOPNOTSUPP) => match shim.kind {
            ShimKind::Macvlan => kernel_without("macvlan"),
            ShimKind::Ipvlan(_) => kernel_without("ipvlan"),
        },
        (SharedObject::Membership { .. }, Errno::EOPNOTSUPP) => {
            Some("the driver of an uplink port refuses the VLAN; uplink-ports in the policy names others".to_owned())
        }
        (_, Errno::EPERM) => Some("the runtime must be root, with CAP_NET_ADMIN over the host".to_owned()),
        _ => None,
    }
}

fn kernel_without(module: &str) -> Option<String> {
    Some(format!("this kernel has no {module}: modprobe {module}"))
}

/// The kernel says so where it does not know a discipline, filter or action.
fn for_traffic(step: &TrafficStep) -> Option<String> {
    match step {
        TrafficStep::CreateIfb { .. } => kernel_without("ifb"),
        TrafficStep::Shape { .. } => kernel_without("sch_tbf"),
        TrafficStep::SetGate { gate, .. } if gate.redirect.is_none() => kernel_without("cls_bpf"),
        TrafficStep::SetGate { .. } => {
            Some("this kernel has no cls_bpf or no act_mirred: modprobe both".to_owned())
        }
        TrafficStep::AddTc { line, .. } => match &line.object {
            TcObject::Qdisc { kind, .. } => kernel_without(&format!("sch_{}", kind.name())),
            TcObject::Class { .. } | TcObject::Filter(_) => None,
        },
        TrafficStep::RaiseIfb { .. } => None,
    }
}

fn for_unreachable(route: &Route) -> String {
    match route.via {
        Some(via) => format!(
            "the next hop must be inside a network of the container, or be marked onlink: \
             is {via} in one of its addresses' networks?"
        ),
        None => "the interface must be up and have an address of that family".to_owned(),
    }
}

/// The cure for what Open vSwitch refused.
pub fn for_ovs(error: &OvsError) -> Option<String> {
    match error {
        OvsError::Database(error) => for_ovsdb(error),
        OvsError::NoBridge { bridge } => Some(format!(
            "ovs-vsctl list-br lists the bridges; of a fake bridge give the parent and the VLAN \
             (ovs-vsctl br-to-parent {bridge}, ovs-vsctl br-to-vlan {bridge})"
        )),
        OvsError::Taken { name } => Some(format!(
            "ovs-vsctl del-port {name} removes it if nobody needs it; pipework.hostif gives another name"
        )),
        OvsError::SwitchDown { .. } => {
            Some("start it: systemctl start openvswitch-switch (or openvswitch)".to_owned())
        }
        OvsError::NoDatapath { bridge, datapath } if datapath == "system" => Some(format!(
            "modprobe openvswitch, or switch in ovs-vswitchd itself: \
             ovs-vsctl set Bridge {bridge} datapath_type=netdev (ovs-datapath = \"netdev\" in \
             /etc/pipework/config.toml for bridges that are made)"
        )),
        OvsError::SwitchSlow { .. } | OvsError::Interface { .. } | OvsError::NoDatapath { .. } => {
            Some("the log of ovs-vswitchd says more: /var/log/openvswitch".to_owned())
        }
    }
}

fn for_ovsdb(error: &OvsdbError) -> Option<String> {
    match error {
        OvsdbError::Absent { .. } | OvsdbError::Dead { .. } => Some(
            "start it: systemctl start openvswitch-switch (or openvswitch); where its database \
             listens elsewhere, ovsdb in /etc/pipework/config.toml says so"
                .to_owned(),
        ),
        OvsdbError::ReadOnly { .. } => Some(
            "this server only copies the database of another one: ovs-appctl -t ovsdb-server \
             ovsdb-server/sync-status"
                .to_owned(),
        ),
        OvsdbError::SchemaLacks { .. } => {
            Some("Open vSwitch 2.8 or later is needed, and its own database".to_owned())
        }
        OvsdbError::Socket { .. }
        | OvsdbError::TimedOut
        | OvsdbError::Closed
        | OvsdbError::Garbled { .. }
        | OvsdbError::Refused { .. } => None,
    }
}

/// The cure for a container that cannot be configured.
pub fn for_container(error: &ContainerError) -> Option<String> {
    match error {
        ContainerError::Rootless => Some(
            "run the container as root: a rootless runtime cannot plug anything into the host's networks"
                .to_owned(),
        ),
        ContainerError::HostNetwork => Some(
            "give the container a network namespace (podman: --network none or a bridge; \
             a pod: no hostNetwork), or remove its pipework.* annotations"
                .to_owned(),
        ),
        ContainerError::NoPid { .. } => Some(
            "the hook belongs to the stages createRuntime and poststop of a container that exists".to_owned(),
        ),
        ContainerError::Elsewhere { .. } => Some(
            "the plugin must see the processes of the host: hostPID in Kubernetes".to_owned(),
        ),
        ContainerError::Path { .. } => Some(
            "the plugin must see the namespaces of the host: /run/netns, mounted HostToContainer"
                .to_owned(),
        ),
        ContainerError::Gone { .. } | ContainerError::Bound { .. } | ContainerError::Io { .. } => None,
    }
}

/// What to write instead of a name that means nothing, or too much.
pub fn for_find(error: &FindError) -> Option<String> {
    match error {
        FindError::NotFound { docker, .. } => {
            let docker = match docker {
                Docker::Silent(reason) => format!("Docker does not answer ({reason}); "),
                Docker::Absent | Docker::Unknown => String::new(),
            };
            Some(format!(
                "{docker}a container is a name or id of Docker, podman, containerd, CRI-O, LXC, Incus, machined, \
                 runc or crun; or pid:N, netns:NAME, or the path of a namespace; one of ctr is known \
                 while it has a task: start it first"
            ))
        }
        FindError::Ambiguous { .. } => Some("write one of these".to_owned()),
        FindError::Pid(_) | FindError::Netns(_) | FindError::NoName => None,
    }
}

/// The cure for records that cannot be kept.
pub fn for_record(error: &RecordError) -> Option<String> {
    match error {
        RecordError::NotOurs { path } => Some(format!("chown root: {path}; chmod 0700 {path}")),
        RecordError::Locked { .. } => {
            Some("a run that hangs inside the kernel shows in `ps` in state D".to_owned())
        }
        RecordError::Newer { .. } => {
            Some("install the release that wrote it, or reboot".to_owned())
        }
        RecordError::Unreadable { path, .. } => Some(format!(
            "remove {path}; what it recorded goes with its containers"
        )),
        RecordError::Io { .. } | RecordError::Remains { .. } => None,
    }
}

/// What to do when nobody keeps leases.
pub fn for_keeper(error: &KeeperError) -> Option<String> {
    match error {
        KeeperError::Absent => {
            Some("systemctl enable --now pipework.socket, or run `pipework daemon`".to_owned())
        }
        KeeperError::Silent(_)
        | KeeperError::Stranger
        | KeeperError::Io(_)
        | KeeperError::Protocol(_)
        | KeeperError::Refused(_) => None,
    }
}
