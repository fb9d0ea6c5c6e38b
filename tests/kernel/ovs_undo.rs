//! A start on Open vSwitch that is refused or killed at any moment leaves no row
//! in its database.

use std::fs;
use std::time::Duration;

use pipework::apply::apply;
use serde_json::json;

use crate::kill::{attach_killed_in, strace_works, was_killed};
use crate::ovs_ends::{ASKED, Before};
use crate::refusal::{with_plan, with_refusal_at};
use crate::support::lab::{Lab, bundle_of, lab};
use crate::support::ovs::{Ovs, ovs};
use crate::support::skip;
use crate::traffic::needs_limits;

/// Refuses every step of the plan for `asked` in turn.
fn refuse_each(lab: &Lab, ovs: &Ovs, asked: &[&str]) {
    let container = lab.any_container();
    let before = Before::take(lab, ovs);
    let guest = lab.snapshot_of(&container);
    let time = Duration::from_secs(600);
    with_plan(&container, asked, time, async |plan, kernel| {
        for place in 0..=plan.steps.len() {
            let error = apply(&with_refusal_at(plan, place), Vec::new(), (), kernel).await;
            let error = error.expect_err("the kernel refuses");
            assert!(error.left.is_empty(), "{:?}", error.left);
            let what = format!("{asked:?}, step {place}");
            before.is_now(lab, ovs, &what);
            guest.assert_equal(&lab.snapshot_of(&container), &what);
        }
        apply(plan, Vec::new(), (), kernel)
            .await
            .expect("nothing is refused");
    });
}

#[test]
fn a_port_is_taken_back_from_every_step() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        refuse_each(lab, &ovs, &ASKED);
    });
}

#[test]
fn a_port_with_a_limit_is_taken_back_from_every_step() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        needs_limits!();
        ovs.bridge("ovs0");
        let more = [
            "pipework.rate.in=10mbit",
            "pipework.isolate=true",
            "pipework.trunk=10,20-30",
            "pipework.ovs.iface-id=port-7",
        ];
        refuse_each(lab, &ovs, &[&ASKED[..], &more].concat());
    });
}

#[test]
fn a_bridge_made_for_it_is_taken_back_from_every_step() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.configure_datapath();
        let asked = [
            "pipework.0.ovs=ovs7",
            "pipework.0.ip=10.0.0.5/24",
            "pipework.1.bridge=ovs7",
            "pipework.1.vlan=5",
        ];
        refuse_each(lab, &ovs, &asked);
    });
}

/// What changes the kernel, the store or the database, and what waits for it.
const CALLS: &str = "sendto,sendmsg,write,connect,read,poll,openat,?open,rename,renameat2,\
                     symlinkat,symlink,unlink,unlinkat,fcntl";
/// No run has so many of them.
const MANY: usize = 600;
const BOTH: [&str; 4] = [
    "pipework.0.ovs=ovs7",
    "pipework.0.vlan=7",
    "pipework.1.ovs=ovs0",
    "pipework.1.ip=10.0.0.5/24",
];

/// Kills the hook in every fourth call, from `first`; then the container, and
/// `pipework gc` clears up.
fn at_every_fourth_call(lab: &Lab, ovs: &Ovs, first: usize) {
    ovs.bridge("ovs0");
    ovs.configure_datapath();
    fs::create_dir_all(bundle_of("web")).unwrap();
    fs::write(bundle_of("web").join("config.json"), json!({}).to_string()).unwrap();
    let before = Before::take(lab, ovs);
    for call in (first..MANY).step_by(4) {
        let container = lab.container("web");
        let killed = was_killed(&attach_killed_in(CALLS, lab, &container, (&BOTH, call)));
        container.end();
        lab.gc().ok();
        // A start that had success leaves its bridge for a while.
        if ovs.bridges().contains(&"ovs7".to_owned()) {
            assert!(ovs.ports("ovs7").is_empty(), "call {call}");
            ovs.vsctl("del-br ovs7");
        }
        before.is_now(lab, ovs, &format!("call {call}"));
        if !killed {
            return;
        }
    }
    panic!("the hook never survived");
}

macro_rules! killed_in_every_fourth_call {
    ($($name:ident: $first:literal;)*) => { $(
        #[test]
        fn $name() {
            if !strace_works() {
                skip!("there is no strace that may trace");
            }
            lab!(|lab| {
                let ovs = ovs!(lab);
                at_every_fourth_call(lab, &ovs, $first);
            });
        }
    )* };
}

killed_in_every_fourth_call! {
    a_hook_that_is_killed_leaves_no_row_that_gc_does_not_find_1: 1;
    a_hook_that_is_killed_leaves_no_row_that_gc_does_not_find_2: 2;
    a_hook_that_is_killed_leaves_no_row_that_gc_does_not_find_3: 3;
    a_hook_that_is_killed_leaves_no_row_that_gc_does_not_find_4: 4;
}
