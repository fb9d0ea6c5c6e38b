//! UDP sockets of one interface over IPv6, whose hosts are on its link.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::sockopt::{BindToDevice, Ipv6V6Only, ReuseAddr};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrIn6, bind, recv, sendto, setsockopt,
    socket,
};

use super::netns::Netns;
use crate::request::IfName;

/// A socket that speaks by one interface. The kernel chooses its address: to a
/// host or group of the link a link-local one (RFC 6724 §5, rule 2).
#[derive(Debug)]
pub struct Udp6Socket {
    fd: OwnedFd,
    ifindex: u32,
}

impl Udp6Socket {
    /// Opens a socket for `port` of the interface in the namespace that this
    /// thread is in; it stays there. Others may have the port as well.
    ///
    /// `ENODEV` when the interface is not there, `EAFNOSUPPORT` without IPv6.
    pub fn open(ifname: &IfName, ifindex: u32, port: u16) -> io::Result<Self> {
        let socket = Self::anywhere(ifindex)?;
        setsockopt(&socket.fd, Ipv6V6Only, &true)?;
        setsockopt(&socket.fd, ReuseAddr, &true)?;
        setsockopt(&socket.fd, BindToDevice, &ifname.as_str().into())?;
        let address = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0);
        bind(socket.fd.as_raw_fd(), &SockaddrIn6::from(address))?;
        Ok(socket)
    }

    /// The same in `netns`.
    pub fn open_in(
        netns: &Netns,
        home: &Netns,
        (ifname, ifindex): (&IfName, u32),
        port: u16,
    ) -> io::Result<Self> {
        netns.inside(home, || Self::open(ifname, ifindex, port))?
    }

    /// A socket of any port, in this thread's namespace.
    pub fn anywhere(ifindex: u32) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Inet6, SockType::Datagram, flags, None)?;
        Ok(Self { fd, ifindex })
    }

    /// Sends to a port of a host or a group.
    ///
    /// `EADDRNOTAVAIL` while the interface has no address that can be used.
    pub fn send(&self, bytes: &[u8], host: Ipv6Addr, port: u16) -> io::Result<()> {
        let to = SockaddrIn6::from(SocketAddrV6::new(host, port, 0, self.ifindex));
        sendto(self.fd.as_raw_fd(), bytes, &to, MsgFlags::empty())?;
        Ok(())
    }

    /// Fills `buffer` with what has come in, and returns its length, cut to the
    /// buffer's; `None` when there is nothing.
    pub fn receive_now(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match recv(self.fd.as_raw_fd(), buffer, MsgFlags::empty()) {
            Ok(length) => Ok(Some(length)),
            // A host that has no such port says so; another may.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => Ok(None),
            Err(Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::EACCES) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for Udp6Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Udp6Socket> for OwnedFd {
    fn from(socket: Udp6Socket) -> Self {
        socket.fd
    }
}
