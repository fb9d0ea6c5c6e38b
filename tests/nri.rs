//! The plugin under real runtimes: containerd 1.7 and 2.x of Debian trixie and
//! forky make, refuse, lose and end pods; and under a runtime of the tests' own,
//! for what no real one does on demand.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "nri/addresses.rs"]
mod addresses;
#[path = "nri/cri.rs"]
mod cri;
#[path = "nri/crowd.rs"]
mod crowd;
#[path = "nri/cut.rs"]
mod cut;
#[path = "nri/definition.rs"]
mod definition;
#[path = "nri/descriptor.rs"]
mod descriptor;
#[path = "nri/events.rs"]
mod events;
#[path = "nri/files.rs"]
mod files;
#[path = "nri/former.rs"]
mod former;
#[path = "nri/image.rs"]
mod image;
#[path = "nri/kinds.rs"]
mod kinds;
#[path = "nri/late.rs"]
mod late;
#[path = "nri/life.rs"]
mod life;
#[path = "nri/metrics.rs"]
mod metrics;
#[path = "nri/mock.rs"]
mod mock;
#[path = "nri/node.rs"]
mod node;
#[path = "nri/refusals.rs"]
mod refusals;
#[path = "nri/restarts.rs"]
mod restarts;
#[path = "nri/runtime_v1.rs"]
mod runtime_v1;
#[path = "nri/service.rs"]
mod service;
mod support;
#[path = "nri/verify.rs"]
mod verify;
#[allow(dead_code)]
#[path = "runtimes/vswitch.rs"]
mod vswitch;

use node::Node;
use support::world::Skip;
use support::{on_every_suite, skip};

fn on(suite: &'static str, case: fn(&Node)) {
    let node = match Node::enter(suite) {
        Ok(node) => node,
        Err(Skip(reason)) => skip!(reason),
    };
    case(&node);
    node.assert_nothing_left();
}

on_every_suite! {
    life:
        a_pods_first_instruction_sees_its_interface_and_the_clusters;
    crowd:
        a_pod_keeps_its_lease_while_it_lives_and_gives_it_back_at_its_end
        two_hundred_pods_leave_no_descriptor_no_link_and_no_file;
    refusals:
        what_is_refused_is_told_and_leaves_nothing;
    restarts:
        a_runtime_that_was_restarted_tells_of_no_ends_and_nothing_is_left
        a_pod_that_began_without_the_plugin_is_attached_before_its_first_container
        a_pod_that_runs_already_is_attached_late_and_the_log_says_so
        a_second_plugin_is_refused_and_the_first_goes_on
        containerd_and_the_plugin_are_killed_at_once_and_find_the_pod_again
        a_plugin_that_is_killed_while_it_attaches_is_completed_once_by_the_next
        a_runtime_may_start_the_plugin_itself_with_nothing_in_its_environment;
    service:
        a_pod_has_its_interfaces_from_the_plugin_as_its_unit_confines_it;
    verify:
        a_runtime_of_ours_starts_no_container_whose_pod_has_no_interfaces;
}

// Under one of them: what differs between them is no matter here.
#[test]
fn the_daemon_set_and_the_example_put_a_pod_on_the_lan() {
    on(
        "forky",
        image::the_daemon_set_and_the_example_put_a_pod_on_the_lan,
    );
}
