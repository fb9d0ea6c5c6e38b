//! A NIC that is down and that a start raises: it is down again unless the start was
//! complete. From then on it stays up for whoever has come to use it.

use std::fs;
use std::process::Command;

use crate::ipvlan::needs_ipvlan;
use crate::kill::{MANY, attach_killed_at, strace_works, was_killed};
use crate::macvlan::needs_macvlan;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, Outcome, PIPEWORK, feed, ip, lab};
use crate::support::skip;
use crate::vlan::needs_8021q;

/// A bridge with a machine, and up1, which is down and has no address that would come
/// with its carrier.
fn nic_that_is_down(lab: &Lab) -> [Container; 2] {
    let machines = [lab.lan("br0"), lab.nic("up1")];
    ip("link set up1 addrgenmode none");
    ip("link set up1 down");
    machines
}

const TRACE: &str = "/run/refused";

/// Runs the hook for `asked`, to whose `message`th message the kernel says EPERM.
fn attach_refused_at(lab: &Lab, container: &Container, asked: &[&str], message: usize) -> Outcome {
    let state = lab.state(container, asked).to_string();
    let mut command = Command::new("strace");
    command
        // Cargo's makes the loader look in many places first.
        .env_remove("LD_LIBRARY_PATH")
        .args(["-qq", "-o", TRACE, "-e", "trace=sendto", "-e"])
        .arg(format!("inject=sendto:error=EPERM:when={message}"))
        .args([PIPEWORK, "hook", "--stage", "createRuntime"]);
    feed(&mut command, state.as_bytes())
}

/// Whether the last one sent as many messages.
fn was_refused() -> bool {
    let trace = fs::read_to_string(TRACE).unwrap();
    trace.contains("(INJECTED)")
}

/// Refuses the start one message after another: it says that nothing is left behind, or
/// does without that message.
fn refused_in_every_message(lab: &Lab, asked: &[&str]) {
    let (host, records) = (lab.snapshot(), Records::take());
    let mut refusals = 0;
    for message in 1..MANY {
        let container = lab.container("web");
        let guest = lab.snapshot_of(&container);
        let outcome = attach_refused_at(lab, &container, asked, message);
        let what = format!("message {message}: {}", outcome.stderr());
        if outcome.code() == Some(0) {
            container.end();
            lab.poststop("web").ok();
            // For whoever has come to use it.
            ip("link set up1 down");
        } else {
            refusals += 1;
            guest.assert_equal(&lab.snapshot_of(&container), &what);
        }
        host.assert_equal(&lab.snapshot(), &what);
        records.assert_equal(&Records::take(), &what);
        if !was_refused() {
            assert!(refusals > 5, "it was refused {refusals} times only");
            return;
        }
    }
    panic!("it never survived");
}

/// Kills the start in one call after another, until its record is complete.
fn killed_until_it_is_complete(lab: &Lab, asked: &[&str]) {
    let host = lab.snapshot();
    let mut was_raised = false;
    for call in 1..MANY {
        let container = lab.container("web");
        let killed = was_killed(&attach_killed_at(lab, &container, asked, call));
        let records = Records::take();
        if !killed || records.has_complete() {
            let state = format!("call {call}, killed {killed}, {records:#?}");
            assert!(was_raised, "never seen up at a kill; {state}");
            return;
        }
        was_raised |= ip("link show up1").contains(",UP");
        container.end();
        lab.gc().ok();
        host.assert_equal(&lab.snapshot(), &format!("host, call {call}"));
    }
    panic!("it was never complete");
}

macro_rules! kinds {
    ($($name:ident: [$($needs:ident)*] $asked:expr;)*) => { $(
        mod $name {
            use super::*;

            #[test]
            fn is_down_again_after_a_refusal_of_any_message() {
                if !strace_works() {
                    skip!("there is no strace that may trace");
                }
                lab!(|lab| {
                    $( $needs!(); )*
                    let _machines = nic_that_is_down(lab);
                    refused_in_every_message(lab, &$asked);
                });
            }

            #[test]
            fn is_down_again_after_a_kill_in_any_call() {
                if !strace_works() {
                    skip!("there is no strace that may trace");
                }
                lab!(|lab| {
                    $( $needs!(); )*
                    let _machines = nic_that_is_down(lab);
                    killed_until_it_is_complete(lab, &$asked);
                });
            }
        }
    )* };
}

kinds! {
    a_macvlan_on_a_nic_that_is_down: [needs_macvlan] [
        "pipework.parent=up1",
        "pipework.ip=10.0.0.5/24",
    ];
    a_vlan_of_a_nic_that_is_down: [needs_8021q needs_macvlan] [
        "pipework.link=up1",
        "pipework.mac=@100",
    ];
    an_ipvlan_that_routes_on_a_nic_that_is_down: [needs_ipvlan] [
        "pipework.link=up1",
        "pipework.type=ipvlan",
        "pipework.mode=l3",
        "pipework.ip=10.0.0.5/24",
    ];
    a_port_and_a_macvlan_on_a_nic_that_is_down: [needs_macvlan] [
        "pipework.0.link=br0",
        "pipework.1.link=up1",
        "pipework.1.ip=10.0.0.5/24",
    ];
}
