//! Docker of Debian trixie (26.1) and forky (28.5) with the plugin: networks whose
//! driver is pipework, from `docker network create` to what is left of them.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "docker_network/check.rs"]
mod check;
#[path = "docker_network/compose.rs"]
mod compose;
#[path = "docker_network/dropped.rs"]
mod dropped;
#[allow(dead_code)]
#[path = "docker/engine.rs"]
mod engine;
#[allow(dead_code)]
#[path = "runtimes/lan.rs"]
mod lan;
#[path = "docker_network/leases.rs"]
mod leases;
#[path = "docker_network/life.rs"]
mod life;
#[path = "docker_network/plugin.rs"]
mod plugin;
#[path = "docker/readme.rs"]
mod readme;
#[path = "docker/server.rs"]
mod server;
#[path = "docker_network/static_pool.rs"]
mod static_pool;
mod support;
#[path = "docker_network/unclaimed.rs"]
mod unclaimed;
#[path = "docker_network/vlans.rs"]
mod vlans;
#[allow(dead_code)]
#[path = "runtimes/vswitch.rs"]
mod vswitch;

use plugin::Lan;
use support::world::Skip;
use support::{on_every_suite, skip};

fn on(suite: &str, case: fn(&Lan)) {
    let lan = match Lan::enter(suite) {
        Ok(lan) => lan,
        Err(Skip(reason)) => skip!(reason),
    };
    case(&lan);
    lan.assert_nothing_left();
}

on_every_suite! {
    check:
        what_is_in_a_container_is_compared_and_docker_puts_back_what_it_must
        a_macvlan_that_is_gone_from_its_container_is_told;
    compose:
        services_are_on_the_lan_over_up_restart_scale_and_down;
    dropped:
        a_network_removed_while_no_plugin_was_there_ends_with_its_pool
        a_network_of_a_docker_whose_data_was_wiped_is_named_and_ends_by_hand
        the_daemon_is_dockers_driver_too_where_it_is_told_so;
    leases:
        a_lease_is_shown_by_docker_kept_by_the_daemon_and_the_same_again
        a_macvlan_of_a_card_has_the_lease_of_its_mac
        a_lease_of_both_families_is_shown_kept_the_same_again_and_given_back
        without_a_server_or_a_keeper_docker_says_so
        a_named_network_gives_an_address_of_its_pool;
    life:
        the_plugin_may_be_killed_and_started_at_any_time
        dockerd_may_be_killed_while_containers_live_on
        without_live_restore_dockerd_brings_containers_back_as_they_were
        after_a_reboot_containers_are_back_and_lasting_addresses_were_never_free
        after_a_reboot_a_leased_container_has_its_address_again
        fifty_that_come_and_go_leave_nothing_and_twenty_start_at_once;
    static_pool:
        a_container_is_on_the_bridge_with_an_address_of_the_subnet
        the_network_of_the_readme_is_made_and_used
        an_address_a_mac_routes_and_a_name_are_as_asked
        ipv6_internal_and_several_networks_come_and_go
        a_macvlan_of_a_card_and_a_port_with_options_work_alike
        what_is_wrong_is_told_by_docker_and_leaves_nothing;
    unclaimed:
        a_pool_whose_network_was_never_made_ends_with_the_dockerd_that_asked;
    vlans:
        two_services_are_in_two_vlans_and_leave_no_row;
}
