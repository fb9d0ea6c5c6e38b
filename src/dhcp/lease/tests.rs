//! What is read from an ACK, and what is not believed.

use super::*;
use crate::dhcp::wire::{Hardware, MessageType};

fn ack(options: &[(u8, &[u8])]) -> Message {
    let mut message = Message::request(MessageType::Ack, Hardware::Ethernet([2, 0, 0, 0, 0, 5]), 1);
    message.yiaddr = Ipv4Addr::new(10, 0, 0, 5);
    message.options.set(code::SERVER_ID, [10, 0, 0, 1]);
    message
        .options
        .set(code::LEASE_TIME, 3600_u32.to_be_bytes());
    for (code, value) in options {
        message.options.set(*code, *value);
    }
    message
}

fn times_of(lease: u32, renewal: u32, rebinding: u32) -> (u32, u32) {
    let message = ack(&[
        (code::LEASE_TIME, &lease.to_be_bytes()),
        (code::RENEWAL_TIME, &renewal.to_be_bytes()),
        (code::REBINDING_TIME, &rebinding.to_be_bytes()),
    ]);
    let times = Lease::of(&message).unwrap().times.unwrap();
    assert!(times.renewal < times.rebinding && times.rebinding < times.lease);
    (times.renewal, times.rebinding)
}

fn shown(options: &[(u8, &[u8])]) -> Vec<String> {
    let routes = Lease::of(&ack(options)).unwrap().routes;
    let via = |route: &LeaseRoute| route.via.map(|via| via.to_string()).unwrap_or_default();
    routes
        .iter()
        .map(|route| format!("{} {}", route.destination, via(route)))
        .collect()
}

#[test]
fn times_that_make_no_sense_are_the_defaults() {
    assert_eq!(times_of(3600, 1000, 2000), (1000, 2000));
    assert_eq!(times_of(3600, 0, 0), (1800, 3150));
    assert_eq!(times_of(3600, 2000, 2000), (1800, 2000));
    assert_eq!(times_of(3600, 4000, 5000), (1800, 3150));
    assert_eq!(times_of(3600, 100, 9000), (100, 3150));
    assert_eq!(times_of(3600, 0, 100), (1800, 3150));
}

#[test]
fn a_lease_for_ever_has_no_times_and_one_of_nothing_has_some() {
    let forever = ack(&[(code::LEASE_TIME, &[0xff; 4])]);
    assert_eq!(Lease::of(&forever).unwrap().times, None);
    let nothing = ack(&[(code::LEASE_TIME, &[0, 0, 0, 0])]);
    assert_eq!(Lease::of(&nothing).unwrap().times.unwrap().lease, 10);
}

#[test]
fn a_lease_below_ten_seconds_is_used_as_one_of_ten() {
    for (given, used) in [(1, 10), (9, 10), (10, 10), (11, 11)] {
        let ack = ack(&[(code::LEASE_TIME, &u32::to_be_bytes(given))]);
        let times = Lease::of(&ack).unwrap().times.unwrap();
        assert_eq!((times.renewal, times.lease), (5, used), "{given}");
    }
    // What the server says of renewals counts all the same.
    assert_eq!(times_of(4, 1, 3), (1, 3));
}

#[test]
fn an_address_that_no_host_can_have_is_refused() {
    for address in [
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "127.0.0.1",
        "10.0.0.1",
    ] {
        let mut message = ack(&[]);
        message.yiaddr = address.parse().unwrap();
        assert!(
            matches!(Lease::of(&message), Err(Unusable::Address(_))),
            "{address}"
        );
    }
}

#[test]
fn classless_routes_win_over_routers_and_static_ones() {
    let routers: (u8, &[u8]) = (code::ROUTERS, &[10, 0, 0, 1]);
    let classless: (u8, &[u8]) = (
        code::CLASSLESS_ROUTES,
        &[
            24, 192, 168, 7, 10, 0, 0, 2, 0, 10, 0, 0, 3, 32, 10, 9, 9, 9, 0, 0, 0, 0,
        ],
    );
    assert_eq!(shown(&[routers]), ["0.0.0.0/0 10.0.0.1"]);
    assert_eq!(
        shown(&[routers, classless]),
        [
            "192.168.7.0/24 10.0.0.2",
            "0.0.0.0/0 10.0.0.3",
            "10.9.9.9/32 "
        ]
    );
}

#[test]
fn a_malformed_list_of_routes_is_left_out_and_the_lease_kept() {
    let routers: (u8, &[u8]) = (code::ROUTERS, &[10, 0, 0, 1]);
    for bytes in [
        &[33, 1, 1, 1, 1, 1, 10, 0, 0, 2][..],
        &[24, 1, 1],
        &[24, 1, 1, 1, 10, 0, 0],
    ] {
        assert_eq!(
            shown(&[routers, (code::CLASSLESS_ROUTES, bytes)]),
            ["0.0.0.0/0 10.0.0.1"]
        );
    }
}

#[test]
fn a_small_mtu_is_left_out() {
    let mtu = |bytes: [u8; 2]| {
        Lease::of(&ack(&[(code::INTERFACE_MTU, &bytes)]))
            .unwrap()
            .mtu
    };
    assert_eq!(mtu(575_u16.to_be_bytes()), None);
    assert_eq!(mtu(1400_u16.to_be_bytes()), Some(1400));
}

#[test]
fn a_mask_with_holes_is_none() {
    let lease = |mask: [u8; 4]| {
        Lease::of(&ack(&[(code::SUBNET_MASK, &mask)]))
            .unwrap()
            .address
    };
    assert_eq!(lease([255, 255, 255, 255]).to_string(), "10.0.0.5/32");
    assert_eq!(lease([255, 0, 255, 0]).to_string(), "10.0.0.5/8");
    assert_eq!(lease([0, 0, 0, 0]).to_string(), "10.0.0.5/8");
}

#[test]
fn a_broadcast_address_is_one_of_the_subnet_or_of_the_link_and_never_a_hosts() {
    let of = |mask: [u8; 4], broadcast: &[u8]| {
        let options = [
            (code::SUBNET_MASK, &mask[..]),
            (code::BROADCAST_ADDRESS, broadcast),
        ];
        Lease::of(&ack(&options)).unwrap().broadcast
    };
    let wide = [255, 255, 255, 0];
    for legal in [[10, 0, 0, 255], [10, 0, 0, 0], [255; 4]] {
        assert_eq!(of(wide, &legal), Some(legal.into()));
    }
    // Somebody else's, its own, another network's, none at all, and cut ones.
    for other in [
        &[10, 0, 0, 99][..],
        &[10, 0, 0, 5],
        &[8, 8, 8, 8],
        &[10, 0, 1, 255],
        &[224, 0, 0, 1],
        &[0; 4],
        &[10, 0, 0],
        &[],
    ] {
        assert_eq!(of(wide, other), None, "{other:?}");
    }
    // A network of two or of one has none (RFC 3021).
    assert_eq!(of([255, 255, 255, 254], &[255; 4]), None);
    assert_eq!(of([255; 4], &[10, 0, 0, 5]), None);
}
