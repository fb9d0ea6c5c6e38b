//! Addresses of a device as the kernel told them, and giving them back.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use nix::libc;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use serde::{Deserialize, Serialize};

use super::object::{Object, address_of, number_of};
use super::replay::{RTM_DELADDR, RTM_GETADDR, RTM_NEWADDR};
use super::{Rtnl, RtnlError};

/// struct ifaddrmsg: family, prefix length, flags, scope, index
/// (include/uapi/linux/if_addr.h).
const HEADER_BYTES: usize = 8;
const PREFIX_LENGTH: usize = 1;
const FLAGS: usize = 2;
const SCOPE: usize = 3;
const INDEX: usize = 4;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const IFA_RT_PRIORITY: u16 = 9;
const IFA_PROTO: u16 = 11;

const IFA_F_NODAD: u32 = 0x02;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_DEPRECATED: u32 = 0x20;
const IFA_F_TENTATIVE: u32 = 0x40;
const IFA_F_HOMEADDRESS: u32 = 0x10;
const IFA_F_PERMANENT: u32 = 0x80;
const IFA_F_MANAGETEMPADDR: u32 = 0x100;
const IFA_F_NOPREFIXROUTE: u32 = 0x200;
const IFA_F_MCAUTOJOIN: u32 = 0x400;
/// What can be wished; the other flags tell of a state.
const WISHES: u32 =
    IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN;
/// A lifetime without end (`INFINITY_LIFE_TIME`).
const FOREVER: u32 = u32::MAX;
/// Longest label (`IFNAMSIZ` less the final zero).
const MAX_LABEL: usize = 15;

/// An address of a device, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawAddress(Object);

/// How long an address of the device will still be there, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// For new connections; `None` is for ever.
    pub preferred: Option<u32>,
    /// At all; `None` is for ever.
    pub valid: Option<u32>,
}

impl RawAddress {
    /// Leaves out when it was made and last changed.
    fn of(told: Object) -> Self {
        let raw = Self(told);
        raw.aged(0).unwrap_or(raw)
    }

    /// The address itself; the nearer one where there is a peer.
    pub fn address(&self) -> Option<IpAddr> {
        let value = self.0.value(IFA_LOCAL).or(self.0.value(IFA_ADDRESS));
        address_of(value?)
    }

    /// Length of its prefix in bits.
    pub fn prefix_length(&self) -> u8 {
        self.0.byte(PREFIX_LENGTH)
    }

    /// The network that the kernel makes a route to for its sake: that of the
    /// peer where there is one.
    pub fn network(&self) -> Option<IpNet> {
        let address = address_of(self.0.value(IFA_ADDRESS)?)?;
        let network = IpNet::new(address, self.prefix_length()).ok()?;
        Some(network.trunc())
    }

    /// Whether it belongs to IPv6.
    pub fn is_v6(&self) -> bool {
        i32::from(self.0.byte(0)) == libc::AF_INET6
    }

    /// Whether it is valid on its link only: in fe80::/10 or 169.254.0.0/16.
    pub fn is_link_local(&self) -> bool {
        match self.address() {
            Some(IpAddr::V4(address)) => address.is_link_local(),
            Some(IpAddr::V6(address)) => address.is_unicast_link_local(),
            None => false,
        }
    }

    fn flags(&self) -> u32 {
        let short = u32::from(self.0.byte(FLAGS));
        self.0.value_number(IFA_FLAGS).unwrap_or(short)
    }

