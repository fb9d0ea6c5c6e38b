//! The command line of pipework, the shell script: one table of cases, run
//! against containers of a lab with this program, and with any other that
//! `$PIPEWORK_CLASSIC` names, for example the script itself.
//!
//! Each row is run against containers of real runtimes besides, which is by what
//! it needs (`table::Case::fits_a_world`), by one runner (world_rows.rs):
//!
//! | row | here, a lab's own | of crun, runc and podman | of Docker | of podman |
//! |---|---|---|---|---|
//! | a bridge, macvlan, DHCP, `route`, `rule`, `tc`, `--wait` | every kernel | a world (tests/runtimes/compat.rs) | a world (tests/docker/compat.rs) | |
//! | Open vSwitch | every kernel | a world, switched by `ovs-vswitchd` | the same | virtual machine, switched by the kernel (`podman`) |
//! | what is said where Docker is not installed | every kernel | a world | | |
//! | what is said where Docker has no such container | every kernel, a Docker that is not one | | a world | virtual machine |
//! | VLANs, a dummy, a card that is moved, a radio | virtual machine | | | virtual machine |
//! | an interface that says it is InfiniBand | every kernel | | | virtual machine |
//!
//! Where the script and ours are meant to differ (`new fix`), the other program
//! is only looked at: what it does is printed. Cases that are no command line are
//! elsewhere:
//!
//! | case | what | where |
//! |---|---|---|
//! | 11, 12 | a client that is not installed, or needs Docker | 48 to 51: the client is built in |
//! | 30 | IPv6 with busybox installed | 29: nothing is asked of it |
//! | 33, 52, 57 | no arping; files in /var/run/netns | looked at in every case |
//! | 37 | LXC | `host::find::tests::a_container_of_lxc_or_incus_runs_where_its_cgroup_has_an_init`, and a real one in tests/runtimes/find.rs |
//! | 42 | a child of an InfiniBand interface | `request::classic::asked`, `plan::handover` (unit tests) |
//! | 47 | what stays of a container that died | `bridge::a_bridge_of_ours_stays_when_its_last_port_goes` |

mod direct;
mod faults;
mod given;
mod podman;
mod run;
mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::lab::{Lab, lab};
use crate::support::note_skip;
use crate::support::vm::{Nic, vm};

/// Runs every row of one case, each in a lab of its own, or where there are cards.
fn case(number: u32) {
    let rows = table::cases().into_iter().filter(|c| c.number == number);
    let rows: Vec<table::Case> = rows.collect();
    assert!(!rows.is_empty(), "table.txt has no case {number}");
    for row in rows {
        for program in run::programs() {
            let (row, program) = (row.clone(), program.clone());
            if row.needs("card") || row.needs("radio") {
                vm!(move |vm| {
                    let card = vm.nics("virtio_net").remove(0);
                    judge(vm, Some(card), &row, &program);
                });
            } else {
                lab!(move |lab| judge(lab, None, &row, &program));
            }
        }
    }
}

fn judge(lab: &Lab, card: Option<Nic>, row: &table::Case, program: &run::Program) {
    if let Err(reason) = run::judge(&run::Place::of_lab(lab, card), row, program) {
        note_skip(&format!("{reason}: case {}, {}", row.number, row.title));
    }
}

macro_rules! cases {
    ($($name:ident $number:literal)*) => {$(
        #[test]
        fn $name() {
            case($number);
        }
    )*

        /// The cases with a test below.
        const TESTED: &[u32] = &[$($number),*];
    };
}

