//! DHCP messages as whole frames of Ethernet, for who has no address yet: the
//! headers of IPv4 (RFC 791) and UDP (RFC 768) by our own hand.
//!
//! Reading trusts no length and no checksum. A frame that has not left this
//! machine may carry an unfinished one: then it is the sum over UDP's
//! pseudo-header, which the NIC would have gone on from (CHECKSUM_PARTIAL,
//! linux/skbuff.h). A message over it is accepted, as it is by PACKET_AUXDATA.

use std::net::Ipv4Addr;

use crate::sys::ETHERTYPE_IPV4;

/// A client's port (RFC 2131 §4.1).
pub const CLIENT_PORT: u16 = 68;
/// A server's.
pub const SERVER_PORT: u16 = 67;

const ETHERNET_BYTES: usize = 14;
const IPV4_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
const UDP: u8 = 17;
/// Hops are none of a client's business; 64 is IANA's recommendation.
const TTL: u8 = 64;
/// More fragments, or a place among them (RFC 791 §3.1).
const FRAGMENT: u16 = 0x3fff;

/// The frame by which a client tells everybody `message`, from the address
/// `from`, or from none.
pub fn broadcast(mac: [u8; 6], from: Ipv4Addr, message: &[u8]) -> Vec<u8> {
    let to = Ipv4Addr::BROADCAST;
    let udp_bytes = UDP_BYTES + message.len();
    let udp_length = u16::try_from(udp_bytes).unwrap_or(u16::MAX);
    let length = u16::try_from(IPV4_BYTES + udp_bytes).unwrap_or(u16::MAX);

    let mut udp = Vec::with_capacity(udp_bytes);
    udp.extend(CLIENT_PORT.to_be_bytes());
    udp.extend(SERVER_PORT.to_be_bytes());
    udp.extend(udp_length.to_be_bytes());
    udp.extend([0; 2]);
    udp.extend_from_slice(message);
    let sum = !fold(pseudo_header(from, to, udp_length) + sum(&udp));
    // All zeroes would say that there is none.
    let sum = if sum == 0 { u16::MAX } else { sum };
    if let Some(place) = udp.get_mut(6..8) {
        place.copy_from_slice(&sum.to_be_bytes());
    }

    let mut ip = Vec::with_capacity(IPV4_BYTES);
    ip.extend([0x45, 0]);
    ip.extend(length.to_be_bytes());
    ip.extend([0; 4]);
    ip.extend([TTL, UDP, 0, 0]);
    ip.extend(from.octets());
    ip.extend(to.octets());
    let header_sum = !fold(self::sum(&ip));
    if let Some(place) = ip.get_mut(10..12) {
        place.copy_from_slice(&header_sum.to_be_bytes());
    }

    let mut frame = Vec::with_capacity(ETHERNET_BYTES + ip.len() + udp.len());
    frame.extend([0xff; 6]);
    frame.extend(mac);
    frame.extend(ETHERTYPE_IPV4.to_be_bytes());
    frame.extend(ip);
    frame.extend(udp);
    frame
}

/// What a frame brings to a client's port; `None` when it is cut, a fragment,
/// for another port, or its checksum is wrong.
pub fn message_in(frame: &[u8]) -> Option<&[u8]> {
    let (ethernet, packet) = frame.split_at_checked(ETHERNET_BYTES)?;
    if two(ethernet, 12)? != ETHERTYPE_IPV4 {
        return None;
    }
    let first = *packet.first()?;
    let header_bytes = usize::from(first & 0xf) * 4;
    if first >> 4 != 4 || header_bytes < IPV4_BYTES {
        return None;
    }
    // Ethernet pads what is short.
    let packet = packet.get(..usize::from(two(packet, 2)?))?;
    let (header, udp) = packet.split_at_checked(header_bytes)?;
    let is_whole = two(header, 6)? & FRAGMENT == 0;
    if !is_whole || *header.get(9)? != UDP || fold(sum(header)) != u16::MAX {
        return None;
    }
    let udp_length = two(udp, 4)?;
    let udp = udp.get(..usize::from(udp_length))?;
    let message = udp.get(UDP_BYTES..)?;
    let pseudo = pseudo_header(address(header, 12)?, address(header, 16)?, udp_length);
    let is_right = match two(udp, 6)? {
        0 => true,
        partial if partial == fold(pseudo) => true,
        _ => fold(pseudo + sum(udp)) == u16::MAX,
    };
    (is_right && two(udp, 2)? == CLIENT_PORT).then_some(message)
}

