//! The last thing before the first change: the record, and what of its contents
//! is nobody else's.

use super::Context;
use super::look::keep_bridges;
use super::macs::{self, Rival};
use crate::collect::Collector;
use crate::error::Error;
use crate::host::container::Sandbox;
use crate::plan::Plan;
use crate::policy::Caller;
use crate::record::Record;

/// Writes down what is about to be made. From then on whoever ends the container
/// finds it; who did so before has not, so what a person wants in one that has
/// ended by now is refused.
fn enter(record: &Record, sandbox: &Sandbox, context: &Context<'_>) -> Result<(), Error> {
    let store = context.store;
    store.begin(record)?;
    if *context.caller != Caller::Person {
        return Ok(());
    }
    let led = store.lead_by_id(&sandbox.id, &sandbox.key);
    let entered = led.map_err(Error::from).and_then(|()| Ok(sandbox.lives()?));
    if entered.is_err() {
        store.abandon(record)?;
    }
    entered
}

/// Writes down what is about to be made, and what of it is nobody else's. What
/// is somebody's all the same, and optional, comes back.
pub(super) async fn begin(
    (record, plan): (&Record, &Plan),
    collector: &Collector<'_>,
    sandbox: &Sandbox,
    context: &Context<'_>,
) -> Result<Vec<Rival>, Error> {
    let store = collector.store;
    enter(record, sandbox, context)?;
    let claimed = macs::claim(plan, collector, sandbox).await;
    let begun = claimed.and_then(|rivals| keep_bridges(plan, store, sandbox).map(|()| rivals));
    if begun.is_err() {
        store.abandon(record)?;
    }
    begun
}
