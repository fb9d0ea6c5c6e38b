//! Router advertisements as a raw ICMPv6 socket hears them (RFC 4861 §4.2):
//! whether there is a router, what it leaves to DHCPv6, which name servers it
//! knows (RFC 8106).
//!
//! The kernel takes addresses and routes from them by itself, and tells nobody
//! of the rest. The socket costs nothing to close, unlike a packet socket.

use std::io::{self, IoSliceMut};
use std::net::Ipv6Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::sockopt::{BindToDevice, Ipv6RecvHopLimit};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6,
    recvmsg, setsockopt, socket,
};

use super::netns::Netns;
use super::raw;
use crate::request::IfName;
use crate::request::dns::is_domain;

/// RFC 4861 §6.1.2: another hop limit comes from beyond the link.
const HOP_LIMIT: i32 = 255;
const ADVERTISEMENT: u8 = 134;
/// What stands before the options.
const FIXED_BYTES: usize = 16;
const MANAGED: u8 = 0x80;
const OTHER: u8 = 0x40;
const PREFIX: u8 = 3;
/// In a prefix: addresses may be made of it.
const AUTONOMOUS: u8 = 0x40;
const DNS_SERVERS: u8 = 25;
const SEARCH_DOMAINS: u8 = 31;
/// A link has an MTU of 1500 where there is a reason for it to be small; a
/// longer advertisement is cut, and what is left of it read.
const MOST_BYTES: usize = 9000;

/// What a router says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterAdvertisement {
    /// Who.
    pub router: Ipv6Addr,
    /// M: addresses come from DHCPv6.
    pub managed: bool,
    /// O: everything else does.
    pub other: bool,
    /// Seconds for which it is a default router; 0 is never.
    pub lifetime: u16,
    /// It has a prefix to make addresses of, whose time is not over.
    pub has_prefix: bool,
    /// Name servers whose time is not over.
    pub dns: Vec<Ipv6Addr>,
    /// Search domains whose time is not over.
    pub search: Vec<String>,
}

/// A socket that hears one interface's routers.
#[derive(Debug)]
pub struct RouterSocket(OwnedFd);

/// Messages of others that are passed over at once: whoever floods the link must
/// not keep us from looking at the clock.
const MOST_OTHERS: usize = 64;

impl RouterSocket {
    /// Opens it in `netns`, where it stays. The interface may be down.
    pub fn open_in(netns: &Netns, home: &Netns, ifname: &IfName) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        netns.inside(home, || {
            let icmp = SockProtocol::IcmpV6;
            let fd = socket(AddressFamily::Inet6, SockType::Raw, flags, icmp)?;
            setsockopt(&fd, BindToDevice, &ifname.as_str().into())?;
            setsockopt(&fd, Ipv6RecvHopLimit, &true)?;
            // What came in before is sorted out by `read`.
            raw::hear_icmpv6_only(&fd, ADVERTISEMENT)?;
            Ok(Self(fd))
        })?
    }

    /// The next advertisement that is there; `None` when there is none.
    pub fn receive_now(&self) -> io::Result<Option<RouterAdvertisement>> {
        let mut bytes = vec![0; MOST_BYTES];
        for _ in 0..MOST_OTHERS {
            let mut space = nix::cmsg_space!(i32);
            let mut parts = [IoSliceMut::new(&mut bytes)];
            let heard = recvmsg::<SockaddrIn6>(
                self.0.as_raw_fd(),
                &mut parts,
                Some(&mut space),
                MsgFlags::empty(),
            );
            let heard = match heard {
                Ok(heard) => heard,
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => return Ok(None),
                // The interface is down, for now.
                Err(Errno::ENETDOWN) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            };
            let is_near = heard.cmsgs()?.any(|message| {
                matches!(message, ControlMessageOwned::Ipv6HopLimit(limit) if limit == HOP_LIMIT)
            });
            let router = heard.address.map(|from| from.ip());
            let length = heard.bytes;
            let router = router.filter(|router| is_near && router.is_unicast_link_local());
            let said = bytes.get(..length).unwrap_or_default();
            if let Some(said) = router.and_then(|router| read(said, router)) {
                return Ok(Some(said));
            }
        }
        Ok(None)
    }
}

impl AsFd for RouterSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Reads a message; `None` when it is no advertisement, or breaks the rules for
/// one (RFC 4861 §6.1.2).
fn read(bytes: &[u8], router: Ipv6Addr) -> Option<RouterAdvertisement> {
    let (fixed, mut options) = bytes.split_first_chunk::<FIXED_BYTES>()?;
    let [kind, code, _, _, _, flags, high, low, ..] = *fixed;
    if (kind, code) != (ADVERTISEMENT, 0) {
        return None;
    }
    let mut said = RouterAdvertisement {
        router,
        managed: flags & MANAGED != 0,
        other: flags & OTHER != 0,
        lifetime: u16::from_be_bytes([high, low]),
        has_prefix: false,
        dns: Vec::new(),
        search: Vec::new(),
    };
    while let [kind, eights, ..] = options {
        let length = usize::from(*eights) * 8;
        let (option, rest) = options.split_at_checked(length).filter(|_| length > 0)?;
        said.take(*kind, option.get(2..)?);
        options = rest;
    }
    Some(said)
}

