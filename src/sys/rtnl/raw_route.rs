//! Routes out of a device as the kernel told them, and giving them back.
//!
//! Multipath routes, encapsulations, metrics and preferred sources are kept
//! whole; only the device is written anew, in `RTA_OIF` and in every next hop
//! of `RTA_MULTIPATH`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use nix::libc;
use rtnetlink::packet_core::{NLM_F_APPEND, NLM_F_CREATE};
use serde::{Deserialize, Serialize};

use super::object::{Object, address_of, number_of};

/// struct rtmsg: family, two prefix lengths, TOS, table, protocol, scope, type,
/// flags (include/uapi/linux/rtnetlink.h).
pub(super) const HEADER_BYTES: usize = 12;
const DESTINATION_LENGTH: usize = 1;
const TOS: usize = 3;
const TABLE: usize = 4;
const PROTOCOL: usize = 5;
const TYPE: usize = 7;
const FLAGS: usize = 8;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_IIF: u16 = 3;
pub(super) const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
const RTA_CACHEINFO: u16 = 12;
pub(super) const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_ENCAP_TYPE: u16 = 21;
const RTA_ENCAP: u16 = 22;
pub(super) const RTA_EXPIRES: u16 = 23;
const RTA_PAD: u16 = 24;
const RTA_NH_ID: u16 = 30;

const RT_TABLE_MAIN: u32 = 254;
pub(super) const RT_TABLE_LOCAL: u32 = 255;
const RTPROT_KERNEL: u8 = 2;
const RTPROT_RA: u8 = 9;
const RTPROT_DHCP: u8 = 16;
const RTN_UNICAST: u8 = 1;
const RTN_LOCAL: u8 = 2;
const RTN_MULTICAST: u8 = 5;
/// The one flag that is a wish; the others tell of a state.
const RTNH_F_ONLINK: u8 = 4;
/// Clock ticks of user space a second (`USER_HZ`).
const TICKS: u32 = 100;
/// struct rtnexthop: length, flags, weight, index.
const NEXTHOP_BYTES: usize = 8;

/// A route, whole, as it can be told to the kernel again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawRoute(pub(super) Object);

/// What two routes have in common of which the kernel uses the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rank {
    family: u8,
    table: u32,
    destination: Option<Vec<u8>>,
    destination_length: u8,
    source: Option<Vec<u8>>,
    tos: u8,
    metric: u32,
    /// IPv6 replaces a route with a gateway only by another one.
    has_gateway: bool,
}

impl RawRoute {
    /// Leaves out what tells of a state, and turns a moment into a time.
    pub(super) fn of(mut told: Object) -> Self {
        told.set_header(FLAGS, &[told.byte(FLAGS) & RTNH_F_ONLINK, 0, 0, 0]);
        // struct rta_cacheinfo: the third number is when it ends, in ticks.
        let expires = told.value(RTA_CACHEINFO).and_then(|told| told.get(8..));
        let expires = expires.map_or(0, number_of).cast_signed();
        if expires > 0 {
            let seconds = expires.unsigned_abs().div_ceil(TICKS);
            told.set(RTA_EXPIRES, &seconds.to_ne_bytes());
        }
        if let Some(hops) = told.value(RTA_MULTIPATH) {
            let hops = hops_with(hops, |hop| {
                if let Some(flags) = hop.get_mut(2) {
                    *flags &= RTNH_F_ONLINK;
                }
            });
            told.set(RTA_MULTIPATH, &hops);
        }
        let by_object = told.value(RTA_NH_ID).is_some();
        told.keep(|kind| {
            let told_twice = [RTA_OIF, RTA_GATEWAY, RTA_VIA, RTA_MULTIPATH];
            let told_twice =
                told_twice.contains(&kind) || [RTA_ENCAP, RTA_ENCAP_TYPE].contains(&kind);
            !(matches!(kind, RTA_CACHEINFO | RTA_IIF | RTA_PAD) || by_object && told_twice)
        });
        Self(told)
    }

