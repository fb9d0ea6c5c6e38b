//! Stable MACs: one live container per uplink has each.
//!
//! A second one of the same name would take the first one's frames. It is
//! refused, or does without the interface where that is optional.

use crate::apply::{self, Cause, Kernel, LeftOut, MacInUse};
use crate::collect::Collector;
use crate::error::Error;
use crate::host::container::Sandbox;
use crate::plan::{Plan, PlannedInterface, PlannedStep, Step};
use crate::record::RecordError;

/// An optional interface, by its place in the plan, and who has its MAC.
pub(super) type Rival = (usize, MacInUse);

/// Claims the stable MACs of `plan`, whose record has been begun. Optional
/// interfaces whose MAC is another container's come back.
pub(super) async fn claim(
    plan: &Plan,
    collector: &Collector<'_>,
    sandbox: &Sandbox,
) -> Result<Vec<Rival>, Error> {
    let mut rivals = Vec::new();
    for (place, interface) in plan.interfaces.iter().enumerate() {
        if !interface.mac_is_stable {
            continue;
        }
        match one(interface, collector, sandbox).await? {
            Some(rival) if interface.optional => rivals.push((place, rival)),
            Some(rival) => return Err(rival.into()),
            None => {}
        }
    }
    Ok(rivals)
}

/// Who has the MAC of `interface`, if it cannot be claimed.
async fn one(
    interface: &PlannedInterface,
    collector: &Collector<'_>,
    sandbox: &Sandbox,
) -> Result<Option<MacInUse>, RecordError> {
    let store = collector.store;
    let (uplink, mac) = (interface.uplink, interface.mac);
    // Whoever has it may be dead, and another start may be faster than we
    // are at taking it over; three are not.
    let mut rival = store.claim_mac(uplink, mac, &sandbox.key)?;
    for _ in 0..3 {
        let Some(holder) = rival else { break };
        let _ = collector.reap_waiting(&holder).await;
        let known = store.read(&holder)?;
        if let Some(record) = known.complete.or(known.applying) {
            let holder = record.references().next().map(|r| r.name.clone());
            let holder = holder.unwrap_or_default();
            return Ok(Some(MacInUse { holder, mac }));
        }
        store.release_unknown_mac((uplink, mac), &holder, &sandbox.key)?;
        rival = store.claim_mac(uplink, mac, &sandbox.key)?;
    }
    Ok(rival.map(|other| {
        let holder = format!("a container in namespace {}", other.cookie);
        MacInUse { holder, mac }
    }))
}

/// Leaves out what has rivals, before anything of it is made. Only addresses of
/// pools may be its own by now; they are given back.
pub(super) async fn leave_out(
    rivals: Vec<Rival>,
    plan: &Plan,
    kernel: &Kernel<'_>,
) -> Vec<LeftOut> {
    let mut left_out = Vec::new();
    for (interface, rival) in rivals {
        let steps = plan.steps.iter();
        let of_it = steps.filter(|planned| planned.interface == Some(interface));
        let (held, made): (Vec<&PlannedStep>, Vec<&PlannedStep>) =
            of_it.partition(|planned| matches!(planned.step, Step::Hold(_)));
        // Each interface is made by some step.
        if let Some(first) = made.first() {
            let error = apply::give_up(first, Cause::MacInUse(rival), &held, kernel).await;
            left_out.push(LeftOut { interface, error });
        }
    }
    left_out
}
