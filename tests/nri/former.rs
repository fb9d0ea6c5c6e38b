//! Pods that have something already when the plugin looks: from a person's hand,
//! or from a plugin that could still read what they ask for.

use std::fs;
use std::process::Command;
use std::time::Duration;

use pipework::nri::message::PodSandbox;
use serde_json::json;

use crate::mock::{CONTAINERD, POLICY, Runtime, has, pod, ports, records, said};
use crate::node::within;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, Outcome, PIPEWORK, hook, ip_json, lab};

const ASK: [&str; 2] = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];
const LAN: [&str; 2] = ["pipework.net=lan", "pipework.ip=10.0.0.5/24"];
const NETWORK: &str = "/etc/pipework/networks.d/lan.toml";
const SOON: Duration = Duration::from_secs(20);

/// Where containerd has what belongs to a pod.
fn bundle(of: &Container) -> String {
    let tasks = "/run/containerd/io.containerd.runtime.v2.task/k8s.io";
    format!("{tasks}/id-of-{}", of.id)
}

/// Writes down what containerd keeps of the pod `shop/NAME` in `container`.
fn as_task(container: &Container) {
    let bundle = bundle(container);
    fs::create_dir_all(&bundle).unwrap();
    let config = json!({"annotations": {
        "io.kubernetes.cri.sandbox-namespace": "shop",
        "io.kubernetes.cri.sandbox-name": container.id,
    }});
    fs::write(format!("{bundle}/config.json"), config.to_string()).unwrap();
    fs::write(format!("{bundle}/init.pid"), container.pid().to_string()).unwrap();
}

/// The hook for the pod `shop/NAME` itself.
fn told(lab: &Lab, of: &Container, stage: &str, status: &str) {
    let mut state = lab.state(of, &ASK);
    state["id"] = json!(format!("id-of-{}", of.id));
    state["status"] = json!(status);
    state["bundle"] = json!(bundle(of));
    state["annotations"]["io.kubernetes.cri.sandbox-namespace"] = json!("shop");
    state["annotations"]["io.kubernetes.cri.container-type"] = json!("sandbox");
    hook(&["--stage", stage], state.to_string().as_bytes()).ok();
}

fn mac(lab: &Lab, of: &Container) -> String {
    let links = lab.inside(of, || ip_json("link show net1"));
    links[0]["address"].as_str().unwrap().to_owned()
}

fn attach(container: &Container, fields: &str) {
    let mut command = Command::new(PIPEWORK);
    command.arg("attach").arg(format!("shop/{}", container.id));
    let said = command.args(fields.split(' ')).output().unwrap();
    Outcome(said).ok();
}

fn define_lan() {
    let rule =
        "\n[[rule]]\ncaller = [\"namespace:shop\"]\nnetwork = [\"lan\"]\ncidr = [\"10.0.0.5\"]\n";
    fs::write("/etc/pipework/policy.toml", format!("{POLICY}{rule}")).unwrap();
    fs::create_dir_all("/etc/pipework/networks.d").unwrap();
    fs::write(NETWORK, "bridge = \"br0\"\n").unwrap();
}

/// The hook for a container in the namespace of a pod.
fn verified(lab: &Lab, of: &Container, asked: &[&str]) -> Outcome {
    let mut state = lab.state(of, asked);
    state["id"] = json!("a-container");
    state["annotations"]["io.kubernetes.cri.sandbox-namespace"] = json!("shop");
    state["annotations"]["io.kubernetes.cri.container-type"] = json!("container");
    hook(&["--stage", "createRuntime"], state.to_string().as_bytes())
}

#[test]
fn what_a_person_plugged_in_is_not_taken_for_what_the_pod_asks_for() {
    lab!(|lab| {
        lab.bridge("br0");
        let web = lab.container("web");
        as_task(&web);
        attach(&web, "bridge=br0 ifname=eth5 ip=10.0.0.7/24");
        let asks = pod(&web, &ASK);
        let runtime = Runtime::start(CONTAINERD, &[&asks]);
        within("it has both", SOON, || has(lab, &web, "net1"));
        assert_eq!(runtime.create(&asks).0, None);
        // And the next plugin leaves both as they are.
        drop(runtime);
        let runtime = Runtime::start(CONTAINERD, &[&asks]);
        assert_eq!(runtime.create(&asks).0, None);
        assert!(has(lab, &web, "net1") && has(lab, &web, "eth5"));
        assert_eq!((ports(), records()), (2, 1));
        web.end();
        runtime.stop(&asks);
        within("nothing is left", SOON, || (ports(), records()) == (0, 0));
    });
}