    /// Whether it belongs to IPv6.
    pub fn is_v6(&self) -> bool {
        i32::from(self.0.byte(0)) == libc::AF_INET6
    }

    /// Whether everything goes by it.
    pub fn is_default(&self) -> bool {
        self.0.byte(DESTINATION_LENGTH) == 0 && self.0.byte(TYPE) == RTN_UNICAST
    }

    /// Where it leads to.
    pub fn destination(&self) -> Option<IpNet> {
        let zero: IpAddr = if self.is_v6() {
            Ipv6Addr::UNSPECIFIED.into()
        } else {
            Ipv4Addr::UNSPECIFIED.into()
        };
        let address = self.0.value(RTA_DST).map_or(Some(zero), address_of)?;
        IpNet::new(address, self.0.byte(DESTINATION_LENGTH)).ok()
    }

    /// Its metric; `None` is the kernel's default.
    pub fn metric(&self) -> Option<u32> {
        self.0.value_number(RTA_PRIORITY)
    }

    /// Whether the next hop is on the link although no prefix says so.
    pub fn is_onlink(&self) -> bool {
        self.0.byte(FLAGS) & RTNH_F_ONLINK != 0
    }

    /// The address that packets leave with, where it is given.
    pub fn source(&self) -> Option<IpAddr> {
        address_of(self.0.value(RTA_PREFSRC)?)
    }

    /// Whether it says no more than what the accessors of this type tell.
    pub fn is_plain(&self) -> bool {
        let more = [
            RTA_MULTIPATH,
            RTA_VIA,
            RTA_ENCAP,
            RTA_NH_ID,
            RTA_METRICS,
            RTA_SRC,
        ];
        self.0.byte(TYPE) == RTN_UNICAST && !more.iter().any(|kind| self.0.value(*kind).is_some())
    }

    /// Whether it ends by itself.
    pub fn is_finite(&self) -> bool {
        self.0.value(RTA_EXPIRES).is_some()
    }

    /// Its next hop, where there is exactly one and it is of the same family.
    pub fn gateway(&self) -> Option<IpAddr> {
        address_of(self.0.value(RTA_GATEWAY)?)
    }

    /// The nexthop object that it goes by.
    pub fn nexthop(&self) -> Option<u32> {
        self.0.value_number(RTA_NH_ID)
    }

    /// The table that it is in.
    pub fn table(&self) -> u32 {
        let short = u32::from(self.0.byte(TABLE));
        self.0.value_number(RTA_TABLE).unwrap_or(short)
    }

    /// Whether the kernel made it, for an address or for the device itself.
    pub fn is_kernels(&self) -> bool {
        self.0.byte(PROTOCOL) == RTPROT_KERNEL
    }

    /// Whether it says who is on the link itself, which the next hops of other
    /// routes and of nexthop objects are looked up in (`fib_check_nh`).
    pub fn is_on_link(&self) -> bool {
        let through = [RTA_GATEWAY, RTA_VIA, RTA_MULTIPATH, RTA_NH_ID];
        !through.iter().any(|kind| self.0.value(*kind).is_some())
    }

    /// Whether a DHCP client made it.
    pub fn is_leased(&self) -> bool {
        self.0.byte(PROTOCOL) == RTPROT_DHCP
    }

    /// Whether a router advertised it.
    pub fn is_advertised(&self) -> bool {
        self.is_v6() && self.0.byte(PROTOCOL) == RTPROT_RA
    }

    /// The same with a worse metric.
    pub fn outranked(&self) -> Self {
        let metric = self.0.value_number(RTA_PRIORITY).unwrap_or(0);
        let mut worse = self.clone();
        let metric = metric.saturating_add(1).to_ne_bytes();
        worse.0.set(RTA_PRIORITY, &metric);
        worse
    }

    /// Whether it is in the kernel's own table, and comes and goes with an
    /// address: to oneself, to a broadcast or an anycast address.
    pub(super) fn is_part_of_an_address(&self) -> bool {
        self.is_kernels() && self.table() == RT_TABLE_LOCAL && self.0.byte(TYPE) != RTN_MULTICAST
    }

