//! The last thing before the first change: the record, and what of its contents
//! is nobody else's.

use super::look::keep_bridges;
use super::macs::{self, Rival};
use crate::collect::Collector;
use crate::error::Error;
use crate::host::container::Sandbox;
use crate::plan::Plan;
use crate::policy::Caller;
use crate::record::{Record, Store};

/// Writes down what is about to be made, and what of it is nobody else's. What
/// is somebody's all the same, and optional, comes back. A start that is refused here
/// leaves no record.
pub(super) async fn begin(
    (record, plan): (&Record, &Plan),
    collector: &Collector<'_>,
    sandbox: &Sandbox,
    caller: &Caller,
) -> Result<Vec<Rival>, Error> {
    let store = collector.store;
    let begun = async {
        enter(record, sandbox, caller, store)?;
        let rivals = macs::claim(plan, collector, sandbox).await?;
        keep_bridges(plan, store, sandbox)?;
        Ok(rivals)
    };
    let begun = begun.await;
    if begun.is_err()
        && let Err(left) = store.abandon(record)
    {
        tracing::warn!(error = %left, "the record of a start that was refused stays for now");
    }
    begun
}

/// Writes down what is about to be made. From then on whoever ends the container
/// finds it; who did so before has not, so what a person wants in one that has
/// ended by now is refused.
fn enter(record: &Record, sandbox: &Sandbox, caller: &Caller, store: &Store) -> Result<(), Error> {
    store.begin(record)?;
    if *caller == Caller::Person {
        store.lead_by_id(&sandbox.id, &sandbox.key)?;
        sandbox.lives()?;
    }
    Ok(())
}
