//! A report: what a program tells the script of its own about a lease, by the
//! variables that it has for it. Believed as little as an ACK. Pure.
//!
//! udhcpc has names of its own (busybox, networking/udhcp/dhcpc.c), dhclient and
//! dhcpcd have `new_` and the option (dhclient-script(8), dhcpcd-run-hooks(8)).

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::dhcp::lease::Lease;
use crate::dhcp::names;
use crate::dhcp::options::code;
use crate::dhcp::wire::{Hardware, Message, MessageType};

/// The most bytes of a report: as many as a pipe with nothing in it takes at once
/// (pipe(7)).
pub const LONGEST: usize = 65536;
/// The most bytes of a value. An answer in one frame says less; only a list of
/// domains whose names point at each other grows without bounds.
const LONGEST_VALUE: usize = 16384;

/// How the text of a variable becomes the bytes of an option.
#[derive(Clone, Copy)]
enum Form {
    Addresses,
    Short,
    Long,
    Text,
    /// Pairs of a network and a router.
    Routes,
    /// The bytes of the option as numbers.
    Bytes,
}

const ADDRESSES: [&str; 2] = ["ip", "new_ip_address"];
const SEARCH: [&str; 2] = ["search", "new_domain_search"];
const OPTIONS: [(&str, u8, Form); 23] = [
    ("subnet", code::SUBNET_MASK, Form::Addresses),
    ("new_subnet_mask", code::SUBNET_MASK, Form::Addresses),
    ("router", code::ROUTERS, Form::Addresses),
    ("new_routers", code::ROUTERS, Form::Addresses),
    ("dns", code::DNS_SERVERS, Form::Addresses),
    (
        "new_domain_name_servers",
        code::DNS_SERVERS,
        Form::Addresses,
    ),
    ("domain", code::DOMAIN_NAME, Form::Text),
    ("new_domain_name", code::DOMAIN_NAME, Form::Text),
    ("mtu", code::INTERFACE_MTU, Form::Short),
    ("new_interface_mtu", code::INTERFACE_MTU, Form::Short),
    ("broadcast", code::BROADCAST_ADDRESS, Form::Addresses),
    (
        "new_broadcast_address",
        code::BROADCAST_ADDRESS,
        Form::Addresses,
    ),
    ("ntpsrv", code::NTP_SERVERS, Form::Addresses),
    ("new_ntp_servers", code::NTP_SERVERS, Form::Addresses),
    ("lease", code::LEASE_TIME, Form::Long),
    ("new_dhcp_lease_time", code::LEASE_TIME, Form::Long),
    ("new_dhcp_renewal_time", code::RENEWAL_TIME, Form::Long),
    ("new_dhcp_rebinding_time", code::REBINDING_TIME, Form::Long),
    ("serverid", code::SERVER_ID, Form::Addresses),
    (
        "new_dhcp_server_identifier",
        code::SERVER_ID,
        Form::Addresses,
    ),
    ("staticroutes", code::CLASSLESS_ROUTES, Form::Routes),
    (
        "new_classless_static_routes",
        code::CLASSLESS_ROUTES,
        Form::Routes,
    ),
    (
        "new_rfc3442_classless_static_routes",
        code::CLASSLESS_ROUTES,
        Form::Bytes,
    ),
];

fn is_known(name: &str) -> bool {
    let mut options = OPTIONS.iter();
    ADDRESSES.contains(&name) || SEARCH.contains(&name) || options.any(|(of, ..)| *of == name)
}

/// The report of these variables; `None` where they tell of no address, or of
/// more than a report holds.
pub fn report(variables: impl Iterator<Item = (String, String)>) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut has_address = false;
    for (name, value) in variables.filter(|(name, _)| is_known(name)) {
        if value.is_empty() || value.len() > LONGEST_VALUE || value.contains(['\n', '\0']) {
            continue;
        }
        has_address |= ADDRESSES.contains(&name.as_str());
        text.extend(format!("{name}={value}\n").into_bytes());
    }
    text.push(0);
    (has_address && text.len() <= LONGEST).then_some(text)
}

/// The lease that a report tells of.
pub(super) fn lease(report: &[u8]) -> Option<Lease> {
    let text = std::str::from_utf8(report).ok()?;
    let nobody = Hardware::Ethernet([0; 6]);
    let mut message = Message::request(MessageType::Ack, nobody, 0);
    let mut search = Vec::new();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        if ADDRESSES.contains(&name) {
            message.yiaddr = value.parse().ok()?;
        } else if SEARCH.contains(&name) {
            let words = value.split_ascii_whitespace();
            search.extend(words.filter_map(|word| names::domain(word.as_bytes())));
        } else if let Some((_, code, form)) = OPTIONS.iter().find(|(of, ..)| *of == name) {
            message
                .options
                .set(*code, form.bytes(value).unwrap_or_default());
        }
    }
    let mut lease = Lease::of(&message).ok()?;
    lease.search = search;
    Some(lease)
}

