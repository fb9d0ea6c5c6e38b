//! The end of a start: the record says what was made, and what was not made
//! leaves nothing.

use std::net::IpAddr;

use ipnet::IpNet;

use super::present::remains;
use crate::apply::{self, ApplyError, InTheWay, Kernel, LeftOut};
use crate::collect::{CollectError, Collector, no_left};
use crate::error::Error;
use crate::plan::{Plan, PlannedInterface, PortUndo, Undo};
use crate::record::{AttachmentRecord, Record};

/// The kernel refused, and everything was taken back: so is the record.
pub(super) async fn abandon(
    record: &Record,
    plan: &Plan,
    mut error: ApplyError,
    collector: &Collector<'_>,
) -> Error {
    error.holders = holders(&error, record, collector);
    // What is left needs its record.
    if error.left.is_empty() {
        error.undone.extend(forget(record, plan, collector).await);
    }
    Error::from(error)
}

/// Ends what is written down of a start that was taken back, and brings down again
/// the NICs that only it has raised: those are returned.
async fn forget(record: &Record, plan: &Plan, collector: &Collector<'_>) -> Vec<Undo> {
    let undos = plan.undos();
    let forgotten = collector.forget_bridges(&undos).await;
    let made: Vec<u32> = plan.interfaces.iter().map(|i| i.ifindex).collect();
    let lowered = collector.lower_parents(&undos, &made).await;
    let abandoned = collector.store.abandon(record).map_err(CollectError::from);
    if let Err(left) = forgotten.and(abandoned) {
        tracing::warn!(error = %left, "the record of a start that was taken back stays for now");
    }
    lowered
}

/// Who has what stood in the way of `error`, by name. Only a start that fails
/// reads all records.
fn holders(error: &ApplyError, own: &Record, collector: &Collector<'_>) -> Vec<String> {
    const MOST: usize = 5;
    let is_it: Box<dyn Fn(&AttachmentRecord) -> bool> = match error.in_the_way() {
        None => return Vec::new(),
        Some(InTheWay::ChildrenOf(nic)) => Box::new(move |a| a.uplink_ifindex == nic),
        Some(InTheWay::Address(address)) => {
            Box::new(move |a| a.addresses.iter().any(|net| net.addr() == address))
        }
    };
    let records = collector.store.all().into_iter().flatten();
    let others = records.filter(|record| record.key != own.key);
    let attachments = others.flat_map(|record| record.attachments);
    let holders = attachments.filter(|attachment| is_it(attachment));
    holders
        .map(|attachment| {
            let name = attachment.references.first().map(|r| r.name.as_str());
            format!("{} ({})", name.unwrap_or("a namespace"), attachment.ifname)
        })
        .take(MOST)
        .collect()
}

/// A bridge that was made for an interface which was left out goes with it,
/// unless another interface of the request uses it; so does its filtering.
async fn remove_unused_bridges(plan: &Plan, collector: &Collector<'_>) -> Result<(), CollectError> {
    let undos = plan.undos();
    let is_bridge = |undo: &Undo| {
        undo.is_bridge() || matches!(undo, Undo::Port(PortUndo::StopFiltering { .. }))
    };
    let mut bridges: Vec<Undo> = undos.into_iter().filter(is_bridge).collect();
    let _locks = apply::keep_others_away(&mut bridges, collector.store, apply::OTHERS_TIME);
    let sides = collector.sides(None, None);
    let (_, left) = apply::take_back(&bridges, sides).await;
    no_left(left)?;
    collector.forget_bridges(&bridges).await
}

/// Makes the record say what was made, and nothing else; or takes back what was
/// made.
pub(super) async fn finish(
    record: &mut Record,
    plan: &Plan,
    left_out: &[LeftOut],
    (collector, kernel): (&Collector<'_>, &Kernel<'_>),
) -> Result<(), Error> {
    let Err(error) = complete(record, plan, left_out, collector).await else {
        return Ok(());
    };
    let (_, left) = apply::take_back_in_time(plan.undos(), kernel).await;
    if left.is_empty() {
        forget(record, plan, collector).await;
    }
    Err(error)
}

async fn complete(
    record: &mut Record,
    plan: &Plan,
    left_out: &[LeftOut],
    collector: &Collector<'_>,
) -> Result<(), Error> {
    forget_left_out(record, plan, left_out, collector).await?;
    if record.attachments.is_empty() {
        collector.store.abandon(record)?;
    } else {
        collector.store.complete(&record.key)?;
    }
    Ok(())
}

/// Of an interface that was left out the record names only what could not be taken back:
/// what never came to be may be a stranger's.
fn keep_only_left(record: &mut Record, plan: &Plan, left_out: &[LeftOut]) {
    for LeftOut { interface, error } in left_out {
        let ifindex = plan.interfaces.get(*interface).map(|i| i.ifindex);
        let is_left = |undo: &Undo| error.left.iter().any(|left| left.undo == *undo);
        let attachments = record.attachments.iter_mut();
        for of_it in attachments.filter(|a| Some(a.ifindex) == ifindex) {
            of_it.undo.retain(is_left);
        }
    }
}

/// Optional interfaces that were left out are not in the record.
async fn forget_left_out(
    record: &mut Record,
    plan: &Plan,
    left_out: &[LeftOut],
    collector: &Collector<'_>,
) -> Result<(), Error> {
    if left_out.is_empty() {
        return Ok(());
    }
    let is_left_out = |ifindex| {
        let place = plan
            .interfaces
            .iter()
            .position(|interface| interface.ifindex == ifindex);
        left_out
            .iter()
            .any(|out| Some(out.interface) == place && out.error.left.is_empty())
    };
    let (gone, stays): (Vec<_>, Vec<_>) = std::mem::take(&mut record.attachments)
        .into_iter()
        .partition(|attachment| is_left_out(attachment.ifindex));
    record.attachments = stays;
    keep_only_left(record, plan, left_out);
    for attachment in &gone {
        collector
            .store
            .release_mac(attachment.uplink_ifindex, attachment.mac, &record.key)?;
        for reference in &attachment.references {
            let stays = record.references();
            let store = collector.store;
            store.unlead_but_for(stays, reference, &record.key)?;
        }
    }
    remove_unused_bridges(plan, collector)
        .await
        .map_err(|error| remains(&error))?;
    let gone: Vec<u32> = gone.iter().map(|attachment| attachment.ifindex).collect();
    collector.lower_parents(&plan.undos(), &gone).await;
    Ok(collector.store.begin_anew(record)?)
}

/// Waits until packets to the interface's IPv6 addresses are taken: the kernel
/// makes them its own from a work queue, and on a busy machine that was seen to
/// take so long that the first answers to a fast workload were lost.
pub(super) async fn await_served(interface: &PlannedInterface, kernel: &Kernel<'_>) {
    let addresses: Vec<IpAddr> = interface.addresses.iter().map(IpNet::addr).collect();
    if addresses.iter().any(IpAddr::is_ipv6) {
        // It gets there without us, so nothing is lost if it cannot be asked.
        let _ = kernel
            .guest
            .await_served(interface.ifindex, &addresses)
            .await;
    }
}
