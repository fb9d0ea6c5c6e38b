//! What to do about a refusal: a pure function of the step and the kernel's
//! error number.
//!
//! Each line here answers a refusal that was seen; a step that has none gets no
//! hint rather than a guess.

use nix::errno::Errno;

use crate::host::container::ContainerError;
use crate::plan::{SharedObject, Step};
use crate::record::RecordError;
use crate::rt::Route;

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
        (Step::CreateBridge(_), Errno::EOPNOTSUPP) => kernel_without("bridge"),
        (Step::AddAddress { .. }, Errno::EACCES) => Some(
            "IPv6 is switched off in the container: remove the sysctl disable_ipv6, or the address".to_owned(),
        ),
        (_, Errno::EPERM) => Some("the runtime must be root, with CAP_NET_ADMIN over the host".to_owned()),
        (Step::Share { object, .. }, errno) => for_shared(object, errno),
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
        (SharedObject::Membership { .. }, Errno::EOPNOTSUPP) => {
            Some("the driver of an uplink port refuses the VLAN; uplink-ports in the policy names others".to_owned())
        }
        _ => None,
    }
}

fn kernel_without(module: &str) -> Option<String> {
    Some(format!("this kernel has no {module}: modprobe {module}"))
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

/// The cure for a container that cannot be configured.
pub fn for_container(error: &ContainerError) -> Option<String> {
    match error {
        ContainerError::Rootless => Some(
            "run the container as root: a rootless runtime cannot plug anything into the host's networks"
                .to_owned(),
        ),
        ContainerError::HostNetwork => Some(
            "give the container a network namespace (podman: --network none or a bridge), \
             or remove its pipework.* annotations"
                .to_owned(),
        ),
        ContainerError::NoPid { .. } => Some(
            "the hook belongs to the stages createRuntime and poststop of a container that exists".to_owned(),
        ),
        ContainerError::Gone { .. } | ContainerError::Io { .. } => None,
    }
}

/// The cure for records that cannot be kept.
pub fn for_record(error: &RecordError) -> Option<String> {
    match error {
        RecordError::NotOurs { path } => Some(format!("chown root: {path}; chmod 0700 {path}")),
        RecordError::MacInUse { .. } => Some(
            "two containers of one name: give one of them pipework.name or pipework.mac".to_owned(),
        ),
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
