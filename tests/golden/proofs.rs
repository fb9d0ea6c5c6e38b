//! Which tests refuse each golden plan at every step, and kill its start in one
//! call after another: by their names, or in words why there is none.

use std::fs;
use std::path::Path;

use crate::golden;

/// Session, what refuses each of its steps, what kills its start. The tests are in
/// tests/kernel, those of `taken_back` with the name of their row before them.
const PROOFS: &[(&str, &str, &str)] = &[
    (
        "bridge",
        "a_port_of_an_existing_bridge_is_taken_back_from_every_step",
        "what_a_killed_hook_left_is_cleared_up_by_later_starts",
    ),
    (
        "bridge-address-gateway",
        "a_port_of_an_existing_bridge_is_taken_back_from_every_step",
        "a_hook_killed_in_an_odd_call_is_cleared_up_by_gc",
    ),
    (
        "container-with-a-default-route",
        "a_replaced_default_route_is_put_back_from_every_step",
        "a_replaced_default_route_is_put_back_after_a_kill_in_any_call",
    ),
    (
        "dhcp",
        "a_start_without_a_lease_leaves_nothing_behind",
        "a_start_that_is_killed_while_it_leases_leaves_nothing",
    ),
    (
        "dhcp-beside-an-address-and-a-second-one",
        "an_optional_interface_without_a_lease_is_left_out_and_the_others_are_there",
        "a_start_that_is_killed_while_it_leases_leaves_nothing",
    ),
    (
        "dhcp-for-both-families",
        "an_address_of_a_router_is_taken_back_from_every_step",
        "a_start_that_is_killed_while_it_leases_leaves_nothing",
    ),
    (
        "bridge-made",
        "a_bridge_made_for_it_is_taken_back_from_every_step",
        "a_hook_killed_in_an_even_call_is_cleared_up_by_gc",
    ),
    (
        "bridge-made-for-a-vlan",
        "a_bridge_made_for_a_vlan_is_taken_back_from_every_step",
        "trunks_of_a_bridge_and_of_one_made_for_it",
    ),
    (
        "bridge-vlan",
        "a_port_in_a_vlan_is_taken_back_from_every_step",
        "a_hook_that_is_killed_leaves_no_membership",
    ),
    (
        "macvlan",
        "a_macvlan_is_taken_back_from_every_step",
        "a_way_between_host_and_macvlan_is_cleared_up_by_gc",
    ),
    (
        "macvlan-on-a-parent-that-is-down",
        "a_macvlan_on_a_nic_that_is_down",
        "a_macvlan_on_a_nic_that_is_down",
    ),
    (
        "vlan-of-a-nic",
        "a_vlan_of_a_nic_is_taken_back_from_every_step",
        "a_hook_that_is_killed_leaves_no_vlan_device",
    ),
    (
        "vlan-of-a-nic-that-is-down",
        "a_vlan_of_a_nic_that_is_down",
        "a_vlan_of_a_nic_that_is_down",
    ),
    (
        "link-to-a-bridge-and-to-a-nic",
        "a_port_and_a_macvlan_on_a_nic_that_is_down",
        "a_port_and_a_macvlan_on_a_nic_that_is_down",
    ),
    (
        "both-families",
        "a_replaced_default_route_is_put_back_from_every_step",
        "rules_neighbours_and_a_probe",
    ),
    (
        "gateways-off-the-link",
        "gateways_off_the_link_routes_and_settings",
        "gateways_off_the_link_routes_and_settings",
    ),
    (
        "every-field",
        "gateways_off_the_link_routes_and_settings",
        "given_names_and_a_given_mac",
    ),
    (
        "two-gateways",
        "two_interfaces_are_taken_back_from_every_step",
        "a_hook_killed_in_an_odd_call_can_be_run_again",
    ),
    (
        "optional-without-uplink",
        "an_optional_interface_that_the_kernel_refuses_goes_alone",
        "what is made is that of `bridge`",
    ),
    (
        "limits-guard-and-flags",
        "limits_guard_and_flags_are_taken_back_from_every_step",
        "a_hook_that_limits_killed_in_an_odd_call_is_cleared_up_by_gc",
    ),
    (
        "limits-of-a-macvlan",
        "limits_of_a_macvlan_are_taken_back_from_every_step",
        "a_port_and_a_macvlan_with_limits",
    ),
    (
        "limits-of-kubernetes",
        "limits_guard_and_flags_are_taken_back_from_every_step",
        "a_hook_that_limits_killed_in_an_even_call_is_cleared_up_by_gc",
    ),
    (
        "ipvlan",
        "the_hosts_way_to_an_ipvlan_is_taken_back_from_every_step",
        "a_way_between_host_and_ipvlan_is_cleared_up_by_gc",
    ),
    (
        "ipvlan-that-routes",
        "an_ipvlan_that_routes_on_a_nic_that_is_down",
        "an_ipvlan_that_routes_on_a_nic_that_is_down",
    ),
    ("dummy", "a_dummy", "a_dummy"),
    (
        "host-access",
        "the_hosts_way_to_a_macvlan_is_taken_back_from_every_step",
        "a_way_between_host_and_macvlan_is_cleared_up_by_gc",
    ),
    (
        "host-access-in-a-vlan",
        "it_is_taken_back_from_every_step",
        "a_hook_that_is_killed_leaves_nothing_of_it",
    ),
    (
        "host-access-of-an-ipvlan-that-routes",
        "the_hosts_way_to_an_ipvlan_is_taken_back_from_every_step",
        "its steps are those of `host-access` and of `an_ipvlan_in_a_vlan`",
    ),
    (
        "rules-and-neighbours",
        "rules_neighbours_and_a_probe",
        "rules_neighbours_and_a_probe",
    ),
    (
        "replies-by-the-same-interface",
        "rules_neighbours_and_a_probe",
        "rules_neighbours_and_a_probe",
    ),
    (
        "asked-for-first",
        "rules_neighbours_and_a_probe",
        "rules_neighbours_and_a_probe",
    ),
    (
        "ovs",
        "a_port_is_taken_back_from_every_step",
        "a_hook_that_is_killed_leaves_no_row_that_gc_does_not_find_1",
    ),
    (
        "ovs-made",
        "a_bridge_made_for_it_is_taken_back_from_every_step",
        "a_hook_that_is_killed_leaves_no_row_that_gc_does_not_find_2",
    ),
    (
        "ovs-trunk",
        "a_port_with_a_limit_is_taken_back_from_every_step",
        "a trunk is a column of the row that `ovs` makes",
    ),
    (
        "ovs-external-ids",
        "a_port_with_a_limit_is_taken_back_from_every_step",
        "external-ids are a column of the row that `ovs` makes",
    ),
    (
        "device",
        "a_nic_is_taken_back_from_every_step",
        "a_hook_killed_in_any_call_leaves_a_nic_that_comes_back",
    ),
    (
        "device-by-its-place-on-the-bus",
        "a_nic_is_taken_back_from_every_step",
        "a_hook_killed_in_any_call_leaves_a_nic_that_comes_back",
    ),
    (
        "device-with-settings",
        "a_nic_is_taken_back_from_every_step",
        "a_hook_killed_in_any_call_leaves_a_nic_that_comes_back",
    ),
    (
        "vlan-of-a-device",
        "a_vlan_of_a_nic_that_is_born_inside_is_taken_back_from_every_step",
        "a_vlan_of_a_nic_that_is_born_inside_is_cleared_up_after_a_kill_in_any_call",
    ),
    (
        "virtual-function",
        "a_function_and_what_its_card_was_told_are_taken_back_from_every_step",
        "a_hook_killed_in_any_call_leaves_a_function_that_comes_back",
    ),
    (
        "radio",
        "a_radio_is_taken_back_from_every_step",
        "a_hook_killed_in_any_call_leaves_a_radio_that_comes_back",
    ),
    (
        "infiniband",
        "no machine of the tests has InfiniBand",
        "no machine of the tests has InfiniBand",
    ),
    ("nothing", "it has no step", "it has no step"),
];

