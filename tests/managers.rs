//! What `pipework uplink snippet` prints, read by who it is for: systemd-networkd,
//! NetworkManager, ifupdown and netplan make of it, on a card that nobody has
//! touched yet, what `uplink add` had made. And what keeps NetworkManager off what
//! is ours.
//!
//! Where the kernel cannot make that, they read it without complaint; tests/vm/test has
//! a kernel that can, and is too slow for every day.
//!
//! Every test has a world of its own (support/world.rs), of a Debian that has these
//! programs, and cards that are one end of a veth pair.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "managers/beside.rs"]
mod beside;
#[path = "managers/case.rs"]
mod case;
#[path = "managers/host.rs"]
mod host;
#[path = "managers/manager.rs"]
mod manager;
#[path = "managers/snippet.rs"]
mod snippet;
#[path = "managers/state.rs"]
mod state;
mod support;

use case::Case;
use host::Host;
use manager::Manager;
use support::skip;
use support::world::{Skip, World};

/// The Debian in which they are.
const SUITE: &str = "managers";

/// What `uplink add` makes, `manager` makes again of what is printed for it.
fn on(manager: Manager, case: &Case) {
    let world = match World::without_containers(SUITE) {
        Ok(world) => world,
        Err(Skip(reason)) => skip!(reason),
    };
    if let Some(reason) = case.is_missing(&world) {
        if !case.can_be_printed() {
            skip!(reason);
        }
        let host = Host::boot(&world, case);
        let printed = host.print(manager.word());
        host.start_anew();
        manager.read(&host, &printed);
        return manager.assert_understood(&world);
    }
    let host = Host::boot(&world, case);
    let (made, printed) = host.add(manager.word());
    host.start_anew();
    manager.configure(&host, &printed);
    host.assert_comes_to(&made, || manager.log(&world));
    manager.assert_understood(&world);
}

/// Each of these tests for every manager.
macro_rules! for_every_manager {
    ($($manager:ident $variant:ident: $($case:ident)*;)*) => {
        $( mod $manager { $(
            #[test]
            fn $case() {
                crate::on(crate::manager::Manager::$variant, &crate::case::$case());
            }
        )* } )*
    };
}

for_every_manager! {
    networkd Networkd:
        a_card_with_addresses_is_in_its_bridge_again
        a_card_with_a_lease_is_in_its_bridge_again
        a_card_with_a_small_mtu_is_in_its_bridge_again
        a_vlan_of_a_card_is_in_its_bridge_again
        a_card_is_in_a_bridge_that_keeps_vlans_apart_again
        cards_are_bonded_in_their_bridge_again
        a_card_is_in_its_bridge_of_open_vswitch_again;
    network_manager Nmcli:
        a_card_with_addresses_is_in_its_bridge_again
        a_card_with_a_lease_is_in_its_bridge_again
        a_card_with_a_small_mtu_is_in_its_bridge_again
        a_vlan_of_a_card_is_in_its_bridge_again
        a_card_is_in_a_bridge_that_keeps_vlans_apart_again
        cards_are_bonded_in_their_bridge_again;
    ifupdown Ifupdown:
        a_card_with_addresses_is_in_its_bridge_again
        a_card_with_a_lease_is_in_its_bridge_again
        a_card_with_a_small_mtu_is_in_its_bridge_again
        a_vlan_of_a_card_is_in_its_bridge_again
        a_card_is_in_a_bridge_that_keeps_vlans_apart_again
        cards_are_bonded_in_their_bridge_again
        a_card_is_in_its_bridge_of_open_vswitch_again;
    netplan Netplan:
        a_card_with_addresses_is_in_its_bridge_again
        a_card_with_a_lease_is_in_its_bridge_again
        a_card_with_a_small_mtu_is_in_its_bridge_again
        a_vlan_of_a_card_is_in_its_bridge_again
        cards_are_bonded_in_their_bridge_again
        a_card_is_in_its_bridge_of_open_vswitch_again;
}

#[test]
fn network_manager_leaves_the_hosts_ends_alone() {
    match World::without_containers(SUITE) {
        Ok(world) => beside::network_manager_leaves_the_hosts_ends_alone(&world),
        Err(Skip(reason)) => skip!(reason),
    }
}
