//! Events as a runtime of the tests' own tells them: late, lost, twice, with
//! little in them, and with nobody there to hear the end.

use std::fs;
use std::time::{Duration, Instant};

use pipework::dhcp::options::code;
use pipework::dhcp::wire::MessageType;
use pipework::record::Store;
use serde_json::json;

use crate::mock::{
    CONTAINERD, LONG, Runtime, assert_nothing_left, has, pod, pod_at, ports, records, said,
};
use crate::node::within;
use crate::support::dhcp_server::Scripted;
use crate::support::lab::{Container, Lab, Outcome, hook, ip, lab, run};

const CRIO: (&str, &str) = ("cri-o", "1.34.0");
const ASK: [&str; 2] = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24@10.0.0.1"];
const LEASE: [&str; 5] = [
    "pipework.bridge=br0",
    "pipework.ip=dhcp",
    "pipework.dhcp.keep=false",
    "pipework.dhcp.arp=off",
    "pipework.dhcp.timeout=8s",
];
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_pod_without_a_lease_holds_up_nobody_and_its_container_hears_why() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let (slow, quick) = (lab.container("slow"), lab.container("quick"));
        let runtime = Runtime::start(CONTAINERD, &[]);
        let waits = pod(&slow, &LEASE);
        let begin = Instant::now();
        runtime.run_within(&waits, LONG).unwrap();
        let budget = begin.elapsed();
        assert!(budget < LONG / 4, "{budget:?}");
        runtime.run(&pod(&quick, &ASK)).unwrap();
        assert!(has(lab, &quick, "net1"));
        // Four fifths of this are the plugin's, and half of them one container's.
        let (first, _) = runtime.create_within(&waits, Duration::from_secs(5));
        let first = first.unwrap();
        assert!(first.contains("the work goes on"), "{first}");
        assert!(first.contains("after 2000 ms"), "{first}");
        within("it has been refused", SOON, || {
            said().contains("no DHCP server")
        });
        let (next, _) = runtime.create(&waits);
        let next = next.unwrap();
        assert!(next.starts_with("pipework: shop/slow: "), "{next}");
        assert!(
            next.ends_with("no DHCP server offered net1 an address within 8 s"),
            "{next}"
        );
        runtime.stop(&waits);
        runtime.stop(&pod(&quick, &ASK));
        assert_nothing_left();
    });
}

#[test]
fn only_the_first_container_of_a_pod_waits_for_its_lease() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let web = lab.container("web");
        let asked = [&LEASE[..4], &["pipework.dhcp.timeout=42s"]].concat();
        let waits = pod(&web, &asked);
        let runtime = Runtime::start(CONTAINERD, &[]);
        runtime.run(&waits).unwrap();
        let patience = Duration::from_millis(2500);
        let answer = || runtime.create_within(&waits, patience).0.unwrap();
        let first = answer();
        // The budget, which is what was waited.
        assert!(first.contains("not complete after 1000 ms"), "{first}");
        // If each of them waited a second as well, the last would hear the end of it.
        for _ in 0..100 {
            let next = answer();
            assert!(next.contains("not complete yet"), "{next}");
        }
        web.end();
        runtime.stop(&waits);
        assert_nothing_left();
    });
}

#[test]
fn a_pod_that_is_stopped_while_it_waits_for_a_server_is_in_nobodys_way() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let web = lab.container("web");
        // Longer than anybody waits here.
        let asked = [&LEASE[..4], &["pipework.dhcp.timeout=42s"]].concat();
        let waits = pod(&web, &asked);
        let runtime = Runtime::start(CONTAINERD, &[]);
        runtime.run(&waits).unwrap();
        within("it is half made", SOON, || ports() == 1);
        web.end();
        runtime.stop(&waits);
        assert_nothing_left();
        // Its successor has its name, and with that its MAC.
        let web = lab.container("web");
        let mut next = pod(&web, &ASK);
        "another".clone_into(&mut next.id);
        runtime.run(&next).unwrap();
        assert!(has(lab, &web, "net1"));
        web.end();
        runtime.stop(&next);
        assert_nothing_left();
    });
}

#[test]
fn a_lease_bears_the_pods_name_and_is_given_back_at_its_end() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        // By which it is given back: the namespace may be gone.
        ip("addr add 10.0.0.1/24 dev br0");
        let server = Scripted::ordinary(lab, &machine);
        let web = lab.container("web");
        let runtime = Runtime::start(CONTAINERD, &[]);
        let leased = pod(&web, &LEASE);
        runtime.run(&leased).unwrap();
        assert_eq!(runtime.create(&leased).0, None);
        assert!(has(lab, &web, "net1"));
        let request = server.first(MessageType::Request);
        assert_eq!(
            request.options.get(code::HOST_NAME),
            Some(b"web".as_slice())
        );
        web.end();
        runtime.stop(&leased);
        within("it is given back", SOON, || {
            server.kinds().contains(&MessageType::Release)
        });
        assert_nothing_left();
    });
}

