//! The program that tells what a container may send from what it may not.
//!
//! Whatever is not known to be fine does not pass: unknown kinds of frames,
//! tags, and what is cut. Offsets are from the beginning of the frame: Ethernet
//! 14 bytes, IPv4 RFC 791 §3.1, ARP RFC 826, IPv6 RFC 8200 §3.

mod ipv6;

use std::net::Ipv4Addr;

use super::program::{If, Label, Program, Width};
use crate::request::{MacAddr, Trunk};
use crate::rt::{Guard, Sources};

/// The answer that lets a frame pass (`cls_bpf_classify`: the filter matches).
const PASS: u32 = u32::MAX;
/// The answer that lets the next filter decide, which drops.
const DROP: u32 = 0;

const ETHERTYPE_IPV4: u32 = 0x0800;
const ETHERTYPE_ARP: u32 = 0x0806;
const ETHERTYPE_IPV6: u32 = 0x86dd;
/// The type of a tag of IEEE 802.1Q; that of 802.1ad does not pass.
const TAG_TYPE: u32 = 0x8100;
const PROTOCOL_UDP: u32 = 17;
/// RFC 2131 §4.1.
const DHCP_SERVER: u32 = 67;
const DHCP_CLIENT: u32 = 68;

/// Where all ways end.
#[derive(Clone, Copy)]
struct Ends {
    pass: Label,
    drop: Label,
}

/// The program of a guard.
pub(super) fn program(guard: &Guard) -> Program {
    let mut p = Program::default();
    let ends = Ends {
        pass: p.label(),
        drop: p.label(),
    };
    let untagged = p.label();
    check_mac(&mut p, guard.mac, [6, 10], ends.drop);
    tags(&mut p, guard.tagged.as_ref(), untagged, ends);
    if guard.tagged.is_some() {
        let open = Guard {
            ipv4: Sources::Any,
            ipv6: Sources::Any,
            ..guard.clone()
        };
        frame(&mut p, &open, ends);
    }
    p.bind(untagged);
    frame(&mut p, guard, ends);
    p.bind(ends.pass);
    p.answer(PASS);
    p.bind(ends.drop);
    p.answer(DROP);
    p
}

/// The program that lets everything pass.
pub(super) fn everything() -> Program {
    let mut p = Program::default();
    p.answer(PASS);
    p
}

/// The program that, asked directly, drops (`TC_ACT_SHOT`).
pub(super) fn nothing() -> Program {
    const TC_ACT_SHOT: u32 = 2;
    let mut p = Program::default();
    p.answer(TC_ACT_SHOT);
    p
}

/// Drops what has another hardware address in the four and the two bytes at
/// these places.
fn check_mac(p: &mut Program, mac: MacAddr, at: [u32; 2], drop: Label) {
    let [a, b, c, d, e, f] = mac.octets();
    let [high, low] = at;
    p.load(Width::Word, high);
    p.jump_if(If::IsNot(u32::from_be_bytes([a, b, c, d])), drop);
    p.load(Width::Half, low);
    p.jump_if(If::IsNot(u32::from_be_bytes([0, 0, e, f])), drop);
}

/// Goes to `untagged` without a tag, on with one that is allowed. The kernel
/// has taken the tag out of the frame by now (`skb_vlan_untag`).
fn tags(p: &mut Program, trunk: Option<&Trunk>, untagged: Label, ends: Ends) {
    const SKF_AD_VLAN_TAG: u32 = 44;
    const SKF_AD_VLAN_TAG_PRESENT: u32 = 48;
    const SKF_AD_VLAN_TPID: u32 = 60;
    const VLAN_VID_MASK: u32 = 0x0fff;
    p.load_ancillary(SKF_AD_VLAN_TAG_PRESENT);
    p.jump_if(If::Is(0), untagged);
    let Some(trunk) = trunk else {
        p.jump(ends.drop);
        return;
    };
    p.load_ancillary(SKF_AD_VLAN_TPID);
    p.jump_if(If::IsNot(TAG_TYPE), ends.drop);
    p.load_ancillary(SKF_AD_VLAN_TAG);
    p.and(VLAN_VID_MASK);
    let tagged = p.label();
    for range in trunk.ranges() {
        let next = p.label();
        p.jump_if(If::Below(u32::from(range.first.get())), next);
        p.jump_if(If::Below(u32::from(range.last.get()) + 1), tagged);
        p.bind(next);
    }
    p.jump(ends.drop);
    p.bind(tagged);
}

