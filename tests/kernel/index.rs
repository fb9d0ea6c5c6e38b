//! The index of a new link is in the record before the link is; where somebody has it,
//! another one is, there and in the record.

use std::path::Path;

use pipework::plan::{Side, Undo};
use pipework::record::{Record, Store};

use crate::kill::strace_works;
use crate::macvlan::needs_macvlan;
use crate::standstill;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, Outcome, RECORDS, ip, ip_json, lab};
use crate::support::skip;

const BRIDGE: [&str; 2] = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];

fn record() -> Record {
    let store = Store::open(Path::new(RECORDS)).unwrap();
    let mut all = store.all();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0).unwrap()
}

/// Has `take` do something once a start has written its record, before it goes on.
fn start(lab: &Lab, container: &Container, asked: &[&str], take: impl FnOnce(&Record)) -> Outcome {
    let calls = [
        "-e",
        "trace=symlink,symlinkat",
        "-e",
        // What leads to the record is made behind it.
        "inject=symlink,symlinkat:signal=STOP:when=1",
    ];
    let state = lab.state(container, asked);
    standstill::start(&state, &calls, |_| take(&record()))
}

/// A device of somebody's.
fn take_index(ifindex: u32) {
    ip(&format!("link add theirs index {ifindex} type bridge"));
}

/// What the record says is there, and what was somebody's is still.
fn assert_made(lab: &Lab, container: &Container, taken: u32) {
    let now = record();
    let attachment = &now.attachments[0];
    let link = lab.inside(container, || ip_json("link show eth1")[0].clone());
    assert_eq!(link["ifindex"], attachment.ifindex);
    assert_ne!(attachment.ifindex, taken);
    assert!(Records::take().has_complete());
}

fn index_inside_is_taken(lab: &Lab, asked: &[&str]) {
    let (host, container) = (lab.snapshot(), lab.container("web"));
    let mut taken = 0;
    let outcome = start(lab, &container, asked, |record| {
        taken = record.attachments[0].ifindex;
        lab.inside(&container, || take_index(taken));
    });
    outcome.ok();
    assert_made(lab, &container, taken);
    let theirs = lab.inside(&container, || ip_json("link show theirs"));
    assert_eq!(theirs[0]["ifindex"], taken);
    container.end();
    lab.poststop("web").ok();
    assert!(Records::take().is_empty(), "{:?}", Records::take());
    host.assert_equal(&lab.snapshot(), "host");
}

#[test]
fn a_port_of_a_bridge_has_another_index_where_its_own_is_taken_inside() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        lab.bridge("br0");
        index_inside_is_taken(lab, &BRIDGE);
    });
}

#[test]
fn an_optional_interface_has_another_index_and_is_not_left_out() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        lab.bridge("br0");
        let asked = [&BRIDGE[..], &["pipework.optional=true"]].concat();
        index_inside_is_taken(lab, &asked);
    });
}

#[test]
fn a_macvlan_has_another_index_where_its_own_is_taken_inside() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.nic("up1");
        index_inside_is_taken(lab, &["pipework.parent=up1", "pipework.ip=10.0.0.5/24"]);
    });
}

#[test]
fn the_hosts_end_has_another_index_where_its_own_is_taken_on_the_host() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let of_hosts_end = |record: &Record| {
            let mut undos = record.attachments[0].undo.iter();
            let end = undos.find_map(|undo| match undo {
                Undo::DeleteLink { side, ifindex, .. } => (*side == Side::Host).then_some(*ifindex),
                _ => None,
            });
            end.unwrap()
        };
        let mut taken = 0;
        let outcome = start(lab, &container, &BRIDGE, |record| {
            taken = of_hosts_end(record);
            take_index(taken);
        });
        outcome.ok();
        assert_made(lab, &container, taken);
        let name = record().attachments[0].hostif.clone().unwrap();
        let end = ip_json(&format!("link show {name}"));
        assert_eq!(end[0]["ifindex"], of_hosts_end(&record()));
        assert_eq!(ip_json("link show theirs")[0]["ifindex"], taken);
        container.end();
        lab.poststop("web").ok();
        assert_eq!(ip_json("link show theirs")[0]["ifindex"], taken);
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}
