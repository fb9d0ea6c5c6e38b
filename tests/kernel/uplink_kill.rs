//! A change that is killed, or refused, in any call leaves the host as it was.

use std::process::{Command, Stdio};

use crate::kill::{strace_works, was_killed};
use crate::nic_state::furnish;
use crate::support::lab::{Container, Lab, Outcome, PIPEWORK, add_ipv6_address, ip, lab};
use crate::support::ovs::ovs;
use crate::support::skip;
use crate::uplink::{Guards, is_recorded, uplink, wait_for};
use crate::uplink_links::{needs_bonds, switch};
use crate::vlan::needs_8021q;

/// Calls by which the kernel, the store and the guard are reached. strace counts
/// each of them by itself.
const SEND: &str = "sendto";
const OTHERS: [&str; 5] = ["write", "rename", "fcntl", "vfork", "clone3"];
/// By one of which the guard is started.
const STARTS: [&str; 2] = ["vfork", "clone3"];

fn traced(options: &[&str], arguments: &str) -> Outcome {
    let mut command = Command::new("strace");
    command
        // Cargo's makes the loader look in many places first.
        .env_remove("LD_LIBRARY_PATH")
        .arg("-qq")
        .args(options)
        .args([PIPEWORK, "uplink"])
        .args(arguments.split_whitespace())
        .stdin(Stdio::null());
    Outcome(command.output().unwrap())
}

fn injected(call: &str, what: &str, arguments: &str) -> Outcome {
    let trace = format!("trace={call}");
    let inject = format!("inject={call}:{what}");
    traced(&["-o", "/dev/null", "-e", &trace, "-e", &inject], arguments)
}

/// How often `pipework uplink ARGUMENTS` makes a call when nothing is in its
/// way.
fn count(call: &str, arguments: &str) -> usize {
    let trace = format!("trace={call}");
    traced(&["-o", "/run/calls", "-e", &trace], arguments).ok();
    let calls = std::fs::read_to_string("/run/calls").unwrap();
    calls.lines().filter(|line| line.starts_with(call)).count()
}

/// A change, and what there is to be changed.
struct Change {
    /// What is killed.
    arguments: &'static str,
    /// By which it comes about, and what takes it back.
    words: (&'static str, &'static str),
    calls: &'static [&'static str],
    first: usize,
    step: usize,
    clear: fn(&str),
}

/// Makes what `arguments` need, or takes away what they made. An uplink that nobody
/// confirmed may go in any moment, so that it is looked at again.
fn prepare(arguments: &str, (add, del): (&str, &str)) {
    let is_wanted = arguments.starts_with("del");
    wait_for(arguments, || {
        let is_there = !uplink("list").0.stdout.is_empty();
        match is_wanted {
            true if !is_there => drop(uplink(&format!("{add} --confirm-within 0")).ok()),
            false if is_there => drop(uplink(del)),
            true | false => {}
        }
        wait_for("the guard's end", || Guards::all().is_empty());
        is_recorded() == is_wanted
    });
}

/// Kills `pipework uplink ARGUMENTS` in every `step`th of each of the `calls`,
/// from the first; what is left is cleared up by `clear`. Then the host is as it
/// was, and what `seen` sees.
fn at_calls<T: PartialEq + std::fmt::Debug>(lab: &Lab, change: &Change, seen: impl Fn() -> T) {
    let Change {
        arguments, words, ..
    } = *change;
    let (nic, more) = (lab.snapshot(), seen());
    for call in change.calls {
        prepare(arguments, words);
        let all = count(call, arguments);
        assert!(all >= change.first || STARTS.contains(call), "{call}");
        for number in (change.first..=all).step_by(change.step) {
            let what = format!("{call} {number} of {all}, {arguments}");
            prepare(arguments, words);
            let outcome = injected(call, &format!("signal=SIGKILL:when={number}"), arguments);
            if !was_killed(&outcome) {
                // What it made would be what the next change finds.
                by_the_next_command(words.1);
                prepare(arguments, words);
                // It waits for the kernel now and then, so it may make a few calls less;
                // many less only where the machine was busier when they were counted.
                let fewest = all.min(count(call, arguments));
                by_the_next_command(words.1);
                assert!(number + 20 > fewest, "{what}, then of {fewest}");
                break;
            }
            (change.clear)(words.1);
            wait_for(&what, || !is_recorded());
            nic.assert_equal(&lab.snapshot(), &what);
            assert_eq!(seen(), more, "{what}");
            wait_for("the guard's end", || Guards::all().is_empty());
        }
    }
}

