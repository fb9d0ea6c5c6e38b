//! The guard's program, run on frames by a small machine for classic BPF. That
//! the kernel's machine says the same is seen in tests/kernel.

mod frames;
mod machine;

use proptest::prelude::*;

use super::*;
use frames::{arp, ethernet, icmp6, ipv4, ipv6, udp};
use machine::{Frame, run};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 5];
const OTHER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 6];
const V4: [u8; 4] = [10, 0, 0, 5];
const OTHER_V4: [u8; 4] = [10, 0, 0, 6];

fn v6(text: &str) -> [u8; 16] {
    text.parse::<std::net::Ipv6Addr>().unwrap().octets()
}

fn own() -> [u8; 16] {
    v6("fd00::5")
}

fn link_local() -> [u8; 16] {
    v6("fe80::ff:fe00:5")
}

fn guard() -> Guard {
    Guard {
        mac: "02:00:00:00:00:05".parse().unwrap(),
        ipv4: Sources::Only(vec!["10.9.9.9".parse().unwrap(), V4.into()]),
        ipv6: Sources::Only(vec![own().into()]),
        asks_for_lease: false,
        tagged: None,
    }
}

fn open() -> Guard {
    Guard {
        ipv4: Sources::Any,
        ipv6: Sources::Any,
        ..guard()
    }
}

fn passes(guard: &Guard, frame: &Frame) -> bool {
    match run(&program(guard), frame) {
        Some(PASS) => true,
        Some(DROP) => false,
        other => panic!("{other:?} for {frame:?}"),
    }
}

#[track_caller]
fn assert_passes(frame: &Frame) {
    assert!(passes(&guard(), frame), "{frame:02x?}");
}

#[track_caller]
fn assert_dropped(frame: &Frame) {
    assert!(!passes(&guard(), frame), "{frame:02x?}");
}

#[test]
fn only_its_own_hardware_address_may_send() {
    let fine = ipv4(V4, 6, 0, 0, &[0; 20]);
    assert_passes(&fine);
    let mut forged = fine.clone();
    forged.bytes[6..12].copy_from_slice(&OTHER_MAC);
    assert_dropped(&forged);
    assert!(!passes(&open(), &forged));
}

#[test]
fn only_its_own_ipv4_addresses_may_send() {
    assert_passes(&ipv4([10, 9, 9, 9], 1, 0, 0, &[8, 0]));
    assert_dropped(&ipv4(OTHER_V4, 1, 0, 0, &[8, 0]));
    assert_dropped(&ipv4([0; 4], 17, 0, 0, &udp(68, 67)));
    assert!(passes(&open(), &ipv4(OTHER_V4, 1, 0, 0, &[8, 0])));
}

#[test]
fn a_container_without_ipv4_addresses_sends_no_ipv4() {
    let guard = Guard {
        ipv4: Sources::Only(Vec::new()),
        ..guard()
    };
    assert!(!passes(&guard, &ipv4(V4, 6, 0, 0, &[0; 20])));
    assert!(!passes(&guard, &arp(1, MAC, V4, V4)));
    assert!(!passes(&guard, &arp(1, MAC, [0; 4], V4)));
}

#[test]
fn who_asks_for_a_lease_may_do_so_without_an_address_and_nothing_else() {
    let guard = Guard {
        ipv4: Sources::Only(Vec::new()),
        asks_for_lease: true,
        ..guard()
    };
    assert!(passes(&guard, &ipv4([0; 4], 17, 0, 0, &udp(68, 67))));
    for frame in [
        ipv4([0; 4], 17, 0, 0, &udp(67, 68)),
        ipv4([0; 4], 17, 0, 0, &udp(53, 67)),
        ipv4([0; 4], 6, 0, 0, &udp(68, 67)),
        ipv4([0; 4], 17, 1, 0, &udp(68, 67)),
        ipv4(V4, 17, 0, 0, &udp(68, 67)),
    ] {
        assert!(!passes(&guard, &frame), "{frame:02x?}");
    }
    // To probe for what it was offered.
    assert!(passes(&guard, &arp(1, MAC, [0; 4], OTHER_V4)));
}

