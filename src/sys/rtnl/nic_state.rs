//! What a NIC had, whole, and giving it back.
//!
//! The kernel takes a device's addresses, routes, nexthop objects and
//! neighbours away when the device leaves its namespace, and its settings when
//! it comes back under another index. [`NicState::capture`] keeps all of them
//! as the kernel told them; [`NicState::restore`] gives them to the device that
//! it is now. Both run in the namespace of the socket, because files below
//! /proc/sys/net resolve by the thread that opens them.

use std::io;

use serde::{Deserialize, Serialize};

use super::{RawAddress, RawNeighbour, RawNexthop, RawRoute, RawRule, Rtnl, RtnlError};
use crate::request::{Family, IfName};
use crate::sys::clock::seconds_since_boot;
use crate::sys::sysctl;

/// Settings that change how a host behaves on a device. In this order: IPv6 as
/// such, and how its addresses are made, come before what makes them.
const LEAVES: &[(Family, &[&str])] = &[
    (
        Family::Ipv6,
        &[
            "disable_ipv6",
            "stable_secret",
            "addr_gen_mode",
            "mtu",
            "accept_dad",
            "dad_transmits",
            "use_tempaddr",
            "temp_prefered_lft",
            "temp_valid_lft",
            "autoconf",
            "accept_ra_defrtr",
            "accept_ra_from_local",
            "accept_ra_min_hop_limit",
            "accept_ra_min_rtr_pref",
            "accept_ra_mtu",
            "accept_ra_pinfo",
            "accept_ra_rt_info_max_plen",
            "accept_ra_rt_info_min_plen",
            "accept_ra_rtr_pref",
            "ra_defrtr_metric",
            "router_solicitations",
            "accept_redirects",
            "accept_source_route",
            "drop_unicast_in_l2_multicast",
            "drop_unsolicited_na",
            "hop_limit",
            "ndisc_notify",
            "keep_addr_on_down",
            "ignore_routes_with_linkdown",
            "proxy_ndp",
            "forwarding",
            "accept_ra",
        ],
    ),
    (
        Family::Ipv4,
        &[
            "accept_local",
            "accept_redirects",
            "accept_source_route",
            "arp_accept",
            "arp_announce",
            "arp_filter",
            "arp_ignore",
            "arp_notify",
            "bc_forwarding",
            "disable_policy",
            "disable_xfrm",
            "drop_gratuitous_arp",
            "drop_unicast_in_l2_multicast",
            "forwarding",
            "ignore_routes_with_linkdown",
            "log_martians",
            "medium_id",
            "promote_secondaries",
            "proxy_arp",
            "proxy_arp_pvlan",
            "route_localnet",
            "rp_filter",
            "secure_redirects",
            "send_redirects",
            "shared_media",
            "src_valid_mark",
            "tag",
        ],
    ),
];

/// One setting below /proc/sys/net/FAMILY/conf/NAME.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Whether it belongs to IPv6.
    pub v6: bool,
    /// The file's name.
    pub leaf: String,
    /// What it holds.
    pub value: String,
}

/// What a NIC had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicState {
    /// Its name.
    pub name: String,
    /// Its index.
    pub ifindex: u32,
    /// Hardware address.
    pub mac: Option<[u8; 6]>,
    /// Permanent hardware address.
    pub permanent_mac: Option<[u8; 6]>,
    /// MTU in bytes.
    pub mtu: u32,
    /// Length of the transmit queue in packets.
    pub txqlen: u32,
    /// Whether it was up.
    pub up: bool,
    /// Its settings below /proc/sys/net.
    pub settings: Vec<Setting>,
    /// Its addresses, in the kernel's order.
    pub addresses: Vec<RawAddress>,
    /// Nexthop objects out of it, and the groups that they are in.
    pub nexthops: Vec<RawNexthop>,
    /// Routes out of it, of all tables, but for those that are part of an
    /// address.
    pub routes: Vec<RawRoute>,
    /// Rules that name it.
    pub rules: Vec<RawRule>,
    /// Neighbours that somebody wrote down, and addresses that it answers for.
    pub neighbours: Vec<RawNeighbour>,
    /// When this was so, in seconds since boot: lifetimes count from here.
    pub captured_at: u64,
}