/// The guard alone does it, unless it was not armed yet.
fn by_the_guard(_: &str) {
    if Guards::all().is_empty() && is_recorded() {
        uplink("list").ok();
    }
}

/// The guard was killed, too; the next command does it.
fn by_the_next_command(del: &str) {
    let is_there = || !uplink("list").0.stdout.is_empty();
    Guards::kill();
    if !is_there() {
        return;
    }
    // Whoever survived is unconfirmed, or confirmed and about to be gone. A guard
    // that was only about to begin may have been quicker.
    let taken_back = uplink(del);
    assert!(!is_there(), "{}", taken_back.stderr());
    Guards::kill();
}

/// A bridge in the place of a NIC.
const BRIDGE: (&str, &str) = ("add br0 eth0", "del br0");

macro_rules! killed {
    ($($name:ident: $arguments:literal ($calls:expr, $first:literal, $step:literal), $clear:ident;)*) => { $(
        #[test]
        fn $name() {
            if !strace_works() {
                skip!("there is no strace that may trace");
            }
            lab!(|lab| {
                let _guards = Guards;
                let _machine = furnish(lab, "eth0");
                let change = Change {
                    arguments: $arguments,
                    words: BRIDGE,
                    calls: $calls,
                    first: $first,
                    step: $step,
                    clear: $clear,
                };
                at_calls(lab, &change, || ());
            });
        }
    )* };
}

killed! {
    a_change_that_is_killed_in_any_message_is_taken_back_by_its_guard:
        "add br0 eth0 --confirm-within 1s" (&[SEND], 1, 3), by_the_guard;
    a_change_that_is_killed_with_its_guard_is_taken_back_by_the_next_command:
        "add br0 eth0 --confirm-within 60s" (&[SEND], 2, 3), by_the_next_command;
    a_change_that_is_killed_between_its_messages_is_taken_back:
        "add br0 eth0 --confirm-within 1s" (&OTHERS, 1, 2), by_the_guard;
    a_way_back_that_is_killed_in_any_message_is_gone_to_its_end_by_the_next_command:
        "del br0" (&[SEND], 2, 3), by_the_next_command;
}

/// Kills the way in, and then the way back, at every `step`th message.
fn both_ways<T: PartialEq + std::fmt::Debug>(
    lab: &Lab,
    [add, del]: [&'static str; 2],
    (calls, step): (&'static [&'static str], usize),
    seen: impl Fn() -> T,
) {
    let words = (add, del);
    for arguments in [add, del] {
        let change = Change {
            arguments,
            words,
            calls,
            first: 3,
            step,
            clear: by_the_next_command,
        };
        at_calls(lab, &change, &seen);
    }
}

/// A bridge that is there, and is not ours: with an address, a MAC and a machine of its
/// own.
fn bridge_with_its_own(lab: &Lab) -> [Container; 2] {
    let machine = lab.lan("br0");
    ip("link set br0 address 02:00:00:00:00:b0");
    ip("addr add 10.5.0.1/24 dev br0");
    [furnish(lab, "eth0"), machine]
}

#[test]
fn a_nic_that_is_killed_on_its_way_into_a_bridge_or_out_is_where_it_was() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let _guards = Guards;
        let _machines = bridge_with_its_own(lab);
        both_ways(lab, [BRIDGE.0, BRIDGE.1], (&[SEND], 7), || ());
    });
}

#[test]
fn a_nic_that_is_refused_on_its_way_into_a_bridge_or_out_is_where_it_was() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let _guards = Guards;
        let _machines = bridge_with_its_own(lab);
        refused_at(lab, &[BRIDGE.0, BRIDGE.1], BRIDGE, 5, || ());
    });
}

#[test]
fn a_change_of_open_vswitch_that_is_killed_is_taken_back_with_its_rows() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let _guards = Guards;
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let _machine = furnish(lab, "eth0");
        let words = ["add ovs0 eth0", "del ovs0"];
        both_ways(lab, words, (&[SEND], 9), || ovs.rows());
    });
}

