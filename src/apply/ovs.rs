//! Steps in the database of Open vSwitch, and what takes them back.
//!
//! One connection serves all steps of a plan. Taking back opens its own, for it
//! may come much later, and succeeds where Open vSwitch is not installed any
//! more: its database went with it.

use std::cell::RefCell;
use std::time::Duration;

use super::Cause;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::plan::{OvsStep, OvsUndo};
use crate::sys;
use crate::sys::ovsdb::vswitch::{NextCfg, OvsError};
use crate::sys::ovsdb::{self, Ovsdb, OvsdbError};
use crate::sys::rtnl::Rtnl;

/// How long a server may be away while it is restarted.
const RESTART: Duration = Duration::from_secs(5);

/// The connection of a run, opened by the first step that needs it.
#[derive(Debug, Default)]
pub struct OvsSession(RefCell<State>);

#[derive(Debug, Default)]
struct State {
    ovsdb: Option<Ovsdb>,
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
    let mut state = session.0.take();
    let done = patiently(step, &mut state, deadline).await;
    session.0.replace(state);
    done
}

async fn patiently(step: &OvsStep, state: &mut State, deadline: Deadline) -> Result<(), Cause> {
    if state.ovsdb.is_none() {
        state.ovsdb = Some(connect(deadline)?);
    }
    let first = in_database(step, state);
    if !is_lost(&first) {
        return Ok(first?);
    }
    // Every step may be taken twice, and a server that was there is back soon.
    let (mut last, mut pause) = (first, Duration::from_millis(20));
    let restarted = Deadline::after(RESTART.min(deadline.remaining()));
    while !restarted.has_passed() {
        sys::pause(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
        let Ok(ovsdb) = connect(deadline) else {
            continue;
        };
        state.ovsdb = Some(ovsdb);
        last = in_database(step, state);
        if !is_lost(&last) {
            break;
        }
    }
    Ok(last?)
}

/// Whether the server went away. A connection that ran out of time is of no use
/// either, but waiting on would not help it.
fn is_lost(done: &Result<(), OvsError>) -> bool {
    match done {
        Err(OvsError::Database(OvsdbError::TimedOut)) => false,
        Err(OvsError::Database(error)) => error.is_lost(),
        Ok(()) | Err(_) => false,
    }
}

fn in_database(step: &OvsStep, state: &mut State) -> Result<(), OvsError> {
    let State { ovsdb, wish } = state;
    let Some(open) = ovsdb else {
        return Err(OvsdbError::Closed.into());
    };
    let done = match (step, &wish) {
        (OvsStep::CreateBridge(bridge), _) => open.create_bridge(bridge),
        (OvsStep::AddPort(port), _) => open.add_port(port).map(|told| *wish = Some(told)),
        (OvsStep::Settle { name, bridge }, Some(wish)) => {
            open.settle(name.as_str(), bridge.as_str(), *wish)
        }
        // Follows the port, and is not one of the database.
        (OvsStep::Settle { .. } | OvsStep::RaisePort { .. }, _) => Ok(()),
    };
    if matches!(&done, Err(OvsError::Database(error)) if error.is_lost()) {
        *ovsdb = None;
    }
    done
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
