//! An end that is killed in any call is made up for by whatever comes next.
//!
//! strace ends `pipework hook --stage poststop` with SIGKILL at its k-th call of a
//! kind, for growing k, until it survives.

use serde_json::json;

use crate::bridge_vlan::{bond, filtering_bridge, needs_vlan_filtering};
use crate::device::{Furnished, device};
use crate::kill::{keep_by_path, killed_at, let_go, name_path, strace_works, was_killed};
use crate::macvlan::needs_macvlan;
use crate::ovs_ends::{ASKED, Before};
use crate::support::lab::{
    Container, Lab, add_ipv6_address, bundle_of, feed, ip, lab, snapshot::Records,
};
use crate::support::ovs::ovs;
use crate::support::skip;
use crate::support::vm::vm;
use crate::traffic::needs_limits;
use crate::vlan::needs_8021q;

/// What changes the kernel, the store or the database, and how many are passed over
/// between two kills.
const CALLS: [(&str, usize); 8] = [
    ("sendto", 3),
    ("write", 2),
    ("fcntl", 3),
    ("rename", 1),
    ("unlink", 1),
    ("unlinkat", 1),
    ("rmdir", 1),
    ("symlink", 1),
];
/// No end has so many of one kind.
const MANY: usize = 400;

/// What comes after an end that was killed.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// The sweep.
    Gc,
    /// The runtime, or a person, once more.
    Again,
    /// Another container that asks for the same, and ends in good order.
    Start,
}

impl Next {
    fn come(self, lab: &Lab, asked: &[&str]) {
        match self {
            Self::Gc => drop(lab.gc().ok()),
            Self::Again => drop(lab.poststop("web").ok()),
            Self::Start => {
                let other = lab.container("next");
                lab.attach(&other, asked).ok();
                other.end();
                lab.poststop("next").ok();
                // It was asked for no more than its own.
                lab.gc().ok();
            }
        }
    }
}

/// Kills the end of containers that asked for `asked`. `end` ends the container,
/// whose namespace outlives it by a path or does not; then something comes next, and
/// `settled` looks.
fn at_each_call(
    lab: &Lab,
    asked: &[&str],
    end: impl Fn(&Lab, Container, &dyn Fn() -> String),
    settled: impl Fn(&str),
) {
    let state = json!({
        "ociVersion": "1.0.2", "id": "web", "status": "stopped",
        "bundle": bundle_of("web"), "annotations": { "pipework.bridge": "br0" },
    });
    let (state, mut kills) = (state.to_string(), 0);
    for (name, step) in CALLS {
        let mut numbers = (1..MANY).step_by(step);
        let survived = numbers.find(|number| {
            let container = lab.container("web");
            lab.attach(&container, asked).ok();
            let killed = std::cell::Cell::new(false);
            let next = [Next::Gc, Next::Again, Next::Start][kills % 3];
            end(lab, container, &|| {
                let mut command = killed_at(name, *number);
                command.args(["hook", "--stage", "poststop"]);
                killed.set(was_killed(&feed(&mut command, state.as_bytes())));
                next.come(lab, asked);
                format!("{name} {number}, killed {}, then {next:?}", killed.get())
            });
            settled(&format!("{name} {number}, then {next:?}"));
            kills += usize::from(killed.get());
            !killed.get()
        });
        assert!(survived.is_some(), "it never survived {name}");
    }
    assert!(kills > 6, "it survived all but {kills}");
}

/// The namespace is gone before the end comes.
fn gone(_: &Lab, container: Container, act: &dyn Fn() -> String) {
    container.end();
    act();
}

/// The namespace outlives its container, and what was in it is taken back.
fn outlived(lab: &Lab, mut container: Container, act: &dyn Fn() -> String) {
    keep_by_path(&container);
    container.kill();
    let what = act();
    let shown = lab.inside(&container, || ip("-o link"));
    assert_eq!(shown.lines().count(), 1, "{what}: {shown}");
    let_go();
}

/// The host and the records are as they are now.
fn as_now(lab: &Lab) -> impl Fn(&str) {
    let (host, records) = (lab.snapshot(), Records::take());
    move |what| {
        host.assert_equal(&lab.snapshot(), what);
        records.assert_equal(&Records::take(), what);
    }
}

#[test]
fn a_nic_comes_back() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    vm!(|vm| {
        let nic = vm.nics("virtio_net").remove(0);
        let host = Furnished::new(&nic);
        let device = device(&nic);
        let asked = [device.as_str(), "pipework.ip=10.0.0.5/24@10.0.0.1"];
        at_each_call(vm, &asked, gone, |what| host.assert_back(what));
    });
}

#[test]
fn a_nic_whose_namespace_is_still_there_comes_back() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    vm!(|vm| {
        name_path();
        let nic = vm.nics("virtio_net").remove(0);
        let host = Furnished::new(&nic);
        let device = device(&nic);
        let asked = [device.as_str(), "pipework.ip=10.0.0.5/24"];
        at_each_call(vm, &asked, outlived, |what| host.assert_back(what));
    });
}

#[test]
fn a_port_of_open_vswitch_goes() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let before = Before::take(lab, &ovs);
        at_each_call(lab, &ASKED, gone, |what| before.is_now(lab, &ovs, what));
    });
}

#[test]
fn a_port_with_limits_goes() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        needs_limits!();
        name_path();
        let _machine = lab.lan("br0");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24",
            "pipework.rate.in=10mbit",
            "pipework.rate.out=10mbit",
            "pipework.isolate=true",
        ];
        at_each_call(lab, &asked, outlived, as_now(lab));
    });
}

/// A NIC with addresses of the host, and ends of containers that reach them.
fn with_a_way_to_the_host(lab: &Lab, more: &[&str]) {
    name_path();
    let _machine = lab.nic("up0");
    ip("addr add 10.0.0.1/24 dev up0");
    add_ipv6_address("fd00::1", "up0");
    let asked = [
        "pipework.parent=up0",
        "pipework.ip=10.7.0.5/24,fd07::5/64",
        "pipework.host-access=true",
    ];
    let asked = [&asked[..], more].concat();
    at_each_call(lab, &asked, outlived, as_now(lab));
}

#[test]
fn a_macvlan_and_its_way_to_the_host_go() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        needs_macvlan!();
        with_a_way_to_the_host(lab, &[]);
    });
}

#[test]
fn a_vlan_of_a_nic_and_its_way_to_the_host_go() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        with_a_way_to_the_host(lab, &["pipework.vlan=100"]);
    });
}

#[test]
fn a_port_in_a_vlan_and_its_membership_go() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        needs_vlan_filtering!();
        name_path();
        filtering_bridge(lab);
        let Some(_machine) = bond(lab) else {
            skip!("kernel has no bond");
        };
        let asked = [
            "pipework.bridge=br0",
            "pipework.vlan=100",
            "pipework.ip=10.0.0.5/24",
        ];
        at_each_call(lab, &asked, outlived, as_now(lab));
    });
}
