//! Makes good what differs: a setting in its place, an interface that is gone by
//! plugging it in anew as it was asked for.

use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;

use super::drift::Drift;
use super::lent::{self, Sandbox};
use super::lost::Lost;
use super::sysctl::Inside;
use crate::collect::{Collector, Fate};
use crate::deadline::Deadline;
use crate::frontend::asked_for;
use crate::frontend::attach::to_target;
use crate::frontend::target::Target;
use crate::host::container;
use crate::keeper;
use crate::plan::broadcast;
use crate::record::Record;
use crate::rt::Address;
use crate::sys::block_on;
use crate::sys::rtnl::{Rtnl, RtnlError};

/// As long as a hook has.
const TIME: Duration = Duration::from_secs(45);

/// Why a repair will not make a difference good, where that is known beforehand.
pub fn obstacle(record: &Record, ifname: &str, drift: &Drift) -> Option<String> {
    match drift {
        // dockerd alone puts it back.
        Drift::UplinkGone { .. }
        | Drift::Missing
        | Drift::Down { .. }
        | Drift::Address { .. }
        | Drift::Lost(Lost::OvsPort { .. })
            if record.lent.is_some() =>
        {
            Some(lent::CURE.to_owned())
        }
        Drift::UplinkGone { uplink } => Some(format!(
            "make {uplink} again, then take it back and plug it in anew: pipework detach, attach"
        )),
        Drift::Missing => {
            let asked = asked_for::pairs(record, ifname);
            let unknown =
                || "nothing says how it was asked for: plug it in anew with pipework attach";
            asked.is_none().then(|| unknown().to_owned())
        }
        Drift::Lost(lost) => lost.cure(),
        Drift::WayOut(way_out) => way_out.cure(),
        Drift::Gone
        | Drift::Leased { .. }
        | Drift::Renamed { .. }
        | Drift::Mac { .. }
        | Drift::Down { .. }
        | Drift::Address { .. }
        | Drift::Route { .. }
        | Drift::HostDown { .. }
        | Drift::UplinkDown { .. }
        | Drift::Reach(_)
        | Drift::Unplugged { .. } => None,
    }
}

/// Makes one difference good that has no [`obstacle`], or says why it cannot be.
pub fn repair(
    record: &Record,
    ifname: &str,
    drift: &Drift,
    collector: &Collector<'_>,
) -> Result<(), String> {
    let set = block_on(set(record, drift, collector)).map_err(|error| error.to_string())?;
    match set {
        Some(done) => done,
        None => match drift {
            Drift::Gone => collect(record, collector),
            Drift::Missing => plug_in_anew(record, ifname),
            // The daemon alone knows what it has done with it.
            Drift::Leased { lease, .. } => {
                keeper::apply_again(lease).map_err(|error| error.to_string())
            }
            Drift::Renamed { .. }
            | Drift::Mac { .. }
            | Drift::Down { .. }
            | Drift::Address { .. }
            | Drift::Route { .. }
            | Drift::HostDown { .. }
            | Drift::UplinkDown { .. }
            | Drift::UplinkGone { .. }
            | Drift::Lost(_)
            | Drift::Reach(_)
            | Drift::WayOut(_)
            | Drift::Unplugged { .. } => Err("its namespace is gone".to_owned()),
        },
    }
}

/// What the kernel makes good when it is told; `None` when nothing told does.
async fn set(
    record: &Record,
    drift: &Drift,
    collector: &Collector<'_>,
) -> Option<Result<(), String>> {
    let lent = record.lent.as_ref().and_then(|_| Sandbox::of(record));
    let netns = match lent {
        Some(sandbox) => sandbox.netns,
        None => collector.open_namespace(record)?,
    };
    let guest = Rtnl::open_in(&netns, collector.home, collector.deadline).ok()?;
    let host = collector.host;
    let done: Result<(), RtnlError> = match drift {
        Drift::Gone | Drift::Missing | Drift::Leased { .. } | Drift::UplinkGone { .. } => {
            return None;
        }
        Drift::Renamed { ifindex, .. } => {
            let meant = record.attachment(*ifindex)?;
            guest.set_name(*ifindex, meant.ifname.as_str()).await
        }
        Drift::Mac { ifindex, was } => guest.set_mac(*ifindex, *was).await,
        Drift::Down { ifindex } => guest.set_state(*ifindex, true).await,
        Drift::Address { ifindex, address } => {
            guest.add_address(&address_of(*ifindex, *address)).await
        }
        Drift::Route { route } => guest.add_route(route).await,
        Drift::HostDown { ifindex, .. } | Drift::UplinkDown { ifindex, .. } => {
            host.set_state(*ifindex, true).await
        }
        Drift::Unplugged {
            ifindex,
            uplink_ifindex,
            ..
        } => host.join(*ifindex, *uplink_ifindex).await,
        Drift::Reach(reach) => {
            let made = reach.give_back(collector).await;
            return Some(made.map_err(|error| error.to_string()));
        }
        Drift::WayOut(way_out) => return Some(way_out.give_back(collector).await),
        Drift::Lost(lost) => {
            let inside = Inside {
                netns: &netns,
                home: collector.home,
            };
            return Some(lost.give_back((&guest, &inside), host).await);
        }
    };
    Some(done.map_err(|error| error.to_string()))
}

fn address_of(ifindex: u32, address: IpNet) -> Address {
    Address {
        ifindex,
        address,
        broadcast: broadcast(address),
        lifetime: None,
    }
}

fn collect(record: &Record, collector: &Collector<'_>) -> Result<(), String> {
    let ended = block_on(collector.reap(&record.key)).map_err(|error| error.to_string())?;
    match ended {
        Ok(Fate::Ended) => Ok(()),
        Ok(Fate::Lives | Fate::Busy) => Err("somebody still needs it".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// As its container's annotations ask, or as a person did, and on behalf of the
/// same.
fn plug_in_anew(record: &Record, ifname: &str) -> Result<(), String> {
    let reference = record.references().next();
    let reference = reference.ok_or("no container refers to it any more")?;
    let (pairs, caller) =
        asked_for::pairs(record, ifname).ok_or("nothing says how it was asked for")?;
    let deadline = Deadline::after(TIME);
    let bundle = Path::new(&reference.bundle);
    let sandbox = match record.paths.first().filter(|_| reference.is_bound()) {
        Some(path) => container::Sandbox::open_bound(&reference.id, path, deadline),
        None => container::Sandbox::open(&reference.id, bundle, Some(reference.init.pid), deadline),
    };
    let sandbox = sandbox.map_err(|error| error.to_string())?;
    // Its pid, or its path, may be somebody else's by now.
    if sandbox.key != record.key {
        return Err("the process or path that led to its namespace is gone".to_owned());
    }
    let target = Target {
        sandbox,
        name: reference.name.clone(),
    };
    let attached = to_target(&target, &pairs, &caller, deadline);
    attached.map(|_| ()).map_err(|error| error.to_string())
}
