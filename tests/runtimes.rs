//! The hook under real runtimes: runc, crun and podman of Debian trixie and
//! forky start, restart, kill and lose containers, and refuse some.
//!
//! Every case runs in a world of its own (support/world.rs) that has a bridge
//! br0 with 10.0.0.1/24, and ends with a look for leftovers. Where no world can
//! be made the cases are skipped, and counted.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "runtimes/bare.rs"]
mod bare;
#[path = "runtimes/compat.rs"]
mod compat;
#[path = "compat/faults.rs"]
mod faults;
#[path = "runtimes/find.rs"]
mod find;
#[path = "runtimes/given.rs"]
mod given;
#[path = "runtimes/lan.rs"]
mod lan;
#[path = "runtimes/leases.rs"]
mod leases;
#[path = "runtimes/life.rs"]
mod life;
#[path = "runtimes/names.rs"]
mod names;
#[path = "runtimes/networkd.rs"]
mod networkd;
#[path = "runtimes/networks.rs"]
mod networks;
#[path = "runtimes/ovs.rs"]
mod ovs;
#[path = "runtimes/pods.rs"]
mod pods;
#[path = "runtimes/quadlet.rs"]
mod quadlet;
#[path = "runtimes/refusals.rs"]
mod refusals;
mod support;
#[path = "compat/table.rs"]
mod table;
#[allow(dead_code)]
#[path = "runtimes/vswitch.rs"]
mod vswitch;
#[path = "runtimes/walk.rs"]
mod walk;
#[path = "compat/world_rows.rs"]
mod world_rows;

use std::io::Read;
use std::path::Path;

use support::world::{Skip, World};
use support::{on_every_suite, skip};

fn on(suite: &str, case: fn(&World)) {
    let world = match World::enter(suite) {
        Ok(world) => world,
        Err(Skip(reason)) => skip!(reason),
    };
    lan::make_bridge(&world);
    case(&world);
    lan::assert_nothing_left(&world);
}

on_every_suite! {
    bare:
        the_runtimes_are_of_the_versions_that_are_spoken_of
        a_runtime_that_calls_prestart_alone_is_served_as_well
        the_first_instruction_sees_the_interface_complete
        a_created_container_has_its_interface_before_it_starts
        a_created_container_that_is_deleted_leaves_nothing
        a_killed_container_that_is_deleted_leaves_nothing
        a_container_created_again_has_the_same_mac_and_host_interface;
    compat:
        containers_of_crun_are_given_what_the_script_gave_them
        containers_of_runc_are_given_what_the_script_gave_them
        containers_of_podman_are_given_what_the_script_gave_them;
    find:
        podmans_containers_are_found_and_plugged_in_while_they_run
        containers_of_bare_runtimes_are_found_by_their_id;
    leases:
        the_name_servers_of_a_dhcp_server_reach_a_container_of_podman_and_a_bare_one
        dhclient_and_dhcpcd_ask_in_the_place_of_our_own_client;
    life:
        the_first_instruction_sees_the_interface_complete
        a_container_without_annotations_never_meets_the_hook
        a_created_container_is_attached_at_start_and_answers_pings
        a_restart_keeps_address_mac_and_host_interface_name
        a_container_that_always_restarts_is_attached_each_time
        a_killed_container_starts_again_with_the_same_identity
        a_container_made_anew_under_its_name_is_who_it_was
        a_forced_removal_leaves_nothing
        twenty_restarts_leave_nothing_behind;
    names:
        the_file_that_podman_keeps_says_what_was_asked
        the_hosts_file_that_podman_writes_after_us_is_its_own
        a_container_that_is_alone_finds_itself_at_its_address
        a_container_beside_others_keeps_its_files
        a_file_in_the_root_is_made_and_goes_with_the_container
        a_link_in_the_root_that_leads_out_of_it_reaches_nothing
        a_mount_of_the_hosts_is_refused_and_left_as_it_is
        the_name_servers_of_radvd_reach_a_container_of_podman;
    networkd:
        systemd_networkd_leaves_the_hosts_ends_alone;
    networks:
        the_interface_comes_beside_the_engines_own
        the_network_of_the_host_is_refused
        an_interface_in_another_containers_namespace_stays_while_that_one_lives
        a_container_with_mapped_ids_is_attached
        beside_a_network_that_podman_makes_after_us_the_default_route_must_be_said
        a_named_network_gives_a_container_the_same_address_after_a_restart;
    ovs:
        a_container_of_podman_keeps_its_vlan_over_restarts_and_leaves_no_row
        a_created_container_that_is_deleted_leaves_no_row;
    pods:
        an_init_container_sees_the_interface_that_the_others_will_have
        the_containers_of_a_pod_share_one_interface_until_the_last_is_gone;
    quadlet:
        the_unit_of_the_recipe_becomes_a_container_with_each_annotation;
    refusals:
        a_wrong_annotation_stops_the_container_and_runc_quotes_the_report
        a_wrong_annotation_stops_the_container_and_crun_shows_the_exit_code
        the_report_reaches_the_file_that_containers_conf_names_for_crun
        a_later_hook_that_fails_leaves_a_record_that_later_runs_collect;
    walk:
        a_new_user_attaches_sees_breaks_repairs_and_takes_back;
}

#[test]
fn a_container_of_lxc_is_found_and_plugged_in_while_it_runs() {
    on("trixie", find::a_container_of_lxc_is_found);
}

#[test]
fn a_machine_of_systemd_nspawn_is_found_and_plugged_in_while_it_runs() {
    on("trixie", find::a_machine_of_systemd_nspawn_is_found);
}

#[test]
fn a_world_that_ends_leaves_no_process_and_no_cgroup() {
    let world = match World::enter("trixie") {
        Ok(world) => world,
        Err(Skip(reason)) => skip!(reason),
    };
    let mut sleeper = world.spawn(&["sh", "-c", "echo inside; sleep 1000"]);
    let mut line = [0; 7];
    sleeper
        .stdout
        .take()
        .unwrap()
        .read_exact(&mut line)
        .unwrap();
    let (init, cgroups) = (world.init(), world.cgroups().to_vec());
    drop(world);
    assert!(!Path::new(&format!("/proc/{init}")).exists());
    for cgroup in cgroups {
        assert!(!Path::new(&cgroup).exists(), "{cgroup} is still there");
    }
    assert!(!sleeper.wait().unwrap().success());
}
