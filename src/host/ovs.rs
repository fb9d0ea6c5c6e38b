//! Whether an uplink is a bridge of Open vSwitch.
//!
//! A bridge of Open vSwitch exists in its database before it exists in the
//! kernel. So a device that is missing may be one of its own, and while the
//! database is silent a Linux bridge of that name would be in its way. A device
//! that is there mostly says by its kind what it is: only then nobody is asked.

use std::time::Duration;

use super::inspect::InspectError;
use super::view::{DeviceView, OvsView, UplinkView};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::request::{DeviceRef, IfName, Uplink};
use crate::sys::ovsdb::{self, Ovsdb, OvsdbError};

/// A local server answers within a fraction of this, whatever it has to do.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the database about `uplink`, if that is not clear already.
pub(super) fn look(uplink: &Uplink, found: &UplinkView) -> Result<OvsView, InspectError> {
    let Some(name) = in_question(uplink, found) else {
        return Ok(OvsView::Unasked);
    };
    let config = Config::load()?;
    let asked = ovsdb::open(config.ovsdb.as_deref(), Deadline::after(PATIENCE))
        .and_then(|mut ovsdb: Ovsdb| ovsdb.bridge(name.as_str()));
    Ok(match asked {
        Ok(Some(bridge)) => OvsView::Bridge {
            in_kernel: bridge.datapath == "system",
        },
        Ok(None) => OvsView::NoBridge {
            datapath: config.ovs_datapath,
        },
        Err(OvsdbError::Absent { .. }) if config.ovsdb.is_none() && !ovsdb::is_installed() => {
            OvsView::NotInstalled
        }
        Err(error) => OvsView::Silent {
            reason: error.to_string(),
        },
    })
}

/// Connects to the database that the settings name, or to the usual one.
pub fn open(deadline: Deadline) -> Result<Ovsdb, OvsdbError> {
    // Who may not read them looks in the usual place.
    let config = Config::load().unwrap_or_default();
    ovsdb::open(config.ovsdb.as_deref(), deadline)
}

/// Whether Open vSwitch is installed and does not say which bridges it has.
pub fn is_silent() -> bool {
    let config = Config::load().unwrap_or_default();
    match ovsdb::open(config.ovsdb.as_deref(), Deadline::after(PATIENCE)) {
        Ok(_) => false,
        Err(_) => config.ovsdb.is_some() || ovsdb::is_installed(),
    }
}

/// The name of a bridge that Open vSwitch may know.
fn in_question<'a>(uplink: &'a Uplink, found: &'a UplinkView) -> Option<&'a IfName> {
    match (uplink, found) {
        (
            Uplink::Ovs { bridge: name }
            | Uplink::Bridge { device: name }
            | Uplink::Link {
                device: DeviceRef::Name(name),
                ..
            },
            UplinkView::Absent,
        ) => Some(name),
        // What it is asked for, and it may be: the transaction will tell.
        (Uplink::Ovs { .. }, UplinkView::Present(_)) => None,
        (Uplink::Bridge { .. }, UplinkView::Present(device)) => {
            let is_clear = device.kind.is_open_vswitch();
            candidate(device).filter(|_| !is_clear)
        }
        // An internal port that is no bridge is as good a NIC as any.
        (Uplink::Link { .. }, UplinkView::Present(device)) => candidate(device),
        (
            Uplink::Link { .. }
            | Uplink::Macvlan { .. }
            | Uplink::Ipvlan { .. }
            | Uplink::Physical { .. }
            | Uplink::Dummy
            | Uplink::Ipoib { .. }
            | Uplink::Wifi { .. },
            _,
        ) => None,
    }
}

fn candidate(device: &DeviceView) -> Option<&IfName> {
    device.kind.may_be_open_vswitch().then_some(&device.name)
}
