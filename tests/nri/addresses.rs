//! Addresses of pods: no two of a node have the same, by whichever words they
//! ask for it.

use std::fs;
use std::time::Duration;

use crate::mock::{CONTAINERD, POLICY, Runtime, has, pod, ports, records, said};
use crate::node::within;
use crate::support::lab::{Container, Lab, ip_json, lab};

const SOON: Duration = Duration::from_secs(20);
const ADDRESS: &str = "pipework.ip=10.0.0.5/24";
/// A network with two addresses.
const POOL: &str = "bridge = \"br0\"\n[[pool]]\nsubnet = \"10.0.0.0/24\"\n\
                    range = \"10.0.0.100-10.0.0.101\"\n";

/// Named networks, which every pod may have.
fn write_networks(networks: &[(&str, &str)]) {
    let rule =
        "\n[[rule]]\ncaller = [\"namespace:shop\"]\nnetwork = [\"*\"]\ncidr = [\"10.0.0.0/24\"]\n";
    fs::write("/etc/pipework/policy.toml", format!("{POLICY}{rule}")).unwrap();
    fs::create_dir_all("/etc/pipework/networks.d").unwrap();
    for (name, text) in networks {
        fs::write(format!("/etc/pipework/networks.d/{name}.toml"), text).unwrap();
    }
}

/// The address of a pod's interface.
fn address(lab: &Lab, of: &Container) -> String {
    let shown = lab.inside(of, || ip_json("addr show net1"));
    let local = &shown[0]["addr_info"][0]["local"];
    local.as_str().unwrap().to_owned()
}

#[test]
fn the_address_of_a_pod_is_refused_to_any_other_that_asks_for_it() {
    lab!(|lab| {
        lab.bridge("br0");
        let runtime = Runtime::start(CONTAINERD, &[]);
        write_networks(&["lan", "other"].map(|name| (name, "bridge = \"br0\"\n")));
        let ways = [
            "pipework.bridge=br0",
            "pipework.net=lan",
            "pipework.net=other",
        ];
        for first in ways {
            let web = lab.container("web");
            let has_it = pod(&web, &[first, ADDRESS]);
            runtime.run(&has_it).unwrap();
            assert!(has(lab, &web, "net1"));
            for second in ways {
                let db = lab.container("db");
                let wants_it = pod(&db, &[second, ADDRESS]);
                let refused = runtime.run(&wants_it).unwrap_err().to_string();
                let text = "10.0.0.5 is held by shop/web/net1";
                assert!(refused.contains(text), "{second}: {refused}");
                db.end();
                runtime.stop(&wants_it);
            }
            web.end();
            runtime.stop(&has_it);
            within("nothing is left", SOON, || (ports(), records()) == (0, 0));
        }
    });
}

/// The log of the node names all.
#[test]
fn who_has_an_address_is_not_said_to_pods_of_other_namespaces() {
    lab!(|lab| {
        lab.bridge("br0");
        let runtime = Runtime::start(CONTAINERD, &[]);
        write_networks(&[("lan", POOL), ("other", "bridge = \"br0\"\n")]);
        let policy = fs::read_to_string("/etc/pipework/policy.toml").unwrap();
        let for_all = policy.replace("namespace:shop", "namespace:*");
        fs::write("/etc/pipework/policy.toml", for_all).unwrap();
        let [first, second, third] = ["web-1", "web-2", "vault"].map(|name| lab.container(name));
        let asked = ["pipework.net=lan", "pipework.ip=pool"];
        let mut pods = [&first, &second, &third].map(|of| pod(of, &asked));
        pods[2].namespace = "bank".to_owned();
        runtime.run(&pods[0]).unwrap();
        runtime.run(&pods[1]).unwrap();
        let refused = runtime.run(&pods[2]).unwrap_err().to_string();
        assert!(refused.contains("other namespaces hold 2"), "{refused}");
        assert!(!refused.contains("web"), "{refused}");
        assert!(said().contains("shop/web-1/net1's"), "{}", said());
        runtime.stop(&pods[2]);
        let taken = format!("pipework.ip={}/24", address(lab, &first));
        pods[2].annotations = pod(&third, &["pipework.net=other", &taken]).annotations;
        let refused = runtime.run(&pods[2]).unwrap_err().to_string();
        let text = "is held by a container of another namespace";
        assert!(
            refused.contains(text) && !refused.contains("web"),
            "{refused}"
        );
        assert!(said().contains("is held by shop/web-1/net1"), "{}", said());
        runtime.stop(&pods[2]);
        for (container, pod) in [first, second].into_iter().zip(&pods) {
            container.end();
            runtime.stop(pod);
        }
        within("nothing is left", SOON, || (ports(), records()) == (0, 0));
    });
}

/// Replicas have one template: all of them ask for the same.
#[test]
fn replicas_have_an_address_each_of_a_pool_until_it_is_empty() {
    lab!(|lab| {
        lab.bridge("br0");
        let runtime = Runtime::start(CONTAINERD, &[]);
        write_networks(&[("lan", POOL)]);
        let asked = ["pipework.net=lan", "pipework.ip=pool"];
        let [first, second, third] = ["web-1", "web-2", "web-3"].map(|name| lab.container(name));
        let pods = [&first, &second, &third].map(|of| pod(of, &asked));
        runtime.run(&pods[0]).unwrap();
        runtime.run(&pods[1]).unwrap();
        let freed = address(lab, &first);
        let mut given = [freed.clone(), address(lab, &second)];
        given.sort();
        assert_eq!(given, ["10.0.0.100", "10.0.0.101"]);
        let refused = runtime.run(&pods[2]).unwrap_err().to_string();
        for text in ["10.0.0.100-10.0.0.101", "shop/web-1", "shop/web-2"] {
            assert!(refused.contains(text), "{refused}");
        }
        assert!(!has(lab, &third, "net1"));
        runtime.stop(&pods[2]);
        first.end();
        runtime.stop(&pods[0]);
        // Asked for again.
        runtime.run(&pods[2]).unwrap();
        assert_eq!(address(lab, &third), freed);
        for (container, pod) in [(second, &pods[1]), (third, &pods[2])] {
            container.end();
            runtime.stop(pod);
        }
        within("nothing is left", SOON, || (ports(), records()) == (0, 0));
    });
}
