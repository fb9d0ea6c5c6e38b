//! The part of the guard for IPv6: the source, and behind any chain of
//! extension headers what only routers and DHCP servers send.
//!
//! A chain that is too long, or that the first fragment does not hold whole,
//! does not pass (RFC 7112, RFC 7113), nor neighbour discovery in fragments
//! (RFC 6980).

use std::net::Ipv6Addr;

use super::super::program::{If, Label, Program, Width};
use super::{Ends, PROTOCOL_UDP};
use crate::rt::{Guard, Sources};

/// Extension headers that are followed; more than anybody sends.
const LONGEST_CHAIN: usize = 8;

const NEXT_HEADER: u32 = 20;
const SOURCE: u32 = 22;
const PAYLOAD: u32 = 54;

const HOP_BY_HOP: u32 = 0;
const ROUTING: u32 = 43;
const FRAGMENT: u32 = 44;
const AUTHENTICATION: u32 = 51;
const ICMPV6: u32 = 58;
const DESTINATION: u32 = 60;
/// Extension headers (IANA's registry) that no receiver needs here, behind
/// which nothing is looked for: mobility, host identity, shim6, experiments.
const OTHER_EXTENSIONS: [u32; 5] = [135, 139, 140, 253, 254];

/// RFC 4861 §4, RFC 2710, RFC 3810.
const ROUTER_SOLICITATION: u32 = 133;
const ROUTER_ADVERTISEMENT: u32 = 134;
const NEIGHBOUR_SOLICITATION: u32 = 135;
const NEIGHBOUR_ADVERTISEMENT: u32 = 136;
const REDIRECT: u32 = 137;
/// Reports and the end of listening, which may have no source (RFC 3590).
const LISTENER_MESSAGES: [u32; 3] = [131, 132, 143];

/// RFC 8415 §7.2.
const DHCP_SERVER: u32 = 547;
const DHCP_CLIENT: u32 = 546;

/// Places in which the program keeps what it found.
const KIND: u32 = 0;
const PLACE: u32 = 1;
const HAS_NO_SOURCE: u32 = 2;
const IS_FRAGMENT: u32 = 3;

/// The ways behind the chain of extension headers.
struct Upper {
    found: Label,
    later_fragment: Label,
}

pub(super) fn check(p: &mut Program, guard: &Guard, ends: Ends) {
    let addresses = match &guard.ipv6 {
        Sources::Any => None,
        Sources::Only(addresses) => {
            let mut own = addresses.clone();
            own.push(guard.link_local());
            Some(own)
        }
    };
    check_source(p, addresses.as_deref(), ends);
    let upper = Upper {
        found: p.label(),
        later_fragment: p.label(),
    };
    follow_chain(p, &upper, ends);
    p.bind(upper.later_fragment);
    with_source(p, ends);
    p.bind(upper.found);
    check_upper(p, addresses.as_deref(), ends);
}

/// Passes what has a source.
fn with_source(p: &mut Program, ends: Ends) {
    p.recall(HAS_NO_SOURCE);
    p.jump_if(If::Is(0), ends.pass);
    p.jump(ends.drop);
}

/// An address as four words.
fn words(address: Ipv6Addr) -> [u32; 4] {
    let bits = address.to_bits();
    [96, 64, 32, 0].map(|shift| (bits >> shift) as u32)
}

/// Goes to `label` if one of the addresses is what `load` loads word by word.
fn is_one_of(
    p: &mut Program,
    addresses: &[Ipv6Addr],
    load: impl Fn(&mut Program, u32),
    label: Label,
) {
    for address in addresses {
        let next = p.label();
        for (offset, word) in [0, 4, 8, 12].into_iter().zip(words(*address)) {
            load(p, offset);
            p.jump_if(If::IsNot(word), next);
        }
        p.jump(label);
        p.bind(next);
    }
}

fn check_source(p: &mut Program, own: Option<&[Ipv6Addr]>, ends: Ends) {
    p.set(0);
    p.store(HAS_NO_SOURCE);
    p.store(IS_FRAGMENT);
    let Some(own) = own else {
        return;
    };
    let (none, known) = (p.label(), p.label());
    let source = |p: &mut Program, offset| p.load(Width::Word, SOURCE + offset);
    is_one_of(p, own, source, known);
    is_one_of(p, &[Ipv6Addr::UNSPECIFIED], source, none);
    p.jump(ends.drop);
    p.bind(none);
    p.set(1);
    p.store(HAS_NO_SOURCE);
    p.bind(known);
}

