//! podman and a NIC: started, restarted, killed, removed by force.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::device::{Furnished, device};
use crate::support::lab::{PIPEWORK, has};
use crate::support::podman::{HOOKS, import_image, podman};
use crate::support::skip;
use crate::support::vm::{Nic, vm};

/// podman ends a container in the background; this machine is slow.
const PATIENCE: Duration = Duration::from_secs(60);

fn install_hooks() {
    fs::create_dir_all(HOOKS).unwrap();
    for stage in ["createRuntime", "poststop"] {
        let hook = json!({
            "version": "1.0.0",
            "hook": { "path": PIPEWORK, "args": ["pipework", "hook", "--stage", stage], "timeout": 60 },
            "when": { "annotations": { "^pipework\\.": ".*" } },
            "stages": [stage],
        });
        fs::write(format!("{HOOKS}/{stage}.json"), hook.to_string()).unwrap();
    }
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(100));
    }
}

fn is_claimed() -> bool {
    fs::read_dir("/run/pipework/nics").is_ok_and(|claims| claims.count() > 0)
}

fn is_home(nic: &Nic) -> bool {
    nic.present_name().as_ref() == Some(&nic.name) && !is_claimed()
}

#[test]
fn podman_has_the_nic_after_each_start_and_the_host_after_each_end() {
    if !has("podman", "--version") {
        skip!("there is no podman");
    }
    vm!(|vm| {
        install_hooks();
        import_image();
        let nic = vm.nics("igb").remove(0);
        let host = Furnished::new(&nic);
        let asked = format!("--annotation {}", device(&nic));
        podman(&format!(
            "run -d --name web --cgroups=disabled --network none {asked} bb:1 sleep 1000"
        ));
        assert_eq!(nic.present_name(), None);
        podman("restart -t 0 web");
        assert_eq!(nic.present_name(), None, "after a restart");
        podman("kill web");
        wait_until("the NIC is home after a kill", || is_home(&nic));
        podman("start web");
        assert_eq!(nic.present_name(), None, "after a start");
        podman("rm -f -t 0 web");
        wait_until("the NIC is home after a removal", || is_home(&nic));
        host.assert_back("after all");
    });
}