/// Something that could not be given back.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct NotRestored {
    /// What it is, as a person would call it.
    pub what: String,
    /// Why not.
    pub reason: String,
}

impl NicState {
    /// What the device `ifindex` has now; `None` when there is no such device.
    pub async fn capture(rtnl: &Rtnl, ifindex: u32) -> Result<Option<Self>, RtnlError> {
        let Some(link) = rtnl.link_by_index(ifindex).await? else {
            return Ok(None);
        };
        let mut rules = rtnl.rules().await?;
        rules.retain(|rule| rule.names(&link.name));
        let mut neighbours = rtnl.neighbours_of(ifindex).await?;
        neighbours.retain(RawNeighbour::is_permanent);
        Ok(Some(Self {
            settings: settings(&link.name),
            addresses: rtnl.addresses_of(ifindex).await?,
            nexthops: rtnl.nexthops_of(ifindex).await?,
            routes: rtnl.routes_of(ifindex).await?,
            rules,
            neighbours,
            name: link.name,
            ifindex,
            mac: link.mac,
            permanent_mac: link.permanent_mac,
            mtu: link.mtu,
            txqlen: link.txqlen,
            up: link.up,
            captured_at: seconds_since_boot(),
        }))
    }

    /// Gives the device `ifindex` what was captured, whatever of it it has
    /// already, and returns what could not be given. Its name is left alone.
    ///
    /// What has ended meanwhile by its own lifetime stays away. Routes that need
    /// a carrier (nexthop objects do) can be given once there is one.
    pub async fn restore(&self, rtnl: &Rtnl, ifindex: u32) -> Result<Vec<NotRestored>, RtnlError> {
        let Some(link) = rtnl.link_by_index(ifindex).await? else {
            let reason = io::Error::from_raw_os_error(nix::libc::ENODEV).to_string();
            let what = self.name.clone();
            return Ok(vec![NotRestored { what, reason }]);
        };
        let mut failures = Failures::default();
        for setting in &self.settings {
            let written = setting.write(&link.name);
            failures.note(|| format!("sysctl {}", setting.leaf), written);
        }
        if let Some(mac) = self.mac.filter(|mac| link.mac != Some(*mac)) {
            let set = rtnl.set_hardware_address(ifindex, &mac).await;
            failures.note(|| "hardware address".to_owned(), set);
        }
        if link.mtu != self.mtu {
            let set = rtnl.set_mtu(ifindex, self.mtu).await;
            failures.note(|| format!("MTU {}", self.mtu), set);
        }
        if link.txqlen != self.txqlen {
            let set = rtnl.set_txqlen(ifindex, self.txqlen).await;
            failures.note(|| "transmit queue".to_owned(), set);
        }
        if link.up != self.up {
            let set = rtnl.set_state(ifindex, self.up).await;
            failures.note(|| "its state".to_owned(), set);
        }
        self.restore_network(rtnl, ifindex, &link.name, &mut failures)
            .await?;
        Ok(failures.0)
    }

    /// The addresses in the order in which they are to be given so that the
    /// kernel lists them as before: it puts a new one of IPv6 before the others
    /// (`ipv6_link_dev_addr`).
    pub fn addresses_as_given(&self) -> impl Iterator<Item = &RawAddress> {
        let v4 = self.addresses.iter().filter(|address| !address.is_v6());
        let v6 = self.addresses.iter().rev();
        v4.chain(v6.filter(|address| address.is_v6()))
    }