/// Finds the first header that is no extension, with its kind in the
/// accumulator and its place in the index register.
fn follow_chain(p: &mut Program, upper: &Upper, ends: Ends) {
    p.set(PAYLOAD);
    p.store(PLACE);
    p.load(Width::Byte, NEXT_HEADER);
    p.store(KIND);
    for _ in 0..LONGEST_CHAIN {
        let [options, authentication, next] = [p.label(), p.label(), p.label()];
        p.recall_index(PLACE);
        p.recall(KIND);
        for kind in [HOP_BY_HOP, ROUTING, DESTINATION] {
            p.jump_if(If::Is(kind), options);
        }
        p.jump_if(If::Is(AUTHENTICATION), authentication);
        p.jump_if(If::IsNot(FRAGMENT), upper.found);
        p.load_at(Width::Half, 2);
        p.jump_if(If::AnyBit(0xfff8), upper.later_fragment);
        p.set(1);
        p.store(IS_FRAGMENT);
        p.set(8);
        p.jump(next);
        // Its length in units of 4 bytes, less 2 (RFC 4302 §2.2).
        p.bind(authentication);
        p.load_at(Width::Byte, 1);
        p.add(2);
        p.shift_left(2);
        p.jump(next);
        // In units of 8 bytes, less 1 (RFC 8200 §4.3).
        p.bind(options);
        p.load_at(Width::Byte, 1);
        p.add(1);
        p.shift_left(3);
        p.bind(next);
        p.add_index();
        p.store(PLACE);
        p.load_at(Width::Byte, 0);
        p.store(KIND);
    }
    p.jump(ends.drop);
}

fn check_upper(p: &mut Program, own: Option<&[Ipv6Addr]>, ends: Ends) {
    let (icmp, udp) = (p.label(), p.label());
    p.jump_if(If::Is(ICMPV6), icmp);
    p.jump_if(If::Is(PROTOCOL_UDP), udp);
    for kind in OTHER_EXTENSIONS {
        p.jump_if(If::Is(kind), ends.drop);
    }
    with_source(p, ends);
    p.bind(udp);
    p.load_at(Width::Half, 0);
    p.jump_if(If::Is(DHCP_SERVER), ends.drop);
    p.load_at(Width::Half, 2);
    p.jump_if(If::Is(DHCP_CLIENT), ends.drop);
    with_source(p, ends);
    p.bind(icmp);
    check_icmp(p, own, ends);
}

fn check_icmp(p: &mut Program, own: Option<&[Ipv6Addr]>, ends: Ends) {
    let discovery = p.label();
    p.load_at(Width::Byte, 0);
    p.jump_if(If::Is(ROUTER_ADVERTISEMENT), ends.drop);
    p.jump_if(If::Is(REDIRECT), ends.drop);
    for kind in [
        ROUTER_SOLICITATION,
        NEIGHBOUR_SOLICITATION,
        NEIGHBOUR_ADVERTISEMENT,
    ] {
        p.jump_if(If::Is(kind), discovery);
    }
    for kind in LISTENER_MESSAGES {
        p.jump_if(If::Is(kind), ends.pass);
    }
    with_source(p, ends);

    p.bind(discovery);
    p.recall(IS_FRAGMENT);
    p.jump_if(If::IsNot(0), ends.drop);
    let Some(own) = own else {
        p.jump(ends.pass);
        return;
    };
    let target = p.label();
    p.load_at(Width::Byte, 0);
    p.jump_if(If::Is(ROUTER_SOLICITATION), ends.pass);
    p.jump_if(If::Is(NEIGHBOUR_ADVERTISEMENT), target);
    // To ask for anybody needs a source; without one it is asked whether an
    // address is free, and that may be one of its own (RFC 4862 §5.4.2).
    p.recall(HAS_NO_SOURCE);
    p.jump_if(If::Is(0), ends.pass);
    p.bind(target);
    let load = |p: &mut Program, offset| p.load_at(Width::Word, 8 + offset);
    is_one_of(p, own, load, ends.pass);
    p.jump(ends.drop);
}
