//! The routes out of a device: listing them in the kernel's order, and moving
//! one so that no packet finds none.

use std::net::IpAddr;
use std::time::Duration;

use nix::libc;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_REPLACE};

use super::object::Object;
use super::raw_route::{HEADER_BYTES, RT_TABLE_LOCAL, RTA_EXPIRES, RTA_OIF, RTA_TABLE};
use super::replay::{RTM_DELROUTE, RTM_GETROUTE, RTM_NEWROUTE};
use super::{RawAddress, RawRoute, Rtnl, RtnlError};
use crate::deadline::Deadline;
use crate::sys::pause;

/// How long the kernel's work queue may take, busy as it may be.
const SERVE_TIME: Duration = Duration::from_secs(3);
const SERVE_PAUSE: Duration = Duration::from_millis(1);

impl Rtnl {
    /// The routes out of a device, of all tables and both families, in the
    /// kernel's order. Left out: those that come and go with an address.
    pub async fn routes_of(&self, ifindex: u32) -> Result<Vec<RawRoute>, RtnlError> {
        let mut routes = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            let mut filter = family_filter(family);
            filter.set(RTA_OIF, &ifindex.to_ne_bytes());
            let listed = self.list(RTM_GETROUTE, &filter, HEADER_BYTES).await?;
            routes.extend(listed.into_iter().map(RawRoute::of));
        }
        routes.retain(|route| !route.is_part_of_an_address());
        Ok(routes)
    }

    /// The IPv6 addresses that a device takes packets for: the kernel makes the
    /// route to oneself from a work queue, a while after it took the address
    /// (`addrconf_dad_work`), and until then others are forwarded or dropped.
    async fn served_by(&self, ifindex: u32) -> Result<Vec<IpAddr>, RtnlError> {
        let mut filter = family_filter(libc::AF_INET6);
        filter.set(RTA_OIF, &ifindex.to_ne_bytes());
        filter.set(RTA_TABLE, &RT_TABLE_LOCAL.to_ne_bytes());
        let listed = self.list(RTM_GETROUTE, &filter, HEADER_BYTES).await?;
        let own = listed
            .into_iter()
            .map(RawRoute::of)
            .filter(RawRoute::is_to_oneself);
        Ok(own
            .filter_map(|route| Some(route.destination()?.addr()))
            .collect())
    }

    /// Waits until a device takes packets for `addresses`, those of IPv6 among
    /// them; false when it does not within a few seconds.
    pub async fn await_served(
        &self,
        ifindex: u32,
        addresses: &[IpAddr],
    ) -> Result<bool, RtnlError> {
        let patience = Deadline::after(SERVE_TIME);
        loop {
            let served = self.served_by(ifindex).await?;
            let mut v6 = addresses.iter().filter(|address| address.is_ipv6());
            if v6.all(|address| served.contains(address)) {
                return Ok(true);
            }
            if patience.has_passed() || self.deadline.has_passed() {
                return Ok(false);
            }
            pause(SERVE_PAUSE).await;
        }
    }

    /// Which of `routes` are the first of those for the same destination with
    /// the same metric in their table. The kernel uses that one.
    pub async fn leading(&self, routes: &[RawRoute]) -> Result<Vec<bool>, RtnlError> {
        let mut lists: Vec<(u8, u32, Vec<RawRoute>)> = Vec::new();
        for route in routes {
            let (family, table) = (route.0.byte(0), route.table());
            if lists.iter().all(|list| (list.0, list.1) != (family, table)) {
                let mut filter = family_filter(i32::from(family));
                filter.set(RTA_TABLE, &table.to_ne_bytes());
                let listed = self.list(RTM_GETROUTE, &filter, HEADER_BYTES).await?;
                let listed = listed.into_iter().map(RawRoute::of).collect();
                lists.push((family, table, listed));
            }
        }
        let leads = |route: &RawRoute| {
            let mut listed = lists.iter().flat_map(|list| &list.2);
            let first = listed.find(|other| other.rank() == route.rank());
            first.is_some_and(|first| first.is_same_as(route))
        };
        Ok(routes.iter().map(leads).collect())
    }

    /// Adds a route behind those of the same rank, unless it is there.
    pub async fn put_route(&self, route: &RawRoute) -> Result<(), RtnlError> {
        let flags = route.create_flags();
        self.tell(RTM_NEWROUTE, &route.0, flags, &[libc::EEXIST])
            .await
    }

    /// Puts a route in the place of the first one of the same rank, in one
    /// moment: no packet finds none.
    pub async fn replace_leading(&self, route: &RawRoute) -> Result<(), RtnlError> {
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        self.tell(RTM_NEWROUTE, &route.0, flags, &[libc::EEXIST])
            .await
    }

    /// Deletes exactly this route, if it is there.
    pub async fn drop_route(&self, route: &RawRoute) -> Result<(), RtnlError> {
        let mut wish = route.0.clone();
        wish.keep(|kind| kind != RTA_EXPIRES);
        let fine = [libc::ESRCH, libc::ENODEV];
        self.tell(RTM_DELROUTE, &wish, 0, &fine).await
    }

    /// Deletes the routes that the kernel made for `addresses` of a device, but
    /// for those of `keep`: somebody may have taken them away, or changed them.
    pub async fn tidy_routes(
        &self,
        ifindex: u32,
        addresses: &[RawAddress],
        keep: &[RawRoute],
    ) -> Result<(), RtnlError> {
        let networks: Vec<_> = addresses.iter().map(RawAddress::network).collect();
        for route in self.routes_of(ifindex).await? {
            let is_of_an_address = networks.contains(&route.destination());
            let is_wanted = keep.iter().any(|kept| kept.is_same_as(&route));
            if route.is_kernels() && is_of_an_address && !is_wanted {
                self.drop_route(&route).await?;
            }
        }
        Ok(())
    }
}

fn family_filter(family: i32) -> Object {
    let mut filter = Object::new(&[0; HEADER_BYTES]);
    filter.set_header(0, &[u8::try_from(family).unwrap_or(0)]);
    filter
}