/// The sessions of `pipework plan` whose plan is made, as their files say.
fn planned() -> Vec<String> {
    let files = fs::read_dir(golden("").parent().unwrap()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let names = names.filter_map(|name| Some(name.strip_suffix(".txt")?.to_owned()));
    let is_planned = |name: &String| {
        let text = fs::read_to_string(golden(name)).unwrap();
        text.starts_with("$ pipework plan") && !text.contains("\nexit code ")
    };
    names.filter(is_planned).collect()
}

/// All text of the tests that attach.
fn tests() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/kernel", "tests/dhcp"];
    let files = folders.map(|folder| fs::read_dir(root.join(folder)).unwrap());
    let texts = files.into_iter().flatten().map(|file| {
        let path = file.unwrap().path();
        match path.is_file() {
            true => fs::read_to_string(path).unwrap(),
            false => String::new(),
        }
    });
    texts.collect()
}

#[test]
fn every_plan_that_is_made_is_refused_and_killed_somewhere() {
    let planned = planned();
    assert!(planned.len() > 30, "{planned:?}");
    let mut proven: Vec<&str> = PROOFS.iter().map(|row| row.0).collect();
    for session in planned {
        let count = proven.iter().filter(|name| **name == session).count();
        assert_eq!(count, 1, "{session} names what refuses and kills it");
        proven.retain(|name| *name != session);
    }
    assert!(proven.is_empty(), "these are planned no more: {proven:?}");
    let tests = tests();
    let named = PROOFS.iter().flat_map(|row| [row.1, row.2]);
    for test in named.filter(|words| !words.contains(' ')) {
        let is_there = [format!("fn {test}("), format!("    {test}: ")]
            .iter()
            .any(|start| tests.contains(start.as_str()));
        assert!(is_there, "there is no test {test}");
    }
}
