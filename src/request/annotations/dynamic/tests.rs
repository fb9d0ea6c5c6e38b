//! What may stand beside an address that a server gives.

use crate::request::annotations::parse;
use crate::request::{Dynamic, Request};

fn asked(pairs: &[(&str, &str)]) -> Result<Request, String> {
    let parsed = parse(pairs.iter().copied());
    parsed.map(Option::unwrap).map_err(|e| e.to_string())
}

fn refused(pairs: &[(&str, &str)]) -> String {
    asked(pairs).unwrap_err()
}

const BRIDGE: (&str, &str) = ("pipework.bridge", "br0");
const SIX: (&str, &str) = ("pipework.ip", "dhcp6");

#[test]
fn addresses_are_learned_in_every_way_at_once() {
    let request = asked(&[BRIDGE, ("pipework.ip", "10.0.0.5/24,dhcp,dhcp6,slaac")]).unwrap();
    let addressing = &request.attachments[0].addressing;
    for way in [Dynamic::Dhcp4, Dynamic::Dhcp6, Dynamic::Slaac] {
        assert!(addressing.asks(way).is_some(), "{way:?}");
    }
    assert_eq!(addressing.addresses.len(), 1);
}

#[test]
fn options_of_a_client_hold_for_either_family() {
    for option in [
        ("pipework.dhcp.timeout", "1s"),
        ("pipework.dhcp.arp", "rfc"),
        ("pipework.dhcp.release", "true"),
        ("pipework.dns", "lease"),
    ] {
        asked(&[BRIDGE, SIX, option]).unwrap();
    }
}

#[test]
fn an_address_in_the_place_of_a_lease_is_ipv4s() {
    let fallback = ("pipework.dhcp.fallback", "10.0.0.5/24");
    let error = refused(&[BRIDGE, SIX, fallback]);
    assert!(
        error.contains("ip=dhcp") && error.contains("fallback"),
        "{error}"
    );
    asked(&[BRIDGE, ("pipework.ip", "dhcp,dhcp6"), fallback]).unwrap();
}

#[test]
fn what_needs_to_know_an_ipv6_address_or_leads_to_no_server_is_refused() {
    let error = refused(&[BRIDGE, SIX, ("pipework.sbr", "true")]);
    assert!(error.contains("addresses that are written"), "{error}");
    let parent = ("pipework.parent", "eth1");
    let error = refused(&[parent, SIX, ("pipework.host-access", "true")]);
    assert!(error.contains("addresses that are written"), "{error}");
    let error = refused(&[("pipework.dummy", "any0"), SIX]);
    assert!(error.contains("a dummy leads nowhere"), "{error}");
    let l3 = ("pipework.mode", "l3");
    let error = refused(&[
        ("pipework.parent", "eth1"),
        ("pipework.type", "ipvlan"),
        l3,
        SIX,
    ]);
    assert!(error.contains("no router is heard"), "{error}");
}

#[test]
fn a_program_asks_for_ipv4_and_is_told_nothing_that_only_our_client_knows() {
    let program = ("pipework.dhcp.program", "/usr/sbin/udhcpc");
    let dhcp = ("pipework.ip", "dhcp");
    let request = asked(&[BRIDGE, dhcp, program]).unwrap();
    let given = request.attachments[0].dhcp.program.as_ref().unwrap();
    assert_eq!(given.value.to_string(), "/usr/sbin/udhcpc");
    for other in [
        ("pipework.dhcp.server", "10.0.0.2"),
        ("pipework.dhcp.arp", "rfc"),
        ("pipework.dhcp.vendor-class", "acme"),
        ("pipework.dhcp.user-class", "lab"),
        ("pipework.dhcp.fqdn", "web.example.net"),
    ] {
        let error = refused(&[BRIDGE, dhcp, program, other]);
        assert!(error.contains("only our own client"), "{error}");
    }
    for other in [
        ("pipework.dhcp.arp", "off"),
        ("pipework.dhcp.hostname", "printer"),
        ("pipework.dhcp.client-id", "front-door"),
    ] {
        asked(&[BRIDGE, dhcp, program, other]).unwrap();
    }
    let error = refused(&[BRIDGE, SIX, program]);
    assert!(error.contains("ip=dhcp"), "{error}");
    let card = ("pipework.ipoib", "ib0");
    let error = refused(&[card, dhcp, program]);
    assert!(error.contains("InfiniBand"), "{error}");
    asked(&[card, dhcp]).unwrap();
}
