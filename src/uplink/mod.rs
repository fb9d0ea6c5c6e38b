//! Host uplinks: a bridge takes a NIC's place, with its addresses, routes and
//! rules, without breaking a connection; and the way back.
//!
//! ```text
//! wanted ─► inspect ─► judge ─► plan ─► record ─► guard ─► run ─► confirm
//!  typed     view       sane?    pure    on disk   armed    kernel   or back
//! ```
//!
//! The way back is planned anew from the record and from what is there, so it
//! does not matter how far the way there had come. `guard` goes it when nobody
//! confirms.

mod back;
pub mod error;
pub mod guard;
mod host;
mod inspect;
mod judge;
mod owner;
mod plan;
pub mod record;
mod rules;
mod run;
mod settings;
pub mod snippet;
mod step;
mod view;
pub mod wanted;

use crate::request::IfName;
use crate::sys::clock::seconds_since_boot;

pub use error::UplinkError;
pub use host::{Host, Known};
use record::Phase;
use snippet::Facts;
use wanted::Wanted;

/// What would be done, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// A line per step.
    pub steps: Vec<String>,
    /// What the user should know.
    pub notices: Vec<String>,
    /// What configuration would say.
    pub facts: Option<Facts>,
}

/// An uplink that was made.
#[derive(Debug)]
pub struct Added {
    /// The uplink.
    pub known: Known,
    /// What the user should know.
    pub notices: Vec<String>,
}

/// Says what [`add`] would do, and changes nothing.
pub async fn preview(host: &Host, wanted: &Wanted) -> Result<Preview, UplinkError> {
    let (view, plan) = host.plan(wanted).await?;
    Ok(Preview {
        steps: plan.steps.iter().map(ToString::to_string).collect(),
        notices: plan.notices,
        facts: Some(Facts::of(wanted, &view)),
    })
}

/// What configuration would say, also where [`add`] would be refused.
pub async fn facts(host: &Host, wanted: &Wanted) -> Result<Facts, UplinkError> {
    let view = host.view(wanted).await?;
    inspect::complete(Facts::of(wanted, &view), &host.rtnl).await
}

/// What configuration would say of the uplink that `bridge` has.
pub async fn facts_of(host: &Host, bridge: &IfName) -> Result<Facts, UplinkError> {
    let known = host.find(bridge)?;
    let known = known.ok_or_else(|| UplinkError::Unknown(bridge.to_string()))?;
    inspect::complete(Facts::of_record(&known.record), &host.rtnl).await
}

/// Puts a bridge in a NIC's place. When this returns, it is so, and the guard
/// goes back unless it is confirmed; or nothing has changed.
pub async fn add(host: &Host, wanted: &Wanted) -> Result<Added, UplinkError> {
    let _locks = host.lock(&wanted.bridge)?;
    let (_, plan) = host.plan(wanted).await?;
    let known = host.begin(wanted, &plan)?;
    if let Err(error) = guard::arm(&known.id) {
        host.store.forget_uplink(&known.id)?;
        return Err(error);
    }
    let known = host.make(known, &plan.steps, wanted.confirm).await?;
    Ok(Added {
        known,
        notices: plan.notices,
    })
}

/// Keeps an uplink as it is: that of `bridge`, or the only one that waits.
/// Returns the name of its bridge.
pub fn confirm(host: &Host, bridge: Option<&IfName>) -> Result<String, UplinkError> {
    let _lock = host.store.lock_uplinks(host.deadline)?;
    let waits = |known: &Known| matches!(known.record.phase, Phase::Unconfirmed { .. });
    let is_meant =
        |known: &Known| bridge.is_none_or(|name| known.record.bridge.device.name == name.as_str());
    let known = host.known()?.into_iter();
    let mut waiting: Vec<Known> = known.filter(|k| waits(k) && is_meant(k)).collect();
    let Some(mut known) = waiting.pop() else {
        return Err(UplinkError::NothingToConfirm);
    };
    let name = known.record.bridge.device.name.clone();
    if !waiting.is_empty() {
        let others = waiting.into_iter().map(|k| k.record.bridge.device.name);
        return Err(UplinkError::WhichOne(others.chain([name]).collect()));
    }
    if known.record.is_overdue(seconds_since_boot()) {
        // Whoever goes back may have begun to, as far as anybody was told.
        return Err(UplinkError::TooLate(name));
    }
    known.record.phase = Phase::Confirmed;
    host.store.keep_uplink(&known.id, &known.record)?;
    Ok(name)
}

/// Gives the NIC its place back. Returns its name.
pub async fn delete(host: &Host, bridge: &IfName) -> Result<String, UplinkError> {
    let _locks = host.lock(bridge)?;
    let known = host.find(bridge)?;
    let known = known.ok_or_else(|| UplinkError::Unknown(bridge.to_string()))?;
    let nic = known.record.nic.name.clone();
    host.unmake(known).await?;
    Ok(nic)
}

/// Says what [`delete`] would do, and changes nothing.
pub async fn preview_delete(host: &Host, bridge: &IfName) -> Result<Preview, UplinkError> {
    let known = host.find(bridge)?;
    let known = known.ok_or_else(|| UplinkError::Unknown(bridge.to_string()))?;
    let (steps, _) = host.plan_back(&known.record).await?;
    Ok(Preview {
        steps: steps.iter().map(ToString::to_string).collect(),
        notices: Vec::new(),
        facts: None,
    })
}

/// Goes back where nobody does so any more, and gives guards to what waits
/// without one. For every command that looks at uplinks.
pub fn settle(host: &Host) -> Result<(), UplinkError> {
    let mut overdue = Vec::new();
    {
        // Whoever holds it is at work on what it would find.
        let Some(_lock) = host.store.try_lock_uplinks()? else {
            return Ok(());
        };
        host.store.sweep_uplinks()?;
        let now = seconds_since_boot();
        for known in host.known()? {
            if known.record.is_overdue(now) {
                overdue.push(known.id);
            } else if known.record.left(now).is_some() && !host.store.has_guard(&known.id)? {
                guard::arm(&known.id)?;
            }
        }
    }
    for id in overdue {
        guard::go_back(&host.store, &id)?;
    }
    Ok(())
}
