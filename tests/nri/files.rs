//! Policy and networks that are edited, broken and mounted while the plugin runs,
//! and rules that only the API server can answer.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use serde_json::json;

use crate::mock::{CONTAINERD, POLICY, Runtime, has, pod, said};
use crate::node::within;
use crate::support::lab::lab;

const ETC: &str = "/etc/pipework";
const RULE: &str =
    "\n[[rule]]\ncaller = [\"namespace:shop\"]\nnetwork = [\"lan\"]\ncidr = [\"10.0.0.0/24\"]\n";
const ASK: [&str; 2] = ["pipework.net=lan", "pipework.ip=10.0.0.5/24"];
/// A try that a busy machine has cut short comes again after 30 s.
const LATER: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(20);

fn write(name: &str, text: &str) {
    let path = format!("{ETC}/{name}");
    // At once: a file that is half there is a broken one.
    fs::write(format!("{path}.new"), text).unwrap();
    fs::rename(format!("{path}.new"), path).unwrap();
}

#[test]
fn a_network_that_is_broken_stays_what_it_was_and_the_log_says_so() {
    lab!(|lab| {
        lab.bridge("br0");
        let (web, db) = (lab.container("web"), lab.container("db"));
        fs::create_dir_all(format!("{ETC}/networks.d")).unwrap();
        write("networks.d/lan.toml", "bridge = \"br0\"\n");
        write("networks.d/bad.toml", "bridge = \n");
        let runtime = Runtime::start(CONTAINERD, &[]);
        write("policy.toml", &format!("{POLICY}{RULE}"));
        // Nobody has asked for it yet.
        write("networks.d/lan.toml", "bridge = \n");
        let text = "the network lan is broken; what it said before still counts";
        within("the log says so", SOON, || said().contains(text));
        // However often it is written and asked for, until something else is wrong.
        runtime.run(&pod(&web, &ASK)).unwrap();
        assert!(has(lab, &web, "net1"));
        for number in 0..3 {
            write("networks.d/lan.toml", "bridge = \n");
            write(
                "networks.d/bad.toml",
                &format!("{}bridge = \n", "\n".repeat(number + 1)),
            );
            let place = format!("bad.toml:{}:", number + 2);
            within("it was looked at", SOON, || said().contains(&place));
        }
        assert_eq!(said().matches(text).count(), 1, "{}", said());
        write("networks.d/lan.toml", "brid = \"br0\"\n");
        within("another flaw is", SOON, || {
            said().matches(text).count() == 2
        });
        write("networks.d/lan.toml", "bridge = \"br0\"\n");
        let mended = "the network lan can be read again";
        within("its end is, too", SOON, || said().contains(mended));
        // What was never right is refused, and so is what is gone.
        let bad = ["pipework.net=bad", "pipework.ip=10.0.0.6/24"];
        let refused = runtime.run(&pod(&db, &bad)).unwrap_err().to_string();
        assert!(refused.contains("bad.toml:4:"), "{refused}");
        fs::remove_file(format!("{ETC}/networks.d/lan.toml")).unwrap();
        let ask = ["pipework.net=lan", "pipework.ip=10.0.0.6/24"];
        let refused = runtime.run(&pod(&db, &ask)).unwrap_err().to_string();
        assert!(refused.contains("no network is called lan"), "{refused}");
        // The policy alike, which another edit mends.
        write("policy.toml", "[[rule]\n");
        within("the log says so", SOON, || {
            said().contains("the policy is broken; what it said before still counts")
        });
        let ask = ["pipework.bridge=br0", "pipework.ip=10.0.0.7/24"];
        runtime.run(&pod(&db, &ask)).unwrap();
        assert!(has(lab, &db, "net1"));
        drop(runtime);
    });
}

#[test]
fn a_policy_that_is_broken_from_the_start_refuses_every_pod_until_it_is_mended() {
    lab!(|lab| {
        lab.bridge("br0");
        let web = lab.container("web");
        let asks = pod(&web, &["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"]);
        let runtime = Runtime::start_under("[[rule]\n", CONTAINERD);
        let text = "the policy is broken: pods are refused";
        within("the log says so", SOON, || said().contains(text));
        let refused = runtime.run(&asks).unwrap_err().to_string();
        assert!(refused.contains("policy.toml:1:"), "{refused}");
        assert!(!has(lab, &web, "net1"));
        write("policy.toml", POLICY);
        within("it is attached", LATER, || runtime.run(&asks).is_ok());
        assert!(has(lab, &web, "net1"));
        drop(runtime);
    });
}