cases! {
    case_1_too_few_words_are_answered_with_the_syntax 1
    case_2_an_interface_that_would_not_be_made_is_named 2
    case_3_a_mac_that_no_interface_has_is_named 3
    case_4_a_bridge_of_open_vswitch_needs_it_installed 4
    case_5_a_port_of_a_linux_bridge_has_its_vlan 5
    case_6_an_infiniband_interface_takes_no_mac 6
    case_7_a_container_that_nobody_knows_is_told_of 7
    case_8_the_same_without_docker 8
    case_9_a_stopped_container_has_no_pid 9
    case_10_an_address_has_a_netmask 10
    case_13_a_missing_bridge_is_made_and_the_container_is_its_port 13
    case_14_nothing_is_made_twice 14
    case_15_an_end_that_is_down_is_made_anew 15
    case_16_both_ends_have_the_names_that_were_given 16
    case_17_options_stand_anywhere 17
    case_18_the_newest_gateway_wins 18
    case_19_a_gateway_may_be_beyond_the_subnet 19
    case_20_an_at_with_nothing_behind_it_is_nothing 20
    case_21_a_link_needs_no_address 21
    case_22_a_hardware_address_is_set 22
    case_23_a_text_gives_a_hardware_address 23
    case_24_a_multicast_address_leaves_nothing 24
    case_25_a_long_name_inside_leaves_room_for_the_one_outside 25
    case_26_a_name_that_is_taken_leaves_nothing 26
    case_27_an_address_that_is_none_leaves_nothing 27
    case_28_a_gateway_of_the_other_family_leaves_nothing 28
    case_29_ipv6_is_as_good 29
    case_31_a_family_has_two_words 31
    case_32_a_family_need_not_be_said 32
    case_34_a_network_card_gets_a_macvlan 34
    case_35_its_name_may_be_long 35
    case_36_a_vlan_of_a_network_card_is_a_device 36
    case_38_a_network_card_itself_is_moved 38
    case_39_of_a_vlan_its_device_is_moved_and_the_card_stays 39
    case_40_a_bridge_is_never_moved 40
    case_41_a_dummy_leads_nowhere 41
    case_43_a_radio_is_moved_with_its_interface 43
    case_44_a_port_of_open_vswitch_has_its_tag_and_says_whose_it_is 44
    case_45_of_two_vlans_the_first_counts 45
    case_46_both_ends_have_the_mtu_of_the_bridge 46
    case_48_udhcpc_is_built_in 48
    case_49_so_is_dhclient 49
    case_50_so_is_dhcpcd_with_its_options 50
    case_51_so_is_dhcp 51
    case_53_iproute2_runs_inside 53
    case_54_a_wait_is_for_a_carrier 54
    case_55_an_address_that_another_host_has_is_refused 55
    case_56_words_at_the_end_are_ignored 56
}

/// Another program is judged by ours in its place.
#[test]
fn another_program_is_held_to_what_is_meant_to_be_the_same_alone() {
    let other = run::Program::ours_as_another();
    let judge = |lab: &Lab, row: &table::Case, other: &run::Program| {
        run::judge(&run::Place::of_lab(lab, None), row, other).unwrap();
    };
    let row = |number: u32, is_fix: bool| {
        let mut rows = table::cases().into_iter();
        rows.find(|row| row.number == number && row.is_fix == is_fix)
            .unwrap()
    };
    for row in [row(1, false), row(13, false), row(16, false), row(17, true)] {
        let other = other.clone();
        lab!(move |lab| judge(lab, &row, &other));
    }
    let wrong = |row: table::Case| table::Case { code: 77, ..row };
    let (same, fix) = (wrong(row(13, false)), wrong(row(17, true)));
    let told = other.clone();
    lab!(move |lab| judge(lab, &fix, &told));
    lab!(move |lab| {
        let judged = AssertUnwindSafe(|| judge(lab, &same, &other));
        let panicked = catch_unwind(judged).expect_err("a wrong exit code");
        let said = panicked.downcast::<String>().unwrap();
        assert!(said.contains("code Some(0)"), "{said}");
    });
}

/// Cases that are no line of the table; the list above says where they are.
const ELSEWHERE: [u32; 8] = [11, 12, 30, 33, 37, 42, 47, 52];
/// As many were measured of the script; the last is looked at in every one.
const CASES: u32 = 57;

#[test]
fn every_case_that_was_measured_has_its_test_or_its_reason() {
    let rows: Vec<u32> = table::cases().iter().map(|case| case.number).collect();
    for number in 1..CASES {
        let is_row = rows.contains(&number);
        assert_eq!(TESTED.contains(&number), is_row, "case {number}");
        assert_ne!(ELSEWHERE.contains(&number), is_row, "case {number}");
    }
}
