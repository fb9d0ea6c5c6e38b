//! Route messages.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use rtnetlink::packet_core::{Emitable, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, Parseable};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
    RouteType,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::socket::Answer;
use super::{Rtnl, RtnlError};
use crate::rt::Route;

/// What RTM_GETROUTE says of a route, as far as we use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteFacts {
    /// The destination's prefix length is 0.
    pub is_default: bool,
    /// The next hop, if there is exactly one.
    pub gateway: Option<IpAddr>,
    /// Its metric.
    pub metric: u32,
    /// The device that it leaves by.
    pub oif: Option<u32>,
    /// The whole message, for [`Rtnl::restore_route`].
    pub raw: Vec<u8>,
}

fn message_of(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(route.destination.addr());
    message.header.destination_prefix_length = route.destination.prefix_len();
    message.header.protocol = RouteProtocol::Static;
    message.header.kind = RouteType::Unicast;
    message.header.scope = match (route.via, route.destination) {
        (None, IpNet::V4(_)) => RouteScope::Link,
        // IPv6 knows no scopes here (ip6_route_info_create ignores it).
        (None, IpNet::V6(_)) | (Some(_), _) => RouteScope::Universe,
    };
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    let attributes = &mut message.attributes;
    if route.destination.prefix_len() > 0 {
        attributes.push(RouteAttribute::Destination(route.destination.addr().into()));
    }
    attributes.push(RouteAttribute::Oif(route.ifindex));
    attributes.extend(route.via.map(|via| RouteAttribute::Gateway(via.into())));
    attributes.extend(route.metric.map(RouteAttribute::Priority));
    attributes.extend(route.source.map(|s| RouteAttribute::PrefSource(s.into())));
    if let Some(table) = route.table {
        // The header's field has 8 bits; the attribute wins over it.
        message.header.table = RouteHeader::RT_TABLE_UNSPEC;
        message.attributes.push(RouteAttribute::Table(table));
    }
    if route.onlink {
        message.header.flags = RouteFlags::Onlink;
    }
    message
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

/// The metric of a route that says none (include/net/ip6_fib.h).
const IP6_RT_PRIO_USER: u32 = 1024;
/// A route to an address of our own (include/uapi/linux/rtnetlink.h).
const RTN_LOCAL: u8 = 2;

impl Rtnl {
    /// Adds a route; `EEXIST` when the table has one for that destination and
    /// metric.
    pub async fn add_route(&self, route: &Route) -> Result<(), RtnlError> {
        self.new_route(message_of(route), NLM_F_CREATE | NLM_F_EXCL)
            .await
    }

    /// Adds a route in the place of the one for that destination and metric.
    pub async fn replace_route(&self, route: &Route) -> Result<(), RtnlError> {
        self.new_route(message_of(route), NLM_F_CREATE | NLM_F_REPLACE)
            .await
    }

    async fn new_route(&self, message: RouteMessage, flags: u16) -> Result<(), RtnlError> {
        self.change(
            "RTM_NEWROUTE",
            RouteNetlinkMessage::NewRoute(message),
            flags,
        )
        .await
    }

    /// Deletes exactly this route; `ESRCH` when it is not there.
    pub async fn delete_route(&self, route: &Route) -> Result<(), RtnlError> {
        let message = RouteNetlinkMessage::DelRoute(message_of(route));
        self.change("RTM_DELROUTE", message, 0).await
    }

    /// Puts back a route that [`Rtnl::default_routes`] told; `EEXIST` when
    /// there is another one by now.
    pub async fn restore_route(&self, raw: &[u8]) -> Result<(), RtnlError> {
        const OPERATION: &str = "RTM_NEWROUTE";
        let Ok(mut message) = RouteMessage::parse(raw) else {
            return Err(RtnlError::Broken {
                operation: OPERATION,
                reason: "what was kept of it is no route".to_owned(),
            });
        };
        // Flags such as `linkdown` tell of a state and are refused as a wish.
        message.header.flags &= RouteFlags::Onlink;
        // IPv6 routes carry their age, which is nothing that can be set.
        message
            .attributes
            .retain(|a| !matches!(a, RouteAttribute::CacheInfo(_)));
        self.new_route(message, NLM_F_CREATE | NLM_F_EXCL).await
    }

    /// The default routes of the main table. The kernel filters by table
    /// (`NETLINK_GET_STRICT_CHK`), so this costs what the namespace's own main
    /// table holds.
    pub async fn default_routes(&self, v6: bool) -> Result<Vec<RouteFacts>, RtnlError> {
        let mut filter = RouteMessage::default();
        filter.header.address_family = if v6 {
            AddressFamily::Inet6
        } else {
            AddressFamily::Inet
        };
        filter.header.table = RouteHeader::RT_TABLE_MAIN;
        let message = RouteNetlinkMessage::GetRoute(filter);
        let answers = match self.dump("RTM_GETROUTE", message).await {
            Ok(answers) => answers,
            // A namespace in which nobody made an IPv6 table has none.
            Err(e) if e.errno() == Some(nix::libc::ENOENT) => Vec::new(),
            Err(e) => return Err(e),
        };
        Ok(answers
            .into_iter()
            .filter_map(facts_of)
            .filter(|f| f.is_default)
            .collect())
    }

    /// Whether there is a route for that destination and metric in that table,
    /// whichever device it leads through: [`Rtnl::add_route`] makes no second one.
    pub async fn has_route_like(&self, route: &Route) -> Result<bool, RtnlError> {
        let mut filter = message_of(route);
        filter
            .attributes
            .retain(|a| matches!(a, RouteAttribute::Table(_)));
        filter.header = RouteHeader {
            address_family: filter.header.address_family,
            table: filter.header.table,
            ..RouteHeader::default()
        };
        let message = RouteNetlinkMessage::GetRoute(filter);
        let answers = match self.dump("RTM_GETROUTE", message).await {
            Ok(answers) => answers,
            // The table is not there.
            Err(e) if e.errno() == Some(nix::libc::ENOENT) => return Ok(false),
            Err(e) => return Err(e),
        };
        let metric = route.metric.unwrap_or(match route.destination {
            IpNet::V4(_) => 0,
            IpNet::V6(_) => IP6_RT_PRIO_USER,
        });
        Ok(answers.into_iter().any(|answer| {
            matches!(answer.decode(), Some(RouteNetlinkMessage::NewRoute(present))
                if is_to(&present, route.destination, metric))
        }))
    }

    /// The device by which this namespace sends to `address`; `None` when there
    /// is no way.
    pub async fn route_to(&self, address: IpAddr) -> Result<Option<u32>, RtnlError> {
        let message = RouteNetlinkMessage::GetRoute(query(address));
        match self.exchange("RTM_GETROUTE", message, 0).await {
            Ok(answers) => {
                let mut facts = answers.into_iter().filter_map(facts_of);
                Ok(facts.find_map(|route| route.oif))
            }
            Err(RtnlError::Refused(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Whether `address` is one of this namespace's own (a route of type
    /// local leads to it).
    pub async fn is_own_address(&self, address: IpAddr) -> Result<bool, RtnlError> {
        let message = RouteNetlinkMessage::GetRoute(query(address));
        match self.exchange("RTM_GETROUTE", message, 0).await {
            // The type is byte 7 of struct rtmsg.
            Ok(answers) => Ok(answers.iter().any(|a| a.payload.get(7) == Some(&RTN_LOCAL))),
            // No way to get there: certainly not ourselves.
            Err(RtnlError::Refused(_)) => Ok(false),
            Err(e) => Err(e),
        }
    }
}

fn is_to(present: &RouteMessage, destination: IpNet, metric: u32) -> bool {
    let mut to = match destination {
        IpNet::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpNet::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let mut priority = 0;
    for attribute in &present.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(address)) => to = (*address).into(),
            RouteAttribute::Destination(RouteAddress::Inet6(address)) => to = (*address).into(),
            RouteAttribute::Priority(metric) => priority = *metric,
            _ => {}
        }
    }
    present.header.destination_prefix_length == destination.prefix_len()
        && present.header.kind == RouteType::Unicast
        && to == destination.network()
        && priority == metric
}

/// The question for the way to one address.
fn query(address: IpAddr) -> RouteMessage {
    let mut query = RouteMessage::default();
    query.header.address_family = family(address);
    query.header.destination_prefix_length = match address {
        IpAddr::V4(_) => Ipv4Addr::BITS as u8,
        IpAddr::V6(_) => Ipv6Addr::BITS as u8,
    };
    query
        .attributes
        .push(RouteAttribute::Destination(address.into()));
    query
}

fn facts_of(answer: Answer) -> Option<RouteFacts> {
    let Some(RouteNetlinkMessage::NewRoute(route)) = answer.decode() else {
        return None;
    };
    let mut raw = vec![0; route.buffer_len()];
    route.emit(&mut raw);
    let mut facts = RouteFacts {
        is_default: route.header.destination_prefix_length == 0
            && route.header.kind == RouteType::Unicast,
        gateway: None,
        metric: 0,
        oif: None,
        raw,
    };
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(a)) => {
                facts.gateway = Some(IpAddr::V4(*a));
            }
            RouteAttribute::Gateway(RouteAddress::Inet6(a)) => {
                facts.gateway = Some(IpAddr::V6(*a));
            }
            RouteAttribute::Priority(metric) => facts.metric = *metric,
            RouteAttribute::Oif(index) => facts.oif = Some(*index),
            _ => {}
        }
    }
    Some(facts)
}
