//! Behaviour of the address parser.

use super::*;

fn read(text: &str) -> AddressWithGateway {
    text.parse().unwrap()
}

fn refused(text: &str) -> String {
    text.parse::<AddressWithGateway>().unwrap_err().to_string()
}

#[test]
fn an_address_without_prefix_length_is_refused_with_the_repair() {
    assert_eq!(
        refused("10.0.0.5"),
        "10.0.0.5 has no prefix length; maybe you meant 10.0.0.5/24"
    );
    assert_eq!(
        refused("2001:db8::5"),
        "2001:db8::5 has no prefix length; maybe you meant 2001:db8::5/64"
    );
}

#[test]
fn the_repair_keeps_the_gateway() {
    assert_eq!(
        refused("10.0.0.1@10.0.0.254"),
        "10.0.0.1 has no prefix length; maybe you meant 10.0.0.1/24@10.0.0.254"
    );
}

#[test]
fn host_bits_are_kept() {
    assert_eq!(read("10.0.0.5/24").addresses[0].to_string(), "10.0.0.5/24");
}

#[test]
fn several_addresses_and_both_gateways_are_read() {
    let text = "10.0.0.5/24,2001:db8::5/64@10.0.0.1,fe80::1";
    assert_eq!(read(text).to_string(), text);
}

#[test]
fn nothing_is_no_address() {
    assert_eq!(read("0/0"), AddressWithGateway::default());
}

#[test]
fn nothing_beside_an_address_is_refused() {
    assert_eq!(
        refused("0/0,10.0.0.5/24"),
        "0/0 means no address and cannot stand beside 10.0.0.5/24"
    );
}

#[test]
fn an_empty_gateway_is_none() {
    assert_eq!(read("10.4.1.1/24@"), read("10.4.1.1/24"));
}

#[test]
fn a_gateway_outside_the_subnet_is_allowed() {
    assert_eq!(
        read("10.9.0.5/32@10.1.0.1").gateway4,
        Some(Ipv4Addr::new(10, 1, 0, 1))
    );
}

#[test]
fn a_gateway_of_the_other_family_is_refused_with_both() {
    assert_eq!(
        refused("10.0.0.5/24@fe80::1"),
        "gateway fe80::1 is IPv6, but 10.0.0.5/24 is IPv4"
    );
}

#[test]
fn a_gateway_without_address_is_refused() {
    assert_eq!(
        refused("0/0@10.0.0.1"),
        "gateway 10.0.0.1 is IPv4, but there is no address"
    );
}

#[test]
fn two_gateways_of_one_family_are_refused() {
    assert_eq!(
        refused("10.0.0.5/24@10.0.0.1,10.0.0.2"),
        "10.0.0.1 and 10.0.0.2 are both gateways for IPv4"
    );
}

#[test]
fn addresses_that_no_host_can_have_are_refused_by_what_they_are() {
    for (text, what) in [
        ("224.0.0.5/24", "a multicast address"),
        ("ff02::1/64", "a multicast address"),
        ("0.0.0.0/24", "the unspecified address"),
        ("127.0.0.5/8", "a loopback address"),
        ("::1/128", "a loopback address"),
        ("10.0.0.0/24", "the network address of its subnet"),
        ("10.0.0.255/24", "the broadcast address of its subnet"),
        ("255.255.255.255/32", "the limited broadcast address"),
        (
            "2001:db8::/64",
            "the subnet-router anycast address of its subnet",
        ),
        (
            "::ffff:10.0.0.5/128",
            "an IPv4 address in IPv6 form; write it as IPv4",
        ),
    ] {
        assert!(refused(text).ends_with(&format!(" is {what}")), "{text}");
    }
}

#[test]
fn point_to_point_subnets_have_no_special_addresses() {
    for text in [
        "10.0.0.0/31",
        "10.0.0.1/31",
        "10.0.0.0/32",
        "2001:db8::/127",
    ] {
        assert_eq!(read(text).addresses.len(), 1, "{text}");
    }
}

#[test]
fn the_own_address_cannot_be_the_gateway() {
    assert_eq!(
        refused("10.0.0.5/24@10.0.0.5"),
        "10.0.0.5 is both the address and the gateway"
    );
}

#[test]
fn an_address_twice_is_refused() {
    assert_eq!(
        refused("10.0.0.5/24,10.0.0.5/16"),
        "10.0.0.5 is written twice"
    );
}

#[test]
fn a_gateway_at_the_end_of_its_subnet_is_refused() {
    assert_eq!(
        refused("10.0.0.5/24@10.0.0.255"),
        "gateway 10.0.0.255 is the broadcast address of its subnet 10.0.0.0/24"
    );
}

#[test]
fn a_scope_is_refused() {
    assert_eq!(
        refused("fe80::5%eth0/64"),
        "fe80::5%eth0 names an interface behind %"
    );
    assert_eq!(
        refused("2001:db8::5/64@fe80::1%eth0"),
        "fe80::1%eth0 names an interface behind %"
    );
}

#[test]
fn a_number_beyond_a_byte_is_no_address() {
    assert_eq!(refused("300.1.1.1/24"), "300.1.1.1 is not an IP address");
}

#[test]
fn a_prefix_length_beyond_the_family_is_refused_with_the_range() {
    assert_eq!(
        refused("10.0.0.5/33"),
        "33 is not a prefix length for 10.0.0.5: it is between 1 and 32"
    );
    for text in ["10.0.0.5/0", "10.0.0.5/+24", "10.0.0.5/", "2001:db8::5/129"] {
        assert!(refused(text).contains("is not a prefix length"), "{text}");
    }
}

#[test]
fn empty_places_are_refused() {
    for text in ["", ",", "10.0.0.5/24,", "@10.0.0.1"] {
        assert_eq!(text.parse::<AddressWithGateway>(), Err(AddressError::Empty));
    }
}

#[test]
fn a_gateway_with_prefix_length_is_refused() {
    assert_eq!(
        refused("10.0.0.5/24@10.0.0.1/24"),
        "gateway 10.0.0.1/24 must not have a prefix length"
    );
}
