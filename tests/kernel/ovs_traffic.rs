//! Limits, guard and isolation on ports of Open vSwitch: what its daemon leaves
//! alone, and what is refused where it switches itself.

use std::time::Duration;

use crate::guard::{GUARDED, assert_verdicts, forged, good};
use crate::support::lab::flow::{TCP_SHARE, tcp};
use crate::support::lab::frames::{Trial, arp};
use crate::support::lab::{Container, Lab, has, lab, run};
use crate::support::ovs::{Ovs, eventually, ovs, reaches};
use crate::support::skip;
use crate::traffic::{assert_rate, needs_limits};

/// Skips where TCP does not pass: a daemon that switches itself reads frames
/// without their checksums, unless the sender is told to compute them.
macro_rules! needs_checksums {
    ($ovs:expr) => {
        if !$ovs.in_kernel && !has("ethtool", "--version") {
            skip!("there is no ethtool");
        }
    };
}

fn attached(lab: &Lab, ovs: &Ovs, number: u8, more: &[&str]) -> Container {
    let container = lab.any_container();
    let ip = format!("pipework.ip=10.0.0.{number}/24");
    let mut asked = vec!["pipework.ovs=ovs0", &ip];
    asked.extend(more);
    lab.attach(&container, &asked).ok();
    if !ovs.in_kernel && has("ethtool", "--version") {
        lab.inside(&container, || run("ethtool", "-K eth1 tx off"));
    }
    container
}

/// The daemon looks at every port anew when it starts.
fn restart(ovs: &mut Ovs) {
    ovs.kill_switch();
    ovs.start_switch();
    ovs.vsctl("--timeout=20 set bridge ovs0 external_ids:again=1");
}

#[test]
fn a_limit_to_a_port_of_open_vswitch_holds_after_its_daemon_was_restarted() {
    lab!(|lab| {
        needs_limits!();
        let mut ovs = ovs!(lab);
        ovs.bridge("ovs0");
        needs_checksums!(ovs);
        let other = attached(lab, &ovs, 2, &[]);
        let limited = attached(lab, &ovs, 5, &["pipework.rate.in=10mbit"]);
        let measure = || tcp(lab, &other, &limited, "10.0.0.5");
        assert_rate(measure(), TCP_SHARE, 10_000_000, "tcp in");
        restart(&mut ovs);
        assert_rate(measure(), TCP_SHARE, 10_000_000, "tcp in, after a restart");
    });
}

#[test]
fn a_guard_and_a_limit_from_a_port_hold_where_the_kernel_switches() {
    lab!(|lab| {
        needs_limits!();
        let mut ovs = ovs!(lab);
        ovs.bridge("ovs0");
        if !ovs.in_kernel {
            skip!("kernel has no datapath of Open vSwitch");
        }
        let other = attached(lab, &ovs, 2, &["pipework.ifname=wire"]);
        let container = lab.any_container();
        let mut asked = GUARDED.to_vec();
        asked[0] = "pipework.ovs=ovs0";
        asked.push("pipework.rate.out=10mbit");
        lab.attach(&container, &asked).ok();
        for what in ["tcp out", "tcp out, after a restart"] {
            let measured = tcp(lab, &container, &other, "10.0.0.2");
            assert_rate(measured, TCP_SHARE, 10_000_000, what);
            let fence = arp([2, 0, 0, 0, 0, 5], 1, [10, 0, 0, 5], [10, 0, 0, 1]);
            let trial = Trial::start(lab, &container, &other, &fence);
            let trial = trial.with_lag(Duration::from_millis(500));
            assert_verdicts(&trial, &forged(), false);
            assert_verdicts(&trial, &good(), true);
            restart(&mut ovs);
        }
    });
}

#[test]
fn what_the_daemon_would_not_let_the_host_see_is_refused() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        if ovs.in_kernel {
            skip!("the kernel switches here");
        }
        for field in ["spoofcheck=true", "rate.out=10mbit"] {
            let field = format!("pipework.{field}");
            let asked = ["pipework.ovs=ovs0", field.as_str()];
            let report = lab.attach(&lab.any_container(), &asked).refused(19);
            assert!(report.contains("whose datapath is netdev"), "{report}");
        }
    });
}

#[test]
fn isolated_ports_of_open_vswitch_do_not_reach_each_other() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let one = attached(lab, &ovs, 5, &["pipework.isolate=true"]);
        let _other = attached(lab, &ovs, 6, &["pipework.isolate=true"]);
        let third = attached(lab, &ovs, 7, &[]);
        eventually("one reaches a third", || reaches(lab, &one, "10.0.0.7"));
        eventually("a third reaches one", || reaches(lab, &third, "10.0.0.6"));
        assert!(!reaches(lab, &one, "10.0.0.6"));
        let hairpin = ["pipework.ovs=ovs0", "pipework.hairpin=true"];
        lab.attach(&lab.any_container(), &hairpin).refused(19);
    });
}
