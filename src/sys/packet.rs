//! Packet sockets: whole Ethernet frames of one interface (packet(7)), or packets
//! of IPv4 where the hardware is another and the kernel has to write its header.
//!
//! Closing one waits for an RCU grace period, 8 to 16 ms, so only what cannot
//! be had otherwise opens one. A filter in the kernel keeps away all that its
//! owner did not ask for, so that a busy network fills no queue.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::libc::sock_filter;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, LinkAddr, SockFlag, SockType, recvfrom, socket};

use super::netns::Netns;
use super::{ETHERTYPE_IPV4, arp, raw};

/// `PACKET_OUTGOING` (linux/if_packet.h): a frame that we sent ourselves.
const OUTGOING: u8 = 4;
/// A header of Ethernet.
const HEADER_BYTES: usize = 14;
/// Frames of our own side that are passed over at once.
const MOST_PASSED_OVER: usize = 64;

/// A socket that sends and receives frames of one interface.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
    ifindex: u32,
    /// Who hears what is sent, where frames have no header of ours.
    everybody: Option<Vec<u8>>,
}

impl PacketSocket {
    /// Opens a socket on the interface `ifindex` of the namespace that this
    /// thread is in; it stays there. Only frames that `program` accepts are
    /// received.
    ///
    /// `ENODEV` when there is no such interface.
    pub fn open(ifindex: u32, program: &[sock_filter]) -> io::Result<Self> {
        Self::open_for(ifindex, None, program)
    }

    /// The same for frames of one Ethernet type alone: the kernel looks at no
    /// other frame for it, nor at what we send ourselves (`deliver_skb`,
    /// `dev_queue_xmit_nit`), so that it costs nothing where it stays open.
    fn open_for(ifindex: u32, ethertype: Option<u16>, program: &[sock_filter]) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        // Without a protocol it receives nothing until it is bound, so that no
        // frame comes before the filter.
        let fd = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
        raw::attach_filter(&fd, program)?;
        raw::bind_packet(&fd, ifindex, ethertype)?;
        Ok(Self {
            fd,
            ifindex,
            everybody: None,
        })
    }

    /// One in `netns` for hardware that is no Ethernet: packets of IPv4 that
    /// `program` accepts, which go to the hardware address `everybody`. To who
    /// uses it they stand behind a header of Ethernet all the same, which says
    /// nothing.
    pub fn open_bare_in(
        (netns, home): (&Netns, &Netns),
        ifindex: u32,
        everybody: Vec<u8>,
        program: &[sock_filter],
    ) -> io::Result<Self> {
        let open = || {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let fd = socket(AddressFamily::Packet, SockType::Datagram, flags, None)?;
            raw::attach_filter(&fd, program)?;
            raw::bind_packet(&fd, ifindex, Some(ETHERTYPE_IPV4))?;
            let everybody = Some(everybody);
            Ok(Self {
                fd,
                ifindex,
                everybody,
            })
        };
        netns.inside(home, open)?
    }

    /// The same in `netns`.
    pub fn open_in(
        netns: &Netns,
        home: &Netns,
        ifindex: u32,
        program: &[sock_filter],
    ) -> io::Result<Self> {
        netns.inside(home, || Self::open(ifindex, program))?
    }

    /// One in `netns` that receives what `program` accepts of ARP.
    pub fn open_for_arp_in(
        netns: &Netns,
        home: &Netns,
        ifindex: u32,
        program: &[sock_filter],
    ) -> io::Result<Self> {
        let open = || Self::open_for(ifindex, Some(arp::ETHERTYPE), program);
        netns.inside(home, open)?
    }

    /// Receives frames to this group address as well.
    pub fn join(&self, group: [u8; 6]) -> io::Result<()> {
        raw::join_group(&self.fd, self.ifindex, group)
    }

    /// Sends a frame, its Ethernet header included.
    ///
    /// `ENETDOWN` when the interface is down.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        let ethertype = frame.get(12..14).and_then(|two| two.try_into().ok());
        let ethertype = u16::from_be_bytes(ethertype.ok_or(io::ErrorKind::InvalidInput)?);
        let by = (self.ifindex, ethertype);
        match &self.everybody {
            None => raw::send_packet(&self.fd, by, &[], frame),
            Some(all) => {
                let packet = frame.get(HEADER_BYTES..).unwrap_or_default();
                raw::send_packet(&self.fd, by, all, packet)
            }
        }
    }

    /// Receives one frame, or what is one with the header that nobody sent.
    fn receive_one(&self, buffer: &mut [u8]) -> nix::Result<(usize, Option<LinkAddr>)> {
        let fd = self.fd.as_raw_fd();
        let header = match self.everybody {
            Some(_) => HEADER_BYTES,
            None => 0,
        };
        let Some((first, rest)) = buffer.split_at_mut_checked(header) else {
            return Err(Errno::EMSGSIZE);
        };
        let (length, from) = recvfrom::<LinkAddr>(fd, rest)?;
        if let Some(ethertype) = first.last_chunk_mut::<2>() {
            *ethertype = ETHERTYPE_IPV4.to_be_bytes();
        }
        Ok((length.saturating_add(header), from))
    }

    /// Fills `buffer` with the next frame that somebody else sent, and returns
    /// its length, cut to the buffer's; `None` when none came until `end`.
    pub fn receive(&self, buffer: &mut [u8], end: Instant) -> io::Result<Option<usize>> {
        loop {
            match self.receive_one(buffer) {
                Ok((_, Some(from))) if from.pkttype() == OUTGOING => {}
                Ok((length, _)) => return Ok(Some(length.min(buffer.len()))),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if !self.wait(end)? => return Ok(None),
                Err(Errno::EAGAIN) => {}
                Err(errno) => return Err(errno.into()),
            }
            // A neighbour that never falls silent must not hold us up.
            if Instant::now() >= end {
                return Ok(None);
            }
        }
    }

    /// Fills `buffer` with a frame that somebody else sent, if one has come, and
    /// returns its length, cut to the buffer's. What the network said while it
    /// was down is passed over.
    ///
    /// `ENODEV` or `ENXIO` when the interface is gone.
    pub fn receive_now(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        // Whoever floods the link from our own side must not keep us here.
        for _ in 0..MOST_PASSED_OVER {
            match self.receive_one(buffer) {
                Ok((_, Some(from))) if from.pkttype() == OUTGOING => {}
                Ok((length, _)) => return Ok(Some(length.min(buffer.len()))),
                Err(Errno::EINTR | Errno::ENETDOWN) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(None)
    }

    /// Waits for a frame; false when none came until `end`.
    fn wait(&self, end: Instant) -> io::Result<bool> {
        let left = end.saturating_duration_since(Instant::now());
        // A millisecond more, because what is less than one counts as none.
        let left = left.saturating_add(std::time::Duration::from_millis(1));
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut set = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
        match poll(&mut set, timeout) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(true),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<PacketSocket> for OwnedFd {
    fn from(socket: PacketSocket) -> Self {
        socket.fd
    }
}
