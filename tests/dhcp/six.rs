//! DHCPv6 from the keys to an address, with a server whose every answer a test
//! decides (RFC 8415).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pipework::dhcp::v6::options::{Ia, code};
use pipework::dhcp::v6::wire::{Message, MessageType};

use crate::servers::within;
use crate::support::dhcp_server::{GIVEN as GIVEN4, Scripted};
use crate::support::dhcp6_server::{
    GIVEN, HOUR, Scripted6, addresses6, lan6, locals6, ordinary, refusing, saying,
};
use crate::support::lab::router::{Router, prefix};
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, ip, ip_json, lab};

/// M (RFC 4861 §4.2).
const MANAGED: u8 = 0x80;

/// A client that nobody keeps the lease of and that probes nothing.
pub const ALONE: [&str; 4] = [
    "pipework.bridge=br0",
    "pipework.ip=dhcp6",
    "pipework.dhcp.keep=false",
    "pipework.dhcp.arp=off",
];

pub fn alone<'a>(further: &[&'a str]) -> Vec<&'a str> {
    ALONE.iter().chain(further).copied().collect()
}

/// The next hops of the IPv6 default routes of a container.
pub fn default_routes(lab: &Lab, container: &Container) -> Vec<String> {
    let routes = lab.inside(container, || ip_json("-6 route show default dev eth1"));
    let routes = routes.as_array().cloned().unwrap_or_default().into_iter();
    routes
        .map(|route| route["gateway"].as_str().unwrap_or("link").to_owned())
        .collect()
}

fn wanted(message: &Message) -> Vec<std::net::Ipv6Addr> {
    let ia = Ia::read(message.options.get(code::IA_NA).unwrap()).unwrap();
    ia.addresses.iter().map(|given| given.address).collect()
}

#[test]
fn an_ipv6_lease_is_there_with_a_default_route_before_the_first_instruction() {
    lab!(|lab| {
        let machine = lan6(lab);
        let _router = Router::start(lab, &machine, MANAGED, &[]);
        let server = Scripted6::ordinary(lab, &machine);
        let container = lab.container("web");
        assert_eq!(lab.attach(&container, &ALONE).ok().stderr(), "");
        let found = addresses6(lab, &container);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0]["local"], GIVEN.to_string());
        assert_eq!(found[0]["prefixlen"], 128);
        let times = |name: &str| found[0][name].as_u64().unwrap();
        assert!((3590..=3600).contains(&times("valid_life_time")));
        assert!((1790..=1800).contains(&times("preferred_life_time")));
        assert_eq!(default_routes(lab, &container), ["fe80::1"]);
        assert_eq!(server.kinds(), [MessageType::Solicit, MessageType::Request]);
    });
}

#[test]
fn a_client_of_dhcpv6_names_itself_by_its_mac_and_its_container() {
    lab!(|lab| {
        let machine = lan6(lab);
        let server = Scripted6::ordinary(lab, &machine);
        let container = lab.container("web_1");
        let asked = alone(&["pipework.mac=02:00:00:aa:bb:05", "pipework.default=false"]);
        lab.attach(&container, &asked).ok();
        let solicit = server.first(MessageType::Solicit);
        let duid = solicit.options.get(code::CLIENT_ID);
        assert_eq!(duid, Some(&[0, 3, 0, 1, 2, 0, 0, 0xaa, 0xbb, 5][..]));
        let ia = Ia::read(solicit.options.get(code::IA_NA).unwrap()).unwrap();
        assert_eq!(ia.iaid, 0x00aa_bb05);
        let name = solicit.options.get(code::CLIENT_FQDN);
        assert_eq!(name, Some(&b"\x01\x05web-1"[..]));
    });
}

#[test]
fn a_client_identifier_of_a_duid_is_sent_in_both_families() {
    lab!(|lab| {
        let machine = lan6(lab);
        let server = Scripted6::ordinary(lab, &machine);
        let container = lab.container("web");
        let asked = alone(&[
            "pipework.dhcp.client-id=ff:00:00:00:07:00:03:00:01:02:00:00:00:00:09",
            "pipework.default=false",
        ]);
        lab.attach(&container, &asked).ok();
        let solicit = server.first(MessageType::Solicit);
        let duid = solicit.options.get(code::CLIENT_ID);
        assert_eq!(duid, Some(&[0, 3, 0, 1, 2, 0, 0, 0, 0, 9][..]));
        let ia = Ia::read(solicit.options.get(code::IA_NA).unwrap()).unwrap();
        assert_eq!(ia.iaid, 7);
    });
}

