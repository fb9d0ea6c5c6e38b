//! One namespace and several containers: an interface leaves with the last.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::macvlan::needs_macvlan;
use crate::routes::with_network_of_an_engine;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, bundle_of, has, ip_json, lab, run};
use crate::support::skip;

const ASKED: [&str; 2] = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24@10.0.0.1"];

fn has_eth1(lab: &Lab, container: &Container) -> bool {
    let links = lab.inside(container, || ip_json("link show"));
    links.to_string().contains("\"eth1\"")
}

/// Says in the bundle of `id` that its namespace has a path, and gives it one.
pub fn keep_by_path(id: &str, container: &Container) -> String {
    let path = format!("/run/netns-{id}");
    fs::write(&path, "").unwrap();
    run(
        "mount",
        &format!("--bind /proc/{}/ns/net {path}", container.pid()),
    );
    let namespace = json!({ "type": "network", "path": path });
    let config = json!({ "linux": { "namespaces": [namespace] } });
    fs::create_dir_all(bundle_of(id)).unwrap();
    fs::write(bundle_of(id).join("config.json"), config.to_string()).unwrap();
    path
}

#[test]
fn two_containers_of_one_namespace_share_the_interface() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let (host, records) = (lab.snapshot(), Records::take());
        let first = lab.container("first");
        lab.attach(&first, &ASKED).ok();
        let mut second = lab.container_in(&first, "second");
        let guest = lab.snapshot_of(&second);
        lab.attach(&second, &ASKED).ok();
        guest.assert_equal(&lab.snapshot_of(&second), "nothing was made twice");
        first.end();
        lab.poststop("first").ok();
        guest.assert_equal(&lab.snapshot_of(&second), "the second still refers to it");
        second.kill();
        lab.poststop("second").ok();
        host.assert_equal(&lab.snapshot(), "host");
        records.assert_equal(&Records::take(), "store");
    });
}

#[test]
fn a_second_container_that_asks_for_something_else_is_refused() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let first = lab.container("first");
        lab.attach(&first, &ASKED).ok();
        let second = lab.container_in(&first, "second");
        let (guest, records) = (lab.snapshot_of(&second), Records::take());
        let other = ["pipework.bridge=br0", "pipework.ip=10.0.0.6/24"];
        let text = lab.attach(&second, &other).refused(10);
        assert!(text.contains("first made eth1"), "{text}");
        guest.assert_equal(&lab.snapshot_of(&second), "container");
        records.assert_equal(&Records::take(), "store");
    });
}

#[test]
fn the_interface_stays_while_another_process_lives_in_the_namespace() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let pause = lab.container("pause");
        let host = lab.snapshot();
        let container = lab.container_in(&pause, "web");
        lab.attach(&container, &ASKED).ok();
        container.end();
        lab.poststop("web").ok();
        assert!(has_eth1(lab, &pause));
        pause.end();
        lab.gc().ok();
        host.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn a_further_interface_that_fails_leaves_the_end_of_the_first_as_it_was() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let (host, records) = (lab.snapshot(), Records::take());
        let mut container = lab.container("web");
        lab.attach(&container, &ASKED).ok();
        let wrong = [
            "pipework.eth2.bridge=br0",
            "pipework.eth2.ip=10.1.0.5/24",
            "pipework.eth2.route=10.9.0.0/16 via 10.77.0.1",
        ];
        lab.attach(&container, &wrong).refused(16);
        assert!(has_eth1(lab, &container));
        container.kill();
        lab.poststop("web").ok();
        host.assert_equal(&lab.snapshot(), "host");
        records.assert_equal(&Records::take(), "store");
    });
}

/// An engine whose first thread stays in the namespace of the process `pid`, for
/// which it made it, while another one is where the engine came from. podman is
/// like that now and then.
fn engine_left_in(pid: u32) -> Child {
    let script = "import ctypes, os, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
home = os.open('/proc/self/ns/net', os.O_RDONLY)
made = os.open(sys.argv[1], os.O_RDONLY)
def work():
    if libc.setns(home, 0) == 0: print('at home', flush=True)
    time.sleep(600)
if libc.setns(made, 0) == 0: threading.Thread(target=work).start()
";
    let mut engine = Command::new("setpriv");
    engine.args(["--pdeathsig", "KILL", "python3", "-c", script]);
    engine
        .arg(format!("/proc/{pid}/ns/net"))
        .stdin(Stdio::null());
    let mut init = engine.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let output = init.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut said).unwrap();
    assert_eq!(said, "at home\n");
    init
}