#[test]
fn what_a_person_plugged_into_a_pod_ends_when_the_runtime_stops_that() {
    lab!(|lab| {
        lab.bridge("br0");
        let (web, plain) = (lab.container("web"), lab.container("plain"));
        let (asks, nothing) = (pod(&web, &ASK), pod(&plain, &[]));
        let runtime = Runtime::start(CONTAINERD, &[]);
        runtime.run(&asks).unwrap();
        runtime.run(&nothing).unwrap();
        // What pods may have says nothing of people.
        fs::remove_file("/etc/pipework/policy.toml").unwrap();
        for (of, ip) in [(&web, "10.0.0.7/24"), (&plain, "10.0.0.8/24")] {
            as_task(of);
            attach(of, &format!("bridge=br0 ifname=eth5 ip={ip}"));
            assert!(has(lab, of, "eth5"));
        }
        assert_eq!((ports(), records()), (3, 2));
        // Their processes are there still, as those that a runtime has forgotten.
        runtime.stop(&nothing);
        within("the one without annotations has ended", SOON, || {
            (ports(), records()) == (2, 1)
        });
        assert!(has(lab, &web, "net1") && has(lab, &web, "eth5"));
        runtime.stop(&asks);
        within("nothing is left", SOON, || (ports(), records()) == (0, 0));
        assert!(Records::take().of("containers").is_empty());
    });
}

#[test]
fn an_attached_pod_whose_network_was_deleted_goes_on_under_the_next_plugin() {
    lab!(|lab| {
        lab.bridge("br0");
        let (web, new) = (lab.container("web"), lab.container("new"));
        let (asks, fresh) = (pod(&web, &LAN), pod(&new, &LAN));
        let runtime = Runtime::start(CONTAINERD, &[]);
        define_lan();
        runtime.run(&asks).unwrap();
        assert!(has(lab, &web, "net1"), "{}", said());
        drop(runtime);
        fs::remove_file(NETWORK).unwrap();
        // Whether its runtime tells of it when it connects or not.
        for told in [vec![&asks], vec![]] {
            let runtime = Runtime::start(CONTAINERD, &told);
            assert_eq!(runtime.create(&asks).0, None);
            runtime.run(&asks).unwrap();
            // One that was never attached is refused as before, and so is one in
            // which a person has plugged in something else.
            let (refused, _) = runtime.create(&fresh);
            assert!(refused.unwrap().contains("no network is called lan"));
            assert_eq!((ports(), records()), (1, 1));
        }
        verified(lab, &web, &LAN).ok();
        verified(lab, &new, &LAN).refused(10);
        as_task(&new);
        fs::remove_file("/etc/pipework/policy.toml").unwrap();
        attach(&new, "bridge=br0 ifname=eth5 ip=10.0.0.7/24");
        verified(lab, &new, &LAN).refused(10);
        let runtime = Runtime::start(CONTAINERD, &[&asks, &fresh]);
        let (refused, _) = runtime.create(&fresh);
        assert!(refused.unwrap().contains("no network is called lan"));
        web.end();
        new.end();
        runtime.stop(&asks);
        runtime.stop(&fresh);
        within("nothing is left", SOON, || (ports(), records()) == (0, 0));
    });
}

#[test]
fn a_pod_that_is_made_anew_is_the_same_whether_the_hook_or_the_plugin_attaches_it() {
    lab!(|lab| {
        lab.bridge("br0");
        fs::create_dir_all("/etc/pipework").unwrap();
        fs::write("/etc/pipework/policy.toml", POLICY).unwrap();
        let mut web = lab.container("web");
        as_task(&web);
        told(lab, &web, "createRuntime", "creating");
        let first = mac(lab, &web);
        web.kill();
        told(lab, &web, "poststop", "stopped");
        within("nothing is left", SOON, || (ports(), records()) == (0, 0));
        let again = lab.container("web");
        let asks = PodSandbox {
            id: "another".to_owned(),
            ..pod(&again, &ASK)
        };
        let runtime = Runtime::start(CONTAINERD, &[]);
        runtime.run(&asks).unwrap();
        assert_eq!(mac(lab, &again), first);
        again.end();
        runtime.stop(&asks);
        within("nothing is left", SOON, || (ports(), records()) == (0, 0));
    });
}