#[test]
fn both_families_are_asked_for_at_once() {
    lab!(|lab| {
        let machine = lan6(lab);
        let _router = Router::start(lab, &machine, MANAGED, &[]);
        // Each answers nobody before the other was asked as well.
        let asked = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let both = asked.clone();
        let is_other_asked = move |own: usize| {
            both[own].store(true, Ordering::Relaxed);
            both[1 - own].load(Ordering::Relaxed)
        };
        let of_four = is_other_asked.clone();
        let _four = Scripted::on(lab, &machine, move |message, _| match of_four(0) {
            true => crate::support::dhcp_server::ordinary(message, |_| {}),
            false => Vec::new(),
        });
        let _six = Scripted6::on(lab, &machine, move |message, _| match is_other_asked(1) {
            true => ordinary(message, GIVEN, HOUR),
            false => Vec::new(),
        });
        let container = lab.container("web");
        let mut wanted = alone(&[]);
        wanted[1] = "pipework.ip=dhcp,dhcp6";
        lab.attach(&container, &wanted).ok();
        assert_eq!(locals6(lab, &container), [GIVEN.to_string()]);
        let four = crate::plain::addresses(lab, &container);
        assert_eq!(four[0]["local"], GIVEN4.to_string());
    });
}

#[test]
fn an_address_of_a_server_stands_beside_one_of_a_router() {
    lab!(|lab| {
        let machine = lan6(lab);
        let _router = Router::start(lab, &machine, MANAGED, &[prefix("fd00::")]);
        let _server = Scripted6::ordinary(lab, &machine);
        let container = lab.container("web");
        let mut asked = alone(&[]);
        asked[1] = "pipework.ip=slaac,dhcp6";
        lab.attach(&container, &asked).ok();
        let found = locals6(lab, &container);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.contains(&GIVEN.to_string()), "{found:?}");
        // Without `slaac` the router's prefix makes none.
        let other = lab.container("other");
        lab.attach(&other, &ALONE).ok();
        assert_eq!(locals6(lab, &other), [GIVEN.to_string()]);
    });
}

#[test]
fn a_network_without_a_router_is_told_where_a_route_was_wanted() {
    lab!(|lab| {
        let machine = lan6(lab);
        let _server = Scripted6::ordinary(lab, &machine);
        let container = lab.container("web");
        let text = lab.attach(&container, &ALONE).ok().stderr();
        assert!(text.contains("no router was heard on eth1"), "{text}");
        assert_eq!(locals6(lab, &container), [GIVEN.to_string()]);
        let other = lab.container("other");
        let asked = alone(&["pipework.default=false"]);
        assert_eq!(lab.attach(&other, &asked).ok().stderr(), "");
    });
}

#[test]
fn a_restart_has_its_lease_confirmed_and_asks_for_nothing_else() {
    lab!(|lab| {
        let machine = lan6(lab);
        let server = Scripted6::ordinary(lab, &machine);
        let asked = alone(&["pipework.default=false"]);
        let mut container = lab.container("web");
        lab.attach(&container, &asked).ok();
        container.kill();
        lab.poststop("web").ok();
        let container = lab.container("web");
        lab.attach(&container, &asked).ok();
        assert_eq!(locals6(lab, &container), [GIVEN.to_string()]);
        let kinds = server.kinds();
        assert_eq!(kinds[2..], [MessageType::Confirm]);
        let confirm = server.first(MessageType::Confirm);
        assert_eq!(wanted(&confirm), [GIVEN]);
        assert_eq!(confirm.options.get(code::SERVER_ID), None);
        // Its time goes on.
        let valid = addresses6(lab, &container)[0]["valid_life_time"].as_u64();
        assert!(valid.unwrap() <= 3600);
    });
}

#[test]
fn an_address_that_does_not_suit_the_link_any_more_is_given_up() {
    lab!(|lab| {
        let machine = lan6(lab);
        let other = "fd00::77".parse().unwrap();
        let server = Scripted6::on(lab, &machine, move |message, before| {
            match (message.kind, before) {
                (MessageType::Confirm, _) => vec![saying(message, 4)],
                (_, 0..=1) => ordinary(message, GIVEN, HOUR),
                (_, _) => ordinary(message, other, HOUR),
            }
        });
        let asked = alone(&["pipework.default=false"]);
        let mut container = lab.container("web");
        lab.attach(&container, &asked).ok();
        container.kill();
        lab.poststop("web").ok();
        let container = lab.container("web");
        lab.attach(&container, &asked).ok();
        assert_eq!(locals6(lab, &container), ["fd00::77"]);
        let kinds = server.kinds();
        let expected = [
            MessageType::Confirm,
            MessageType::Solicit,
            MessageType::Request,
        ];
        assert_eq!(kinds[2..], expected);
    });
}

