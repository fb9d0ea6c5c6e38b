//! Frames on the wire: what a machine beside the container sees, and router
//! advertisements that it sends.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6, recvfrom,
    sendto, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

use super::{Container, Lab};

/// A capture of everything that a machine's interfaces see, or one of them.
pub struct Capture {
    socket: OwnedFd,
    only: Option<usize>,
}

impl Capture {
    /// Starts capturing in `machine`.
    pub fn start(lab: &Lab, machine: &Container) -> Self {
        let flags = SockFlag::SOCK_CLOEXEC;
        let made = lab.inside(machine, || {
            socket(
                AddressFamily::Packet,
                SockType::Raw,
                flags,
                SockProtocol::EthAll,
            )
        });
        let socket = made.unwrap();
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, 20_000)).unwrap();
        Self { socket, only: None }
    }

    /// Starts capturing what `device` in `machine` sees. A device for a VLAN
    /// sees its frames with the tag taken off.
    pub fn start_on(lab: &Lab, machine: &Container, device: &str) -> Self {
        let link = lab.inside(machine, || super::ip_json(&format!("link show {device}")));
        let index = link[0]["ifindex"].as_u64().unwrap();
        Self {
            only: Some(index as usize),
            ..Self::start(lab, machine)
        }
    }

    /// Whether a frame that `is_wanted` comes within `time`.
    pub fn sees(&self, time: Duration, is_wanted: impl Fn(&[u8]) -> bool) -> bool {
        let end = Instant::now() + time;
        let mut frame = [0; 2048];
        while Instant::now() < end {
            let received = recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut frame);
            if let Ok((length, from)) = received
                && self
                    .only
                    .is_none_or(|only| from.is_some_and(|from| from.ifindex() == only))
                && is_wanted(&frame[..length])
            {
                return true;
            }
        }
        false
    }
}

/// Whether `container` gets an answer to a ping; `to` may have further
/// arguments of ping(8) before the address.
pub fn answers(lab: &Lab, container: &Container, to: &str) -> bool {
    lab.inside(container, || pings(to))
}

/// Whether this namespace gets an answer to a ping within three seconds: a
/// machine that has just been made asks for nobody's MAC in the first ones,
/// because its link-local address is not its own yet.
pub fn pings(to: &str) -> bool {
    let mut command = Command::new("ping");
    command
        .args("-n -c1 -w3 -i0.2".split(' '))
        .args(to.split(' '));
    command
        .stdin(Stdio::null())
        .output()
        .unwrap()
        .status
        .success()
}

/// Whether a frame is an ARP announcement of `address` by `mac`: sender and
/// target are both the address (RFC 5227 §2.3).
pub fn is_arp_announcement(frame: &[u8], mac: [u8; 6], address: [u8; 4]) -> bool {
    frame.len() >= 42
        && frame[..6] == [0xff; 6]
        && frame[6..12] == mac
        && frame[12..14] == [0x08, 0x06]
        && frame[22..28] == mac
        && frame[28..32] == address
        && frame[38..42] == address
}

/// Whether a frame is an unsolicited neighbour advertisement of `address` to
/// all nodes, with the hop limit that receivers insist on (RFC 4861 §7.1.2).
pub fn is_advertisement(frame: &[u8], mac: [u8; 6], address: Ipv6Addr) -> bool {
    const HOP_LIMIT: usize = 21;
    const ICMP: usize = 54;
    frame.len() >= ICMP + 32
        && frame[12..14] == [0x86, 0xdd]
        && frame[HOP_LIMIT] == 255
        && frame[ICMP] == 136
        // Solicited is not set, override is.
        && frame[ICMP + 4] & 0x60 == 0x20
        && frame[ICMP + 8..ICMP + 24] == address.octets()
        && frame[ICMP + 26..ICMP + 32] == mac
}

/// Sends a router advertisement with a default lifetime from `machine`, whose
/// link-local address must be there.
pub fn advertise_router(lab: &Lab, machine: &Container) {
    lab.inside(machine, || {
        let text = std::fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap();
        let line = text.lines().find(|line| line.ends_with("wire")).unwrap();
        let index = line.split_whitespace().nth(1).unwrap();
        let index = u32::from_str_radix(index, 16).unwrap();
        let flags = SockFlag::SOCK_CLOEXEC;
        let protocol = SockProtocol::IcmpV6;
        let raw = socket(AddressFamily::Inet6, SockType::Raw, flags, protocol).unwrap();
        setsockopt(&raw, sockopt::Ipv6MulticastHops, &255).unwrap();
        // RFC 4861 §4.2: type, code, checksum, hop limit, flags, lifetime 1800 s.
        let mut message = vec![134, 0, 0, 0, 64, 0, 0x07, 0x08];
        message.extend([0; 8]);
        let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        let to = SockaddrIn6::from(SocketAddrV6::new(all_nodes, 0, 0, index));
        sendto(raw.as_raw_fd(), &message, &to, MsgFlags::empty()).unwrap();
    });
}
