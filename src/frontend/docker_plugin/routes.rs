//! Routes of a network as Docker gives them to containers.

use super::error::DockerError;
use crate::docker::message::StaticRoute;
use crate::request::{Request, Route};

/// By a router.
const VIA: u8 = 0;
/// On the link.
const CONNECTED: u8 = 1;

/// Those that `request` asks for.
pub(super) fn of(request: &Request) -> Result<Vec<StaticRoute>, DockerError> {
    let routes = request.attachments.iter().flat_map(|a| &a.routes);
    routes.map(|asked| one(&asked.value)).collect()
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
    Ok(StaticRoute {
        destination: destination.to_string(),
        route_type: if via.is_some() { VIA } else { CONNECTED },
        next_hop: via.map(|via| via.to_string()).unwrap_or_default(),
    })
}
