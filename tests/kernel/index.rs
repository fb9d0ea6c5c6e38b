//! The index of a new link is in the record before the link is; where somebody has it,
//! another one is, there and in the record.

use std::path::Path;

use pipework::plan::{Side, Undo};
use pipework::record::{BridgeRecord, Record, Store, VERSION};
use pipework::request::MacAddr;

use crate::kill::{strace_works, was_killed};
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

/// What leads to the record is made behind it.
const TRACED: [&str; 2] = ["-e", "trace=symlink,symlinkat"];
const FIRST: &str = "inject=symlink,symlinkat:signal=STOP:when=1";
const EACH: &str = "inject=symlink,symlinkat:signal=STOP";

fn calls(stop: &str) -> [&str; 4] {
    [TRACED[0], TRACED[1], "-e", stop]
}

/// Has `take` do something once a start has written its record, before it goes on.
fn start(lab: &Lab, container: &Container, asked: &[&str], take: impl FnOnce(&Record)) -> Outcome {
    let state = lab.state(container, asked);
    standstill::start(&state, &calls(FIRST), |_| take(&record()))
}

/// The same, and then the start is killed.
fn killed(lab: &Lab, container: &Container, asked: &[&str], take: impl FnOnce(&Record)) {
    let state = lab.state(container, asked);
    let outcome = standstill::killed(&state, &calls(FIRST), |_| take(&record()));
    assert!(was_killed(&outcome));
}

fn index_of_hosts_end(record: &Record) -> u32 {
    let mut undos = record.attachments[0].undo.iter();
    let end = undos.find_map(|undo| match undo {
        Undo::DeleteLink { side, ifindex, .. } => (*side == Side::Host).then_some(*ifindex),
        _ => None,
    });
    end.unwrap()
}

