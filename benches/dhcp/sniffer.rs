//! When the first packet of a DHCP client came by, by the kernel's clock.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, SystemTime};

use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType,
    recvmsg, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;

/// Hears every interface of the namespace.
pub struct Sniffer(OwnedFd);

impl Sniffer {
    pub fn new() -> Self {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let (family, kind) = (AddressFamily::Packet, SockType::Datagram);
        let fd = socket(family, kind, flags, SockProtocol::EthAll).unwrap();
        setsockopt(&fd, sockopt::ReceiveTimestampns, &true).unwrap();
        Self(fd)
    }

    /// Drops what came by so far.
    pub fn forget(&self) {
        while self.next().is_some() {}
    }

    /// Milliseconds since the first packet to a DHCP server that was not
    /// forgotten.
    pub fn since_the_first(&self) -> Option<f64> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap();
        while let Some((time, is_request)) = self.next() {
            if is_request {
                return Some(now.saturating_sub(time).as_secs_f64() * 1000.0);
            }
        }
        None
    }

    /// When the next packet came, and whether it went to port 67 by UDP.
    fn next(&self) -> Option<(Duration, bool)> {
        let mut packet = [0; 64];
        let mut buffers = [IoSliceMut::new(&mut packet)];
        let mut control = nix::cmsg_space!(TimeSpec);
        let fd = self.0.as_raw_fd();
        let flags = MsgFlags::empty();
        let message = recvmsg::<LinkAddr>(fd, &mut buffers, Some(&mut control), flags).ok()?;
        let time = message.cmsgs().unwrap().find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
            _ => None,
        });
        Some((time?, packet[9] == 17 && packet[22..24] == [0, 67]))
    }
}
