//! Pods that end or begin behind their runtime's calls: an end that is held up,
//! and pods that run without their interfaces until what was in the way has gone.

use std::fs;
use std::time::Duration;

use pipework::record::Store;

use crate::mock::{CONTAINERD, POLICY, Runtime, has, pod, ports, records, said};
use crate::node::within;
use crate::support::lab::lab;

const ASK: [&str; 2] = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];
const OTHER: [&str; 2] = ["pipework.bridge=br0", "pipework.ip=10.0.0.6/24"];
/// A try that a busy machine has cut short comes again after 30 s.
const LATER: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(20);

#[test]
fn an_end_that_is_held_up_holds_up_no_other_pod() {
    lab!(|lab| {
        lab.bridge("br0");
        let (held, free) = (lab.container("held"), lab.container("free"));
        let (stuck, other) = (pod(&held, &ASK), pod(&free, &OTHER));
        let runtime = Runtime::start(CONTAINERD, &[]);
        runtime.run(&stuck).unwrap();
        let store = Store::open("/run/pipework".as_ref()).unwrap();
        let lock = store
            .try_lock_namespace(&held.namespace_key())
            .unwrap()
            .unwrap();
        held.end();
        // Each call is answered although nothing is done.
        runtime.stop(&stuck);
        assert_eq!(records(), 1);
        runtime.run(&other).unwrap();
        assert_eq!(runtime.create(&other).0, None);
        assert!(has(lab, &free, "net1"));
        free.end();
        runtime.stop(&other);
        within("the other pod has ended", SOON, || records() == 1);
        drop(lock);
        within("nothing is left", SOON, || (ports(), records()) == (0, 0));
    });
}

#[test]
fn a_pod_that_runs_without_its_interface_has_it_once_the_policy_allows_it() {
    lab!(|lab| {
        lab.bridge("br0");
        let web = lab.container("web");
        let asks = pod(&web, &["pipework.bridge=br0", "pipework.ip=10.9.9.5/24"]);
        let runtime = Runtime::start(CONTAINERD, &[&asks]);
        let refused = || said().matches("no rule in").count();
        within("it is refused", SOON, || refused() > 0);
        let lines = refused();
        let rule = |cidr: &str| {
            fs::write(
                "/etc/pipework/policy.toml",
                POLICY.replace("10.0.0.0/16", cidr),
            )
            .unwrap();
        };
        // A pod in whose way nothing else is shows that it was tried again.
        let db = lab.container("db");
        let first = pod(&db, &["pipework.bridge=br0", "pipework.ip=10.8.9.5/24"]);
        drop(runtime);
        let runtime = Runtime::start(CONTAINERD, &[&asks, &first]);
        within("both are refused", SOON, || refused() >= 3 * lines);
        let lines = refused();
        rule("10.8.0.0/16");
        within("the one is attached", LATER, || has(lab, &db, "net1"));
        assert!(!has(lab, &web, "net1"));
        assert_eq!(refused(), lines, "told again:\n{}", said());
        rule("10.9.0.0/16");
        within("the other is attached", LATER, || has(lab, &web, "net1"));
        // By now it was tried more than once.
        assert_eq!(refused(), lines, "told again:\n{}", said());
        drop(runtime);
    });
}

#[test]
fn a_pod_that_runs_without_its_interface_has_it_once_its_network_is_defined() {
    lab!(|lab| {
        lab.bridge("br0");
        let (web, gone) = (lab.container("web"), lab.container("gone"));
        let rule = "\n[[rule]]\ncaller = [\"namespace:shop\"]\nnetwork = [\"lan\"]\ncidr = [\"10.0.0.5\"]\n";
        let ask = ["pipework.net=lan", "pipework.ip=10.0.0.5/24"];
        let (asks, ended) = (pod(&web, &ask), pod(&gone, &ask));
        let runtime = Runtime::start(CONTAINERD, &[&asks, &ended]);
        within("they are refused", SOON, || {
            said().matches("no network is called lan").count() >= 2
        });
        gone.end();
        fs::write("/etc/pipework/policy.toml", format!("{POLICY}{rule}")).unwrap();
        fs::create_dir_all("/etc/pipework/networks.d").unwrap();
        fs::write("/etc/pipework/networks.d/lan.toml", "bridge = \"br0\"\n").unwrap();
        within("it is attached", LATER, || has(lab, &web, "net1"));
        assert_eq!((ports(), records()), (1, 1));
        drop(runtime);
    });
}
