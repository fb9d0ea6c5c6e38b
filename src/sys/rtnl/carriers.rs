//! Links whose carrier comes back, as the kernel tells it unasked
//! (rtnetlink(7), `RTNLGRP_LINK`).
//!
//! One socket for a namespace: whoever uses links in many others hears of them
//! by what of theirs is in this one, the other end of a pair or the card below.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::libc;
use rtnetlink::packet_core::NlasIterator;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};

/// Datagrams that are read before somebody else gets a turn.
const MOST_DATAGRAMS: usize = 256;
/// The kernel tells of one link in less than this (`if_nlmsg_size`).
const DATAGRAM_BYTES: usize = 1 << 15;
/// struct nlmsghdr, and struct ifinfomsg behind it.
const HEADER_BYTES: usize = 16;
/// What the kernel says has changed of a link that it has just made
/// (`register_netdevice`).
const EVERYTHING: u32 = u32::MAX;

/// What is known of a link that does not carry frames now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silent {
    /// It never did, so that nobody can have used it.
    New,
    /// It did.
    Lost,
}

/// A link that carries frames again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Back {
    /// Its index.
    pub ifindex: u32,
    /// The bridge or bond that it is a port of.
    pub controller: Option<u32>,
    /// The index of its other end or of what is below, where that is in another
    /// namespace.
    pub elsewhere: Option<u32>,
}

/// Listens for carriers in one namespace.
#[derive(Debug)]
pub struct Carriers {
    socket: Socket,
    heard: Heard,
}

/// The links that carry nothing now.
#[derive(Debug, Default)]
struct Heard(BTreeMap<u32, Silent>);

impl Carriers {
    /// Listens in the namespace that this thread is in, from now on.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        socket.add_membership(libc::RTNLGRP_LINK)?;
        let heard = Heard::default();
        Ok(Self { socket, heard })
    }

    /// The links that have come back since the last time of asking.
    ///
    /// `ENOBUFS` when the kernel could not tell all of them: those are lost, and
    /// what comes next is heard again.
    pub fn read(&mut self) -> io::Result<Vec<Back>> {
        let mut back = Vec::new();
        let mut buffer = Vec::with_capacity(DATAGRAM_BYTES);
        for _ in 0..MOST_DATAGRAMS {
            buffer.clear();
            match self.socket.recv(&mut buffer, libc::MSG_DONTWAIT) {
                Ok(_) => back.extend(self.heard.hear(&buffer)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.heard.0.clear();
                    return Err(e);
                }
            }
        }
        Ok(back)
    }
}

impl AsFd for Carriers {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Heard {
    fn hear(&mut self, datagram: &[u8]) -> Vec<Back> {
        let mut back = Vec::new();
        let mut rest = datagram;
        while let Some(length) = rest.get(..4).and_then(|four| four.try_into().ok()) {
            let length = u32::from_ne_bytes(length) as usize;
            let Some(message) = rest.get(..length.max(HEADER_BYTES)) else {
                break;
            };
            let kind = message.get(4..6).and_then(|two| two.try_into().ok());
            let link = message.get(HEADER_BYTES..).and_then(Told::read);
            if let (Some(kind), Some(link)) = (kind.map(u16::from_ne_bytes), link) {
                back.extend(self.note(kind, &link));
            }
            let next = length.max(HEADER_BYTES).next_multiple_of(4);
            rest = rest.get(next..).unwrap_or_default();
        }
        back
    }

