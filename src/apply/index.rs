//! Whether it was the index of a new device that the kernel refused: what was
//! chosen at random, somebody may have.

use nix::errno::Errno;

use super::{Cause, Kernel};
use crate::plan::Step;
use crate::plan::step::{NicStep, Side, TrafficStep};
use crate::sys::rtnl::Rtnl;

/// The index that `step` asked for in vain, as another device has it.
pub(super) async fn taken_by_another(
    step: &Step,
    cause: &Cause,
    kernel: &Kernel<'_>,
) -> Option<u32> {
    // A name that is taken is refused in the same words.
    let errno = cause.errno().map(Errno::from_raw);
    if !matches!(errno, Some(Errno::EEXIST | Errno::EBUSY)) {
        return None;
    }
    for (rtnl, ifindex) in asked_for(step, kernel) {
        if let Ok(Some(_)) = rtnl.link_by_index(ifindex).await {
            return Some(ifindex);
        }
    }
    None
}

/// The indexes that a step asks for, each with where it must be free.
fn asked_for<'k>(step: &Step, kernel: &'k Kernel<'_>) -> Vec<(&'k Rtnl, u32)> {
    let Kernel { host, guest, .. } = kernel;
    // The kernel looks an index up where the request comes from as well
    // (`__rtnl_newlink`, up to Linux 6.13).
    let from_host = |ifindex| vec![(guest, ifindex), (host, ifindex)];
    match step {
        Step::CreateBridge(bridge) => vec![(host, bridge.ifindex)],
        Step::CreateVeth(pair) => vec![(host, pair.host.ifindex), (guest, pair.guest.ifindex)],
        Step::CreateMacvlan { macvlan, .. } => from_host(macvlan.guest.ifindex),
        Step::CreateIpvlan { ipvlan, .. } => from_host(ipvlan.guest.ifindex),
        Step::Nic(NicStep::CreateVlan { vlan, .. }) => from_host(vlan.guest.ifindex),
        Step::Nic(NicStep::CreateIpoib { child, .. }) => from_host(child.ifindex),
        Step::CreateDummy(link) => vec![(guest, link.ifindex)],
        Step::Nic(NicStep::Move { ifindex, .. }) => vec![(guest, *ifindex)],
        Step::Traffic(TrafficStep::CreateIfb { side, ifb, .. }) => match side {
            Side::Host => vec![(host, ifb.ifindex)],
            Side::Guest => vec![(guest, ifb.ifindex)],
        },
        // An object that containers share has the index that all of them know it by.
        Step::Share { .. }
        | Step::RaiseLoopback
        | Step::KeepBridgeMac { .. }
        | Step::RaiseParent { .. }
        | Step::SetAlias { .. }
        | Step::JoinBridge { .. }
        | Step::SetSysctl { .. }
        | Step::RaiseInterface { .. }
        | Step::AddAddress { .. }
        | Step::AddRoute { .. }
        | Step::Port(_)
        | Step::Traffic(_)
        | Step::Routing(_)
        | Step::Nic(_)
        | Step::Lease(_)
        | Step::Hold(_)
        | Step::Ovs(_)
        | Step::File(_)
        | Step::Slaac(_) => Vec::new(),
    }
}