fn index_of_bridge(record: &Record) -> u32 {
    let own = record.attachments[0].undo.iter();
    let bridge = own.chain(&record.undo).find_map(|undo| match undo {
        Undo::DeleteBridge { ifindex, .. } => Some(*ifindex),
        _ => None,
    });
    bridge.unwrap()
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
        let mut taken = 0;
        let outcome = start(lab, &container, &BRIDGE, |record| {
            taken = index_of_hosts_end(record);
            take_index(taken);
        });
        outcome.ok();
        assert_made(lab, &container, taken);
        let name = record().attachments[0].hostif.clone().unwrap();
        let end = ip_json(&format!("link show {name}"));
        assert_eq!(end[0]["ifindex"], index_of_hosts_end(&record()));
        assert_eq!(ip_json("link show theirs")[0]["ifindex"], taken);
        container.end();
        lab.poststop("web").ok();
        assert_eq!(ip_json("link show theirs")[0]["ifindex"], taken);
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn an_optional_interface_is_left_out_where_every_index_that_is_tried_is_taken() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        lab.bridge("br0");
        let (host, container) = (lab.snapshot(), lab.container("web"));
        let asked = [&BRIDGE[..], &["pipework.optional=true"]].concat();
        let state = lab.state(&container, &asked);
        let mut taken = Vec::new();
        let outcome = standstill::start_step_by_step(&state, &calls(EACH), |_| {
            let record = record();
            let ifindex = record.attachments[0].ifindex;
            if !taken.contains(&ifindex) {
                let add = format!("link add theirs{} index {ifindex} type bridge", taken.len());
                lab.inside(&container, || ip(&add));
                taken.push(ifindex);
            }
        });
        outcome.ok();
        assert!(taken.len() > 1, "it was not tried again");
        lab.inside(&container, || {
            let links = ip_json("link show");
            let links = links.as_array().unwrap().iter();
            let links: Vec<&str> = links.map(|l| l["ifname"].as_str().unwrap()).collect();
            let theirs = links.iter().filter(|name| name.starts_with("theirs"));
            assert_eq!(theirs.count(), taken.len(), "{links:?}");
            assert!(!links.contains(&"eth1"), "{links:?}");
        });
        host.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

/// A start for `web` that is killed before it has made anything, and whose indexes
/// somebody has taken, on the host and inside.
fn killed_with_its_indexes_taken(lab: &Lab, container: &Container) {
    killed(lab, container, &BRIDGE, |record| {
        take_index(index_of_hosts_end(record));
        lab.inside(container, || take_index(record.attachments[0].ifindex));
    });
    assert!(!Records::take().is_empty());
}

#[test]
fn the_next_start_leaves_devices_alone_that_have_the_indexes_of_a_killed_one() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        killed_with_its_indexes_taken(lab, &container);
        lab.attach(&container, &BRIDGE).ok();
        ip("link show theirs");
        lab.inside(&container, || ip("link show theirs"));
        container.end();
        lab.poststop("web").ok();
        ip("link show theirs");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn gc_leaves_a_device_alone_that_has_the_index_of_a_killed_start() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        killed_with_its_indexes_taken(lab, &container);
        container.end();
        lab.gc().ok();
        ip("link show theirs");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

/// Somebody else's bridge of that index, which another start has made.
fn keep_bridge(ifindex: u32) -> BridgeRecord {
    take_index(ifindex);
    let boot_id = pipework::sys::proc::boot_id().unwrap();
    let bridge = BridgeRecord {
        version: VERSION,
        boot_id,
        ifindex,
        name: "theirs".parse().unwrap(),
        mac: MacAddr::local([2, 0, 0, 0, 0, 1]),
        empty_since: None,
    };
    let store = Store::open(Path::new(RECORDS)).unwrap();
    store.keep_bridge(&bridge).unwrap();
    bridge
}

fn assert_kept(bridge: Option<BridgeRecord>) {
    let bridge = bridge.unwrap();
    let store = Store::open(Path::new(RECORDS)).unwrap();
    assert_eq!(store.bridge(bridge.ifindex).unwrap().unwrap(), bridge);
    assert_eq!(ip_json("link show theirs")[0]["ifindex"], bridge.ifindex);
}

#[test]
fn a_bridge_has_another_index_where_its_own_is_that_of_another_bridge_of_ours() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let container = lab.container("web");
        let mut kept = None;
        let asked = ["pipework.bridge=br7", "pipework.ip=10.0.0.5/24"];
        let outcome = start(lab, &container, &asked, |record| {
            kept = Some(keep_bridge(index_of_bridge(record)));
        });
        outcome.ok();
        assert_eq!(
            ip_json("link show br7")[0]["ifindex"],
            index_of_bridge(&record())
        );
        assert_kept(kept);
    });
}

#[test]
fn a_killed_start_leaves_the_record_of_a_bridge_that_has_the_index_of_its_own() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let container = lab.container("web");
        let mut kept = None;
        let asked = ["pipework.bridge=br7", "pipework.ip=10.0.0.5/24"];
        killed(lab, &container, &asked, |record| {
            kept = Some(keep_bridge(index_of_bridge(record)));
        });
        container.end();
        lab.gc().ok();
        let left = Records::take();
        assert!(left.of("attachments").is_empty(), "{left:?}");
        assert_kept(kept);
    });
}

#[test]
fn a_link_that_is_called_otherwise_by_now_is_taken_back_by_its_index() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let container = lab.container("web");
        let (host, guest) = (lab.snapshot(), lab.snapshot_of(&container));
        let asked = [
            "pipework.parent=up0",
            // Nobody answers.
            "pipework.ip=dhcp",
            "pipework.dhcp.keep=false",
            "pipework.dhcp.timeout=300ms",
        ];
        let state = lab.state(&container, &asked);
        // The socket that asks for a lease, of a link that is whole.
        let asks = ["-e", "trace=bind", "-e", "inject=bind:signal=STOP:when=1"];
        let outcome = standstill::start(&state, &asks, |_| {
            lab.inside(&container, || ip("link set eth1 name lan7"));
        });
        assert_ne!(outcome.code(), Some(0), "{}", outcome.stderr());
        guest.assert_equal(&lab.snapshot_of(&container), "container");
        host.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}
