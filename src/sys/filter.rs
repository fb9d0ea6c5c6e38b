//! Programs that choose frames inside the kernel, for packet sockets
//! (Documentation/networking/filter.rst).

use std::net::Ipv4Addr;

use nix::libc::sock_filter;

use super::{ETHERTYPE_IPV4, arp, ndisc};

/// Load 32 bits of the frame, or what the kernel knows of it.
const LOAD_WORD: u16 = 0x20;
/// Load 16 bits.
const LOAD_HALF: u16 = 0x28;
/// Load 8 bits.
const LOAD_BYTE: u16 = 0x30;
/// Load 16 bits from behind the index.
const LOAD_HALF_BEHIND: u16 = 0x48;
/// Make the index the length of an IPv4 header, whose first byte is there.
const INDEX_BEHIND_HEADER: u16 = 0xb1;
/// Test whether any of these bits is set.
const JUMP_ANY_BIT: u16 = 0x45;
/// Compare with a constant.
const JUMP_EQUAL: u16 = 0x15;
/// End with so many bytes of the frame; none: not wanted.
const RETURN: u16 = 0x06;
/// `SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT` (linux/filter.h).
const IS_TAGGED: u32 = 0xffff_f000 + 48;
/// Where the ethertype stands.
const ETHERTYPE_AT: u32 = 12;
/// Where IPv6 has its next header, and ICMPv6 behind it its type.
const NEXT_HEADER_AT: u32 = 20;
const ICMP_TYPE_AT: u32 = 54;
const ALL: u32 = 0xffff;

const fn load(size: u16, at: u32) -> sock_filter {
    sock_filter {
        code: size,
        jt: 0,
        jf: 0,
        k: at,
    }
}

/// Skips so many instructions if the loaded value is `k`, or if it is not.
const fn skip(k: u32, if_equal: u8, otherwise: u8) -> sock_filter {
    sock_filter {
        code: JUMP_EQUAL,
        jt: if_equal,
        jf: otherwise,
        k,
    }
}

const fn end(bytes: u32) -> sock_filter {
    sock_filter {
        code: RETURN,
        jt: 0,
        jf: 0,
        k: bytes,
    }
}

/// Accepts ARP, and IPv6's neighbour solicitations and advertisements, but not
/// those of a VLAN, which is another network.
pub const NEIGHBOURS: [sock_filter; 12] = [
    load(LOAD_WORD, IS_TAGGED),
    skip(0, 0, 8),
    load(LOAD_HALF, ETHERTYPE_AT),
    skip(arp::ETHERTYPE as u32, 7, 0),
    skip(ndisc::ETHERTYPE as u32, 0, 5),
    load(LOAD_BYTE, NEXT_HEADER_AT),
    skip(ndisc::ICMPV6 as u32, 0, 3),
    load(LOAD_BYTE, ICMP_TYPE_AT),
    skip(ndisc::SOLICITATION as u32, 2, 0),
    skip(ndisc::ADVERTISEMENT as u32, 1, 0),
    end(0),
    end(ALL),
];

/// Where IPv4 begins in a frame, and has what place a fragment has, and its
/// protocol.
const IPV4_AT: u32 = 14;
const FRAGMENT_AT: u32 = 20;
const PROTOCOL_AT: u32 = 23;
/// More fragments, or a place among them.
const FRAGMENT: u32 = 0x3fff;
const UDP: u32 = 17;
const CLIENT_PORT: u32 = 68;

/// Accepts ARP, and what comes to the UDP port of a DHCP client whole, but not
/// what is tagged for a VLAN.
pub const DHCP_AND_ARP: [sock_filter; 14] = [
    load(LOAD_WORD, IS_TAGGED),
    skip(0, 0, 10),
    load(LOAD_HALF, ETHERTYPE_AT),
    skip(arp::ETHERTYPE as u32, 9, 0),
    skip(ETHERTYPE_IPV4 as u32, 0, 7),
    load(LOAD_BYTE, PROTOCOL_AT),
    skip(UDP, 0, 5),
    load(LOAD_HALF, FRAGMENT_AT),
    sock_filter {
        code: JUMP_ANY_BIT,
        jt: 3,
        jf: 0,
        k: FRAGMENT,
    },
    load(INDEX_BEHIND_HEADER, IPV4_AT),
    load(LOAD_HALF_BEHIND, IPV4_AT + 2),
    skip(CLIENT_PORT, 1, 0),
    end(0),
    end(ALL),
];

/// The same without ARP, of packets of IPv4 that come without a header.
pub const DHCP_BARE: [sock_filter; 11] = [
    load(LOAD_WORD, IS_TAGGED),
    skip(0, 0, 7),
    load(LOAD_BYTE, PROTOCOL_AT - IPV4_AT),
    skip(UDP, 0, 5),
    load(LOAD_HALF, FRAGMENT_AT - IPV4_AT),
    sock_filter {
        code: JUMP_ANY_BIT,
        jt: 3,
        jf: 0,
        k: FRAGMENT,
    },
    load(INDEX_BEHIND_HEADER, 0),
    load(LOAD_HALF_BEHIND, 2),
    skip(CLIENT_PORT, 1, 0),
    end(0),
    end(ALL),
];

/// Accepts ARP of others that say to have `address`, but not what is tagged for
/// a VLAN: whoever listens for that is woken by nothing else.
pub const fn claims_of(address: Ipv4Addr, own: [u8; 6]) -> [sock_filter; 12] {
    let [a, b, c, d, e, f] = own;
    [
        load(LOAD_WORD, IS_TAGGED),
        skip(0, 0, 8),
        load(LOAD_HALF, ETHERTYPE_AT),
        skip(arp::ETHERTYPE as u32, 0, 6),
        load(LOAD_WORD, arp::SENDER_AT as u32),
        skip(address.to_bits(), 0, 4),
        load(LOAD_WORD, arp::SENDER_MAC_AT as u32),
        skip(u32::from_be_bytes([a, b, c, d]), 0, 3),
        load(LOAD_HALF, arp::SENDER_MAC_AT as u32 + 4),
        skip(u16::from_be_bytes([e, f]) as u32, 0, 1),
        end(0),
        end(ALL),
    ]
}