#[test]
fn a_change_of_a_vlan_of_a_nic_that_is_killed_is_taken_back_with_its_device() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        needs_8021q!();
        let _guards = Guards;
        let _machine = furnish(lab, "eth0");
        let words = ["add br100 eth0 --vlan 100", "del br100"];
        both_ways(lab, words, (&[SEND], 15), || ());
    });
}

#[test]
fn a_bond_that_is_killed_while_it_is_made_is_two_nics_again() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        needs_bonds!();
        let _guards = Guards;
        let _machine = switch(lab);
        ip("route add default via 10.0.0.2");
        let words = ["add br0 eth0 eth1 --bond active-backup", "del br0"];
        both_ways(lab, words, (&[SEND], 19), || ());
    });
}

/// Refuses every `step`th message of each change, from the first. A way in takes itself
/// back, and who is told that the way back was refused goes it again; then the host is
/// as it was, and what `seen` sees.
fn refused_at<T: PartialEq + std::fmt::Debug>(
    lab: &Lab,
    changes: &[&str],
    words: (&str, &str),
    step: usize,
    seen: impl Fn() -> T,
) {
    let (before, more) = (lab.snapshot(), seen());
    for arguments in changes {
        prepare(arguments, words);
        let count = count(SEND, arguments);
        for number in (1..=count).step_by(step) {
            prepare(arguments, words);
            let outcome = injected(SEND, &format!("error=EPERM:when={number}"), arguments);
            let text = outcome.stderr();
            let what = format!("message {number} of {count}, {arguments}: {text}");
            match (outcome.code(), *arguments == words.0) {
                // A neighbour that is not told is learned.
                (Some(0), true) => drop(uplink(words.1).ok()),
                (Some(16 | 19), true) | (Some(0), false) => {}
                // It says so, and nothing of it is forgotten.
                (Some(17 | 19), false) if is_recorded() => by_the_next_command(words.1),
                _ => panic!("{what}"),
            }
            assert!(!is_recorded(), "{what}");
            before.assert_equal(&lab.snapshot(), &what);
            assert_eq!(seen(), more, "{what}");
            wait_for("the guard's end", || Guards::all().is_empty());
        }
    }
}

/// The machine behind eth0, which has two addresses of each family: those that were
/// given back by two runs are in the order in which they were.
fn with_two_addresses(lab: &Lab) -> Container {
    let machine = lab.nic("eth0");
    ip("addr add 10.0.0.5/24 dev eth0");
    ip("addr add 10.0.0.6/24 dev eth0");
    add_ipv6_address("fd00::5", "eth0");
    add_ipv6_address("fd00::6", "eth0");
    ip("route add default via 10.0.0.1");
    ip("rule add iif eth0 lookup 100 pref 500");
    machine
}

#[test]
fn a_change_of_which_any_message_is_refused_takes_itself_back() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let _guards = Guards;
        let _machine = furnish(lab, "eth0");
        refused_at(lab, &[BRIDGE.0], BRIDGE, 1, || ());
    });
}

#[test]
fn a_way_back_of_which_a_message_is_refused_is_gone_again() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let _guards = Guards;
        let _machine = with_two_addresses(lab);
        refused_at(lab, &[BRIDGE.1], BRIDGE, 3, || ());
    });
}

#[test]
fn a_change_of_open_vswitch_that_is_refused_is_taken_back_with_its_rows() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let _guards = Guards;
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let _machine = with_two_addresses(lab);
        let words = ("add ovs0 eth0", "del ovs0");
        refused_at(lab, &[words.0, words.1], words, 5, || ovs.rows());
    });
}

#[test]
fn a_change_of_a_vlan_of_a_nic_that_is_refused_is_taken_back_with_its_device() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        needs_8021q!();
        let _guards = Guards;
        let _machine = with_two_addresses(lab);
        let words = ("add br100 eth0 --vlan 100", "del br100");
        refused_at(lab, &[words.0, words.1], words, 7, || ());
    });
}

#[test]
fn a_bond_that_is_refused_while_it_is_made_is_two_nics_again() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        needs_bonds!();
        let _guards = Guards;
        let _machine = switch(lab);
        ip("route add default via 10.0.0.2");
        let words = ("add br0 eth0 eth1 --bond active-backup", "del br0");
        refused_at(lab, &[words.0, words.1], words, 9, || ());
    });
}
