//! Routes of a network as Docker gives them to containers.

use std::net::IpAddr;

use ipnet::IpNet;

use super::error::DockerError;
use crate::docker::message::StaticRoute;
use crate::request::{Attachment, Request, Route};
use crate::rt;

/// By a router.
const VIA: u8 = 0;
/// On the link.
const CONNECTED: u8 = 1;

/// Those that `request` asks for.
pub(super) fn of(request: &Request) -> Result<Vec<StaticRoute>, DockerError> {
    let routes = request.attachments.iter().flat_map(|a| &a.routes);
    routes.map(|asked| one(&asked.value)).collect()
}

/// The container's ways to the host, where its network is not theirs
/// (`host-access`): of the routes that were `made`, those to one address on the
/// link.
pub(super) fn to_host(request: &Request, made: &[rt::Route]) -> Vec<StaticRoute> {
    let asks = |a: &Attachment| a.host_access.as_ref().is_some_and(|asked| asked.value);
    if !request.attachments.iter().any(asks) {
        return Vec::new();
    }
    let is_asked = |route: &&rt::Route| {
        let mut asked = request.attachments.iter().flat_map(|a| &a.routes);
        asked.any(|asked| asked.value.destination == route.destination)
    };
    let to_one = |route: &&rt::Route| {
        let net = route.destination;
        route.via.is_none() && net.prefix_len() == net.max_prefix_len()
    };
    let to_one = made.iter().filter(to_one);
    let own = to_one.filter(|route| !is_asked(route));
    own.map(|route| connected(&route.destination)).collect()
}

/// The ways to gateways that no subnet holds, such as the routers of IPv6. Docker 26
/// looks for one before the kernel has made that of link-local addresses, and would
/// not start the container.
pub(super) fn to_gateways(gateways: &[IpAddr]) -> impl Iterator<Item = StaticRoute> {
    let is_link_local =
        |gateway: &&IpAddr| matches!(gateway, IpAddr::V6(six) if six.is_unicast_link_local());
    let outside = gateways.iter().filter(is_link_local);
    outside.map(|gateway| connected(&IpNet::from(*gateway)))
}

fn connected(destination: &IpNet) -> StaticRoute {
    StaticRoute {
        destination: destination.to_string(),
        route_type: CONNECTED,
        next_hop: String::new(),
    }
}

fn one(route: &Route) -> Result<StaticRoute, DockerError> {
    let Route {
        destination,
        via,
        metric: None,
        table: None,
        source: None,
        onlink: false,
    } = route
    else {
        return Err(DockerError::Route {
            text: route.destination.to_string(),
        });
    };
    Ok(match via {
        Some(via) => StaticRoute {
            destination: destination.to_string(),
            route_type: VIA,
            next_hop: via.to_string(),
        },
        None => connected(destination),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::annotations::parse;

    fn made(destination: &str, via: Option<&str>) -> rt::Route {
        rt::Route {
            ifindex: 7,
            destination: destination.parse().unwrap(),
            via: via.map(|via| via.parse().unwrap()),
            metric: None,
            table: None,
            source: None,
            onlink: false,
        }
    }

    #[test]
    fn a_host_outside_of_the_subnet_is_reached_by_a_route_of_dockers() {
        let of = |host_access| {
            let asked = [
                ("pipework.parent", "eth0"),
                ("pipework.ip", "10.0.0.5/24"),
                ("pipework.route", "10.8.0.1/32"),
                ("pipework.host-access", host_access),
            ];
            let request = parse(asked).unwrap().unwrap();
            let routes = [
                made("10.8.0.1/32", None),
                made("192.0.2.1/32", None),
                made("0.0.0.0/0", Some("10.0.0.1")),
            ];
            to_host(&request, &routes)
        };
        assert_eq!(of("true"), [connected(&"192.0.2.1/32".parse().unwrap())]);
        assert_eq!(of("false"), []);
    }
}
