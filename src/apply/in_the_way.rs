//! What a refusal says is in the way, so that the records can be asked whose it
//! is.

use std::net::IpAddr;

use nix::errno::Errno;

use super::{ApplyError, Cause, ProbeError};
use crate::plan::{SharedObject, Step};

/// What is in the way of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InTheWay {
    /// Other children of the NIC with this index.
    ChildrenOf(u32),
    /// Whoever has this address.
    Address(IpAddr),
}

impl ApplyError {
    /// What is in the way, where a container of ours may be.
    pub fn in_the_way(&self) -> Option<InTheWay> {
        if let Cause::Probe(ProbeError::InUse { address, .. }) = &self.cause {
            return Some(InTheWay::Address(*address));
        }
        let errno = self.cause.errno().map(Errno::from_raw);
        match (self.step.as_ref(), errno) {
            (Step::CreateMacvlan { macvlan, .. }, Some(Errno::EBUSY | Errno::EINVAL)) => {
                Some(InTheWay::ChildrenOf(macvlan.parent))
            }
            (Step::CreateIpvlan { ipvlan, .. }, Some(Errno::EBUSY)) => {
                Some(InTheWay::ChildrenOf(ipvlan.parent))
            }
            (Step::AddAddress { address, .. }, Some(Errno::EADDRINUSE)) => {
                Some(InTheWay::Address(address.address.addr()))
            }
            (Step::Share { object, .. }, errno) => match object {
                SharedObject::IpvlanMode { parent, .. } => Some(InTheWay::ChildrenOf(*parent)),
                SharedObject::Shim { shim, .. }
                    if matches!(errno, Some(Errno::EBUSY | Errno::EEXIST)) =>
                {
                    Some(InTheWay::ChildrenOf(shim.parent))
                }
                SharedObject::VlanDevice { .. }
                | SharedObject::Membership { .. }
                | SharedObject::Shim { .. }
                | SharedObject::HostRoute { .. } => None,
            },
            (_, _) => None,
        }
    }
}
