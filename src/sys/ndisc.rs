//! Neighbour discovery (RFC 4861): unsolicited advertisements (§7.2.6), and the
//! probe for a duplicate (RFC 4862 §5.4).
//!
//! Advertisements go by a raw ICMPv6 socket: unlike a packet socket, closing it
//! waits for no RCU grace period. The kernel fills in the checksum (RFC 3542
//! §3.1). A probe has no source address, which only a whole frame can have.

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
/// Ethertype of IPv6.
pub const ETHERTYPE: u16 = 0x86dd;
/// IPv6's number for ICMPv6.
pub const ICMPV6: u8 = 58;
/// Neighbour solicitation.
pub const SOLICITATION: u8 = 135;
/// Neighbour advertisement.
pub const ADVERTISEMENT: u8 = 136;
/// Where ICMPv6 begins in a frame: behind Ethernet's and IPv6's headers.
const ICMP_AT: usize = 14 + 40;
/// Type, code, checksum, flags, target.
const ICMP_BYTES: usize = 24;
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;

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
    const OVERRIDE: u8 = 0x20;
    let mut bytes = vec![ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0];
    bytes.extend(address.octets());
    bytes.extend([TARGET_LINK_LAYER_ADDRESS, 1]);
    bytes.extend(mac.octets());
    bytes
}

/// The group that every node with `address` listens to (RFC 4291 §2.7.1).
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// All nodes on the link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The Ethernet address of a group (RFC 2464 §7).
pub fn group_mac(group: Ipv6Addr) -> [u8; 6] {
    let [.., a, b, c, d] = group.octets();
    [0x33, 0x33, a, b, c, d]
}

/// The frame that asks whether anybody has `address`, from who has none yet
/// (RFC 4862 §5.4.2).
pub fn probe(mac: MacAddr, address: Ipv6Addr) -> Vec<u8> {
    let group = solicited_node(address);
    let mut icmp = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    icmp.extend(address.octets());
    let sum = checksum(group, &icmp).to_be_bytes();
    icmp.splice(2..4, sum);
    let mut frame = Vec::with_capacity(ICMP_AT + ICMP_BYTES);
    frame.extend(group_mac(group));
    frame.extend(mac.octets());
    frame.extend(ETHERTYPE.to_be_bytes());
    frame.extend([0x60, 0, 0, 0, 0, ICMP_BYTES as u8, ICMPV6, HOP_LIMIT as u8]);
    frame.extend(Ipv6Addr::UNSPECIFIED.octets());
    frame.extend(group.octets());
    frame.extend(icmp);
    frame
}

/// The checksum of a message without a source address (RFC 4443 §2.3): that
/// address is all zero and adds nothing.
fn checksum(destination: Ipv6Addr, icmp: &[u8]) -> u16 {
    let destination = destination.octets();
    let words = destination.chunks_exact(2).chain(icmp.chunks_exact(2));
    let words = words.map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    });
    let mut sum: u32 = words.sum::<u32>() + ICMP_BYTES as u32 + u32::from(ICMPV6);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Somebody's claim to an address, as a frame makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The address.
    pub target: Ipv6Addr,
    /// Who claims it.
    pub mac: [u8; 6],
}

/// Reads a frame: who advertises an address has it, and who asks for one
/// without having another probes for it as we do (RFC 4862 §5.4.3).
pub fn read_claim(frame: &[u8]) -> Option<Claim> {
    let ip = frame.get(14..ICMP_AT)?;
    let icmp = frame.get(ICMP_AT..)?;
    let is_discovery = frame.get(12..14)? == ETHERTYPE.to_be_bytes()
        && *ip.get(6)? == ICMPV6
        && i32::from(*ip.get(7)?) == HOP_LIMIT
        && *icmp.get(1)? == 0;
    let target: [u8; 16] = icmp.get(8..ICMP_BYTES)?.try_into().ok()?;
    let sender: [u8; 6] = frame.get(6..12)?.try_into().ok()?;
    let is_probe = *ip.get(8..24)? == Ipv6Addr::UNSPECIFIED.octets();
    let mac = match *icmp.first()? {
        SOLICITATION if is_discovery && is_probe => sender,
        ADVERTISEMENT if is_discovery => told_mac(icmp).unwrap_or(sender),
        _ => return None,
    };
    Some(Claim {
        target: target.into(),
        mac,
    })
}

/// The hardware address that an advertisement tells, if that is its first
/// option.
fn told_mac(icmp: &[u8]) -> Option<[u8; 6]> {
    let option = icmp.get(ICMP_BYTES..ICMP_BYTES + 8)?;
    let is_it = *option.first()? == TARGET_LINK_LAYER_ADDRESS && *option.get(1)? == 1;
    option.get(2..8)?.try_into().ok().filter(|_| is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x42];
    const ADDRESS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0xa1, 0xb2c3);

    fn probe_frame() -> Vec<u8> {
        probe(MacAddr::try_from(MAC).unwrap(), ADDRESS)
    }

    #[test]
    fn a_probe_goes_to_the_group_of_the_address_and_claims_it() {
        let frame = probe_frame();
        assert_eq!(frame[..6], [0x33, 0x33, 0xff, 0xa1, 0xb2, 0xc3]);
        let claim = read_claim(&frame).unwrap();
        assert_eq!((claim.target, claim.mac), (ADDRESS, MAC));
    }

    #[test]
    fn the_checksum_of_a_probe_makes_all_words_sum_up_to_all_ones() {
        let frame = probe_frame();
        let mut sum = u32::from(ICMPV6) + ICMP_BYTES as u32;
        for pair in frame[38..].chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
        }
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }

    #[test]
    fn an_advertisement_claims_its_target_by_the_mac_that_it_tells() {
        let mut frame = probe_frame();
        frame.truncate(ICMP_AT);
        frame.extend(advertisement(
            ADDRESS,
            MacAddr::try_from([2, 0, 0, 0, 0, 9]).unwrap(),
        ));
        assert_eq!(read_claim(&frame).unwrap().mac, [2, 0, 0, 0, 0, 9]);
        frame.truncate(ICMP_AT + ICMP_BYTES + 7);
        assert_eq!(read_claim(&frame).unwrap().mac, MAC);
    }

    #[test]
    fn a_solicitation_of_who_has_an_address_claims_none() {
        let mut frame = probe_frame();
        frame[22] = 0xfe;
        assert_eq!(read_claim(&frame), None);
    }

    #[test]
    fn a_frame_that_is_cut_or_of_another_form_claims_nothing() {
        let frame = probe_frame();
        for length in 0..frame.len() {
            assert_eq!(read_claim(&frame[..length]), None);
        }
        for at in [12, 20, 21, 54, 55] {
            let mut other = frame.clone();
            other[at] ^= 1;
            assert_eq!(read_claim(&other), None, "byte {at}");
        }
    }
}
