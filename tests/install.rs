//! `pipework install` in Debian trixie and forky: one command and one run put a
//! container on the LAN, and `--undo` leaves every file as it was.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "install/all.rs"]
mod all;
#[path = "install/containerd.rs"]
mod containerd;
#[path = "install/docker.rs"]
mod docker;
#[allow(dead_code)]
#[path = "runtimes/lan.rs"]
mod lan;
#[path = "install/podman.rs"]
mod podman;
mod support;
#[path = "install/systemd.rs"]
mod systemd;
#[path = "runtimes/vswitch.rs"]
mod vswitch;

use support::world::{Output, Skip, World};
use support::{on_every_suite, skip};

/// A world in which nobody has been told of us, and that has a bridge br0.
fn on(suite: &str, case: fn(&World)) {
    let world = match World::enter(suite) {
        Ok(world) => world,
        Err(Skip(reason)) => skip!(reason),
    };
    lan::make_bridge(&world);
    world.sh("rm -r /usr/share/containers/oci").ok();
    case(&world);
    lan::assert_nothing_left(&world);
}

/// Every file that an installation may touch, with its mode, its owner and its sum.
fn files(world: &World) -> Vec<String> {
    let line = "cd /; find etc/docker etc/containerd etc/containers srv usr/share/containers \
         usr/local usr/bin/pipework* var/lib/pipework 2>/dev/null | sort | while read -r f; do \
         stat -c '%N %a %U %G' \"$f\"; [ ! -f \"$f\" ] || sha256sum <\"$f\"; done";
    world.sh(line).ok().lines().map(str::to_owned).collect()
}

/// Nothing but `before` is there.
#[track_caller]
fn assert_as(before: &[String], world: &World) {
    let now = files(world);
    let only = |here: &[String], there: &[String]| -> Vec<String> {
        here.iter()
            .filter(|line| !there.contains(line))
            .cloned()
            .collect()
    };
    let (new, gone) = (only(&now, before), only(before, &now));
    assert!(
        new.is_empty() && gone.is_empty(),
        "new {new:#?}\ngone {gone:#?}"
    );
}

fn install(world: &World, line: &str) -> Output {
    world.sh(&format!("pipework install {line}"))
}

/// What must be said, and the exit code that goes with it.
#[track_caller]
fn assert_refused(output: Output, reason: &str) {
    assert_eq!(output.status.code(), Some(1), "{}", output.stdout);
    assert!(output.stderr.contains(reason), "{}", output.stderr);
}

on_every_suite! {
    all:
        all_engines_are_told_tried_told_nothing_twice_and_as_before_after_undo;
    containerd:
        nri_is_switched_on_where_it_is_off_and_off_again
        the_plugin_is_required_from_2_2_on_where_it_is_a_service_of_the_host
        a_runtime_of_our_name_hands_annotations_on
        by_our_runtime_a_container_is_tried_once_containerd_has_read_of_it
        by_nri_all_is_verified_but_a_pod
        who_is_required_must_have_been_read
        a_container_of_its_own_client_has_our_runtime
        who_is_told_to_is_restarted_once_and_only_where_something_changed;
    docker:
        one_command_and_one_run_put_a_container_on_the_lan
        a_dockerd_without_settings_has_us_and_has_none_again_afterwards
        an_edit_in_between_stays_and_the_default_comes_back
        broken_settings_are_refused_with_their_place_and_nothing_is_written;
    podman:
        one_command_and_one_run_put_a_container_on_the_lan
        a_program_from_anywhere_is_put_where_hooks_find_it
        a_container_of_our_own_program_verifies_it
        a_policy_that_refuses_the_trial_is_named_with_the_rule_that_allows_it;
    systemd:
        a_lease_is_kept_by_a_daemon_that_a_socket_starts
        networks_of_docker_outlive_its_plugin_and_itself;
}