    async fn restore_network(
        &self,
        rtnl: &Rtnl,
        ifindex: u32,
        name: &str,
        failures: &mut Failures,
    ) -> Result<(), RtnlError> {
        let age = seconds_since_boot().saturating_sub(self.captured_at);
        for address in self.addresses_as_given().filter_map(|a| a.aged(age)) {
            let put = rtnl
                .put_address(&address.on(ifindex, &self.name, name))
                .await;
            failures.note(|| format!("address {address}"), put);
        }
        let addresses = self.addresses.iter().filter_map(|a| a.aged(age)?.address());
        let addresses: Vec<_> = addresses.collect();
        // One that the kernel does not take up leaves the rest of it as it is.
        rtnl.await_served(ifindex, &addresses).await?;
        let routes = self.routes.iter().filter_map(|route| route.aged(age));
        let routes: Vec<_> = routes
            .map(|route| route.on(self.ifindex, ifindex))
            .collect();
        // What says who is on the link comes before what goes through them.
        for route in routes.iter().filter(|route| route.is_on_link()) {
            let put = rtnl.put_route(route).await;
            failures.note(|| format!("route {route}"), put);
        }
        for nexthop in &self.nexthops {
            let put = rtnl.put_nexthop(&nexthop.on(self.ifindex, ifindex)).await;
            failures.note(|| format!("nexthop {nexthop}"), put);
        }
        for route in routes.iter().filter(|route| !route.is_on_link()) {
            let put = rtnl.put_route(route).await;
            failures.note(|| format!("route {route}"), put);
        }
        if self.up {
            let tidied = rtnl.tidy_routes(ifindex, &self.addresses, &routes).await;
            failures.note(|| "superfluous routes".to_owned(), tidied);
        }
        let there = rtnl.rules().await?;
        for rule in &self.rules {
            let rule = rule.renamed(&self.name, name);
            if !there.contains(&rule) {
                failures.note(|| format!("rule {rule}"), rtnl.put_rule(&rule).await);
            }
        }
        for neighbour in &self.neighbours {
            let put = rtnl.put_neighbour(&neighbour.on(ifindex)).await;
            failures.note(|| format!("neighbour {neighbour}"), put);
        }
        Ok(())
    }
}

impl Setting {
    /// Writes it for the device `name`, unless it is so already.
    pub fn write(&self, name: &str) -> io::Result<()> {
        if self.read(name).is_ok_and(|now| now == self.value) {
            return Ok(());
        }
        let (family, name, leaf) = self.place(name)?;
        sysctl::write(family, &name, leaf, &self.value)
    }

    /// What it is for the device `name` now.
    pub fn read(&self, name: &str) -> io::Result<String> {
        let (family, name, leaf) = self.place(name)?;
        sysctl::read(family, &name, leaf)
    }

    /// One of [`LEAVES`]: no text of a record becomes part of a path.
    fn place(&self, name: &str) -> io::Result<(Family, IfName, &'static str)> {
        let wrong = || io::Error::from(io::ErrorKind::InvalidInput);
        let name = name.parse::<IfName>().map_err(|_| wrong())?;
        let leaves = LEAVES
            .iter()
            .filter(|(family, _)| self.v6 == is_v6(*family));
        let mut leaves = leaves.flat_map(|(family, leaves)| leaves.iter().map(|l| (*family, *l)));
        let found = leaves.find(|(_, leaf)| *leaf == self.leaf);
        let (family, leaf) = found.ok_or_else(wrong)?;
        Ok((family, name, leaf))
    }
}

fn is_v6(family: Family) -> bool {
    match family {
        Family::Ipv4 => false,
        Family::Ipv6 => true,
    }
}

/// What the kernel has of [`LEAVES`] for the device `name`. A name that cannot
/// be a path has none.
pub(super) fn settings(name: &str) -> Vec<Setting> {
    let Ok(name) = name.parse::<IfName>() else {
        return Vec::new();
    };
    // A kernel has not all of them, and a secret may never have been set.
    let of_family = |(family, leaves): &(Family, &'static [&'static str])| {
        let v6 = is_v6(*family);
        let told = sysctl::read_each(*family, &name, leaves).into_iter();
        told.map(move |(leaf, value)| Setting {
            v6,
            leaf: leaf.to_owned(),
            value,
        })
    };
    LEAVES.iter().flat_map(of_family).collect()
}

#[derive(Default)]
struct Failures(Vec<NotRestored>);

impl Failures {
    fn note<E: std::fmt::Display>(&mut self, what: impl Fn() -> String, result: Result<(), E>) {
        if let Err(error) = result {
            self.0.push(NotRestored {
                what: what(),
                reason: error.to_string(),
            });
        }
    }
}
