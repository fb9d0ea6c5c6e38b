//! Addresses of pods: no two of a node have the same, by whichever words they
//! ask for it.

use std::fs;
use std::time::Duration;

use crate::mock::{CONTAINERD, POLICY, Runtime, has, pod, ports, records};
use crate::node::within;
use crate::support::lab::lab;

const SOON: Duration = Duration::from_secs(20);
const ADDRESS: &str = "pipework.ip=10.0.0.5/24";

#[test]
fn the_address_of_a_pod_is_refused_to_any_other_that_asks_for_it() {
    lab!(|lab| {
        lab.bridge("br0");
        let runtime = Runtime::start(CONTAINERD, &[]);
        let rule = "\n[[rule]]\ncaller = [\"namespace:shop\"]\nnetwork = [\"*\"]\ncidr = [\"10.0.0.0/24\"]\n";
        fs::write("/etc/pipework/policy.toml", format!("{POLICY}{rule}")).unwrap();
        fs::create_dir_all("/etc/pipework/networks.d").unwrap();
        for name in ["lan", "other"] {
            let path = format!("/etc/pipework/networks.d/{name}.toml");
            fs::write(path, "bridge = \"br0\"\n").unwrap();
        }
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
