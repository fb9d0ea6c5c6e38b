//! ARP on Ethernet (RFC 826): the probe of RFC 5227, and what others say.

use std::net::Ipv4Addr;

use crate::request::MacAddr;

/// An Ethernet header and an ARP packet.
pub const FRAME_BYTES: usize = 42;
/// Ethertype.
pub const ETHERTYPE: u16 = 0x0806;
/// Hardware type Ethernet, protocol IPv4, lengths 6 and 4.
const FORM: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// Where a frame has the sender's hardware address, and its address.
pub(super) const SENDER_MAC_AT: usize = 22;
pub(super) const SENDER_AT: usize = 28;

/// What an ARP packet says, be it a request or a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArpPacket {
    /// Hardware address of the sender.
    pub sender_mac: [u8; 6],
    /// Its address; `0.0.0.0` in a probe.
    pub sender: Ipv4Addr,
    /// The address that it asks for, or that it answers.
    pub target: Ipv4Addr,
}

/// The frame that asks whether anybody has `address`, from who has none yet
/// (RFC 5227 §2.1.1): broadcast, so that nobody's cache learns anything.
pub fn probe(mac: MacAddr, address: Ipv4Addr) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME_BYTES);
    frame.extend([0xff; 6]);
    frame.extend(mac.octets());
    frame.extend(ETHERTYPE.to_be_bytes());
    frame.extend(FORM);
    frame.extend([0, 1]);
    frame.extend(mac.octets());
    frame.extend([0; 4]);
    frame.extend([0; 6]);
    frame.extend(address.octets());
    frame
}

/// The frame that says to all that `address` is ours (RFC 5227 §2.3).
pub fn announcement(mac: MacAddr, address: Ipv4Addr) -> Vec<u8> {
    let mut frame = probe(mac, address);
    if let Some(sender) = frame.get_mut(SENDER_AT..SENDER_AT + 4) {
        sender.copy_from_slice(&address.octets());
    }
    frame
}

/// Reads a frame; `None` when it is no ARP for IPv4 on Ethernet.
pub fn read(frame: &[u8]) -> Option<ArpPacket> {
    let body = frame.get(14..FRAME_BYTES)?;
    let is_arp = frame.get(12..14)? == ETHERTYPE.to_be_bytes() && body.get(..6)? == FORM;
    let operation = u16::from_be_bytes(body.get(6..8)?.try_into().ok()?);
    let address = |at: usize| -> Option<Ipv4Addr> {
        let octets: [u8; 4] = body.get(at..at + 4)?.try_into().ok()?;
        Some(octets.into())
    };
    let packet = ArpPacket {
        sender_mac: body.get(8..14)?.try_into().ok()?,
        sender: address(14)?,
        target: address(24)?,
    };
    (is_arp && matches!(operation, 1 | 2)).then_some(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x42];

    fn mac() -> MacAddr {
        MacAddr::try_from(MAC).unwrap()
    }

    #[test]
    fn a_probe_tells_nobody_an_address_of_the_sender() {
        let address = Ipv4Addr::new(10, 0, 0, 5);
        let packet = read(&probe(mac(), address)).unwrap();
        assert_eq!(
            packet,
            ArpPacket {
                sender_mac: MAC,
                sender: Ipv4Addr::UNSPECIFIED,
                target: address,
            }
        );
    }

    #[test]
    fn an_announcement_has_one_address_as_sender_and_target() {
        let address = Ipv4Addr::new(10, 0, 0, 5);
        let packet = read(&announcement(mac(), address)).unwrap();
        assert_eq!((packet.sender, packet.target), (address, address));
        assert_eq!(packet.sender_mac, MAC);
    }

    #[test]
    fn a_frame_that_is_cut_or_of_another_form_says_nothing() {
        let frame = probe(mac(), Ipv4Addr::new(10, 0, 0, 5));
        for length in 0..frame.len() {
            assert_eq!(read(&frame[..length]), None);
        }
        for (at, value) in [(12, 0x86), (15, 6), (18, 8), (19, 16), (21, 9)] {
            let mut other = frame.clone();
            other[at] = value;
            assert_eq!(read(&other), None, "byte {at}");
        }
        // Ethernet pads short frames.
        let padded = [frame.as_slice(), &[0; 18]].concat();
        assert!(read(&padded).is_some());
    }
}