#[test]
fn an_answer_of_a_dhcp_server_does_not_pass_wherever_its_ports_are() {
    for payload in [udp(67, 68), udp(67, 1234), udp(1234, 68)] {
        for options in [0, 3, 10] {
            for fragment in [0, 0x2000, 0x4000] {
                assert_dropped(&ipv4(V4, 17, fragment, options, &payload));
            }
        }
    }
    assert!(!passes(&open(), &ipv4(OTHER_V4, 17, 0, 0, &udp(67, 68))));
    assert_passes(&ipv4(V4, 17, 0, 2, &udp(68, 67)));
    // What follows the first fragment has no ports.
    assert_passes(&ipv4(V4, 17, 185, 0, &udp(67, 68)));
    assert_passes(&ipv4(V4, 6, 0, 0, &udp(67, 68)));
}

#[test]
fn arp_speaks_for_its_own_addresses_only() {
    assert_passes(&arp(1, MAC, V4, OTHER_V4));
    assert_passes(&arp(2, MAC, V4, OTHER_V4));
    assert_passes(&arp(1, MAC, V4, V4));
    assert_passes(&arp(1, MAC, [0; 4], V4));
    for frame in [
        arp(2, MAC, OTHER_V4, V4),
        arp(1, MAC, OTHER_V4, OTHER_V4),
        arp(1, OTHER_MAC, V4, OTHER_V4),
        arp(1, MAC, [0; 4], OTHER_V4),
        arp(2, MAC, [0; 4], V4),
        arp(0, MAC, V4, V4),
        arp(3, MAC, V4, V4),
    ] {
        assert_dropped(&frame);
    }
    assert!(passes(&open(), &arp(2, MAC, OTHER_V4, V4)));
    assert!(!passes(&open(), &arp(2, OTHER_MAC, OTHER_V4, V4)));
    let mut other_kind = arp(1, MAC, V4, V4);
    other_kind.bytes[15] = 6;
    assert_dropped(&other_kind);
}

#[test]
fn kinds_of_frames_that_are_not_known_do_not_pass() {
    for kind in [
        0x8100, 0x88a8, 0x8863, 0x88cc, 0x8035, 0x0026, 0x8847, 0x888e,
    ] {
        let frame = ethernet(MAC, kind, &[0; 60]);
        assert_dropped(&frame);
        assert!(!passes(&open(), &frame), "{kind:#x}");
    }
}

#[test]
fn only_its_own_ipv6_addresses_may_send() {
    for source in [own(), link_local()] {
        assert_passes(&ipv6(source, &[], 6, &[0; 20]));
        assert_passes(&ipv6(source, &[], 58, &icmp6(128, [0; 16])));
        assert_passes(&ipv6(source, &[0], 58, &icmp6(143, [0; 16])));
        assert_passes(&ipv6(source, &[], 59, &[]));
    }
    for source in ["fd00::6", "fe80::ff:fe00:6", "::", "ff02::1", "::1"] {
        assert_dropped(&ipv6(v6(source), &[], 6, &[0; 20]));
        assert_dropped(&ipv6(v6(source), &[], 58, &icmp6(128, [0; 16])));
    }
    assert!(passes(&open(), &ipv6(v6("fd00::6"), &[], 6, &[0; 20])));
}