#[test]
fn an_ipv6_address_that_another_host_has_is_declined_and_named_with_its_holder() {
    lab!(|lab| {
        let machine = lan6(lab);
        lab.inside(&machine, || {
            ip(&format!("-6 addr add {GIVEN}/64 dev wire nodad"))
        });
        let server = Scripted6::ordinary(lab, &machine);
        let container = lab.container("web");
        let guest = lab.snapshot_of(&container);
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=dhcp6",
            "pipework.dhcp.keep=false",
            "pipework.dhcp.timeout=3s",
        ];
        let text = lab.attach(&container, &asked).refused(21);
        let mac = lab.inside(&machine, || ip_json("link show wire"));
        let mac = mac[0]["address"].as_str().unwrap().to_owned();
        assert!(text.contains(&format!("{mac} has {GIVEN}")), "{text}");
        let decline = server.first(MessageType::Decline);
        assert_eq!(wanted(&decline), [GIVEN]);
        assert!(decline.options.get(code::SERVER_ID).is_some());
        guest.assert_equal(&lab.snapshot_of(&container), "container");
    });
}

#[test]
fn after_an_ipv6_conflict_another_address_is_taken() {
    lab!(|lab| {
        let machine = lan6(lab);
        lab.inside(&machine, || {
            ip(&format!("-6 addr add {GIVEN}/64 dev wire nodad"))
        });
        let other = "fd00::77".parse().unwrap();
        let server = Scripted6::on(lab, &machine, move |message, before| {
            let address = if before > 2 { other } else { GIVEN };
            ordinary(message, address, HOUR)
        });
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=dhcp6",
            "pipework.default=false",
            "pipework.dhcp.keep=false",
        ];
        let begin = Instant::now();
        lab.attach(&container, &asked).ok();
        let took = begin.elapsed();
        assert_eq!(locals6(lab, &container), ["fd00::77"]);
        // Two probes of 0.2 s.
        assert!(took > Duration::from_millis(400), "{took:?}");
        assert_eq!(server.kinds()[2], MessageType::Decline);
    });
}

#[test]
fn a_server_of_dhcpv6_that_refuses_or_is_silent_is_told_as_that() {
    lab!(|lab| {
        let machine = lan6(lab);
        let (host, records) = (lab.snapshot(), Records::take());
        let asked = alone(&["pipework.dhcp.timeout=600ms"]);
        let container = lab.container("web");
        let text = lab.attach(&container, &asked).refused(22);
        assert!(text.contains("no DHCPv6 server offered eth1"), "{text}");
        assert!(text.contains("asked "), "{text}");
        let asked = alone(&["pipework.dhcp.timeout=3s"]);
        let server = Scripted6::on(lab, &machine, |message, _| {
            vec![refusing(message, MessageType::Advertise, 2)]
        });
        let text = lab.attach(&container, &asked).refused(22);
        assert!(
            text.contains("refused eth1 an address with NoAddrsAvail"),
            "{text}"
        );
        drop(server);
        let _server = Scripted6::on(lab, &machine, |message, _| match message.kind {
            MessageType::Solicit => ordinary(message, GIVEN, HOUR),
            _ => Vec::new(),
        });
        let text = lab.attach(&container, &asked).refused(22);
        assert!(text.contains(&format!("offered eth1 {GIVEN}")), "{text}");
        host.assert_equal(&lab.snapshot(), "host");
        records.assert_equal(&Records::take(), "store");
    });
}

/// Gives the host an address to speak from on the bridge, as most have.
pub fn speak_from_the_host() {
    std::fs::write("/proc/sys/net/ipv6/conf/br0/disable_ipv6", "0").unwrap();
    ip("-6 addr add fe80::b/64 dev br0 nodad");
}

#[test]
fn an_ipv6_lease_that_is_given_back_without_a_daemon_is_told_by_the_host() {
    lab!(|lab| {
        let machine = lan6(lab);
        let server = Scripted6::ordinary(lab, &machine);
        speak_from_the_host();
        let asked = alone(&["pipework.default=false", "pipework.dhcp.release=true"]);
        let mut container = lab.container("web");
        lab.attach(&container, &asked).ok();
        container.kill();
        assert_eq!(lab.poststop("web").ok().stderr(), "");
        within("it is given back", || server.heard().len() >= 3);
        let release = server.first(MessageType::Release);
        assert_eq!(wanted(&release), [GIVEN]);
        // The next start knows nothing to confirm, and asks for the same again.
        let container = lab.container("web");
        lab.attach(&container, &asked).ok();
        let solicits: Vec<Message> = server
            .heard()
            .into_iter()
            .filter(|message| message.kind == MessageType::Solicit)
            .collect();
        assert_eq!(wanted(&solicits[1]), [GIVEN]);
    });
}