impl Form {
    fn bytes(self, text: &str) -> Option<Vec<u8>> {
        let mut words = text.split([' ', ',']).filter(|word| !word.is_empty());
        match self {
            Self::Text => Some(text.as_bytes().to_vec()),
            Self::Short => Some(text.parse::<u16>().ok()?.to_be_bytes().to_vec()),
            Self::Long => Some(text.parse::<u32>().ok()?.to_be_bytes().to_vec()),
            Self::Bytes => words.map(|word| word.parse::<u8>().ok()).collect(),
            Self::Addresses => {
                let octets = |word: &str| Some(word.parse::<Ipv4Addr>().ok()?.octets());
                let all: Option<Vec<[u8; 4]>> = words.map(octets).collect();
                Some(all?.concat())
            }
            Self::Routes => {
                let mut bytes = Vec::new();
                while let Some(destination) = words.next() {
                    let destination: Ipv4Net = destination.parse().ok()?;
                    let via: Ipv4Addr = words.next()?.parse().ok()?;
                    let width = destination.prefix_len();
                    let octets = destination.network().octets();
                    bytes.push(width);
                    bytes.extend(octets.get(..usize::from(width.div_ceil(8)))?);
                    bytes.extend(via.octets());
                }
                Some(bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Option<Lease> {
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let text = report(variables)?;
        lease(text.strip_suffix(&[0]).unwrap())
    }

    const UDHCPC: [(&str, &str); 11] = [
        ("interface", "eth1"),
        ("ip", "10.0.0.5"),
        ("subnet", "255.255.255.0"),
        ("serverid", "10.0.0.1"),
        ("lease", "3600"),
        ("router", "10.0.0.1"),
        ("dns", "10.0.0.53 10.0.0.54"),
        ("search", "lan example.net"),
        ("mtu", "1400"),
        ("broadcast", "255.255.255.255"),
        ("staticroutes", "10.9.0.0/16 10.0.0.3 0.0.0.0/0 10.0.0.4"),
    ];
    const DHCLIENT: [(&str, &str); 11] = [
        ("reason", "BOUND"),
        ("new_ip_address", "10.0.0.5"),
        ("new_subnet_mask", "255.255.255.0"),
        ("new_dhcp_server_identifier", "10.0.0.1"),
        ("new_dhcp_lease_time", "3600"),
        ("new_routers", "10.0.0.1"),
        ("new_domain_name_servers", "10.0.0.53,10.0.0.54"),
        ("new_domain_search", "lan. example.net."),
        ("new_interface_mtu", "1400"),
        ("new_broadcast_address", "255.255.255.255"),
        (
            "new_rfc3442_classless_static_routes",
            "16 10 9 10 0 0 3 0 10 0 0 4",
        ),
    ];

    #[test]
    fn the_same_lease_in_the_words_of_either_is_the_same() {
        let lease = read(&UDHCPC).unwrap();
        assert_eq!(lease.address.to_string(), "10.0.0.5/24");
        assert_eq!(lease.times.unwrap().lease, 3600);
        assert_eq!((lease.dns.len(), lease.mtu), (2, Some(1400)));
        assert_eq!(lease.broadcast, Some(Ipv4Addr::BROADCAST));
        assert_eq!(lease.search, ["lan", "example.net"]);
        let routes: Vec<String> = lease
            .routes
            .iter()
            .map(|r| r.destination.to_string())
            .collect();
        assert_eq!(routes, ["10.9.0.0/16", "0.0.0.0/0"]);
        assert_eq!(read(&DHCLIENT), Some(lease));
    }

    #[test]
    fn what_tells_of_no_lease_is_no_report_and_what_is_wrong_is_no_lease() {
        assert_eq!(read(&UDHCPC[..1]), None);
        for without in ["ip", "serverid", "lease"] {
            let mut some = UDHCPC.to_vec();
            some.retain(|(name, _)| *name != without);
            assert_eq!(read(&some), None, "{without}");
        }
        for (name, value) in [
            ("ip", "0.0.0.0"),
            ("ip", "web"),
            ("lease", "long"),
            ("serverid", ""),
        ] {
            let mut some = UDHCPC.to_vec();
            some.retain(|(of, _)| *of != name);
            some.push((name, value));
            assert_eq!(read(&some), None, "{name}={value}");
        }
        assert_eq!(lease(&[0xff, 0xfe]), None);
    }

    #[test]
    fn a_long_report_is_whole_and_a_list_without_end_is_left_out() {
        let routes: Vec<String> = (0..250)
            .map(|n| format!("10.{n}.0.0/16 192.0.2.200"))
            .collect();
        let some = [("staticroutes", routes.join(" "))];
        let domains = [("search", "a.example ".repeat(2000))];
        let some = some.iter().chain(&domains);
        let some: Vec<(&str, &str)> = some.map(|(name, value)| (*name, value.as_str())).collect();
        let lease = read(&[&UDHCPC[..5], &some].concat()).unwrap();
        assert_eq!((lease.routes.len(), lease.search.len()), (250, 0));
    }

    #[test]
    fn a_value_that_could_break_a_file_is_left_out() {
        let some = [
            &UDHCPC[..5],
            &[("domain", "lan\nnameserver 6.6.6.6"), ("search", "../x ok")],
        ];
        let lease = read(&some.concat()).unwrap();
        assert_eq!((lease.domain, lease.search), (None, vec!["ok".to_owned()]));
    }
}
