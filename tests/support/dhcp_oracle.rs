//! Our reading of a message of DHCPv4 beside that of a codec that none of us wrote:
//! the fixed fields, where each option begins and ends, and what those mean that we
//! make use of. For the property tests and for the fuzzer, which includes this file.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use dhcproto::v4::{self, DhcpOption, UnknownOption};
use dhcproto::{Decodable, Decoder};
use pipework::dhcp::lease::{Lease, LeaseRoute};
use pipework::dhcp::options::code;
use pipework::dhcp::wire::{Hardware, Message, MessageType, Op};

/// Where the options begin, behind the magic cookie.
const OPTIONS: usize = 240;
const SNAME: std::ops::Range<usize> = 44..108;
const FILE: std::ops::Range<usize> = 108..236;
/// What we make use of. At some others of a wrong length the other codec panics.
const USED: [u8; 22] = [
    code::SUBNET_MASK,
    code::ROUTERS,
    code::DNS_SERVERS,
    code::HOST_NAME,
    code::DOMAIN_NAME,
    code::INTERFACE_MTU,
    code::BROADCAST_ADDRESS,
    code::STATIC_ROUTES,
    code::NTP_SERVERS,
    code::REQUESTED_ADDRESS,
    code::LEASE_TIME,
    code::MESSAGE_TYPE,
    code::SERVER_ID,
    code::PARAMETER_LIST,
    code::MESSAGE,
    code::MAX_SIZE,
    code::RENEWAL_TIME,
    code::REBINDING_TIME,
    code::VENDOR_CLASS,
    code::CLIENT_ID,
    code::DOMAIN_SEARCH,
    code::CLASSLESS_ROUTES,
];

/// Panics where both make something else of `bytes`, which we read as `our`.
pub fn agree(bytes: &[u8], our: &Message) {
    fields_agree(bytes, our);
    let our_options: BTreeMap<u8, Vec<u8>> = our
        .options
        .iter()
        .map(|(code, value)| (code, value.to_vec()))
        .collect();
    assert_eq!(our_options, options(bytes));
    for (code, value) in &our_options {
        if let Some(their) = alone(*code, value) {
            meanings_agree(our, (*code, value), &their);
        }
    }
}

fn fields_agree(bytes: &[u8], our: &Message) {
    // Their options are at the end of what they are given.
    let fixed = [&bytes[..OPTIONS], &[code::END]].concat();
    let Ok(their) = v4::Message::decode(&mut Decoder::new(&fixed)) else {
        return;
    };
    let is_reply = their.opcode() == v4::Opcode::BootReply;
    assert_eq!(our.op == Op::Reply, is_reply);
    assert_eq!((our.xid, our.secs), (their.xid(), their.secs()));
    assert_eq!(our.broadcast, their.flags().broadcast());
    assert_eq!((our.ciaddr, our.yiaddr), (their.ciaddr(), their.yiaddr()));
    assert_eq!((our.siaddr, our.giaddr), (their.siaddr(), their.giaddr()));
    if let Some(Hardware::Ethernet(mac)) = our.hardware {
        assert_eq!(&mac[..], their.chaddr());
    }
}

/// The options as the other one cuts them out, joined (RFC 3396), from the fields
/// that hold some (RFC 2132 §9.3).
fn options(bytes: &[u8]) -> BTreeMap<u8, Vec<u8>> {
    let mut found = BTreeMap::new();
    cut(&bytes[OPTIONS..], &mut found);
    let overload = match found.get(&code::OVERLOAD).map(Vec::as_slice) {
        Some([overload]) => *overload,
        Some(_) | None => 0,
    };
    for (bit, field) in [(1, FILE), (2, SNAME)] {
        if overload & bit != 0 {
            cut(&bytes[field], &mut found);
        }
    }
    found
}

fn cut(field: &[u8], into: &mut BTreeMap<u8, Vec<u8>>) {
    let mut decoder = Decoder::new(field);
    while let Ok(next) = decoder.peek_u8() {
        match next {
            code::PAD => {
                decoder.read_u8().unwrap();
            }
            code::END => return,
            _ => {
                let Ok(option) = UnknownOption::decode(&mut decoder) else {
                    return;
                };
                let (code, value) = option.into_parts();
                into.entry(code.into()).or_default().extend(value);
            }
        }
    }
}

