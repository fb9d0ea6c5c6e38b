//! Taking back what was done to bridges that others may be at by now.
//!
//! A start holds the bridges that it makes or changes only until its interfaces
//! are there: a DHCP server may be the next container on one of them. So who
//! takes such a step back later asks for the bridge again.

use std::time::Duration;

use super::{ApplyError, Cause, Kernel, refused, undos_of};
use crate::deadline::Deadline;
use crate::plan::{OvsUndo, PlannedStep, PortUndo, Undo};
use crate::record::{Lock, Mode, Store};
use crate::request::IfName;

/// How long to wait for another run that is in our way: two that wait for each
/// other both give up. A start takes less from its look at a bridge to its port.
pub const OTHERS_TIME: Duration = Duration::from_secs(2);

/// Takes `done` back, newest first, once the bridges have been left to others.
pub async fn give_up(
    planned: &PlannedStep,
    cause: Cause,
    done: &[&PlannedStep],
    kernel: &Kernel<'_>,
) -> ApplyError {
    let mut undos = undos_of(done);
    let _bridges = keep_others_away(&mut undos, kernel.store, OTHERS_TIME);
    refused(planned, cause, &undos, kernel).await
}

/// Keeps others from the bridges that `undos` remove, or stop filtering. What is
/// about a bridge that somebody is still at after `patience` leaves `undos`: that
/// one relies on it. A bridge that is empty later is found by its record; one that
/// filters VLANs goes on doing so, as behind every attachment that had it begin.
pub fn keep_others_away(undos: &mut Vec<Undo>, store: &Store, patience: Duration) -> Vec<Lock> {
    let mut names: Vec<IfName> = undos.iter().filter_map(bridge_of).collect();
    // In order of name, so that no two runs wait for each other; each once, as the
    // second lock would wait for the first.
    names.sort_unstable();
    names.dedup();
    let mut locks = Vec::new();
    for name in names {
        match store.lock_bridge(&name, Mode::Exclusive, Deadline::after(patience)) {
            Ok(lock) => locks.push(lock),
            Err(error) => {
                tracing::info!(%name, %error, "a bridge stays as it is");
                undos.retain(|undo| bridge_of(undo).as_ref() != Some(&name));
            }
        }
    }
    locks
}

/// The bridge that must be nobody else's while `undo` is done.
fn bridge_of(undo: &Undo) -> Option<IfName> {
    match undo {
        Undo::DeleteBridge { name, .. } | Undo::Port(PortUndo::StopFiltering { name, .. }) => {
            name.parse().ok()
        }
        Undo::Ovs(OvsUndo::DeleteBridge { name, .. }) => name.parse().ok(),
        Undo::Ovs(OvsUndo::DeletePort { .. })
        | Undo::DeleteLink { .. }
        | Undo::LowerParent { .. }
        | Undo::LowerLoopback
        | Undo::RestoreRoute { .. }
        | Undo::DeleteRule { .. }
        | Undo::Release { .. }
        | Undo::Nic(_)
        | Undo::File(_)
        | Undo::GiveBack(_) => None,
    }
}
