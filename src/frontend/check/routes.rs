//! The routes of an interface and what it leased, held against what it has.

use std::net::IpAddr;

use ipnet::IpNet;

use super::drift::Drift;
use super::settings::kernel;
use crate::error::Error;
use crate::record::{AttachmentRecord, Kept};
use crate::rt::Route;
use crate::sys::rtnl::Rtnl;

/// `the route to 10.9.0.0/16 via 10.0.0.1`.
pub(super) fn in_words(route: &Route) -> String {
    let via = route.via.map(|via| format!(" via {via}"));
    let via = via.unwrap_or_default();
    match route.destination.prefix_len() {
        0 => format!("the default route{via}"),
        _ => format!("the route to {}{via}", route.destination),
    }
}

/// A route that gave way to another one, as a default route does to a newer
/// interface's, is not missed.
pub(super) async fn of(attachment: &AttachmentRecord, guest: &Rtnl) -> Result<Vec<Drift>, Error> {
    let mut drifts = Vec::new();
    for route in lost(&attachment.routes, guest).await? {
        drifts.push(Drift::Route { route });
    }
    Ok(drifts)
}

async fn lost(routes: &[Route], guest: &Rtnl) -> Result<Vec<Route>, Error> {
    let mut lost = Vec::new();
    for route in routes {
        let is_there = guest.has_route_like(route).await;
        if !is_there.map_err(kernel)? {
            lost.push(route.clone());
        }
    }
    Ok(lost)
}

/// What is gone of what a lease that is kept has brought.
pub(super) async fn of_lease(
    kept: &Kept,
    has: &[IpNet],
    guest: &Rtnl,
) -> Result<Option<Drift>, Error> {
    let four = kept.dhcp4.as_ref().map(|kept| &kept.applied);
    let six = kept.dhcp6.as_ref().and_then(|kept| kept.applied.address);
    let address4 = four.and_then(|applied| applied.address);
    let leased = address4.map(|net| net.addr().into());
    let leased = leased.into_iter().chain(six.map(IpAddr::V6));
    let has_it = |address: &IpAddr| has.iter().any(|net| net.addr() == *address);
    let mut gone: Vec<String> = leased
        .filter(|address| !has_it(address))
        .map(|address| address.to_string())
        .collect();
    let routes = four.map(|applied| applied.routes.as_slice());
    let routes = lost(routes.unwrap_or_default(), guest).await?;
    gone.extend(routes.iter().map(in_words));
    let lease = kept.id.clone();
    let what = gone.join(" and ");
    Ok((!what.is_empty()).then_some(Drift::Leased { what, lease }))
}
