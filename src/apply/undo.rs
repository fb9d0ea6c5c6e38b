//! Takes steps back, newest first, from data: right after a refusal, or much
//! later from a record.
//!
//! What is gone already counts as taken back. Every link is known by the index
//! that the plan chose for it; a name could be a stranger's by now. Of a start that
//! was never complete a link may not have come to be, as a stranger has its index:
//! there the name tells them apart.

use std::time::Duration;

use nix::errno::Errno;

use super::{
    Cause, Kernel, OTHERS_TIME, UNDO_TIME, files, keep_others_away, nic, ovs, port, shared,
};
use crate::deadline::Deadline;
use crate::plan::{Side, Undo};
use crate::pools::Pools;
use crate::record::Store;
use crate::rt::Route;
use crate::sys::netns::Netns;
use crate::sys::rtnl::{LinkFacts, Rtnl, RtnlError};

/// Something that could not be taken back.
#[derive(Debug)]
pub struct Left {
    /// What it is.
    pub undo: Undo,
    /// Why.
    pub error: Cause,
}

/// The sides that can be reached: a namespace that is gone took everything
/// with it.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// The host.
    pub host: &'a Rtnl,
    /// The container's namespace, if it is there.
    pub guest: Option<&'a Rtnl>,
    /// The same, to be named in a message.
    pub netns: Option<&'a Netns>,
    /// Our own namespace.
    pub home: &'a Netns,
    /// The records, which say who uses what is shared.
    pub store: &'a Store,
    /// When it must have ended.
    pub deadline: Deadline,
    /// How long to wait for a NIC that the kernel gives back by and by.
    pub patience: Duration,
    /// Whether what is taken back was never complete.
    pub half_made: bool,
    /// Whether each of its links was surely made: then no other has its index, whatever
    /// it is called by now.
    pub has_links: bool,
}

impl<'a> Sides<'a> {
    fn on(self, side: Side) -> Option<&'a Rtnl> {
        match side {
            Side::Host => Some(self.host),
            Side::Guest => self.guest,
        }
    }
}

/// Takes `undos` back in the given order. Never stops at one that fails.
pub async fn take_back(undos: &[Undo], sides: Sides<'_>) -> (Vec<Undo>, Vec<Left>) {
    let mut undone = Vec::new();
    let mut left = Vec::new();
    for undo in undos {
        match one(undo, sides).await {
            Ok(()) => undone.push(undo.clone()),
            Err(error) => left.push(Left {
                undo: undo.clone(),
                error,
            }),
        }
    }
    (undone, left)
}

/// Takes `undos` back, once the bridges have been left to others.
pub async fn take_back_in_time(
    mut undos: Vec<Undo>,
    kernel: &Kernel<'_>,
) -> (Vec<Undo>, Vec<Left>) {
    let _bridges = keep_others_away(&mut undos, kernel.store, OTHERS_TIME);
    in_time(&undos, false, kernel).await
}

/// With a time of its own, for which the runtime's own timeout leaves a while, once.
/// Whether it `has_links`, as of [`Sides`].
pub(super) async fn in_time(
    undos: &[Undo],
    has_links: bool,
    kernel: &Kernel<'_>,
) -> (Vec<Undo>, Vec<Left>) {
    let deadline = kernel.deadline.later(UNDO_TIME).sooner(UNDO_TIME);
    let (host, guest) = (kernel.host.until(deadline), kernel.guest.until(deadline));
    let sides = Sides {
        host: &host,
        guest: Some(&guest),
        deadline,
        has_links,
        ..kernel.sides()
    };
    take_back(undos, sides).await
}