    /// Whether new connections may use it: the kernel looks for no other host
    /// that has it, found none, and its preferred time is not over.
    pub fn is_usable(&self) -> bool {
        self.flags() & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED) == 0
    }

    /// Whether the kernel found another host with it.
    pub fn is_duplicate(&self) -> bool {
        self.flags() & IFA_F_DADFAILED != 0
    }

    /// Its lifetimes as they were when it was told.
    pub fn lifetimes(&self) -> Lifetimes {
        let told = self.0.value(IFA_CACHEINFO);
        let at = |place: usize| {
            let seconds = told.and_then(|told| told.get(place..)).map(number_of);
            seconds.filter(|seconds| *seconds != FOREVER)
        };
        // struct ifa_cacheinfo: preferred, valid, and two moments.
        Lifetimes {
            preferred: at(0),
            valid: at(4),
        }
    }

    /// Whether it ends by itself, unless somebody renews it.
    pub fn is_finite(&self) -> bool {
        self.flags() & IFA_F_PERMANENT == 0 && self.lifetimes().valid.is_some()
    }

    /// Whether it is `other`, whatever is told of it besides.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let same = |kind| self.0.value(kind) == other.0.value(kind);
        let at = |place| self.0.byte(place) == other.0.byte(place);
        self.0.number(INDEX) == other.0.number(INDEX)
            && at(0)
            && at(PREFIX_LENGTH)
            && same(IFA_ADDRESS)
            && same(IFA_LOCAL)
    }

    /// The same address `seconds` later; `None` when it has ended by then.
    pub fn aged(&self, seconds: u64) -> Option<Self> {
        let Lifetimes { preferred, valid } = self.lifetimes();
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        let valid = match valid {
            Some(valid) => valid.checked_sub(seconds).filter(|left| *left > 0)?,
            None => FOREVER,
        };
        let preferred = preferred.map_or(FOREVER, |left| left.saturating_sub(seconds));
        let mut aged = self.clone();
        let mut told = [0; 16];
        let numbers = [preferred, valid].into_iter().flat_map(u32::to_ne_bytes);
        told.iter_mut()
            .zip(numbers)
            .for_each(|(to, from)| *to = from);
        aged.0.set(IFA_CACHEINFO, &told);
        Some(aged)
    }

    /// The same address for another device. A label that begins with the name of
    /// the former device begins with that of the new one.
    pub fn on(&self, ifindex: u32, former: &str, name: &str) -> Self {
        let mut moved = self.clone();
        moved.0.set_header(INDEX, &ifindex.to_ne_bytes());
        if let Some(label) = self.0.value_text(IFA_LABEL) {
            let rest = label.strip_prefix(former);
            let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with(':'));
            let label = rest.map_or(label.clone(), |rest| format!("{name}{rest}"));
            let label = if label.len() > MAX_LABEL {
                name
            } else {
                &label
            };
            moved.0.set_text(IFA_LABEL, label);
        }
        moved
    }

    /// As it is told to the kernel: wishes only, and with `more` of them.
    fn wish(&self, more: u32) -> Object {
        let mut wish = self.0.clone();
        let flags = self.flags() & WISHES | more;
        wish.set_header(FLAGS, &[flags.to_ne_bytes()[0]]);
        wish.set(IFA_FLAGS, &flags.to_ne_bytes());
        wish.keep(|kind| {
            let told = [IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_BROADCAST];
            let more = [IFA_CACHEINFO, IFA_FLAGS, IFA_RT_PRIORITY, IFA_PROTO];
            told.contains(&kind) || more.contains(&kind)
        });
        wish
    }
}

impl fmt::Display for RawAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Some(address) => write!(f, "{address}/{}", self.prefix_length())?,
            None => f.write_str("an address of no known family")?,
        }
        // include/uapi/linux/rtnetlink.h: 0 is the universe.
        match self.0.byte(SCOPE) {
            253 => f.write_str(" scope link"),
            254 => f.write_str(" scope host"),
            0 => Ok(()),
            other => write!(f, " scope {other}"),
        }
    }
}

impl Rtnl {
    /// The addresses of a device, IPv4's first, in the kernel's order.
    pub async fn addresses_of(&self, ifindex: u32) -> Result<Vec<RawAddress>, RtnlError> {
        let mut addresses = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            let mut filter = Object::new(&[0; HEADER_BYTES]);
            filter.set_header(0, &[u8::try_from(family).unwrap_or(0)]);
            filter.set_header(INDEX, &ifindex.to_ne_bytes());
            let listed = self.list(RTM_GETADDR, &filter, HEADER_BYTES).await?;
            // IPv6 told of all devices before Linux 4.20.
            let ours = listed.into_iter().filter(|a| a.number(INDEX) == ifindex);
            addresses.extend(ours.map(RawAddress::of));
        }
        Ok(addresses)
    }

    /// Gives a device an address, or makes the one that it has be like this. An
    /// IPv6 address is usable at once: it was in use a moment ago, by us.
    pub async fn put_address(&self, address: &RawAddress) -> Result<(), RtnlError> {
        if !address.is_v6() {
            let flags = NLM_F_CREATE | NLM_F_REPLACE;
            return self.tell(RTM_NEWADDR, &address.wish(0), flags, &[]).await;
        }
        let known = address.wish(IFA_F_NODAD);
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        self.tell(RTM_NEWADDR, &known, flags, &[libc::EEXIST])
            .await?;
        // Its own flags, now that nothing is to be detected any more: a change
        // does not begin anew (`inet6_addr_modify`).
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        self.tell(RTM_NEWADDR, &address.wish(0), flags, &[]).await
    }

    /// Takes an address from a device, if it has it.
    pub async fn drop_address(&self, address: &RawAddress) -> Result<(), RtnlError> {
        let mut wish = address.0.clone();
        wish.set_header(FLAGS, &[0]);
        wish.keep(|kind| [IFA_ADDRESS, IFA_LOCAL].contains(&kind));
        let fine = [libc::EADDRNOTAVAIL, libc::ENODEV];
        self.tell(RTM_DELADDR, &wish, 0, &fine).await
    }
}