fn two(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(octets.into())
}

/// The sum over words of 16 bits, the last one padded (RFC 1071 §1).
fn sum(bytes: &[u8]) -> u32 {
    let (words, last) = bytes.as_chunks::<2>();
    let words = words
        .iter()
        .map(|word| u32::from(u16::from_be_bytes(*word)));
    let last = last.first().map_or(0, |byte| u32::from(*byte) << 8);
    words.sum::<u32>() + last
}

fn pseudo_header(from: Ipv4Addr, to: Ipv4Addr, udp_length: u16) -> u32 {
    sum(&from.octets()) + sum(&to.octets()) + u32::from(UDP) + u32::from(udp_length)
}

/// One's complement: what is carried out at the top comes in at the bottom.
fn fold(sum: u32) -> u16 {
    let once = (sum >> 16) + (sum & 0xffff);
    let twice = (once >> 16) + (once & 0xffff);
    u16::try_from(twice).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 5];

    /// A frame to a client.
    fn reply(message: &[u8]) -> Vec<u8> {
        let mut frame = broadcast(MAC, Ipv4Addr::new(10, 0, 0, 1), message);
        // The two ports change places, which no sum notices.
        frame[34..38].copy_from_slice(&[0, 67, 0, 68]);
        frame
    }

    #[test]
    fn a_message_comes_out_as_it_went_in() {
        for message in [&b"even"[..], b"odd", b""] {
            assert_eq!(message_in(&reply(message)), Some(message));
            let padded = [reply(message), vec![0; 18]].concat();
            assert_eq!(message_in(&padded), Some(message));
        }
    }

    #[test]
    fn a_checksum_may_be_missing_or_unfinished_and_not_wrong() {
        let mut frame = reply(b"lease");
        frame[41] ^= 1;
        assert_eq!(message_in(&frame), None);
        frame[40..42].copy_from_slice(&[0, 0]);
        assert_eq!(message_in(&frame), Some(&b"lease"[..]));
        let length = 13;
        let server = Ipv4Addr::new(10, 0, 0, 1);
        let partial = fold(pseudo_header(server, Ipv4Addr::BROADCAST, length));
        frame[40..42].copy_from_slice(&partial.to_be_bytes());
        assert_eq!(message_in(&frame), Some(&b"lease"[..]));
    }

    #[test]
    fn options_of_ip_are_passed_over() {
        let mut frame = reply(b"lease");
        frame.splice(34..34, [1; 4]);
        frame[14] = 0x46;
        let length = u16::from_be_bytes([frame[16], frame[17]]) + 4;
        frame[16..18].copy_from_slice(&length.to_be_bytes());
        frame[24..26].copy_from_slice(&[0, 0]);
        let sum = !fold(sum(&frame[14..38]));
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(message_in(&frame), Some(&b"lease"[..]));
    }

    #[test]
    fn what_is_cut_broken_or_for_others_is_no_message() {
        let frame = reply(b"lease");
        for length in 0..frame.len() {
            assert_eq!(message_in(&frame[..length]), None, "{length}");
        }
        // Ethertype, version, a fragment, another protocol, the header's sum,
        // the port, the length of UDP.
        for (at, value) in [
            (13, 6),
            (14, 0x65),
            (20, 0x20),
            (21, 1),
            (23, 6),
            (24, 0),
            (37, 67),
            (38, 0xff),
            (39, 3),
        ] {
            let mut other = frame.clone();
            other[at] = value;
            assert_eq!(message_in(&other), None, "byte {at}");
        }
    }
}