#[test]
fn a_config_map_that_changes_is_read_without_a_restart() {
    lab!(|lab| {
        lab.bridge("br0");
        let (web, db) = (lab.container("web"), lab.container("db"));
        // As the kubelet mounts it: files lead to a folder by a link, which it turns.
        let version = |name: &str, policy: &str, bridge: &str| {
            fs::create_dir_all(format!("{ETC}/{name}/networks.d")).unwrap();
            fs::write(format!("{ETC}/{name}/policy.toml"), policy).unwrap();
            let lan = format!("bridge = \"{bridge}\"\n");
            fs::write(format!("{ETC}/{name}/networks.d/lan.toml"), lan).unwrap();
        };
        version("..1", "", "br9");
        symlink("..1", format!("{ETC}/..data")).unwrap();
        for name in ["policy.toml", "networks.d"] {
            symlink(format!("..data/{name}"), format!("{ETC}/{name}")).unwrap();
        }
        let by_policy = pod(&web, &["pipework.bridge=br0", "pipework.ip=10.9.9.5/24"]);
        let by_network = pod(&db, &ASK);
        let runtime = Runtime::start(CONTAINERD, &[&by_policy, &by_network]);
        within("both are refused", SOON, || {
            said().contains("shop/web: net1: no rule") && said().contains("shop/db: ")
        });
        let policy = format!("{}{RULE}", POLICY.replace("10.0.0.0/16", "10.9.0.0/16"));
        version("..2", &policy, "br0");
        symlink("..2", format!("{ETC}/..data_tmp")).unwrap();
        fs::rename(format!("{ETC}/..data_tmp"), format!("{ETC}/..data")).unwrap();
        fs::remove_dir_all(format!("{ETC}/..1")).unwrap();
        within("the policy counts", LATER, || has(lab, &web, "net1"));
        within("the network counts", LATER, || has(lab, &db, "net1"));
        drop(runtime);
    });
}

#[test]
fn a_rule_for_a_service_account_is_answered_by_the_api_server_alone() {
    const PROXY: &str = "/run/proxy.sock";
    lab!(|lab| {
        lab.bridge("br0");
        let listener = UnixListener::bind(PROXY).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                let path = head.split(' ').nth(1).unwrap();
                let name = path.strip_prefix("/api/v1/namespaces/shop/pods/").unwrap();
                let account = if name == "guest" { "default" } else { "till" };
                let uid = if name.starts_with("till") || name == "guest" {
                    "uid-1"
                } else {
                    "another"
                };
                let mirror = if name == "static" { "uid-1" } else { "" };
                let annotations = json!({"kubernetes.io/config.mirror": mirror});
                let body = json!({
                    "metadata": {"uid": uid, "resourceVersion": "1", "annotations": annotations},
                    "spec": {"serviceAccountName": account},
                })
                .to_string();
                let length = body.len();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).ok();
            }
        });
        let rule = POLICY.replace("namespace:shop", "serviceaccount:shop/till");
        let runtime = Runtime::start_as(&["--api-proxy", PROXY], CONTAINERD, &[]);
        write("policy.toml", &rule);
        let asks = |name: &str, address: &str| {
            let container = lab.container(name);
            let ip = format!("pipework.ip={address}/24");
            let mut pod = pod(&container, &["pipework.bridge=br0", &ip]);
            pod.uid = "uid-1".to_owned();
            (container, pod)
        };
        let (till, pod) = asks("till-1", "10.0.0.5");
        runtime.run(&pod).unwrap();
        assert!(has(lab, &till, "net1"));
        for name in ["guest", "other", "static"] {
            let (container, mut pod) = asks(name, "10.0.0.6");
            // Whatever it says of itself.
            let claim = ("serviceAccountName".to_owned(), "till".to_owned());
            pod.annotations.extend([claim]);
            let refused = runtime.run(&pod).unwrap_err().to_string();
            assert!(
                refused.contains("no rule in /etc/pipework/policy.toml"),
                "{refused}"
            );
            assert!(!has(lab, &container, "net1"));
        }
        for reason in [
            "the API server knows another pod of that name",
            "a static pod has no service account",
        ] {
            assert!(said().contains(reason), "{}", said());
        }
        // Without a way to the API server nobody has an account.
        drop(runtime);
        let runtime = Runtime::start(CONTAINERD, &[]);
        write("policy.toml", &rule);
        let (_container, pod) = asks("till-2", "10.0.0.7");
        runtime.run(&pod).unwrap_err();
        drop(runtime);
    });
}
