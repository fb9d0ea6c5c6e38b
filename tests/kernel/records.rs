//! The end of a container, whoever tells of it, in whatever order.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pipework::collect::{Collector, Fate};
use pipework::deadline::Deadline;
use pipework::record::{Record, Store};
use pipework::reference::NamespaceKey;
use pipework::sys::block_on;
use pipework::sys::netns::Netns;
use pipework::sys::rtnl::Rtnl;
use serde_json::Value;

use crate::kill::strace_works;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{
    Container, Lab, Outcome, PIPEWORK, RECORDS, bundle_of, feed, hook, ip, ip_json, lab,
};
use crate::support::ovs::eventually;
use crate::support::skip;

const ASKED: [&str; 2] = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];

fn ours(bridge: &str) -> usize {
    let ports = ip_json(&format!("link show master {bridge}"));
    let ports = ports.as_array().unwrap().iter();
    ports.filter(|port| port["ifalias"].is_string()).count()
}

fn attached(lab: &Lab) -> Container {
    let container = lab.container("web");
    lab.attach(&container, &ASKED).ok();
    container
}

#[test]
fn poststop_may_come_twice() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let before = lab.snapshot();
        attached(lab).end();
        lab.poststop("web").ok();
        lab.poststop("web").ok();
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn poststop_of_a_container_that_nobody_knows_does_nothing() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let _container = attached(lab);
        let (before, records) = (lab.snapshot(), Records::take());
        lab.poststop("stranger").ok();
        before.assert_equal(&lab.snapshot(), "host");
        records.assert_equal(&Records::take(), "store");
    });
}

#[test]
fn poststop_with_a_pid_that_is_somebody_elses_works_all_the_same() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let before = lab.snapshot();
        let container = attached(lab);
        let mut state = lab.state(&container, &ASKED);
        container.end();
        // youki leaves the pid in; by now it can be anybody's.
        state["status"] = Value::from("stopped");
        state["pid"] = Value::from(std::process::id());
        hook(&["--stage", "poststop"], state.to_string().as_bytes()).ok();
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn poststop_while_the_container_lives_removes_nothing() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = attached(lab);
        let (host, guest) = (lab.snapshot(), lab.snapshot_of(&container));
        lab.poststop("web").ok();
        host.assert_equal(&lab.snapshot(), "host");
        guest.assert_equal(&lab.snapshot_of(&container), "container");
        container.end();
        lab.poststop("web").ok();
        assert_eq!(ours("br0"), 0);
        assert!(Records::take().is_empty());
    });
}

#[test]
fn poststop_with_nonsense_on_stdin_exits_with_success() {
    lab!(|_lab| {
        // youki never deletes a container whose poststop fails.
        hook(&["--stage", "poststop"], b"nonsense").ok();
    });
}

#[test]
fn poststop_exits_with_success_where_the_store_cannot_be_opened() {
    lab!(|lab| {
        let told = || {
            let said = lab.poststop("web");
            assert!(said.ok().stderr().contains(RECORDS), "{}", said.stderr());
        };
        fs::write(RECORDS, "a file in its place").unwrap();
        told();
        fs::remove_file(RECORDS).unwrap();
        fs::create_dir(RECORDS).unwrap();
        // What others can write to is not believed.
        fs::set_permissions(RECORDS, Permissions::from_mode(0o777)).unwrap();
        told();
    });
}

#[test]
fn poststop_exits_with_success_where_another_run_holds_the_lock_until_its_deadline() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        attached(lab).end();
        let store = Store::open(Path::new(RECORDS)).unwrap();
        let bundle = bundle_of("web").display().to_string();
        let key = store.namespace_of("web", &bundle).unwrap().unwrap();
        let lock = store.try_lock_namespace(&key).unwrap().unwrap();
        let said = lab.poststop("web");
        let said = said.ok().stderr();
        assert!(
            said.contains("what the container left behind stays for now"),
            "{said}"
        );
        assert_eq!(ours("br0"), 0, "the kernel took the interface");
        assert_eq!(Records::take().of("attachments").len(), 1);
        drop(lock);
        lab.poststop("web").ok();
        assert!(Records::take().is_empty());
    });
}