#[test]
fn an_engine_that_left_a_thread_in_the_namespace_keeps_nothing_there() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let (host, records) = (lab.snapshot(), Records::take());
        if !has("python3", "--version") {
            skip!("there is no python3");
        }
        let container = lab.container("web");
        let mut engine = engine_left_in(container.pid());
        lab.attach(&container, &ASKED).ok();
        container.end();
        lab.poststop("web").ok();
        host.assert_equal(&lab.snapshot(), "host");
        records.assert_equal(&Records::take(), "store");
        engine.kill().unwrap();
        engine.wait().unwrap();
    });
}

#[test]
fn the_interface_leaves_a_namespace_that_only_a_path_keeps() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let mut container = with_network_of_an_engine(lab);
        let path = keep_by_path("web", &container);
        let (host, guest) = (lab.snapshot(), lab.snapshot_of(&container));
        lab.attach(&container, &ASKED).ok();
        container.kill();
        lab.poststop("web").ok();
        host.assert_equal(&lab.snapshot(), "host");
        guest.assert_equal(&lab.snapshot_of(&container), "the former default route");
        assert!(Records::take().is_empty());
        run("umount", &path);
    });
}

#[test]
fn gc_takes_the_interface_from_a_namespace_that_only_a_path_keeps() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let mut container = with_network_of_an_engine(lab);
        let path = keep_by_path("web", &container);
        let (host, guest) = (lab.snapshot(), lab.snapshot_of(&container));
        lab.attach(&container, &ASKED).ok();
        container.kill();
        lab.gc().ok();
        host.assert_equal(&lab.snapshot(), "host");
        guest.assert_equal(&lab.snapshot_of(&container), "container");
        assert!(Records::take().is_empty());
        run("umount", &path);
    });
}

#[test]
fn a_second_container_in_a_namespace_kept_by_a_path_starts_afresh() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let mut first = lab.container("web");
        let path = keep_by_path("web", &first);
        lab.attach(&first, &ASKED).ok();
        first.kill();
        // poststop was lost, and the next one asks for something else.
        let second = lab.container_in(&first, "next");
        let other = ["pipework.bridge=br0", "pipework.ip=10.0.0.6/24"];
        lab.attach(&second, &other).ok();
        let shown = lab
            .inside(&second, || ip_json("addr show eth1"))
            .to_string();
        assert!(
            shown.contains("10.0.0.6") && !shown.contains("10.0.0.5"),
            "{shown}"
        );
        // Nor does the first one's stable MAC keep others from that name.
        let elsewhere = lab.container("web");
        lab.attach(&elsewhere, &["pipework.bridge=br0"]).ok();
        run("umount", &path);
    });
}

/// Makes the records look as if an earlier release had written them.
fn by_an_earlier_release() {
    for path in Records::take().of("attachments") {
        let text = fs::read_to_string(path).unwrap();
        let here = concat!("\"fingerprint\":\"", env!("CARGO_PKG_VERSION"), ":");
        assert!(text.contains(here), "{text}");
        fs::write(path, text.replace(here, "\"fingerprint\":\"0.0.1:")).unwrap();
    }
}

#[test]
fn an_upgrade_keeps_nobody_from_starting_beside_what_an_earlier_release_made() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let first = lab.container("first");
        lab.attach(&first, &ASKED).ok();
        by_an_earlier_release();
        let guest = lab.snapshot_of(&first);
        let second = lab.container_in(&first, "second");
        let other = ["pipework.bridge=br0", "pipework.ip=10.0.0.6/24"];
        lab.attach(&second, &other).ok();
        guest.assert_equal(&lab.snapshot_of(&first), "what somebody lives with");
    });
}

#[test]
fn an_interface_that_a_living_process_needs_is_not_remade_for_other_settings() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let mut first = lab.container("first");
        let bystander = lab.container_in(&first, "bystander");
        lab.attach(&first, &ASKED).ok();
        first.kill();
        lab.poststop("first").ok();
        let (host, guest) = (lab.snapshot(), lab.snapshot_of(&bystander));
        let second = lab.container_in(&bystander, "second");
        let other = ["pipework.bridge=br0", "pipework.ip=10.0.0.6/24"];
        let text = lab.attach(&second, &other).refused(10);
        assert!(text.contains("eth1"), "{text}");
        host.assert_equal(&lab.snapshot(), "host");
        guest.assert_equal(&lab.snapshot_of(&bystander), "namespace");
    });
}

#[test]
fn gc_finds_a_namespace_by_its_path_when_the_bundle_is_gone() {
    lab!(|lab| {
        // A macvlan: a veth would go by its end on the host, path or no path.
        needs_macvlan!();
        let _machine = lab.nic("up1");
        let mut container = lab.container("web");
        let path = keep_by_path("web", &container);
        lab.attach(&container, &["pipework.parent=up1"]).ok();
        container.kill();
        fs::remove_dir_all(bundle_of("web")).unwrap();
        lab.gc().ok();
        assert!(!has_eth1(lab, &container));
        assert!(Records::take().is_empty());
        run("umount", &path);
    });
}