    fn note(&mut self, kind: u16, link: &Told) -> Option<Back> {
        let ifindex = link.back.ifindex;
        if kind == libc::RTM_DELLINK {
            self.0.remove(&ifindex);
            return None;
        }
        if kind != libc::RTM_NEWLINK {
            return None;
        }
        if !link.carries {
            let first = if link.changed == EVERYTHING {
                Silent::New
            } else {
                Silent::Lost
            };
            self.0.entry(ifindex).or_insert(first);
            return None;
        }
        let before = self.0.remove(&ifindex);
        (before == Some(Silent::Lost)).then_some(link.back)
    }
}

/// What one message says.
struct Told {
    back: Back,
    carries: bool,
    /// Which flags have changed.
    changed: u32,
}

impl Told {
    /// Reads a message behind its netlink header; `None` when it is cut, or what
    /// a bridge says of a port in its own family.
    fn read(message: &[u8]) -> Option<Self> {
        let (header, attributes) = message.split_at_checked(HEADER_BYTES)?;
        let word = |at: usize| Some(u32::from_ne_bytes(header.get(at..at + 4)?.try_into().ok()?));
        if i32::from(*header.first()?) != libc::AF_UNSPEC {
            return None;
        }
        let (mut controller, mut other, mut is_elsewhere) = (None, None, false);
        for attribute in NlasIterator::new(attributes) {
            let attribute = attribute.ok()?;
            let value = || Some(u32::from_ne_bytes(attribute.value().try_into().ok()?));
            match attribute.kind() {
                libc::IFLA_MASTER => controller = value(),
                libc::IFLA_LINK => other = value(),
                libc::IFLA_LINK_NETNSID => is_elsewhere = true,
                _ => {}
            }
        }
        Some(Self {
            back: Back {
                ifindex: word(4)?,
                controller,
                elsewhere: other.filter(|_| is_elsewhere),
            },
            carries: word(8)? & libc::IFF_RUNNING.cast_unsigned() != 0,
            changed: word(12)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of rtnetlink about link 7, a port of 3 whose other end is 5.
    fn message(kind: u16, family: u8, flags: libc::c_int, changed: u32) -> Vec<u8> {
        let mut body = vec![family, 0, 0, 0];
        body.extend(7_u32.to_ne_bytes());
        body.extend(flags.cast_unsigned().to_ne_bytes());
        body.extend(changed.to_ne_bytes());
        for (attribute, value) in [
            (libc::IFLA_LINK, 5_u32),
            (libc::IFLA_MASTER, 3),
            (libc::IFLA_LINK_NETNSID, 0),
        ] {
            body.extend(8_u16.to_ne_bytes());
            body.extend(attribute.to_ne_bytes());
            body.extend(value.to_ne_bytes());
        }
        let length = u32::try_from(HEADER_BYTES + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes
    }

    fn silence(changed: u32) -> Vec<u8> {
        message(libc::RTM_NEWLINK, 0, libc::IFF_UP, changed)
    }

    fn carrier() -> Vec<u8> {
        message(libc::RTM_NEWLINK, 0, libc::IFF_UP | libc::IFF_RUNNING, 0)
    }

    const BACK: Back = Back {
        ifindex: 7,
        controller: Some(3),
        elsewhere: Some(5),
    };

    #[test]
    fn a_link_that_lost_its_carrier_comes_back_and_a_new_one_comes() {
        let mut carriers = Heard::default();
        assert_eq!(carriers.hear(&carrier()), []);
        let both = [silence(0), carrier()].concat();
        assert_eq!(carriers.hear(&both), [BACK]);
        assert_eq!(carriers.hear(&carrier()), [], "it was there");
        // What is new is silent for longer than one message.
        let new = [silence(EVERYTHING), silence(1), carrier()].concat();
        assert_eq!(carriers.hear(&new), []);
        let gone = message(libc::RTM_DELLINK, 0, 0, EVERYTHING);
        assert_eq!(carriers.hear(&[silence(0), gone].concat()), []);
        assert_eq!(carriers.hear(&carrier()), []);
        assert!(carriers.0.is_empty());
    }

    #[test]
    fn what_is_cut_or_of_a_bridges_family_says_nothing() {
        let mut carriers = Heard::default();
        assert_eq!(carriers.hear(&silence(0)), []);
        let whole = carrier();
        for length in 0..whole.len() {
            assert_eq!(carriers.hear(&whole[..length]), [], "{length}");
        }
        let family = u8::try_from(libc::AF_BRIDGE).unwrap();
        let bridges = message(libc::RTM_NEWLINK, family, libc::IFF_RUNNING, 0);
        assert_eq!(carriers.hear(&bridges), []);
        let nothing = [0; 64];
        assert_eq!(carriers.hear(&nothing), []);
        assert_eq!(carriers.hear(&whole), [BACK]);
    }
}