impl RouterAdvertisement {
    /// One option, behind its type and length.
    fn take(&mut self, kind: u8, value: &[u8]) {
        // Both lists: two bytes of nothing, then how long they hold.
        let list = |value: &[u8]| {
            let (lifetime, list) = value.get(2..)?.split_first_chunk::<4>()?;
            (u32::from_be_bytes(*lifetime) > 0).then(|| list.to_vec())
        };
        match kind {
            // Prefix length, flags, how long it holds.
            PREFIX => {
                let is_usable = |[_, flags, valid @ ..]: &[u8; 6]| {
                    flags & AUTONOMOUS != 0 && u32::from_be_bytes(*valid) > 0
                };
                self.has_prefix |= value.first_chunk().is_some_and(is_usable);
            }
            DNS_SERVERS => {
                let list = list(value).unwrap_or_default();
                let servers = list.as_chunks::<16>().0.iter();
                let servers = servers.map(|bytes| Ipv6Addr::from(*bytes));
                let is_odd =
                    |a: &Ipv6Addr| a.is_unspecified() || a.is_multicast() || a.is_loopback();
                self.dns.extend(servers.filter(|server| !is_odd(server)));
            }
            SEARCH_DOMAINS => self
                .search
                .extend(domains(&list(value).unwrap_or_default())),
            _ => {}
        }
    }
}

/// Names as labels with their lengths, never compressed, zeros behind them
/// (RFC 8106 §5.2). What could break a file is no name.
fn domains(mut bytes: &[u8]) -> Vec<String> {
    let mut domains = Vec::new();
    let mut name = String::new();
    while let Some((length, rest)) = bytes.split_first() {
        let Some((label, rest)) = rest.split_at_checked((*length).into()) else {
            break;
        };
        if label.is_empty() {
            if is_domain(&name) {
                domains.push(std::mem::take(&mut name));
            }
            name.clear();
        } else {
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(&String::from_utf8_lossy(label));
        }
        bytes = rest;
    }
    domains
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

    fn advertisement(flags: u8, options: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![134, 0, 0, 0, 64, flags, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
        for option in options {
            bytes.extend(*option);
        }
        bytes
    }

    fn prefix(flags: u8, valid: u32) -> Vec<u8> {
        let mut option = vec![3, 4, 64, flags];
        option.extend(valid.to_be_bytes());
        option.extend([0; 24]);
        option
    }

    #[test]
    fn flags_prefixes_and_name_servers_are_read() {
        let mut dns = vec![25, 3, 0, 0, 0, 0, 1, 0];
        dns.extend(ROUTER.octets());
        let search = *b"\x1f\x02\0\0\0\0\x01\0\x03lan\0\0\0\0";
        let bytes = advertisement(0xc0, &[&prefix(0xc0, 60), &dns, &search]);
        let said = read(&bytes, ROUTER).unwrap();
        assert!(said.managed && said.other && said.has_prefix);
        assert_eq!((said.lifetime, said.dns.as_slice()), (0x708, &[ROUTER][..]));
        assert_eq!(said.search, ["lan"]);
    }

    #[test]
    fn what_holds_no_more_and_what_is_for_no_address_counts_for_nothing() {
        for prefix in [prefix(0xc0, 0), prefix(0x80, 60)] {
            let said = read(&advertisement(0, &[&prefix]), ROUTER).unwrap();
            assert!(!said.has_prefix);
        }
        let mut dns = vec![25, 3, 0, 0, 0, 0, 0, 0];
        dns.extend(ROUTER.octets());
        assert!(
            read(&advertisement(0, &[&dns]), ROUTER)
                .unwrap()
                .dns
                .is_empty()
        );
    }

    #[test]
    fn a_message_that_breaks_the_rules_is_none() {
        assert_eq!(read(&advertisement(0, &[])[..15], ROUTER), None);
        assert_eq!(read(&advertisement(0, &[&[3, 0]]), ROUTER), None);
        assert_eq!(read(&advertisement(0, &[&[3, 4, 64]]), ROUTER), None);
        let mut other = advertisement(0, &[]);
        other[0] = 133;
        assert_eq!(read(&other, ROUTER), None);
    }

    #[test]
    fn a_domain_that_could_break_a_file_is_none() {
        assert_eq!(domains(b"\x05a\nb.c\0\x02ok\0\0\0"), ["ok"]);
        assert!(domains(b"\x3fcut").is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, ROUTER);
            let mut whole = advertisement(0, &[]);
            whole.extend(bytes);
            let _ = read(&whole, ROUTER);
        }
    }
}