#[test]
fn a_record_of_a_newer_release_is_left_alone() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = attached(lab);
        let records = Records::take();
        let path = records.of("attachments")[0];
        let text = fs::read_to_string(path).unwrap();
        let newer = text.replacen("pipework 1 ", "pipework 99 ", 1);
        assert_ne!(text, newer);
        fs::write(path, &newer).unwrap();
        container.end();
        lab.poststop("web").ok();
        assert_eq!(fs::read_to_string(path).unwrap(), newer);
        let said = lab.gc();
        assert!(said.stderr().contains("newer release"), "{}", said.stderr());
        assert_eq!(fs::read_to_string(path).unwrap(), newer);
    });
}

#[test]
fn the_record_of_a_container_that_died_unnoticed_is_collected_by_later_starts() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let before = lab.snapshot();
        // Another product's hook failed after ours, and nobody says so.
        attached(lab).end();
        let remains = |records: &Records| !records.is_empty();
        let mut runs = 0;
        while remains(&Records::take()) {
            runs += 1;
            assert!(runs <= 64, "still there after {runs} starts");
            let other = lab.any_container();
            let asked = ["pipework.bridge=br0", "pipework.ip=10.0.0.6/24"];
            lab.attach(&other, &asked).ok();
            let id = other.id.clone();
            other.end();
            lab.poststop(&id).ok();
        }
        before.assert_equal(&lab.snapshot(), "host");
    });
}

#[test]
fn a_container_that_starts_again_ends_its_former_life() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        attached(lab).end();
        let again = attached(lab);
        assert_eq!(ours("br0"), 1);
        again.end();
        lab.poststop("web").ok();
        assert_eq!(ours("br0"), 0);
        assert!(Records::take().is_empty());
    });
}

#[test]
fn an_inode_that_another_namespace_has_by_now_proves_nothing() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let before = lab.snapshot();
        attached(lab).end();
        let of_the_dead = Records::take();
        let path = of_the_dead.of("attachments")[0];
        let other = lab.container("db");
        // The kernel gave its number to a namespace of somebody who lives.
        let link = fs::read_link(format!("/proc/{}/ns/net", other.pid())).unwrap();
        let link = link.to_str().unwrap().trim_end_matches(']');
        let inode: u64 = link.trim_start_matches("net:[").parse().unwrap();
        let text = fs::read_to_string(path).unwrap();
        let (first, json) = text.split_once('\n').unwrap();
        let mut record: Value = serde_json::from_str(json).unwrap();
        assert_ne!(record["inode"], inode);
        record["inode"] = inode.into();
        let guest = lab.snapshot_of(&other);
        fs::write(path, format!("{first}\n{record}\n")).unwrap();
        lab.gc().ok();
        assert!(Records::take().is_empty(), "{:?}", Records::take());
        before.assert_equal(&lab.snapshot(), "host");
        guest.assert_equal(&lab.snapshot_of(&other), "another container");
    });
}

#[test]
fn the_same_hook_run_twice_changes_nothing_more() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = attached(lab);
        let (host, guest) = (lab.snapshot(), lab.snapshot_of(&container));
        lab.attach(&container, &ASKED).ok();
        host.assert_equal(&lab.snapshot(), "host");
        guest.assert_equal(&lab.snapshot_of(&container), "container");
    });
}

#[test]
fn an_interface_that_somebody_deleted_is_made_again() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = attached(lab);
        lab.inside(&container, || ip("link del eth1"));
        lab.attach(&container, &ASKED).ok();
        assert_eq!(ours("br0"), 1);
    });
}

#[test]
fn a_start_reads_no_more_than_eight_records_of_others() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let _container = attached(lab);
        let records = Records::take();
        let record = Path::new(records.of("attachments")[0]);
        // Twenty of them in whichever directory a start looks into.
        let digits = record.parent().unwrap().file_name().unwrap().len();
        let name = record.file_name().unwrap().len();
        for shard in 0..16_usize.pow(digits as u32) {
            let directory = format!("{RECORDS}/attachments/{shard:0digits$x}");
            fs::create_dir_all(&directory).unwrap();
            for number in 0..20 {
                fs::copy(record, format!("{directory}/{number:0name$x}")).unwrap();
            }
        }
        // One start in four looks at records of others.
        let others: Vec<Container> = (0..60).map(|_| lab.any_container()).collect();
        let reads = others
            .iter()
            .map(|other| records_read_by_a_start(lab, other));
        let most = reads.max().unwrap();
        // Its own two are looked for as well, complete and half made.
        assert!((8..=10).contains(&most), "{most}");
    });
}

