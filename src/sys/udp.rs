//! UDP sockets of one interface and one IPv4 address.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::sockopt::{BindToDevice, ReuseAddr};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrIn, bind, recv, sendto, setsockopt, socket,
};

use super::netns::Netns;
use crate::request::IfName;

/// A socket that sends from one address by one interface.
#[derive(Debug)]
pub struct UdpSocket {
    fd: OwnedFd,
}

impl UdpSocket {
    /// Opens a socket in the namespace that this thread is in; it stays there.
    /// Others may have the port as well.
    ///
    /// `EADDRNOTAVAIL` when the address is not there any more, `ENODEV` when
    /// the interface is not.
    pub fn open(ifname: &IfName, address: Ipv4Addr, port: u16) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
        setsockopt(&fd, ReuseAddr, &true)?;
        setsockopt(&fd, BindToDevice, &ifname.as_str().into())?;
        let address = SockaddrIn::from(SocketAddrV4::new(address, port));
        bind(fd.as_raw_fd(), &address)?;
        Ok(Self { fd })
    }

    /// The same in `netns`.
    pub fn open_in(
        netns: &Netns,
        home: &Netns,
        ifname: &IfName,
        address: Ipv4Addr,
        port: u16,
    ) -> io::Result<Self> {
        netns.inside(home, || Self::open(ifname, address, port))?
    }

    /// A socket of any address and interface, in this thread's namespace.
    pub fn anywhere() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
        Ok(Self { fd })
    }

    /// Sends to a port of one host.
    pub fn send(&self, bytes: &[u8], host: Ipv4Addr, port: u16) -> io::Result<()> {
        let to = SockaddrIn::from(SocketAddrV4::new(host, port));
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
            Err(Errno::EHOSTUNREACH | Errno::ENETUNREACH) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<UdpSocket> for OwnedFd {
    fn from(socket: UdpSocket) -> Self {
        socket.fd
    }
}