    /// Whether it leads to an address of the host itself.
    pub(super) fn is_to_oneself(&self) -> bool {
        self.0.byte(TYPE) == RTN_LOCAL
    }

    /// The same route `seconds` later; `None` when it has ended by then.
    pub fn aged(&self, seconds: u64) -> Option<Self> {
        let Some(left) = self.0.value_number(RTA_EXPIRES) else {
            return Some(self.clone());
        };
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        let left = left.checked_sub(seconds).filter(|left| *left > 0)?;
        let mut aged = self.clone();
        aged.0.set(RTA_EXPIRES, &left.to_ne_bytes());
        Some(aged)
    }

    /// The same route out of the device `to` wherever it went out of `from`.
    pub fn on(&self, from: u32, to: u32) -> Self {
        let mut moved = self.clone();
        if self.0.value_number(RTA_OIF) == Some(from) {
            moved.0.set(RTA_OIF, &to.to_ne_bytes());
        }
        if let Some(hops) = self.0.value(RTA_MULTIPATH) {
            let hops = hops_with(hops, |hop| {
                if hop.get(4..).map(number_of) == Some(from) {
                    let index = hop.iter_mut().skip(4);
                    index
                        .zip(to.to_ne_bytes())
                        .for_each(|(to, from)| *to = from);
                }
            });
            moved.0.set(RTA_MULTIPATH, &hops);
        }
        moved
    }

    /// Whether it is `other`, however long each still lasts.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let lasting = |route: &Self| {
            let mut object = route.0.clone();
            object.keep(|kind| kind != RTA_EXPIRES);
            object
        };
        lasting(self) == lasting(other)
    }

    pub(super) fn rank(&self) -> Rank {
        Rank {
            family: self.0.byte(0),
            table: self.table(),
            destination: self.0.value(RTA_DST).map(<[u8]>::to_vec),
            destination_length: self.0.byte(DESTINATION_LENGTH),
            source: self.0.value(RTA_SRC).map(<[u8]>::to_vec),
            tos: self.0.byte(TOS),
            metric: self.0.value_number(RTA_PRIORITY).unwrap_or(0),
            has_gateway: self.is_v6()
                && (self.gateway().is_some() || self.0.value(RTA_MULTIPATH).is_some()),
        }
    }

    pub(super) fn create_flags(&self) -> u16 {
        if self.is_v6() {
            NLM_F_CREATE
        } else {
            // Behind those of the same rank, so that a list keeps its order.
            NLM_F_CREATE | NLM_F_APPEND
        }
    }
}

/// `RTA_MULTIPATH` with every struct rtnexthop changed by `change`.
fn hops_with(hops: &[u8], change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut changed = hops.to_vec();
    let mut rest = changed.as_mut_slice();
    while let Some(length) = rest.first_chunk().copied().map(u16::from_ne_bytes) {
        let whole = usize::from(length).next_multiple_of(4);
        if usize::from(length) < NEXTHOP_BYTES || whole > rest.len() {
            break;
        }
        let (hop, others) = rest.split_at_mut(whole);
        change(hop);
        rest = others;
    }
    changed
}

impl fmt::Display for RawRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.destination() {
            Some(destination) if destination.prefix_len() > 0 => write!(f, "{destination}")?,
            Some(_) | None if self.is_v6() => f.write_str("default (IPv6)")?,
            Some(_) | None => f.write_str("default")?,
        }
        if let Some(gateway) = self.gateway() {
            write!(f, " via {gateway}")?;
        }
        if self.0.value(RTA_MULTIPATH).is_some() {
            f.write_str(" by several next hops")?;
        }
        if let Some(id) = self.nexthop() {
            write!(f, " by nexthop {id}")?;
        }
        if let Some(source) = self.source() {
            write!(f, " from {source}")?;
        }
        if let Some(metric) = self.metric() {
            write!(f, " metric {metric}")?;
        }
        match self.table() {
            RT_TABLE_MAIN => Ok(()),
            RT_TABLE_LOCAL => f.write_str(" in table local"),
            table => write!(f, " in table {table}"),
        }
    }
}
