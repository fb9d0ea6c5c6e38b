//! Unsolicited neighbour advertisements (RFC 4861 §7.2.6).
//!
//! A raw ICMPv6 socket: unlike a packet socket, closing it waits for no RCU
//! grace period. The kernel fills in the checksum (RFC 3542 §3.1).

use std::io::{self, IoSlice};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6, bind,
    sendmsg, socket,
};

use super::netns::Netns;
use crate::request::MacAddr;

/// RFC 4861 §7.1.2: a receiver drops what has another hop limit.
const HOP_LIMIT: i32 = 255;

/// Opens a socket for advertisements in `netns`; it stays there.
pub fn open_in(netns: &Netns, home: &Netns) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let made = netns.inside(home, || {
        socket(
            AddressFamily::Inet6,
            SockType::Raw,
            flags,
            SockProtocol::IcmpV6,
        )
    })?;
    Ok(made?)
}

/// Tells all nodes on the link of `ifindex` that `address` is at `mac`, with
/// the override flag, so that they replace what they knew.
pub fn advertise(
    socket: &OwnedFd,
    ifindex: u32,
    address: Ipv6Addr,
    mac: MacAddr,
) -> io::Result<()> {
    let from = SocketAddrV6::new(address, 0, 0, ifindex);
    bind(socket.as_raw_fd(), &SockaddrIn6::from(from))?;
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let to = SockaddrIn6::from(SocketAddrV6::new(all_nodes, 0, 0, ifindex));
    let bytes = advertisement(address, mac);
    let hop_limit = [ControlMessage::Ipv6HopLimit(&HOP_LIMIT)];
    sendmsg(
        socket.as_raw_fd(),
        &[IoSlice::new(&bytes)],
        &hop_limit,
        MsgFlags::empty(),
        Some(&to),
    )?;
    Ok(())
}

/// The message of RFC 4861 §4.4 with a target link-layer address option.
fn advertisement(address: Ipv6Addr, mac: MacAddr) -> Vec<u8> {
    const TYPE: u8 = 136;
    const OVERRIDE: u8 = 0x20;
    const TARGET_LINK_LAYER_ADDRESS: u8 = 2;
    let mut bytes = vec![TYPE, 0, 0, 0, OVERRIDE, 0, 0, 0];
    bytes.extend(address.octets());
    bytes.extend([TARGET_LINK_LAYER_ADDRESS, 1]);
    bytes.extend(mac.octets());
    bytes
}
