//! Fields that an uplink cannot have: refused by name, never ignored.
//!
//! Where the uplink is `link`, only the host knows what it is; `plan` asks
//! again there.

use super::fields::{Fields, Read};
use crate::request::error::{RequestError, cut};
use crate::request::{Asked, Dad, IpvlanMode, MacvlanMode, Origin, Uplink};

const NOWHERE: &str = "a dummy leads nowhere";
const NO_NEIGHBOURS: &str = "in that mode nobody is asked for a hardware address";

/// Refuses the first field that `uplink` cannot have.
pub(super) fn check(fields: &Fields<'_>, uplink: &Asked<Uplink>) -> Result<(), RequestError> {
    let why_no_host_access = host_access(&uplink.value);
    let wanted = fields.host_access.as_ref().filter(|asked| asked.value);
    refuse(uplink, wanted.map(origin), why_no_host_access)?;
    match &uplink.value {
        Uplink::Ipvlan { mode, .. } => ipvlan(fields, uplink, *mode),
        Uplink::Dummy => dummy(fields, uplink),
        Uplink::Ipoib { .. } => {
            let why = "duplicates are asked for on Ethernet only";
            refuse(uplink, probing(fields), Some(why))
        }
        Uplink::Bridge { .. }
        | Uplink::Ovs { .. }
        | Uplink::Macvlan { .. }
        | Uplink::Physical { .. }
        | Uplink::Wifi { .. }
        | Uplink::Link { .. } => Ok(()),
    }
}

fn origin<T>(asked: &Asked<T>) -> Origin {
    asked.origin.clone()
}

fn written<T>(read: &Read<'_, T>) -> Origin {
    read.entry.origin()
}

/// The annotation that asks for a probe of the addresses.
fn probing(fields: &Fields<'_>) -> Option<Origin> {
    let dad = fields.routing.dad.as_ref();
    dad.filter(|asked| asked.value != Dad::Off).map(origin)
}

fn host_access(uplink: &Uplink) -> Option<&'static str> {
    match uplink {
        Uplink::Macvlan {
            mode: MacvlanMode::Bridge,
            ..
        }
        | Uplink::Link {
            mode: MacvlanMode::Bridge,
            ..
        }
        | Uplink::Ipvlan { .. } => None,
        Uplink::Macvlan { .. } | Uplink::Link { .. } => {
            Some("children reach each other directly in mode bridge only")
        }
        Uplink::Bridge { .. } | Uplink::Ovs { .. } => {
            Some("the host reaches the ports of a bridge by an address on the bridge itself")
        }
        Uplink::Physical { .. } | Uplink::Ipoib { .. } | Uplink::Wifi { .. } => {
            Some("only macvlan and ipvlan keep host and container apart")
        }
        Uplink::Dummy => Some(NOWHERE),
    }
}

fn ipvlan(
    fields: &Fields<'_>,
    uplink: &Asked<Uplink>,
    mode: IpvlanMode,
) -> Result<(), RequestError> {
    let why = "an ipvlan has the MAC of its parent";
    refuse(uplink, fields.mac.as_ref().map(origin), Some(why))?;
    match mode {
        IpvlanMode::L2 => Ok(()),
        IpvlanMode::L3 | IpvlanMode::L3s => {
            let neighbour = fields.routing.neighbours.first().map(origin);
            refuse(uplink, neighbour, Some(NO_NEIGHBOURS))?;
            refuse(uplink, probing(fields), Some(NO_NEIGHBOURS))
        }
    }
}

fn dummy(fields: &Fields<'_>, uplink: &Asked<Uplink>) -> Result<(), RequestError> {
    let given = [
        fields.mac_vlan.as_ref().map(written),
        fields.vlan.as_ref().map(written),
        fields.trunk.as_ref().map(written),
        fields.routing.neighbours.first().map(origin),
        probing(fields),
    ];
    let first = given.into_iter().flatten().next();
    refuse(uplink, first, Some(NOWHERE))
}

fn refuse(
    uplink: &Asked<Uplink>,
    field: Option<Origin>,
    why: Option<&'static str>,
) -> Result<(), RequestError> {
    match (field, why) {
        (Some(field), Some(why)) => Err(RequestError::Conflict {
            first: shown(&uplink.origin),
            second: shown(&field),
            why,
        }),
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

pub(super) fn shown(origin: &Origin) -> String {
    match origin {
        Origin::Annotation { key, value } | Origin::Network { key, value } => {
            format!("{key}={}", cut(value))
        }
        Origin::Default => origin.to_string(),
    }
}

#[cfg(test)]
mod tests;
