//! Neighbours of a device, as the kernel told them: addresses on the link with
//! the hardware addresses that they were last seen at.

use std::fmt;

use nix::libc;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use serde::{Deserialize, Serialize};

use super::object::{Object, address_of};
use super::replay::{RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH};
use super::{Rtnl, RtnlError};
use crate::request::NeighbourEntry;
use crate::rt::Neighbour;

/// struct ndmsg: family, three unused, index, state, flags, type
/// (include/uapi/linux/neighbour.h).
const HEADER_BYTES: usize = 12;
const INDEX: usize = 4;
const STATE: usize = 8;
const FLAGS: usize = 10;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NDA_IFINDEX: u16 = 8;
const NDA_PROTOCOL: u16 = 12;
const NDA_FLAGS_EXT: u16 = 15;
const NUD_REACHABLE: u8 = 0x02;
const NUD_STALE: u8 = 0x04;
const NUD_DELAY: u8 = 0x08;
const NUD_PROBE: u8 = 0x10;
const NUD_PERMANENT: u8 = 0x80;
const NTF_PROXY: u8 = 0x08;

/// A neighbour, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawNeighbour(Object);

impl RawNeighbour {
    /// Leaves out what counts its uses.
    fn of(mut told: Object) -> Self {
        told.keep(|kind| [NDA_DST, NDA_LLADDR, NDA_PROTOCOL, NDA_FLAGS_EXT].contains(&kind));
        Self(told)
    }

    /// Whether somebody wrote it down, where the others were learned.
    pub fn is_permanent(&self) -> bool {
        self.is_proxy() || self.0.byte(STATE) & NUD_PERMANENT != 0
    }

    /// Whether it is an address that the host answers for in the name of
    /// another.
    pub fn is_proxy(&self) -> bool {
        self.0.byte(FLAGS) & NTF_PROXY != 0
    }

    /// Whether it says what `entry` does.
    pub fn is(&self, entry: &Neighbour) -> bool {
        let is_of_it = self.0.value(NDA_DST).and_then(address_of) == Some(entry.address);
        let says_it = match entry.entry {
            NeighbourEntry::Proxy => self.is_proxy(),
            NeighbourEntry::Permanent(mac) => {
                let is_its = self.0.value(NDA_LLADDR) == Some(&mac.octets()[..]);
                is_its && self.is_permanent() && !self.is_proxy()
            }
        };
        is_of_it && says_it
    }

    fn is_known(&self) -> bool {
        let known = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
        self.is_proxy() || self.0.byte(STATE) & known != 0
    }

    /// The same neighbour of another device.
    pub fn on(&self, ifindex: u32) -> Self {
        let mut moved = self.clone();
        moved.0.set_header(INDEX, &ifindex.to_ne_bytes());
        moved
    }

    /// As it is told to the kernel: what was learned is used at once, and asked
    /// for while it is (RFC 4861 §7.3.2, state stale).
    fn wish(&self) -> Object {
        let mut wish = self.0.clone();
        if !self.is_permanent() {
            wish.set_header(STATE, &[NUD_STALE, 0]);
        }
        wish
    }
}

impl fmt::Display for RawNeighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.value(NDA_DST).and_then(address_of) {
            Some(address) => write!(f, "{address}"),
            None => f.write_str("of no known family"),
        }
    }
}

impl Rtnl {
    /// The neighbours of a device whose hardware address is known, and the
    /// addresses that it answers for.
    pub async fn neighbours_of(&self, ifindex: u32) -> Result<Vec<RawNeighbour>, RtnlError> {
        let mut neighbours = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            for flags in [0, NTF_PROXY] {
                let mut filter = Object::new(&[0; HEADER_BYTES]);
                filter.set_header(0, &[u8::try_from(family).unwrap_or(0)]);
                filter.set_header(FLAGS, &[flags]);
                filter.set(NDA_IFINDEX, &ifindex.to_ne_bytes());
                let listed = self.list(RTM_GETNEIGH, &filter, HEADER_BYTES).await?;
                let ours = listed.into_iter().filter(|n| n.number(INDEX) == ifindex);
                neighbours.extend(ours.map(RawNeighbour::of));
            }
        }
        neighbours.retain(RawNeighbour::is_known);
        Ok(neighbours)
    }

    /// Makes a device know a neighbour.
    pub async fn put_neighbour(&self, neighbour: &RawNeighbour) -> Result<(), RtnlError> {
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        self.tell(RTM_NEWNEIGH, &neighbour.wish(), flags, &[]).await
    }

    /// Makes a device forget a neighbour.
    pub async fn drop_neighbour(&self, neighbour: &RawNeighbour) -> Result<(), RtnlError> {
        let mut wish = neighbour.0.clone();
        wish.keep(|kind| kind == NDA_DST);
        let fine = [libc::ENOENT, libc::ENODEV];
        self.tell(RTM_DELNEIGH, &wish, 0, &fine).await
    }
}