#[test]
fn whether_an_address_is_free_is_asked_for_its_own_only() {
    let none = v6("::");
    assert_passes(&ipv6(none, &[], 58, &icmp6(135, own())));
    assert_passes(&ipv6(none, &[], 58, &icmp6(135, link_local())));
    assert_passes(&ipv6(none, &[], 58, &icmp6(133, [0; 16])));
    assert_passes(&ipv6(none, &[0], 58, &icmp6(143, [0; 16])));
    assert_dropped(&ipv6(none, &[], 58, &icmp6(135, v6("fd00::6"))));
    assert_dropped(&ipv6(none, &[], 58, &icmp6(136, v6("fd00::6"))));
    assert_dropped(&ipv6(none, &[], 58, &icmp6(128, own())));
}

#[test]
fn a_neighbour_is_advertised_for_its_own_addresses_only() {
    assert_passes(&ipv6(own(), &[], 58, &icmp6(136, own())));
    assert_passes(&ipv6(own(), &[], 58, &icmp6(136, link_local())));
    assert_dropped(&ipv6(own(), &[], 58, &icmp6(136, v6("fd00::1"))));
    assert_passes(&ipv6(own(), &[], 58, &icmp6(135, v6("fd00::1"))));
    let theirs = ipv6(v6("fd00::6"), &[], 58, &icmp6(136, v6("fd00::1")));
    assert!(passes(&open(), &theirs));
}

#[test]
fn what_only_routers_and_servers_send_does_not_pass_behind_any_chain() {
    let chains: [&[u8]; 8] = [
        &[],
        &[0],
        &[60],
        &[43, 60],
        &[51],
        &[0, 60, 51, 60],
        &[44],
        &[60, 44, 60],
    ];
    for chain in chains {
        for kind in [134, 137] {
            let frame = ipv6(link_local(), chain, 58, &icmp6(kind, own()));
            assert_dropped(&frame);
            assert!(!passes(&open(), &frame), "{chain:?}");
        }
        for payload in [udp(547, 546), udp(547, 1), udp(1, 546)] {
            assert_dropped(&ipv6(link_local(), chain, 17, &payload));
        }
        // The chain itself is fine.
        assert_passes(&ipv6(link_local(), chain, 17, &udp(546, 547)));
        assert_passes(&ipv6(link_local(), chain, 58, &icmp6(128, own())));
    }
}

#[test]
fn neighbour_discovery_in_fragments_does_not_pass() {
    for kind in 133..=137 {
        assert_dropped(&ipv6(own(), &[44], 58, &icmp6(kind, own())));
        assert_dropped(&ipv6(own(), &[60, 44, 60], 58, &icmp6(kind, own())));
    }
    // Later fragments are nothing without the first.
    let mut later = ipv6(own(), &[44], 58, &icmp6(134, own()));
    later.bytes[56] = 1;
    assert_passes(&later);
    let mut without_source = ipv6(v6("::"), &[44], 58, &icmp6(135, own()));
    without_source.bytes[56] = 1;
    assert_dropped(&without_source);
}

#[test]
fn a_chain_that_is_too_long_or_of_unknown_headers_does_not_pass() {
    assert_passes(&ipv6(own(), &[60; 7], 6, &[0; 20]));
    assert_dropped(&ipv6(own(), &[60; 9], 6, &[0; 20]));
    for kind in [135, 139, 140, 253, 254] {
        assert_dropped(&ipv6(own(), &[], kind, &[58, 0, 0, 0, 0, 0, 0, 0]));
    }
}

#[test]
fn tagged_frames_pass_for_the_vlans_of_the_trunk_only() {
    let trunk = Guard {
        tagged: Some("10,20-30".parse().unwrap()),
        ..guard()
    };
    let tagged = |kind: u16, tag: u16, frame: Frame| Frame {
        tag: Some((kind, tag)),
        ..frame
    };
    let foreign = ipv4(OTHER_V4, 6, 0, 0, &[0; 20]);
    for tag in [10, 20, 25, 30, 0xe00a] {
        assert!(
            passes(&trunk, &tagged(0x8100, tag, foreign.clone())),
            "{tag}"
        );
        assert_dropped(&tagged(0x8100, tag, foreign.clone()));
    }
    for tag in [0, 9, 11, 19, 31, 4095] {
        assert!(
            !passes(&trunk, &tagged(0x8100, tag, foreign.clone())),
            "{tag}"
        );
    }
    assert!(!passes(&trunk, &tagged(0x88a8, 10, foreign.clone())));
    assert!(!passes(&trunk, &foreign), "untagged, it has to be its own");
    let advertised = ipv6(link_local(), &[], 58, &icmp6(134, own()));
    assert!(!passes(&trunk, &tagged(0x8100, 10, advertised)));
    let other = ethernet(OTHER_MAC, 0x0800, &foreign.bytes[14..]);
    assert!(!passes(&trunk, &tagged(0x8100, 10, other)));
}

