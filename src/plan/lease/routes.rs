//! The routes that a lease brings.

use std::net::Ipv4Addr;

use ipnet::IpNet;

use super::Target;
use crate::dhcp::lease::{Lease, LeaseRoute};
use crate::plan::addressing::is_on_link;
use crate::rt::Route;

/// Routes of one lease; a server that sends more is no friend.
const MOST_ROUTES: usize = 64;

/// The routes of a lease, those on the link first, each from the leased
/// address: so the kernel takes them away together with it.
pub(super) fn routes(target: Target<'_>, lease: &Lease) -> Vec<Route> {
    let own = lease.address.trunc();
    let wanted = |route: &&LeaseRoute| {
        let is_default = route.destination.prefix_len() == 0;
        let is_own = route.destination == own && route.via.is_none();
        !is_own && (!is_default || target.wishes.default_route)
    };
    let mut given: Vec<&LeaseRoute> = lease.routes.iter().filter(wanted).collect();
    given.sort_by_key(|route| route.via.is_some());
    given.truncate(MOST_ROUTES);
    let mut routes: Vec<Route> = Vec::new();
    for LeaseRoute { destination, via } in given {
        let route = |destination: IpNet, via: Option<Ipv4Addr>, metric| Route {
            ifindex: target.ifindex,
            destination,
            via: via.map(Into::into),
            metric,
            table: None,
            source: Some(lease.address.addr().into()),
            onlink: false,
        };
        let on_link = |routes: &[Route]| {
            let links = routes.iter().filter(|route| route.via.is_none());
            let links = links.map(|route| route.destination);
            links.chain([IpNet::V4(lease.address)]).collect::<Vec<_>>()
        };
        if let Some(via) = via
            && !is_on_link((*via).into(), &on_link(&routes))
        {
            // As pipework does: a route to the router itself comes first.
            routes.push(route(IpNet::from(std::net::IpAddr::from(*via)), None, None));
        }
        let is_default = destination.prefix_len() == 0;
        let metric = target.wishes.metric.filter(|_| is_default);
        let table = target.wishes.table.filter(|_| is_default);
        let new = Route {
            table,
            ..route(IpNet::V4(*destination), *via, metric)
        };
        let is_there = |old: &Route| (old.destination, old.metric) == (new.destination, new.metric);
        if !routes.iter().any(is_there) {
            routes.push(new);
        }
    }
    let way_back = target
        .reach
        .and_then(|reach| reach.way_back(lease.address, target.ifindex));
    if let Some(way) = way_back
        && !routes
            .iter()
            .any(|route| route.destination == way.destination)
    {
        routes.push(way);
    }
    routes
}