async fn one(undo: &Undo, sides: Sides<'_>) -> Result<(), Cause> {
    let result = match undo {
        Undo::DeleteLink {
            side,
            ifindex,
            name,
        } => match sides.on(*side) {
            Some(rtnl) if !sides.has_links => delete_if_called(rtnl, *ifindex, name).await,
            // It has come to be; somebody may have renamed it since.
            Some(rtnl) => gone_is_fine(rtnl.delete_link(*ifindex).await),
            None => Ok(()),
        },
        Undo::DeleteBridge { ifindex, name } => delete_bridge(sides.host, *ifindex, name).await,
        // Who else uses the NIC is in the records, which this run's is one of; so
        // `Collector::lower_parents` does it, right before that goes.
        Undo::LowerParent { .. } => Ok(()),
        Undo::LowerLoopback => match sides.guest {
            Some(guest) => gone_is_fine(guest.reset_loopback().await),
            None => Ok(()),
        },
        Undo::RestoreRoute { ours, former } => match sides.guest {
            Some(guest) => restore_route(guest, ours, former).await,
            None => Ok(()),
        },
        Undo::Port(undo) => port::take_back(undo, sides.host).await,
        Undo::DeleteRule { rule } => match sides.guest {
            Some(guest) => match guest.delete_rule(rule).await {
                Err(RtnlError::Refused(r)) if r.errno == Errno::ENOENT as i32 => Ok(()),
                other => other,
            },
            None => Ok(()),
        },
        Undo::Release { object, user } => {
            let Sides {
                host,
                store,
                deadline,
                ..
            } = sides;
            return shared::release(object, user, host, store, deadline).await;
        }
        Undo::File(undo) => return Ok(files::take_back(undo, sides.half_made)?),
        Undo::GiveBack(claim) => {
            let given = Pools::of_this_host().release(claim, sides.deadline);
            return given.map_err(|error| Cause::Pool(Box::new(error)));
        }
        Undo::Ovs(undo) => return ovs::take_back(undo, sides.deadline),
        Undo::Nic(undo) => return nic::undo(undo, sides).await,
    };
    Ok(result?)
}

/// The kernel's answer for what is not there any more.
pub(super) fn gone_is_fine(result: Result<(), RtnlError>) -> Result<(), RtnlError> {
    match result {
        Err(RtnlError::Refused(r)) if r.errno == Errno::ENODEV as i32 => Ok(()),
        other => other,
    }
}

/// Leaves a stranger's device alone that has the index of a link which was not made.
async fn delete_if_called(rtnl: &Rtnl, ifindex: u32, name: &str) -> Result<(), RtnlError> {
    match rtnl.link_by_index(ifindex).await? {
        Some(link) if link.name == name => gone_is_fine(rtnl.delete_link(ifindex).await),
        Some(_) | None => Ok(()),
    }
}

/// A bridge of ours stays where somebody has made it theirs in the meantime.
async fn delete_bridge(host: &Rtnl, ifindex: u32, name: &str) -> Result<(), RtnlError> {
    match host.link_by_index(ifindex).await? {
        Some(link) if link.name == name && !is_in_use(host, &link).await? => {
            gone_is_fine(host.delete_link(ifindex).await)
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether a bridge has ports, an address, a controller or an alias: what is
/// not ours to take away.
///
/// # Errors
///
/// The kernel's.
pub async fn is_in_use(host: &Rtnl, bridge: &LinkFacts) -> Result<bool, RtnlError> {
    Ok(bridge.controller.is_some()
        || bridge.alias.is_some()
        || host.has_global_address(bridge.ifindex).await?
        || !host.ports(bridge.ifindex).await?.is_empty())
}

/// Puts the former default route back, if ours is still there to be replaced:
/// whoever changed it in between meant to.
async fn restore_route(guest: &Rtnl, ours: &Route, former: &[u8]) -> Result<(), RtnlError> {
    match guest.delete_route(ours).await {
        Ok(()) => {}
        Err(RtnlError::Refused(r)) if is_no_route(r.errno) => return Ok(()),
        Err(e) => return Err(e),
    }
    match guest.restore_route(former).await {
        // Somebody was faster, or the device that it left by is gone.
        Err(RtnlError::Refused(r)) if is_no_way_back(r.errno) => Ok(()),
        other => other,
    }
}

pub(super) fn is_no_route(errno: i32) -> bool {
    matches!(Errno::from_raw(errno), Errno::ESRCH | Errno::ENODEV)
}

fn is_no_way_back(errno: i32) -> bool {
    matches!(
        Errno::from_raw(errno),
        Errno::EEXIST | Errno::ENODEV | Errno::ENETUNREACH
    )
}