#[test]
fn a_pod_that_no_process_holds_is_kept_and_goes_with_its_path() {
    lab!(|lab| {
        lab.bridge("br0");
        fs::create_dir_all("/run/netns").unwrap();
        let bind = |name: &str| {
            let (path, container) = (format!("/run/netns/{name}"), lab.container(name));
            fs::write(&path, "").unwrap();
            run(
                "mount",
                &format!("--bind /proc/{}/ns/net {path}", container.pid()),
            );
            container.end();
            path
        };
        let (told, lost) = (bind("told"), bind("lost"));
        let unbind = |path: &str| {
            run("umount", path);
            fs::remove_file(path).unwrap();
        };
        let first = pod_at("told", &told, &ASK);
        let second = pod_at(
            "lost",
            &lost,
            &["pipework.bridge=br0", "pipework.ip=10.0.0.6/24"],
        );
        let runtime = Runtime::start(CRIO, &[]);
        runtime.run(&first).unwrap();
        runtime.run(&second).unwrap();
        assert_eq!((ports(), records()), (2, 2));
        // It needs no plugin to be kept, and the next one finds it.
        drop(runtime);
        lab.gc().ok();
        assert_eq!((ports(), records()), (2, 2));
        let runtime = Runtime::start(CRIO, &[&first, &second]);
        assert_eq!(runtime.create(&first).0, None);
        lab.gc().ok();
        assert_eq!((ports(), records()), (2, 2));
        // CRI-O tells of the end when the namespace is gone.
        unbind(&told);
        runtime.stop(&first);
        within("the first is gone", SOON, || (ports(), records()) == (1, 1));
        // And of this one it does not tell.
        unbind(&lost);
        assert_nothing_left();
    });
}

#[test]
fn labels_ask_for_nothing_and_take_nothing_from_annotations() {
    lab!(|lab| {
        lab.bridge("br0");
        let web = lab.container("web");
        let mut labelled = pod(&web, &ASK);
        labelled.labels = std::mem::take(&mut labelled.annotations);
        let mut both = pod(&web, &ASK);
        both.labels = both.annotations.clone();
        let runtime = Runtime::start(CRIO, &[]);
        runtime.run(&labelled).unwrap();
        assert_eq!(runtime.create(&labelled).0, None);
        assert_eq!((ports(), records()), (0, 0));
        runtime.stop(&labelled);
        runtime.run(&both).unwrap();
        assert!(has(lab, &web, "net1"));
        web.end();
        runtime.stop(&both);
        assert_nothing_left();
    });
}

#[test]
fn who_is_held_up_refuses_before_the_runtime_gives_up_and_is_asked_again() {
    lab!(|lab| {
        lab.bridge("br0");
        let web = lab.container("web");
        let asks = pod(&web, &ASK);
        let runtime = Runtime::start(CONTAINERD, &[]);
        let store = Store::open("/run/pipework".as_ref()).unwrap();
        let lock = store.try_lock_namespace(&web.namespace_key());
        let lock = lock.unwrap().unwrap();
        let begin = Instant::now();
        let refused = runtime.run(&asks).unwrap_err();
        assert!(begin.elapsed() < Duration::from_millis(1900));
        let text = refused.to_string();
        assert!(text.contains("shop/web"), "{text}");
        // Nothing is half there, and the connection goes on.
        assert_eq!((ports(), records()), (0, 0));
        drop(lock);
        assert_eq!(runtime.create(&asks).0, None);
        assert!(has(lab, &web, "net1"));
        web.end();
        runtime.stop(&asks);
        assert_nothing_left();
    });
}

#[test]
fn a_hundred_pods_leave_no_descriptor_no_link_and_no_file() {
    lab!(|lab| {
        lab.bridge("br0");
        let runtime = Runtime::start(CONTAINERD, &[]);
        let mut before = None;
        for number in 0..100 {
            let web = lab.container(&format!("web{}", number % 7));
            let asks = pod(&web, &ASK);
            runtime.run(&asks).unwrap();
            assert_eq!(runtime.create(&asks).0, None);
            web.end();
            runtime.stop(&asks);
            before.get_or_insert_with(|| runtime.descriptors());
        }
        assert_nothing_left();
        let threads = || {
            fs::read_dir(format!("/proc/{}/task", runtime.plugin.id()))
                .unwrap()
                .count()
        };
        within("only its own threads are left", SOON, || threads() <= 4);
        assert!(runtime.descriptors() <= before.unwrap() + 1);
        for kind in ["containers", "macs", "leases"] {
            let left = run(
                "find",
                &format!("/run/pipework -path */{kind}/* -not -type d"),
            );
            assert_eq!(left, "");
        }
    });
}

#[test]
fn events_of_one_pod_that_come_at_once_attach_it_once() {
    lab!(|lab| {
        lab.bridge("br0");
        let runtime = Runtime::start(CONTAINERD, &[]);
        for number in 0..10 {
            let web = lab.container(&format!("web{number}"));
            let asks = pod(&web, &ASK);
            std::thread::scope(|scope| {
                let all: Vec<_> = (0..4).map(|_| scope.spawn(|| runtime.run(&asks))).collect();
                let created = runtime.create(&asks).0;
                assert_eq!(created, None);
                all.into_iter().for_each(|one| one.join().unwrap().unwrap());
            });
            assert_eq!((ports(), records()), (1, 1));
            web.end();
            runtime.stop(&asks);
            assert_nothing_left();
        }
    });
}

