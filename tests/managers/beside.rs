//! NetworkManager beside us: it leaves alone what is ours, by the file that is
//! installed for it, even where somebody's own profile is for every card.

use serde_json::json;

use crate::host::eventually;
use crate::manager::{END_NETWORK_MANAGER, NETWORK_MANAGER, WITHOUT_UDEV};
use crate::support::world::World;

/// A profile that NetworkManager begins on every card by itself.
const FOR_EVERY_CARD: &str = "[connection]
id=every
uuid=5f5ee3b4-22c0-4b1c-8c4b-1e7f0e3a2b11
type=ethernet
multi-connect=3
[ipv4]
method=manual
address1=192.0.2.7/32
[ipv6]
method=disabled
";
const PROFILE: &str = "/etc/NetworkManager/system-connections/every.nmconnection";
const OURS: &str = "/usr/lib/NetworkManager/conf.d/00-pipework.conf";

pub fn network_manager_leaves_the_hosts_ends_alone(world: &World) {
    let run = |lines: &str| world.sh(&format!("set -e\n{lines}")).ok();
    let port = attach(world);
    world.write(PROFILE, FOR_EVERY_CARD);
    run(&format!("chmod 0600 {PROFILE}"));
    run(WITHOUT_UDEV);
    let ours = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/packaging/NetworkManager/00-pipework.conf"
    );
    world.write(OURS, &std::fs::read_to_string(ours).unwrap());
    run(NETWORK_MANAGER);
    let state = |link: &str| run(&format!("nmcli -g GENERAL.STATE device show {link}"));
    let addresses = |link: &str| run(&format!("ip -4 addr show {link}"));
    let links = || run("ip -d link show type bridge_slave");
    run(
        "ip netns add far; ip link add eth0 type veth peer name wire0 netns far
         ip -n far link set wire0 up; ip link set eth0 up",
    );
    // It is at work where it may be.
    assert!(eventually(|| addresses("eth0").contains("192.0.2.7/32")));
    assert_eq!(state(&port), "10 (unmanaged)\n");
    assert!(!addresses(&port).contains("inet "), "{}", addresses(&port));
    assert!(links().contains(&port), "{}", links());
    run(END_NETWORK_MANAGER);
    // Without that file it takes even this one.
    run(&format!("rm {OURS}"));
    run(NETWORK_MANAGER);
    assert!(eventually(|| state(&port) != "10 (unmanaged)\n"));
}

/// A container on br0, by the hook; the name of its end here.
fn attach(world: &World) -> String {
    let start = "unshare --net sleep 3600 >/dev/null 2>&1 & pid=$!
         until [ $(readlink /proc/$pid/ns/net) != $(readlink /proc/self/ns/net) ]; do sleep 0.01; done
         ip link add br0 type bridge; ip link set br0 up; echo $pid";
    let pid: u32 = world.sh(start).ok().trim().parse().unwrap();
    let state = json!({
        "ociVersion": "1.0.2", "id": "web", "status": "creating", "pid": pid, "bundle": "/srv/web",
        "annotations": { "pipework.bridge": "br0", "pipework.ip": "10.0.0.5/24" },
    });
    world.write("/run/state.json", &state.to_string());
    world
        .sh("pipework hook --stage createRuntime </run/state.json")
        .ok();
    let port = world.sh("ls /sys/class/net | grep ^pw").ok();
    port.trim().to_owned()
}
