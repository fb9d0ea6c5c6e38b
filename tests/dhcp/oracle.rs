//! Our codec beside another one that nobody of us wrote: what each writes the
//! other reads.

use std::net::Ipv4Addr;

use dhcproto::v4::{self, DhcpOption, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable};
use pipework::dhcp::lease::Lease;
use pipework::dhcp::options::code;
use pipework::dhcp::wire::{Hardware, Message, MessageType, Op};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::dhcp_oracle::agree;

/// What a message says, for both to say it in their own types.
#[derive(Debug, Clone)]
struct Said {
    kind: MessageType,
    is_reply: bool,
    broadcast: bool,
    mac: [u8; 6],
    xid: u32,
    secs: u16,
    /// ciaddr, yiaddr, siaddr, giaddr.
    fixed: [Ipv4Addr; 4],
    mask: u8,
    server: Ipv4Addr,
    wanted: Ipv4Addr,
    /// Lease, T1, T2.
    times: [u32; 3],
    mtu: u16,
    routers: Vec<Ipv4Addr>,
    dns: Vec<Ipv4Addr>,
    routes: Vec<(u8, Ipv4Addr, Ipv4Addr)>,
    name: String,
    domain: String,
    search: Vec<String>,
    client_id: Vec<u8>,
    class: Vec<u8>,
    asked: Vec<u8>,
}

fn address() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Ipv4Addr::from)
}

prop_compose! {
    fn numbers()(
        xid: u32, secs: u16, mac: [u8; 6], times: [u32; 3], mtu: u16,
        broadcast: bool, is_reply: bool, mask in 1_u8..=32, kind in 1_u8..=8,
    ) -> (u32, u16, [u8; 6], [u32; 3], u16, bool, bool, u8, u8) {
        (xid, secs, mac, times, mtu, broadcast, is_reply, mask, kind)
    }
}

prop_compose! {
    fn said(most_routes: usize)(
        (xid, secs, mac, times, mtu, broadcast, is_reply, mask, kind) in numbers(),
        fixed in [address(), address(), address(), address()],
        (server, wanted) in (address(), address()),
        routers in vec(address(), 1..5),
        dns in vec(address(), 1..5),
        routes in vec((0_u8..=32, address(), address()), 1..most_routes),
        name in "[a-z0-9-]{1,63}",
        domain in "[a-z]{1,20}(\\.[a-z0-9]{1,20}){0,3}",
        search in vec("[a-z]{1,12}(\\.[a-z]{1,12}){0,2}", 1..4),
        client_id in vec(any::<u8>(), 1..40),
        class in vec(any::<u8>(), 1..40),
        asked in vec(1_u8..=254, 1..30),
    ) -> Said {
        let kind = MessageType::of(kind).unwrap();
        Said {
            kind, is_reply, broadcast, mac, xid, secs, fixed, mask, server, wanted, times,
            mtu, routers, dns, routes, name, domain, search, client_id, class, asked,
        }
    }
}

/// An option as it comes: of a code that we know, or of any, and of any length.
fn option() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![1_u8, 3, 6, 15, 26, 33, 51, 53, 54, 58, 119, 121, 249]);
    let code = prop_oneof![3 => known, 1 => any::<u8>()];
    let few = prop_oneof![0_u8..33, any::<u8>()];
    let value = prop_oneof![vec(few, 0..40), vec(any::<u8>(), 4), vec(any::<u8>(), 255)];
    (code, value).prop_map(|(code, value)| {
        let length = u8::try_from(value.len()).unwrap();
        [&[code, length], &value[..]].concat()
    })
}

fn mask_of(said: &Said) -> Ipv4Addr {
    ipnet::Ipv4Net::new(Ipv4Addr::UNSPECIFIED, said.mask)
        .unwrap()
        .netmask()
}

/// RFC 3442: as many octets of the destination as its mask reaches into.
fn route_bytes((length, destination, via): &(u8, Ipv4Addr, Ipv4Addr)) -> Vec<u8> {
    let net = ipnet::Ipv4Net::new(*destination, *length).unwrap().trunc();
    let used = usize::from(length.div_ceil(8));
    let octets = net.addr().octets();
    [&[*length], &octets[..used], &via.octets()].concat()
}

fn name_bytes(name: &str) -> Vec<u8> {
    let labels = name.split('.');
    let labels = labels.flat_map(|l| [&[u8::try_from(l.len()).unwrap()], l.as_bytes()].concat());
    labels.chain([0]).collect()
}

fn octets(addresses: &[Ipv4Addr]) -> Vec<u8> {
    addresses
        .iter()
        .flat_map(|address| address.octets())
        .collect()
}