#[test]
fn the_hook_and_the_plugin_never_attach_one_pod_twice() {
    lab!(|lab| {
        lab.bridge("br0");
        ip("addr add 10.0.0.1/24 dev br0");
        let annotated = |container: &Container, kind: &str| {
            let mut state = lab.state(container, &ASK);
            state["id"] = json!(format!("id-of-{}", container.id));
            state["annotations"]["io.kubernetes.cri.sandbox-namespace"] = json!("shop");
            state["annotations"]["io.kubernetes.cri.container-type"] = json!(kind);
            hook(&["--stage", "createRuntime"], state.to_string().as_bytes())
        };
        let (web, db) = (lab.container("web"), lab.container("db"));
        fs::create_dir_all("/etc/pipework").unwrap();
        let runtime = Runtime::start(CONTAINERD, &[]);
        // A pod is the plugin's, and its containers need what it has made.
        annotated(&web, "sandbox").ok();
        assert_eq!(ports(), 0);
        annotated(&web, "container").refused(19);
        runtime.run(&pod(&web, &ASK)).unwrap();
        annotated(&web, "container").ok();
        assert_eq!((ports(), records()), (1, 1));
        web.end();
        runtime.stop(&pod(&lab.container("web"), &ASK));
        assert_nothing_left();
        // Without a plugin it is the hook's, and stays it.
        drop(runtime);
        annotated(&db, "sandbox").ok();
        let runtime = Runtime::start(CONTAINERD, &[&pod(&db, &ASK)]);
        assert_eq!(runtime.create(&pod(&db, &ASK)).0, None);
        annotated(&db, "container").ok();
        assert_eq!((ports(), records()), (1, 1));
        assert!(has(lab, &db, "net1") && !has(lab, &db, "eth1"));
    });
}

#[test]
fn the_hook_leaves_a_pod_of_cri_o_to_a_plugin_that_is_connected() {
    lab!(|lab| {
        lab.bridge("br0");
        let web = lab.container("web");
        let told = || {
            let mut state = lab.state(&web, &ASK);
            state["annotations"]["io.kubernetes.cri-o.SandboxName"] = json!("web");
            hook(&["--stage", "createRuntime"], state.to_string().as_bytes())
        };
        let text = told().refused(12);
        assert!(text.contains("CRI-O"), "{text}");
        let runtime = Runtime::start(CRIO, &[]);
        told().ok();
        assert_eq!((ports(), records()), (0, 0));
        drop(runtime);
        told().refused(12);
    });
}

/// The hook for what CRI-O makes in the pod of `container`, with what it writes after
/// the annotations of the pod.
fn told_by_crio(lab: &Lab, of: &Container, kind: &str) -> Outcome {
    let mut state = lab.state(of, &ASK);
    for (key, value) in [
        ("Annotations", "{\"io.kubernetes.container.hash\":\"1\"}"),
        ("ContainerID", of.id.as_str()),
        ("ContainerType", kind),
        ("Created", "2026-01-01T00:00:00.000000001Z"),
        ("Name", "k8s_web_web_shop_uid_0"),
        ("SandboxID", "id-of-web"),
        ("SandboxName", "k8s_web_shop_uid_0"),
        ("TTY", "false"),
    ] {
        state["annotations"][format!("io.kubernetes.cri-o.{key}")] = json!(value);
    }
    hook(&["--stage", "createRuntime"], state.to_string().as_bytes())
}

#[test]
fn a_container_of_cri_o_verifies_what_its_pod_has_with_a_plugin_and_without() {
    lab!(|lab| {
        lab.bridge("br0");
        let (web, stray) = (lab.container("web"), lab.container("stray"));
        let (first, next) = (
            lab.container_in(&web, "first"),
            lab.container_in(&web, "next"),
        );
        let runtime = Runtime::start(CRIO, &[]);
        told_by_crio(lab, &web, "sandbox").ok();
        told_by_crio(lab, &first, "container").refused(19);
        runtime.run(&pod(&web, &ASK)).unwrap();
        told_by_crio(lab, &first, "container").ok();
        // What the plugin has made outlives it.
        drop(runtime);
        told_by_crio(lab, &next, "container").ok();
        told_by_crio(lab, &stray, "container").refused(19);
        told_by_crio(lab, &stray, "sandbox").refused(12);
        assert_eq!((ports(), records()), (1, 1));
        // podman has the same word for what it makes in pods of its own.
        fs::remove_file("/etc/pipework/policy.toml").unwrap();
        let podmans = [
            "pipework.bridge=br0",
            "io.kubernetes.cri-o.ContainerType=container",
            "io.kubernetes.cri-o.SandboxID=abc",
        ];
        lab.attach(&stray, &podmans).ok();
        assert_eq!((ports(), records()), (2, 2));
    });
}