/// What the other one makes of one option, if anything.
fn alone(code: u8, value: &[u8]) -> Option<DhcpOption> {
    // Microsoft's number for the same.
    let code = match code {
        code::CLASSLESS_ROUTES_MS => code::CLASSLESS_ROUTES,
        code => code,
    };
    let parts = value.chunks(255);
    let parts = parts.flat_map(|part| [&[code, u8::try_from(part.len()).unwrap()], part].concat());
    let bytes: Vec<u8> = parts.collect();
    let option = || DhcpOption::decode(&mut Decoder::new(&bytes)).ok();
    USED.contains(&code).then(option).flatten()
}

fn meanings_agree(our: &Message, (code, value): (u8, &[u8]), their: &DhcpOption) {
    use DhcpOption as O;
    let options = &our.options;
    match their {
        O::SubnetMask(one)
        | O::BroadcastAddr(one)
        | O::RequestedIpAddress(one)
        | O::ServerIdentifier(one) => assert_eq!(options.address(code), Some(*one)),
        O::Router(some) | O::DomainNameServer(some) | O::NtpServers(some) => {
            assert_eq!(options.addresses(code), *some);
        }
        O::StaticRoutingTable(pairs) => {
            let all: Vec<Ipv4Addr> = pairs.iter().flat_map(|(to, via)| [*to, *via]).collect();
            assert_eq!(options.addresses(code), all);
        }
        // They take no notice of bytes that are too many.
        O::AddressLeaseTime(time) | O::Renewal(time) | O::Rebinding(time) => {
            let exact = (value.len() == 4).then_some(*time);
            assert_eq!(options.long(code), exact);
        }
        O::InterfaceMtu(number) | O::MaxMessageSize(number) => {
            let exact = (value.len() == 2).then_some(*number);
            assert_eq!(options.short(code), exact);
        }
        O::MessageType(kind) => {
            let exact = (value.len() == 1).then(|| u8::from(*kind));
            assert_eq!(our.kind(), exact.and_then(MessageType::of));
        }
        O::Hostname(text) | O::DomainName(text) | O::Message(text) => {
            assert_eq!(value, text.as_bytes());
        }
        O::ClientIdentifier(bytes) | O::ClassIdentifier(bytes) => {
            assert_eq!(value, bytes);
        }
        O::ParameterRequestList(codes) => {
            let codes: Vec<u8> = codes.iter().map(|code| u8::from(*code)).collect();
            assert_eq!(value, codes);
        }
        O::DomainSearch(names) => {
            let ours = lease_of(code, value).search;
            let their: Vec<String> = names.iter().map(dhcproto::Name::to_ascii).collect();
            // Where one is wrong they end, and we take none; what could break a file
            // is not among ours.
            let is_theirs = |name: &String| their.iter().any(|t| t.trim_end_matches('.') == name);
            assert!(ours.iter().all(is_theirs), "{ours:?} {their:?}");
        }
        O::ClasslessStaticRoute(routes) => {
            let bytes = routes.iter().map(|(to, _)| 5 + to.prefix_len().div_ceil(8));
            // They end where one is wrong, and we then take none.
            let is_whole = bytes.map(usize::from).sum::<usize>() == value.len();
            let mut wanted = Vec::new();
            for (to, via) in routes.iter().filter(|_| is_whole) {
                let (destination, first) = (to.trunc(), via.octets()[0]);
                if via.is_unspecified() {
                    let via = None;
                    wanted.push(LeaseRoute { destination, via });
                } else if first < 224 && !via.is_loopback() {
                    let via = Some(*via);
                    wanted.push(LeaseRoute { destination, via });
                }
            }
            assert_eq!(lease_of(code, value).routes, wanted);
        }
        _ => {}
    }
}

/// A lease with no more than this option.
fn lease_of(code: u8, value: &[u8]) -> Lease {
    let mut message = Message::request(MessageType::Ack, Hardware::Ethernet([2, 0, 0, 0, 0, 5]), 1);
    message.yiaddr = Ipv4Addr::new(10, 0, 0, 5);
    message.options.set(code::SERVER_ID, [10, 0, 0, 1]);
    message
        .options
        .set(code::LEASE_TIME, 3600_u32.to_be_bytes());
    message.options.set(code, value);
    Lease::of(&message).unwrap()
}
