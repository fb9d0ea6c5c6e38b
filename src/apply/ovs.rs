//! Steps in the database of Open vSwitch, and what takes them back.
//!
//! One connection serves all steps of a plan. Taking back opens its own, for it
//! may come much later, and succeeds where Open vSwitch is not installed any
//! more: its database went with it.

use std::cell::RefCell;

use super::Cause;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::plan::{OvsStep, OvsUndo};
use crate::sys::ovsdb::vswitch::{NextCfg, OvsError};
use crate::sys::ovsdb::{self, Ovsdb, OvsdbError};
use crate::sys::rtnl::Rtnl;

/// The connection of a run, opened by the first step that needs it.
#[derive(Debug, Default)]
pub struct OvsSession(RefCell<Option<Open>>);

#[derive(Debug)]
struct Open {
    ovsdb: Ovsdb,
    /// What `ovs-vswitchd` was told last.
    wish: Option<NextCfg>,
}

/// Takes one step.
pub(super) async fn run(
    step: &OvsStep,
    session: &OvsSession,
    host: &Rtnl,
    deadline: Deadline,
) -> Result<(), Cause> {
    if let OvsStep::RaisePort { ifindex, .. } = step {
        return Ok(host.set_state(*ifindex, true).await?);
    }
    let mut place = session.0.borrow_mut();
    let open = match place.take() {
        Some(open) => open,
        None => Open {
            ovsdb: connect(deadline)?,
            wish: None,
        },
    };
    // Only a connection whose answers are all read can be used again.
    let open = place.insert(open);
    let done = in_database(step, open);
    if matches!(&done, Err(OvsError::Database(error)) if error.is_lost()) {
        *place = None;
    }
    Ok(done?)
}

fn in_database(step: &OvsStep, open: &mut Open) -> Result<(), OvsError> {
    let Open { ovsdb, wish } = open;
    match step {
        OvsStep::CreateBridge(bridge) => ovsdb.create_bridge(bridge),
        OvsStep::AddPort(port) => {
            *wish = Some(ovsdb.add_port(port)?);
            Ok(())
        }
        OvsStep::Settle { name, bridge } => match wish {
            Some(wish) => ovsdb.settle(name.as_str(), bridge.as_str(), *wish),
            None => Ok(()),
        },
        OvsStep::RaisePort { .. } => Ok(()),
    }
}

/// Takes a step back.
pub(super) fn take_back(undo: &OvsUndo, deadline: Deadline) -> Result<(), Cause> {
    let mut ovsdb = match connect(deadline) {
        Err(Cause::Ovs(OvsError::Database(OvsdbError::Absent { .. })))
            if !ovsdb::is_installed() =>
        {
            return Ok(());
        }
        other => other?,
    };
    let done = match undo {
        OvsUndo::DeletePort { name, owner } => ovsdb.delete_port(name, owner),
        OvsUndo::DeleteBridge { name, maker } => ovsdb.delete_bridge(name, maker),
    };
    Ok(done.map(drop).map_err(OvsError::from)?)
}

fn connect(deadline: Deadline) -> Result<Ovsdb, Cause> {
    let config = Config::load()?;
    let ovsdb = ovsdb::open(config.ovsdb.as_deref(), deadline);
    Ok(ovsdb.map_err(OvsError::from)?)
}

/// Whether a step may have been taken although it failed: the server was told,
/// and its answer never came.
pub(super) fn leaves_doubt(error: &OvsError) -> bool {
    match error {
        OvsError::Database(error) => match error {
            OvsdbError::TimedOut | OvsdbError::Closed | OvsdbError::Garbled { .. } => true,
            OvsdbError::Absent { .. }
            | OvsdbError::Dead { .. }
            | OvsdbError::Socket { .. }
            | OvsdbError::ReadOnly { .. }
            | OvsdbError::SchemaLacks { .. }
            | OvsdbError::Refused { .. } => false,
        },
        OvsError::NoBridge { .. }
        | OvsError::Taken { .. }
        | OvsError::SwitchDown { .. }
        | OvsError::SwitchSlow { .. }
        | OvsError::Interface { .. }
        | OvsError::NoDatapath { .. } => false,
    }
}
