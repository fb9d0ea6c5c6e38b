//! Docker of Debian trixie (26.1) and forky (28.5) with the runtime wrapper, and
//! Compose: what `docker run --runtime pipework` gives, and what is left of it.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "docker/compat.rs"]
mod compat;
#[path = "docker/compose.rs"]
mod compose;
#[path = "docker/engine.rs"]
mod engine;
#[path = "compat/faults.rs"]
mod faults;
#[path = "runtimes/given.rs"]
mod given;
#[allow(dead_code)]
#[path = "runtimes/lan.rs"]
mod lan;
#[path = "docker/life.rs"]
mod life;
#[path = "docker/networks.rs"]
mod networks;
#[path = "docker/readme.rs"]
mod readme;
#[path = "docker/refusals.rs"]
mod refusals;
#[path = "docker/server.rs"]
mod server;
mod support;
#[allow(dead_code)]
#[path = "compat/table.rs"]
mod table;
#[allow(dead_code)]
#[path = "runtimes/vswitch.rs"]
mod vswitch;
#[path = "compat/world_rows.rs"]
mod world_rows;

use engine::Docker;
use support::world::Skip;
use support::{on_every_suite, skip};

fn on(suite: &str, case: fn(&Docker)) {
    let docker = match Docker::enter(suite) {
        Ok(docker) => docker,
        Err(Skip(reason)) => skip!(reason),
    };
    case(&docker);
    lan::assert_nothing_left(&docker);
}

on_every_suite! {
    compat:
        containers_of_docker_are_given_what_the_script_gave_them;
    compose:
        services_have_their_addresses_over_restarts_and_leave_nothing
        the_container_and_the_service_of_the_readme_are_on_the_lan;
    life:
        a_container_has_the_same_interface_after_restarts_of_every_kind
        a_container_has_the_same_lease_after_a_restart_and_under_its_name_again
        a_container_lives_on_while_the_daemon_is_killed
        commands_on_a_container_reach_the_real_runtime
        run_without_an_engine_gets_our_hooks_and_keeps_the_rest;
    networks:
        the_first_instruction_sees_the_interface_beside_any_network
        a_network_that_is_connected_later_comes_and_goes
        a_network_that_wants_the_name_of_ours_is_refused_and_nothing_is_lost
        dockers_default_route_stays_where_it_is_wanted
        a_container_in_anothers_namespace_shares_its_interface;
    refusals:
        what_is_refused_is_told_by_docker_and_leaves_nothing
        a_runtime_that_is_not_there_is_named;
}