/// How many records one more start opens for reading.
fn records_read_by_a_start(lab: &Lab, other: &Container) -> usize {
    let asked = ["pipework.bridge=br0", "pipework.ip=10.0.0.6/24"];
    let state = lab.state(other, &asked).to_string();
    let mut command = Command::new("strace");
    command
        .env_remove("LD_LIBRARY_PATH")
        .args(["-qq", "-o", "/run/trace", "-e", "trace=openat,?open"])
        .args([PIPEWORK, "hook", "--stage", "createRuntime"]);
    feed(&mut command, state.as_bytes()).ok();
    let trace = fs::read_to_string("/run/trace").unwrap();
    let reads = trace.lines().filter(|line| {
        line.contains("/attachments/") && line.contains("O_RDONLY") && !line.contains("O_DIRECTORY")
    });
    reads.count()
}

#[test]
fn a_start_that_lives_is_not_waited_for_and_one_that_is_gone_is() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        lab.attach(&container, &["pipework.bridge=br0"]).ok();
        let store = Store::open(Path::new(RECORDS)).unwrap();
        let key = store.all().remove(0).unwrap().key;
        let deadline = Deadline::after(Duration::from_secs(60));
        // As a start does that waits for a lease.
        let _start = store.lock_namespace(&key, deadline).unwrap();
        let host = Rtnl::open(deadline).unwrap();
        let home = Netns::own().unwrap();
        let collector = Collector {
            store: &store,
            host: &host,
            home: &home,
            deadline,
            patience: Duration::ZERO,
        };
        let reap = || block_on(collector.reap_waiting(&key)).unwrap();
        assert_eq!(reap().unwrap(), Fate::Busy);
        container.end();
        assert!(reap().is_err(), "whoever ends it may be done in a moment");
    });
}

/// `pipework attach` from when it has the container's namespace open.
fn attach_that_has_found(container: &Container, netns: &Netns) -> Child {
    let mut command = Command::new(PIPEWORK);
    let name = format!("pid:{}", container.pid());
    command.args(["attach", &name, "bridge=br0", "ip=10.0.0.5/24"]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    let descriptors = format!("/proc/{}/fd", child.id());
    let wanted = format!("net:[{}]", netns.inode().1);
    eventually("it has found the container", || {
        let all = fs::read_dir(&descriptors).unwrap().flatten();
        let mut all = all.filter_map(|fd| fs::read_link(fd.path()).ok());
        all.any(|open| open == Path::new(&wanted))
    });
    child
}

fn namespace_of(container: &Container) -> (Netns, NamespaceKey) {
    let netns = format!("/proc/{}/ns/net", container.pid());
    let netns = Netns::open(Path::new(&netns)).unwrap();
    (netns, container.namespace_key())
}

#[test]
fn a_record_that_is_cut_goes_although_the_next_start_is_refused() {
    lab!(|lab| {
        let container = lab.container("web");
        let store = Store::open(Path::new(RECORDS)).unwrap();
        let (_, key) = namespace_of(&container);
        store.begin(&Record::new(key, 1)).unwrap();
        let begun = Records::take();
        fs::write(begun.of("attachments")[0], "").unwrap();
        let said = lab.attach(&container, &["pipework.parent=missing"]);
        assert_ne!(said.code(), Some(0), "{said:?}");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn who_waited_while_the_container_ended_is_refused_and_leaves_nothing() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let before = lab.snapshot();
        let store = Store::open(Path::new(RECORDS)).unwrap();
        let (netns, key) = namespace_of(&container);
        let lock = store.try_lock_namespace(&key).unwrap().unwrap();
        let child = attach_that_has_found(&container, &netns);
        // Its namespace lives on: both have it open.
        container.end();
        drop(lock);
        let said = Outcome(child.wait_with_output().unwrap());
        assert_ne!(said.code(), Some(0), "{said:?}");
        assert!(said.stderr().contains(" is gone"), "{said:?}");
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}