/// What is behind the hardware addresses and the tag.
fn frame(p: &mut Program, guard: &Guard, ends: Ends) {
    const ETHERTYPE: u32 = 12;
    let [ipv4, arp, ipv6] = [p.label(), p.label(), p.label()];
    p.load(Width::Half, ETHERTYPE);
    p.jump_if(If::Is(ETHERTYPE_IPV4), ipv4);
    p.jump_if(If::Is(ETHERTYPE_ARP), arp);
    p.jump_if(If::Is(ETHERTYPE_IPV6), ipv6);
    p.jump(ends.drop);
    p.bind(ipv4);
    check_ipv4(p, guard, ends);
    p.bind(arp);
    check_arp(p, guard, ends);
    p.bind(ipv6);
    ipv6::check(p, guard, ends);
}

fn is_one_of(p: &mut Program, addresses: &[Ipv4Addr], label: Label) {
    for address in addresses {
        p.jump_if(If::Is(address.to_bits()), label);
    }
}

/// The source, and no answer of a DHCP server. Clients take those at their port
/// from wherever, so both ports count.
fn check_ipv4(p: &mut Program, guard: &Guard, ends: Ends) {
    const FRAGMENT: u32 = 20;
    const FRAGMENT_OFFSET: u32 = 0x1fff;
    const PROTOCOL: u32 = 23;
    const SOURCE: u32 = 26;
    const HEADER: u32 = 14;
    let fine = p.label();
    if let Sources::Only(addresses) = &guard.ipv4 {
        p.load(Width::Word, SOURCE);
        is_one_of(p, addresses, fine);
        if guard.asks_for_lease {
            p.jump_if(If::IsNot(0), ends.drop);
            p.load(Width::Byte, PROTOCOL);
            p.jump_if(If::IsNot(PROTOCOL_UDP), ends.drop);
            p.load(Width::Half, FRAGMENT);
            p.jump_if(If::AnyBit(FRAGMENT_OFFSET), ends.drop);
            p.load_header_length(HEADER);
            p.load_at(Width::Half, HEADER);
            p.jump_if(If::IsNot(DHCP_CLIENT), ends.drop);
            p.load_at(Width::Half, HEADER + 2);
            p.jump_if(If::Is(DHCP_SERVER), ends.pass);
        }
        p.jump(ends.drop);
    }
    p.bind(fine);
    p.load(Width::Byte, PROTOCOL);
    p.jump_if(If::IsNot(PROTOCOL_UDP), ends.pass);
    p.load(Width::Half, FRAGMENT);
    // The ports are in the first fragment, and no later one replaces them.
    p.jump_if(If::AnyBit(FRAGMENT_OFFSET), ends.pass);
    p.load_header_length(HEADER);
    p.load_at(Width::Half, HEADER);
    p.jump_if(If::Is(DHCP_SERVER), ends.drop);
    p.load_at(Width::Half, HEADER + 2);
    p.jump_if(If::Is(DHCP_CLIENT), ends.drop);
    p.jump(ends.pass);
}

/// A request or reply for Ethernet and IPv4 whose sender is the container, or a
/// probe for an address of its own, which has no sender (RFC 5227 §1.1).
fn check_arp(p: &mut Program, guard: &Guard, ends: Ends) {
    const HARDWARE_AND_PROTOCOL: u32 = 14;
    const LENGTHS: u32 = 18;
    const OPERATION: u32 = 20;
    const REQUEST: u32 = 1;
    const REPLY: u32 = 2;
    const SENDER: u32 = 28;
    const TARGET: u32 = 38;
    p.load(Width::Word, HARDWARE_AND_PROTOCOL);
    p.jump_if(If::IsNot(0x0001_0800), ends.drop);
    p.load(Width::Half, LENGTHS);
    p.jump_if(If::IsNot(0x0604), ends.drop);
    check_mac(p, guard.mac, [22, 26], ends.drop);
    p.load(Width::Half, OPERATION);
    p.jump_if(If::Below(REQUEST), ends.drop);
    p.jump_if(If::AtLeast(REPLY + 1), ends.drop);
    let Sources::Only(addresses) = &guard.ipv4 else {
        p.jump(ends.pass);
        return;
    };
    p.load(Width::Word, SENDER);
    is_one_of(p, addresses, ends.pass);
    p.jump_if(If::IsNot(0), ends.drop);
    p.load(Width::Half, OPERATION);
    p.jump_if(If::IsNot(REQUEST), ends.drop);
    if guard.asks_for_lease {
        // The address that a server will offer is not known.
        p.jump(ends.pass);
        return;
    }
    p.load(Width::Word, TARGET);
    is_one_of(p, addresses, ends.pass);
    p.jump(ends.drop);
}

#[cfg(test)]
mod tests;