fn ours(said: &Said) -> Message {
    let mut message = Message::request(said.kind, Hardware::Ethernet(said.mac), said.xid);
    if said.is_reply {
        message.op = Op::Reply;
    }
    (message.secs, message.broadcast) = (said.secs, said.broadcast);
    [
        message.ciaddr,
        message.yiaddr,
        message.siaddr,
        message.giaddr,
    ] = said.fixed;
    let options = &mut message.options;
    options.set(code::SUBNET_MASK, mask_of(said).octets());
    options.set(code::SERVER_ID, said.server.octets());
    options.set(code::REQUESTED_ADDRESS, said.wanted.octets());
    let times = [code::LEASE_TIME, code::RENEWAL_TIME, code::REBINDING_TIME];
    for (code, time) in times.into_iter().zip(said.times) {
        options.set(code, time.to_be_bytes());
    }
    options.set(code::INTERFACE_MTU, said.mtu.to_be_bytes());
    options.set(code::ROUTERS, octets(&said.routers));
    options.set(code::DNS_SERVERS, octets(&said.dns));
    let routes: Vec<u8> = said.routes.iter().flat_map(route_bytes).collect();
    options.set(code::CLASSLESS_ROUTES, routes);
    options.set(code::HOST_NAME, said.name.as_bytes());
    options.set(code::DOMAIN_NAME, said.domain.as_bytes());
    options.set(code::CLIENT_ID, said.client_id.clone());
    options.set(code::VENDOR_CLASS, said.class.clone());
    options.set(code::PARAMETER_LIST, said.asked.clone());
    let search: Vec<u8> = said
        .search
        .iter()
        .flat_map(|name| name_bytes(name))
        .collect();
    options.set(code::DOMAIN_SEARCH, search);
    message
}

fn theirs(said: &Said) -> v4::Message {
    let [ciaddr, yiaddr, siaddr, giaddr] = said.fixed;
    let mut message = v4::Message::new_with_id(said.xid, ciaddr, yiaddr, siaddr, giaddr, &said.mac);
    if said.is_reply {
        message.set_opcode(v4::Opcode::BootReply);
    }
    message.set_secs(said.secs);
    if said.broadcast {
        message.set_flags(v4::Flags::default().set_broadcast());
    }
    let route = |(length, destination, via): &(u8, Ipv4Addr, Ipv4Addr)| {
        (
            ipnet::Ipv4Net::new(*destination, *length).unwrap().trunc(),
            *via,
        )
    };
    let search = said.search.iter();
    let search = search.map(|name| dhcproto::Name::from_ascii(format!("{name}.")).unwrap());
    let asked = said.asked.iter().map(|code| OptionCode::from(*code));
    let [lease, renewal, rebinding] = said.times;
    for option in [
        DhcpOption::MessageType(v4::MessageType::from(said.kind.number())),
        DhcpOption::SubnetMask(mask_of(said)),
        DhcpOption::ServerIdentifier(said.server),
        DhcpOption::RequestedIpAddress(said.wanted),
        DhcpOption::AddressLeaseTime(lease),
        DhcpOption::Renewal(renewal),
        DhcpOption::Rebinding(rebinding),
        DhcpOption::InterfaceMtu(said.mtu),
        DhcpOption::Router(said.routers.clone()),
        DhcpOption::DomainNameServer(said.dns.clone()),
        DhcpOption::ClasslessStaticRoute(said.routes.iter().map(route).collect()),
        DhcpOption::Hostname(said.name.clone()),
        DhcpOption::DomainName(said.domain.clone()),
        DhcpOption::ClientIdentifier(said.client_id.clone()),
        DhcpOption::ClassIdentifier(said.class.clone()),
        DhcpOption::ParameterRequestList(asked.collect()),
        DhcpOption::DomainSearch(search.collect()),
    ] {
        message.opts_mut().insert(option);
    }
    message
}

proptest! {
    // Nothing of a failure is written into the source.
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_we_write_another_implementation_reads_as_it_was_meant(said in said(20)) {
        let bytes = ours(&said).write();
        let read = v4::Message::decode(&mut Decoder::new(&bytes)).unwrap();
        prop_assert_eq!(read, theirs(&said));
    }

    #[test]
    fn what_another_implementation_writes_we_read_as_it_was_meant(said in said(80)) {
        let read = Message::read(&theirs(&said).to_vec().unwrap()).unwrap();
        // They may point to a domain that they wrote before (RFC 1035 §4.1.4).
        let (mut read, mut wanted) = (read, ours(&said));
        if let (Ok(one), Ok(other)) = (Lease::of(&read), Lease::of(&wanted)) {
            prop_assert_eq!(one, other);
        }
        read.options.set(code::DOMAIN_SEARCH, [0]);
        wanted.options.set(code::DOMAIN_SEARCH, [0]);
        prop_assert_eq!(read, wanted);
    }

    #[test]
    fn both_make_the_same_of_a_message_that_was_damaged_on_the_way(
        said in said(20),
        damage in vec((any::<Index>(), any::<u8>()), 0..20),
    ) {
        let mut bytes = ours(&said).write();
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(our) = Message::read(&bytes) {
            agree(&bytes, &our);
        }
    }

    #[test]
    fn both_make_the_same_of_options_of_any_kind_and_length(
        said in said(2),
        options in vec(option(), 0..12),
        overload in 0_u8..8,
        cut in any::<Index>(),
        fields in vec(any::<u8>(), 192),
    ) {
        let mut bytes = ours(&said).write();
        bytes.truncate(240);
        bytes[44..236].copy_from_slice(&fields);
        bytes.extend([code::OVERLOAD, 1, overload]);
        bytes.extend(options.concat());
        bytes.truncate(243.max(cut.index(2 * bytes.len())));
        agree(&bytes, &Message::read(&bytes).unwrap());
    }
}