#[test]
fn what_is_cut_does_not_pass() {
    let fine = [
        (arp(1, MAC, V4, OTHER_V4), 32),
        (arp(1, MAC, [0; 4], V4), 42),
        (ipv4(V4, 17, 0, 3, &udp(1, 2)), 50),
        (ipv6(own(), &[0, 44], 58, &icmp6(136, own())[..24]), 54),
        (ipv6(own(), &[60], 17, &udp(1, 2)), 74),
        (ipv6(own(), &[], 58, &icmp6(136, own())), 78),
    ];
    for (frame, least) in fine {
        for length in 0..least {
            let mut cut = frame.clone();
            cut.bytes.truncate(length);
            assert!(!passes(&guard(), &cut), "{length} of {frame:02x?}");
        }
    }
}

/// The guards that are said to be short enough are.
fn assert_fits_if_said(guard: &Guard) {
    const BPF_MAXINSNS: u16 = 4096;
    let (length, _) = program(guard).assemble();
    assert!(!guard.fits() || length <= BPF_MAXINSNS, "{length}");
}

#[test]
fn a_guard_with_more_addresses_than_the_kernel_takes_is_known_beforehand() {
    let trunk = |count: u16| {
        let tags: Vec<String> = (1..=count).map(|n| (2 * n).to_string()).collect();
        (count > 0).then(|| tags.join(",").parse().unwrap())
    };
    let with = |v4: u32, v6: u128, tags: u16| Guard {
        ipv4: Sources::Only((0..v4).map(std::net::Ipv4Addr::from_bits).collect()),
        ipv6: Sources::Only((0..v6).map(std::net::Ipv6Addr::from_bits).collect()),
        tagged: trunk(tags),
        ..guard()
    };
    for v4 in (0..1000).step_by(100) {
        for v6 in (0..150).step_by(10) {
            for tags in [0, 1, 200, 800] {
                assert_fits_if_said(&with(v4, v6, tags));
            }
        }
    }
    assert!(with(100, 50, 100).fits());
    assert!(!with(3000, 0, 0).fits());
}

proptest! {
    #[test]
    fn no_frame_makes_the_program_stray(
        kind in prop_oneof![Just(0x0800_u16), Just(0x0806), Just(0x86dd), any::<u16>()],
        payload in proptest::collection::vec(any::<u8>(), 0..120),
        tag in proptest::option::of((any::<u16>(), any::<u16>())),
    ) {
        let mut frame = ethernet(MAC, kind, &payload);
        frame.tag = tag;
        let trunk = Guard { tagged: Some("1-4094".parse().unwrap()), ..guard() };
        for guard in [guard(), open(), trunk] {
            let _ = passes(&guard, &frame);
        }
    }

    #[test]
    fn whatever_the_chain_an_advertisement_of_a_router_does_not_pass(
        chain in proptest::collection::vec(
            proptest::sample::select(vec![0_u8, 43, 44, 51, 60]), 0..12),
    ) {
        let frame = ipv6(link_local(), &chain, 58, &icmp6(134, own()));
        prop_assert!(!passes(&guard(), &frame));
        prop_assert!(!passes(&open(), &frame));
    }
}
