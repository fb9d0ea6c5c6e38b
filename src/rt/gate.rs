//! What becomes of frames on their way through a device of ours: which of them
//! pass, and where they go.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::request::{IfName, MacAddr, Trunk};

/// Which way frames go, seen from the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hook {
    /// They come in: on the host's end, what the container sent.
    Ingress,
    /// They go out: on the host's end, what the container is to get.
    Egress,
}

/// A device that frames leave by and come back from, so that what comes in can
/// wait like what goes out (drivers/net/ifb.c).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ifb {
    /// The index that it shall have.
    pub ifindex: u32,
    /// Its name.
    pub name: IfName,
}

/// Flags of a port of a Linux bridge; what is `false` stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortFlags {
    /// No traffic with other isolated ports (`IFLA_BRPORT_ISOLATED`).
    pub isolated: bool,
    /// Frames may leave by the port that they came from
    /// (`IFLA_BRPORT_MODE`).
    pub hairpin: bool,
}

impl fmt::Display for PortFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.isolated, self.hairpin) {
            (true, true) => "an isolated hairpin port",
            (true, false) => "an isolated port",
            (false, true) => "a hairpin port",
            (false, false) => "a port as others",
        })
    }
}

/// What becomes of the frames of one direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Which of them pass; `None`: all.
    pub guard: Option<Guard>,
    /// The device of the same namespace that they leave by, to come back
    /// afterwards; `None`: they go on.
    pub redirect: Option<u32>,
}

/// What a container may send: from its own addresses, and nothing that only
/// routers, DHCP servers and switches send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// The only hardware address that its frames come from.
    pub mac: MacAddr,
    /// The IPv4 addresses that its packets come from, and that it answers for.
    pub ipv4: Sources<Ipv4Addr>,
    /// The same for IPv6. That of the link derived from the MAC is always
    /// among them.
    pub ipv6: Sources<Ipv6Addr>,
    /// It may ask for an address without having one (RFC 2131 §4.1).
    pub asks_for_lease: bool,
    /// The VLANs whose tagged frames pass. What is in them is judged by
    /// hardware address and kind only: the addresses there are not known.
    pub tagged: Option<Trunk>,
}

/// Where packets of one family may come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sources<A> {
    /// Anywhere: the workload has its own addressing.
    Any,
    /// From these only, and none of this family if the list is empty.
    Only(Vec<A>),
}

/// `BPF_MAXINSNS`: the longest program that the kernel takes.
const MOST_INSTRUCTIONS: usize = 4096;
/// What a guard without addresses takes at most, with and without tags.
const LEAST_INSTRUCTIONS: usize = 900;

impl Guard {
    /// Whether its program is one that the kernel takes, by what each address
    /// and each range of tags adds to it (`sys::rtnl::tc::guard`).
    pub fn fits(&self) -> bool {
        let [v4, v6, ranges] = [
            self.ipv4.count(),
            self.ipv6.count(),
            self.tagged.as_ref().map_or(0, |trunk| trunk.ranges().len()),
        ];
        let length = LEAST_INSTRUCTIONS + 6 * v4 + 26 * v6 + 4 * ranges;
        length <= MOST_INSTRUCTIONS
    }

    /// The address of the link that the kernel derives from the MAC
    /// (RFC 4291 appendix A), without any that is made otherwise.
    pub fn link_local(&self) -> Ipv6Addr {
        let [a, b, c, d, e, f] = self.mac.octets();
        let pair = |high: u8, low: u8| u16::from_be_bytes([high, low]);
        let interface = [pair(a ^ 0x02, b), pair(c, 0xff), pair(0xfe, d), pair(e, f)];
        let [w, x, y, z] = interface;
        Ipv6Addr::new(0xfe80, 0, 0, 0, w, x, y, z)
    }
}

impl<A> Sources<A> {
    /// How many addresses are listed.
    fn count(&self) -> usize {
        match self {
            Self::Any => 0,
            Self::Only(addresses) => addresses.len(),
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mac,
            ipv4,
            ipv6,
            asks_for_lease: _,
            tagged,
        } = self;
        write!(f, "what {mac} sends")?;
        let from: Vec<String> = ipv4.texts().into_iter().chain(ipv6.texts()).collect();
        if !from.is_empty() {
            write!(f, " from {}", from.join(", "))?;
        }
        match tagged {
            Some(trunk) => write!(f, ", or tagged {trunk}"),
            None => Ok(()),
        }
    }
}

impl<A: fmt::Display> Sources<A> {
    fn texts(&self) -> Vec<String> {
        match self {
            Self::Any => Vec::new(),
            Self::Only(addresses) => addresses.iter().map(A::to_string).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_link_is_that_of_the_mac() {
        let guard = Guard {
            mac: "02:42:ac:11:00:02".parse().unwrap(),
            ipv4: Sources::Any,
            ipv6: Sources::Any,
            asks_for_lease: false,
            tagged: None,
        };
        assert_eq!(guard.link_local().to_string(), "fe80::42:acff:fe11:2");
    }
}
