//! What a lease changes, from nothing, from another one, and back to nothing.

use std::net::Ipv4Addr;

use super::four::IPV6_MIN_MTU;
use super::*;
use crate::dhcp::lease::{LeaseRoute, Times};

fn ifname() -> IfName {
    "eth1".parse().unwrap()
}

fn target(ifname: &IfName) -> Target<'_> {
    Target {
        ifindex: 7,
        ifname,
        wishes: Wishes {
            default_route: true,
            metric: None,
            table: None,
            mtu: Some(1500),
            least_mtu: 0,
        },
        reach: None,
    }
}

fn bound(address: &str, routes: &[(&str, &str)], mtu: Option<u16>) -> Bound {
    let lease = Lease {
        address: address.parse().unwrap(),
        server: "10.0.0.1".parse().unwrap(),
        times: Some(Times {
            renewal: 1800,
            rebinding: 3150,
            lease: 3600,
        }),
        routes: routes
            .iter()
            .map(|(destination, via)| LeaseRoute {
                destination: destination.parse().unwrap(),
                via: via.parse().ok(),
            })
            .collect(),
        dns: Vec::new(),
        domain: None,
        search: Vec::new(),
        mtu,
        ntp: Vec::new(),
        broadcast: None,
    };
    Bound::new(lease, Duration::from_secs(100))
}

fn steps(before: &Applied4, bound: Option<&Bound>) -> (Vec<String>, Applied4) {
    let ifname = ifname();
    let now = Duration::from_secs(100);
    let (steps, after) = change(target(&ifname), before, bound, now);
    (steps.iter().map(ToString::to_string).collect(), after)
}

const DEFAULT: (&str, &str) = ("0.0.0.0/0", "10.0.0.1");

#[test]
fn a_first_lease_sets_the_mtu_the_address_and_the_routes_in_this_order() {
    let lease = bound("10.0.0.5/24", &[DEFAULT], Some(1400));
    assert_eq!(
        steps(&Applied4::default(), Some(&lease)).0,
        [
            "setting the MTU of eth1 to 1400",
            "adding 10.0.0.5/24 to eth1 for 3600 s",
            "adding the default route via 10.0.0.1 by eth1",
        ]
    );
}

#[test]
fn a_renewal_that_changes_nothing_sets_the_lifetime_anew_and_nothing_else() {
    let lease = bound("10.0.0.5/24", &[DEFAULT], None);
    let (_, applied) = steps(&Applied4::default(), Some(&lease));
    assert_eq!(
        steps(&applied, Some(&lease)).0,
        ["adding 10.0.0.5/24 to eth1 for 3600 s"]
    );
}

#[test]
fn a_new_address_comes_before_the_former_one_goes() {
    let lease = bound("10.0.0.5/24", &[DEFAULT, ("10.9.0.0/16", "10.0.0.2")], None);
    let (_, applied) = steps(&Applied4::default(), Some(&lease));
    let moved = bound("10.0.1.6/24", &[("0.0.0.0/0", "10.0.1.1")], None);
    assert_eq!(
        steps(&applied, Some(&moved)).0,
        [
            "adding 10.0.1.6/24 to eth1 for 3600 s",
            "removing the route to 10.9.0.0/16 via 10.0.0.2 by eth1",
            "adding the default route via 10.0.1.1 by eth1",
            "taking 10.0.0.5/24 from eth1",
        ]
    );
}

#[test]
fn an_address_of_the_same_network_is_no_secondary_of_the_former_one() {
    let lease = bound("10.0.0.5/24", &[DEFAULT], None);
    let (_, applied) = steps(&Applied4::default(), Some(&lease));
    let moved = bound("10.0.0.6/24", &[DEFAULT], None);
    assert_eq!(
        steps(&applied, Some(&moved)).0,
        [
            "taking 10.0.0.5/24 from eth1",
            "adding 10.0.0.6/24 to eth1 for 3600 s",
            "adding the default route via 10.0.0.1 by eth1",
        ]
    );
}

