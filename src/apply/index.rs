//! Whether it was the index of a new device that the kernel refused: what was
//! chosen at random, somebody may have.

use nix::errno::Errno;

use super::{Cause, Kernel};
use crate::plan::step::NicStep;
use crate::plan::{Side, Step, Undo};
use crate::sys::rtnl::Rtnl;

/// What comes of a start where another device has an index that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTakenIndex {
    /// It is taken back, to be made anew with other indexes.
    StartAnew,
    /// That is a refusal like others: an optional interface is left out.
    Refuse,
}

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
    let mut asked = Vec::new();
    // What is made has the index by which it is taken back.
    if let Some(Undo::DeleteLink { side, ifindex, .. }) = step.undo() {
        if side == Side::Guest {
            asked.push((guest, ifindex));
        }
        // The kernel looks an index up where the request comes from as well
        // (`__rtnl_newlink`, up to Linux 6.13).
        asked.push((host, ifindex));
    }
    if let Some(Undo::DeleteBridge { ifindex, .. }) = step.undo() {
        asked.push((host, ifindex));
    }
    if let Step::CreateVeth(pair) = step {
        asked.push((guest, pair.guest.ifindex));
    }
    // What is moved goes back by what it is.
    if let Step::Nic(NicStep::Move { ifindex, .. }) = step {
        asked.push((guest, *ifindex));
    }
    asked
}