#[test]
fn a_lease_that_is_withdrawn_leaves_nothing() {
    let lease = bound("10.0.0.5/24", &[DEFAULT], Some(1400));
    let (_, applied) = steps(&Applied4::default(), Some(&lease));
    let (undone, after) = steps(&applied, None);
    assert_eq!(
        undone,
        [
            "setting the MTU of eth1 to 1500",
            "removing the default route via 10.0.0.1 by eth1",
            "taking 10.0.0.5/24 from eth1",
        ]
    );
    assert_eq!(after, Applied4::default());
}

#[test]
fn a_router_off_the_link_is_reached_by_a_route_of_its_own() {
    let lease = bound("10.0.0.5/32", &[DEFAULT], None);
    assert_eq!(
        steps(&Applied4::default(), Some(&lease)).0[1..],
        [
            "adding the route to 10.0.0.1/32 by eth1",
            "adding the default route via 10.0.0.1 by eth1",
        ]
    );
    let given = bound("10.0.0.5/32", &[DEFAULT, ("10.0.0.1/32", "")], None);
    assert_eq!(steps(&Applied4::default(), Some(&given)).0.len(), 3);
}

#[test]
fn the_mtu_is_only_lowered_and_a_default_route_only_set_where_it_is_wanted() {
    let lease = bound("10.0.0.5/24", &[DEFAULT], Some(9000));
    let ifname = ifname();
    let mut target = target(&ifname);
    target.wishes.table = Some(7);
    let now = Duration::from_secs(100);
    let (steps, after) = change(target, &Applied4::default(), Some(&lease), now);
    assert_eq!(steps.len(), 2);
    assert_eq!(after.routes.last().unwrap().table, Some(7));
    target.wishes.default_route = false;
    let now = Duration::from_secs(100);
    let (steps, _) = change(target, &Applied4::default(), Some(&lease), now);
    assert_eq!(steps.len(), 1);
}

#[test]
fn the_kernel_is_told_what_is_left_and_never_nothing() {
    let lease = bound("10.0.0.5/24", &[], None);
    for (now, left) in [(100, 3600), (3600, 100), (9999, 1)] {
        let now = Duration::from_secs(now);
        assert_eq!(lifetime(&lease, now).unwrap().valid, left);
    }
}

#[test]
fn a_name_becomes_a_label_or_none() {
    assert_eq!(host_label("shop_web.1").as_deref(), Some("shop-web-1"));
    assert_eq!(host_label("_-"), None);
    assert_eq!(host_label(&"a".repeat(99)).unwrap().len(), 63);
}

#[test]
fn a_server_does_not_take_ipv6_off_an_interface_by_its_mtu() {
    let ifname = ifname();
    for (mtu, is_set) in [(1279, false), (1280, true)] {
        let mut target = target(&ifname);
        target.wishes.least_mtu = IPV6_MIN_MTU;
        let lease = bound("10.0.0.5/24", &[], Some(mtu));
        let now = Duration::from_secs(100);
        let (steps, after) = change(target, &Applied4::default(), Some(&lease), now);
        let sets = |step: &LeaseStep| matches!(step, LeaseStep::SetMtu { .. });
        assert_eq!(steps.iter().any(sets), is_set);
        assert_eq!(after.mtu_before.is_some(), is_set);
    }
}

#[test]
fn an_address_has_the_broadcast_address_of_the_server_or_of_its_mask() {
    let broadcast_of = |given: Option<Ipv4Addr>, address: &str| {
        let mut lease = bound(address, &[], None);
        lease.lease.broadcast = given;
        let ifname = ifname();
        let now = Duration::from_secs(100);
        let (steps, _) = change(target(&ifname), &Applied4::default(), Some(&lease), now);
        steps.into_iter().find_map(|step| match step {
            LeaseStep::SetAddress { address, .. } => address.broadcast,
            _ => None,
        })
    };
    let usual = Some(Ipv4Addr::new(10, 0, 0, 255));
    assert_eq!(broadcast_of(None, "10.0.0.5/24"), usual);
    assert_eq!(broadcast_of(None, "10.0.0.5/32"), None);
    let given = Some(Ipv4Addr::BROADCAST);
    assert_eq!(broadcast_of(given, "10.0.0.5/24"), given);
}
